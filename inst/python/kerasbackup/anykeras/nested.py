"""Nested structures of lists, tuples and dicts, as Keras walks them."""

from kerasbackup.anykeras import ask

flatten = ask.its_own(__name__, "flatten")
map_leaves = ask.its_own(__name__, "map_leaves")
