"""The positions in the training and the validation data, as parts of a
checkpoint."""

from kerasbackup.parts.data import validation
from kerasbackup.parts.data.position_format import check_position
from kerasbackup.parts.part import Part


class ValidationData(Part):
    """The position in the validation data.

    Args:
        position: A `ValidationPosition`.
        training: The `DataPosition` of the training data.
    """

    name = "validation"

    def __init__(self, position, training):
        self._position = position
        self._training = training
        position.trained_on = training.written_by_user

    @classmethod
    def begin(cls, training):
        return cls(training.validation, training.position)

    @property
    def not_saved(self):
        return self._position.not_saved

    def capture(self, encoder):
        return self._position.capture(encoder)

    @staticmethod
    def check(saved, tensors, place):
        validation.check(saved, place.logged, tensors)

    def restore(self, saved, arrays):
        return self._position.restore(saved, arrays, self._training.use)


class TrainingData(Part):
    """The position in the training data.

    Args:
        position: A `DataPosition`.
        validation_position: A `ValidationPosition`, whose data may be the same.
        place: A `Place`, that of the save or restore under way.
        resumes_in_epoch: Whether an unfinished epoch continues at its next
            batch, rather than from its beginning.
        same_training: The `SameTraining`, which may say already that the data
            have other values.
    """

    name = "position"

    def __init__(
        self,
        position,
        validation_position,
        place,
        resumes_in_epoch,
        same_training,
    ):
        self._position = position
        self._validation = validation_position
        self._place = place
        self._resumes_in_epoch = resumes_in_epoch
        self._same_training = same_training

    @classmethod
    def begin(cls, training):
        return cls(
            training.position,
            training.validation,
            training.place,
            training.resumes_in_epoch,
            training.made["training"],
        )

    @property
    def not_saved(self):
        return self._position.not_saved

    def capture(self, encoder):
        return self._position.capture(self._place.batch, encoder)

    @staticmethod
    def check(saved, tensors, place):
        check_position(saved, place.batch, place.logged, tensors)

    def script_changes(self, saved, arrays):
        return self._position.script_changes(saved, arrays)

    def restore(self, saved, arrays):
        if self._same_training.has_other_data:
            self._position.leave_out_batches()
        batch = self._place.batch
        if batch and not self._resumes_in_epoch:
            return self._position.begin_anew(saved, arrays)
        moved = self._validation.moved(self._position.use)
        return self._position.restore(saved, batch, arrays, moved)
