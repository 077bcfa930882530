"""Owns where in the validation data a training is.

May not touch variables, other callbacks or files.
"""

from collections.abc import Callable

from kerasbackup import replay
from kerasbackup import rng


class ValidationPosition:
    """The position in validation data that do not begin anew in every epoch: a
    generator, or a tf.data pipeline that may reshuffle.

    Args:
        model: The `keras.Model` being trained; it keeps the `EpochIterator`.
        generators: `rng.Generators`.
        progress: `replay.Progress`, told of every epoch drawn again.
        tell: Callable that is given what is no longer as it was, a list.
    """

    def __init__(
        self,
        model,
        generators: rng.Generators,
        progress: replay.Progress,
        tell: Callable[[list[str]], None],
    ):
        self._tell = tell
        self._model = model
        self._progress = progress
        self._generators = generators
        self._begun = 0
        self._to_replay = 0
        self._before = None

    def capture(self) -> int:
        """How many validations there were."""
        return self._begun

    def restore(self, begun: int) -> None:
        """To be drawn again when the first validation begins."""
        self._begun = self._to_replay = begun

    def on_data_end(self) -> None:
        """To be called when the training data of an epoch have been drawn:
        before Keras makes the first validation's iterator, which may draw from
        a generator to learn its shapes. The lost run had done that before."""
        if self._to_replay:
            self._before = self._generators.capture()

    def on_test_begin(self) -> None:
        """To be called when validation begins."""
        replays, self._to_replay = self._to_replay, 0
        iterator = getattr(self._model, "_eval_epoch_iterator", None)
        # A callback may evaluate on its own, without that iterator.
        if iterator is None:
            self._to_replay = replays
            return
        self._begun += 1
        if type(iterator.data_adapter).__name__ not in (
            "GeneratorDataAdapter",
            "TFDatasetAdapter",
        ):
            return
        states = self._generators.capture()
        before, self._before = self._before, None
        if (
            before not in (None, states)
            and type(iterator.data_adapter).__name__ == "GeneratorDataAdapter"
        ):
            # Keras keeps the first batches and validates on them every time:
            # they were drawn when the lost run made its iterator.
            self._tell(
                [
                    "the validation data draw from a global generator of "
                    "random numbers: their first batches are others"
                ]
            )
            states = before
        for i in range(replays):
            replay.draw_epoch(iterator)
            # Before 3.7 the next validation goes on with the same iterator.
            if hasattr(iterator, "reset"):
                iterator.reset()
            self._progress.at(i, replays)
        self._progress.end()
        self._generators.restore(states)
