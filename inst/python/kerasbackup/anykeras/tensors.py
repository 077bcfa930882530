"""Tensors and variables of the backend: what they are, and their values."""

from kerasbackup.anykeras import ask

is_tensor = ask.some(__name__, "is_tensor")
is_float = ask.its_own(__name__, "is_float")
dtype_of = ask.its_own(__name__, "dtype_of")
to_numpy = ask.its_own(__name__, "to_numpy")
local_values = ask.its_own(__name__, "local_values")
