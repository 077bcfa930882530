"""The parts of a model that Keras keeps in private attributes."""

from kerasbackup.anykeras import ask

layers_of = ask.its_own(__name__, "layers_of")
layers_inside = ask.its_own(__name__, "layers_inside")
variables = ask.its_own(__name__, "variables")
metrics_variables = ask.its_own(__name__, "metrics_variables")
path_of = ask.its_own(__name__, "path_of")
layers_to_finalize = ask.its_own(__name__, "layers_to_finalize")
compiled_metrics = ask.its_own(__name__, "compiled_metrics")
loss_tracker = ask.its_own(__name__, "loss_tracker")
given_metrics = ask.its_own(__name__, "given_metrics")
given_metric_objects = ask.its_own(__name__, "given_metric_objects")
