"""The parts of a model that Keras keeps in private attributes."""

from typing import Any

from kerasbackup.anykeras import ask
from kerasbackup.anykeras import kinds
from kerasbackup.anykeras import nested

layers_of = ask.its_own(__name__, "layers_of")
layers_inside = ask.its_own(__name__, "layers_inside")
variables = ask.its_own(__name__, "variables")
metrics_variables = ask.its_own(__name__, "metrics_variables")
path_of = ask.its_own(__name__, "path_of")
layers_to_finalize = ask.its_own(__name__, "layers_to_finalize")
compiled_metrics = ask.its_own(__name__, "compiled_metrics")
loss_tracker = ask.its_own(__name__, "loss_tracker")
given_metrics = ask.its_own(__name__, "given_metrics")


def given_metric_objects(model: Any) -> list[Any]:
    """The metric objects that the script made. What Keras makes of a name has
    no state that a script could change."""
    return [
        metric
        for given in given_metrics(model).values()
        for metric in nested.flatten(given)
        if kinds.is_metric(metric)
    ]
