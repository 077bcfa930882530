"""The parts of an optimizer that Keras keeps in private attributes."""

from kerasbackup.anykeras import ask

trained_variables = ask.its_own(__name__, "trained_variables")
given_learning_rate = ask.its_own(__name__, "given_learning_rate")
variables = ask.its_own(__name__, "variables")
is_built = ask.its_own(__name__, "is_built")
build = ask.its_own(__name__, "build")
