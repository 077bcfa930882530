"""A training that changes objects, is killed, and goes on elsewhere."""

import itertools
import json

from kerasbackup.parts.objects import object_builds
from kerasbackup.parts.objects.object_states import ObjectStates
from kerasbackup.store import values


class Owner:
    """What has the attributes, such as a callback."""

    def __init__(self, **attributes):
        vars(self).update(attributes)


def written(captured):
    """What is read of it again: a checkpoint has JSON, and arrays."""
    encoder = values.Encoder()
    text = json.dumps(
        {
            owner: {
                name: encoder.encode(value, f"{owner}/{name}")
                for name, value in attributes.items()
            }
            for owner, attributes in captured.items()
        }
    )
    read = {
        owner: {
            name: values.decode(
                value, encoder.arrays.__getitem__, has_tags=True
            )
            for name, value in attributes.items()
        }
        for owner, attributes in json.loads(text).items()
    }
    object_builds.check(read)
    return read


def lost(make, train, **options):
    """What a checkpoint has after a training.

    Args:
        make: Callable that makes the owner, or a dict of owners.
        train: Callable that is given that.
        options: Of `ObjectStates`.
    """
    made = make()
    states = ObjectStates(_named(made), **options)
    train(made)
    captured = written(states.capture())
    assert not any(states.unsaved.values()), states.unsaved
    return captured


def put_back(captured, made):
    """The attributes that could not be put back."""
    owners = _named(made)
    states = ObjectStates(owners)
    return states.restore(captured, {name: name for name in owners})


def resume(make, train, **options):
    """The owner of another process, once all was put back."""
    captured = lost(make, train, **options)
    again = make()
    assert put_back(captured, again) == []
    return again


def unsaved(make, train, **options):
    """The attributes that are told as not saved."""
    made = make()
    states = ObjectStates(_named(made), **options)
    train(made)
    states.capture()
    return sorted(itertools.chain(*states.unsaved.values()))


def _named(made):
    return made if isinstance(made, dict) else {"owner": made}
