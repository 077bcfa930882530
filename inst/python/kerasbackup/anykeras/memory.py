"""The memory in which a variable's bytes are."""

from kerasbackup.anykeras import ask

is_lost = ask.its_own(__name__, "is_lost")
value_of = ask.its_own(__name__, "value_of")
read = ask.its_own(__name__, "read")
write = ask.its_own(__name__, "write")
of_backend = ask.its_own(__name__, "of_backend")
