"""history.py: the logs of a run, over its interruptions."""

import json
import math
import unittest

import keras

from kerasbackup.checkpoint import schema
from kerasbackup.parts.history import History
from kerasbackup.store import errors


def again(history, epoch):
    text = json.dumps(history.to_json())
    return History.from_json(schema.parse(text), epoch)


class Histories(unittest.TestCase):
    def test_an_epoch_done_again_replaces_what_it_was(self):
        history = History()
        for epoch, loss in ((0, 3.0), (1, 2.0), (2, 1.0), (1, 5.0)):
            history.append(epoch, {"loss": loss})
        self.assertEqual(history.epochs, [0, 1])
        self.assertEqual(history.logs, {"loss": [3.0, 5.0]})

    def test_a_log_may_come_and_go(self):
        history = History()
        history.append(0, {"loss": 1.0})
        history.append(1, {"loss": 2.0, "val_loss": 3.0})
        history.append(2, {"loss": 4.0})
        self.assertEqual(history.logs["val_loss"], [None, 3.0, None])
        kept = keras.callbacks.History()
        history.fill(kept)
        self.assertEqual(kept.history["val_loss"], [3.0])
        self.assertEqual(kept.epoch, [0, 1, 2])

    def test_a_row_has_the_logs_that_its_epoch_had(self):
        history = History()
        history.append(2, {"loss": 1.0})
        history.append(3, {"loss": 2.0, "val_loss": 0.0})
        self.assertEqual(
            history.rows(),
            [(2, {"loss": 1.0}), (3, {"loss": 2.0, "val_loss": 0.0})],
        )
        self.assertEqual(History().rows(), [])

    def test_where_no_epoch_is_left_it_is_that_of_the_whole_run(self):
        history = History()
        for epoch in range(3):
            history.append(epoch, {"loss": 1.0, "confusion": [[1, 2]]})
        for epochs, expected in ((2, 3), (3, 3), (5, 5)):
            params = {"epochs": epochs, "steps": 7}
            kept = keras.callbacks.History()
            kept.set_params(params)
            history.replace(kept)
            self.assertEqual(kept.epoch, [0, 1, 2])
            self.assertEqual(kept.history, {"loss": [1.0, 1.0, 1.0]})
            self.assertEqual(kept.params, {"epochs": expected, "steps": 7})
            self.assertEqual(params["epochs"], epochs)

    def test_no_number_is_lost_on_the_way_through_json(self):
        column = [0.1, 1e-300, -0.0, math.inf, -math.inf, None]
        history = History(list(range(6)), {"loss": column})
        back = again(history, 6)
        self.assertEqual(back.logs["loss"], column)
        self.assertEqual(back.epochs, history.epochs)
        self.assertEqual(math.copysign(1, back.logs["loss"][2]), -1)
        back = again(History([0], {"loss": [math.nan]}), 1)
        self.assertTrue(math.isnan(back.logs["loss"][0]))

    def test_what_is_no_history_is_refused(self):
        for text in (
            "{}",
            '{"epoch": 1}',
            '{"epoch": [-1]}',
            '{"epoch": [0], "loss": []}',
            '{"epoch": [0], "loss": ["x"]}',
            '{"epoch": [0], "loss": [true]}',
            '{"epoch": [1]}',
            '{"epoch": [0, 0]}',
        ):
            with self.subTest(text=text), self.assertRaises(errors.DAMAGE):
                History.from_json(schema.parse(text), 1)
