"""live_metrics.py: who hears of the epochs before an interruption."""

import unittest

from kerasbackup.fit.live_metrics import show_earlier_epochs
from kerasbackup.parts.history import History


def callback(name, module):
    cls = type(
        name,
        (),
        {
            "__module__": module,
            "on_epoch_end": lambda self, *args: self.heard.append(args),
        },
    )
    one = cls()
    one.heard = []
    return one


class LiveMetrics(unittest.TestCase):
    def test_only_the_one_of_keras3_hears_of_each_epoch(self):
        shown = callback("ViewMetricsCallback", "<r-namespace:keras3>")
        others = [
            callback("ViewMetricsCallback", "<r-globalenv>"),
            callback("Other", "<r-namespace:keras3>"),
        ]
        history = History([0, 1], {"loss": [2.0, 1.0], "mae": [None, 3.0]})
        show_earlier_epochs([others[0], shown, others[1]], history)
        self.assertEqual(
            shown.heard, [(0, {"loss": 2.0}), (1, {"loss": 1.0, "mae": 3.0})]
        )
        self.assertEqual([one.heard for one in others], [[], []])
