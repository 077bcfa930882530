"""Finds the variables that belong to any layer, metric or optimizer of the
process."""

from kerasbackup.anykeras import ask

find = ask.all_of(__name__, "find")
