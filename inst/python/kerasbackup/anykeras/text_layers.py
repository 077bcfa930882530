"""The vocabularies of text and lookup layers, which no variable holds."""

from kerasbackup.anykeras import ask

lookup_tables = ask.its_own(__name__, "lookup_tables")
word_weights = ask.its_own(__name__, "word_weights")
