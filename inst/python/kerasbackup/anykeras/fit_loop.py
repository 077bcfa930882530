"""What the loop of a running `fit()` reads and waits for."""

from kerasbackup.anykeras import ask

begin_at = ask.its_own(__name__, "begin_at")
up_to_date = ask.its_own(__name__, "up_to_date")
wait_for_callbacks = ask.its_own(__name__, "wait_for_callbacks")
