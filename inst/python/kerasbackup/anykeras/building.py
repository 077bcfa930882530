"""Lets Keras make the variables that it would make at the first batch."""

from kerasbackup.anykeras import ask

is_built = ask.its_own(__name__, "is_built")
build = ask.its_own(__name__, "build")
build_by_step = ask.its_own(__name__, "build_by_step")
build_optimizer = ask.its_own(__name__, "build_optimizer")
prepare = ask.its_own(__name__, "prepare")
