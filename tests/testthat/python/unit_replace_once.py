"""replace_once.py: a method that is replaced for one call."""

import unittest

from kerasbackup.anykeras.replace_once import replace_once


class Model:
    def __init__(self):
        self.step = lambda batch: ["step", batch]

    def method(self, batch):
        return ["method", batch]


def around(method, batch):
    return ["around", *method(batch)]


class ReplaceOnce(unittest.TestCase):
    def test_the_next_call_puts_the_old_one_back(self):
        for name in ("step", "method"):
            model = Model()
            before = dict(vars(model))
            replace_once(model, name, around)
            self.assertEqual(getattr(model, name)(1), ["around", name, 1])
            self.assertEqual(getattr(model, name)(2), [name, 2])
            self.assertEqual(vars(model), before)

    def test_a_replacement_that_keras_has_kept_loses_no_method(self):
        for name in ("step", "method"):
            model = Model()
            replace_once(model, name, around)
            kept = getattr(model, name)
            for batch in range(3):
                self.assertEqual(kept(batch), ["around", name, batch])
            self.assertEqual(getattr(model, name)(3), [name, 3])

    def test_a_later_replacement_stays_if_one_that_was_kept_is_called(self):
        model = Model()
        replace_once(model, "step", around)
        kept = model.step
        kept(0)
        replace_once(model, "step", lambda method, batch: ["later", batch])
        self.assertEqual(kept(1), ["around", "step", 1])
        self.assertEqual(model.step(2), ["later", 2])

    def test_the_same_function_replaces_once(self):
        model = Model()
        replace_once(model, "step", around)
        replace_once(model, "step", around)
        self.assertEqual(model.step(1), ["around", "step", 1])
        self.assertEqual(model.step(2), ["step", 2])

    def test_another_function_goes_around_the_first(self):
        model = Model()
        replace_once(model, "step", around)
        replace_once(model, "step", lambda old, batch: ["outer", *old(batch)])
        self.assertEqual(model.step(1), ["outer", "around", "step", 1])
        self.assertEqual(model.step(2), ["step", 2])
