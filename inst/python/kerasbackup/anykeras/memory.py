"""The memory in which a variable's bytes are."""

from kerasbackup.anykeras import ask

is_lost = ask.its_own(__name__, "is_lost")
value_of = ask.its_own(__name__, "value_of")
assign_parameter = ask.its_own(__name__, "assign_parameter")
of_backend = ask.its_own(__name__, "of_backend")
