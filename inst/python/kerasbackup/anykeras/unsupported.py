"""Refuses trainings that a checkpoint of this process alone cannot resume."""

from kerasbackup.anykeras import ask

check = ask.its_own(__name__, "check")
refused_cluster = ask.all_of(__name__, "refused_cluster")
check_model = ask.its_own(__name__, "check_model")
