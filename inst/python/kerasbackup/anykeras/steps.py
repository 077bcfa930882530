"""Which steps of its training a model defines itself."""

from kerasbackup.anykeras import ask

has_own_train_step = ask.its_own(__name__, "has_own_train_step")
has_call = ask.its_own(__name__, "has_call")
renew_compiled = ask.its_own(__name__, "renew_compiled")
