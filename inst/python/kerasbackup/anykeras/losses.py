"""What distinguishes one loss from another."""

from kerasbackup.anykeras import ask

function_name = ask.its_own(__name__, "function_name")
weights = ask.its_own(__name__, "weights")
parameters = ask.its_own(__name__, "parameters")
