"""How a model is spread over devices."""

from kerasbackup.anykeras import ask

spreads_over_processes = ask.its_own(__name__, "spreads_over_processes")
