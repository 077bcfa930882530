"""Tells which objects are of a Keras, and of which kind they are."""

from kerasbackup.anykeras import ask

# Classes, for `issubclass()` and for looking through a class's bases.
optimizers = ask.all_of(__name__, "optimizers")
py_datasets = ask.all_of(__name__, "py_datasets")
seed_generators = ask.all_of(__name__, "seed_generators")

is_of_keras = ask.some(__name__, "is_of_keras")
is_class_of_keras = ask.some(__name__, "is_class_of_keras")
holds_functions = ask.some(__name__, "holds_functions")
is_variable = ask.some(__name__, "is_variable")
is_layer = ask.some(__name__, "is_layer")
is_model = ask.some(__name__, "is_model")
is_optimizer = ask.some(__name__, "is_optimizer")
is_metric = ask.some(__name__, "is_metric")
is_loss = ask.some(__name__, "is_loss")
is_component = ask.some(__name__, "is_component")
is_py_dataset = ask.some(__name__, "is_py_dataset")
is_seed_generator = ask.some(__name__, "is_seed_generator")
is_of_tf_data = ask.its_own(__name__, "is_of_tf_data")
