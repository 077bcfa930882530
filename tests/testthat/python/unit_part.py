"""part.py: what holds where a part or a training says nothing else."""

import unittest

from kerasbackup.parts import part


class Defaults(unittest.TestCase):
    def test_a_training_begins_at_its_beginning_and_has_nothing(self):
        self.assertEqual(part.Place(), part.Place(0, 0, 0))
        one, other = (part.Training("model", part.Place()) for _ in range(2))
        for training in (one, other):
            self.assertEqual(training.callbacks, [])
            self.assertEqual((training.names, training.made), ({}, {}))
            self.assertIs(training.is_generator(1), False)
            self.assertIs(training.is_dataset(1), False)
            self.assertIs(training.resumes_in_epoch, True)
            for none in ("epoch_iterator", "position", "validation"):
                self.assertIsNone(getattr(training, none))
            # None of it is another training's.
            training.callbacks.append(1)
            training.names["a"] = training.made["a"] = 1

    def test_a_part_was_made_before_and_must_be_in_the_checkpoint(self):
        class One(part.Part):
            name = "one"

        made = One()
        training = part.Training("model", part.Place(), made={"one": made})
        self.assertIs(One.begin(training), made)
        # A part may be none.
        self.assertIsNotNone(One.missing)
        self.assertIs(One.missing, part.REQUIRED)
        self.assertIs(made.is_put_again, False)
        self.assertEqual(made.not_saved, [])
        self.assertIsNone(made.check_owners("anything"))
