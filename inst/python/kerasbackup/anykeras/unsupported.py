"""Refuses trainings that a checkpoint of this process alone cannot resume."""

from kerasbackup.anykeras import ask

check = ask.its_own(__name__, "check")
check_model = ask.its_own(__name__, "check_model")
