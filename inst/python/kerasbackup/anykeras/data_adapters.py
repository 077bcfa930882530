"""The data adapters of a Keras, which draw from what a script gives to
`fit()`."""

from typing import Any

from kerasbackup.anykeras import ask


def kind_of_class(name: Any) -> str | None:
    """The kind of the data, by the name of an adapter's class; `None` of any
    other class."""
    found = (known.KINDS.get(str(name)) for known in ask.modules(__name__))
    return next((kind for kind in found if kind is not None), None)


kind = ask.its_own(__name__, "kind")
describe = ask.its_own(__name__, "describe")
source = ask.its_own(__name__, "source")
arrays = ask.its_own(__name__, "arrays")
rest_of_generator = ask.its_own(__name__, "rest_of_generator")
is_py_dataset = ask.some(__name__, "is_py_dataset")
kept_of_py_dataset = ask.its_own(__name__, "kept_of_py_dataset")
set_py_dataset = ask.its_own(__name__, "set_py_dataset")
may_end_twice = ask.its_own(__name__, "may_end_twice")
ready = ask.its_own(__name__, "ready")
set_ready = ask.its_own(__name__, "set_ready")
epochs = ask.its_own(__name__, "epochs")
set_epochs = ask.its_own(__name__, "set_epochs")
draw = ask.its_own(__name__, "draw")
watch_batches = ask.its_own(__name__, "watch_batches")
leaves = ask.its_own(__name__, "leaves")
is_tensor = ask.some(__name__, "is_tensor")
to_numpy = ask.its_own(__name__, "to_numpy")
