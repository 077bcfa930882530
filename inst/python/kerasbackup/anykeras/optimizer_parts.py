"""The parts of an optimizer that Keras keeps in private attributes."""

from kerasbackup.anykeras import ask

trained_variables = ask.its_own(__name__, "trained_variables")
given_learning_rate = ask.its_own(__name__, "given_learning_rate")
