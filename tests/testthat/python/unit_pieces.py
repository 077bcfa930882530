"""pieces.py: variables that are divided otherwise than in the checkpoint."""

import unittest

import numpy as np

from kerasbackup.parts import pieces

WHOLE = np.arange(24, dtype="float32").reshape(4, 6)


def names_alike(names, saved):
    """What `_pair()` does where only numbers in names differ."""
    short = {name.rstrip("_0123456789"): name for name in saved}
    return [short.get(name.rstrip("_0123456789")) for name in names]


def divided(rows, columns, variable="k", value=WHOLE):
    """A matrix in so many pieces.

    Returns:
        Tensors and shards, as a checkpoint has them.
    """
    tensors, shards = {}, {}
    height, width = value.shape[0] // rows, value.shape[1] // columns
    for i in range(0, value.shape[0], height):
        for j in range(0, value.shape[1], width):
            piece = value[i : i + height, j : j + width]
            name = variable
            if rows * columns > 1:
                name = f"{variable}@{i}:{i + height},{j}:{j + width}"
                shards[name] = {
                    "variable": variable,
                    "shape": [*value.shape],
                    "begin": [i, j],
                }
            data = np.frombuffer(piece.tobytes(), np.uint8)
            tensors[name] = "F32", [height, width], data
    return tensors, shards


def spec_of(tensors):
    return [(name, kind, shape) for name, (kind, shape, _) in tensors.items()]


def as_lists(tensors):
    return {name: (*one[:2], one[2].tolist()) for name, one in tensors.items()}


class Fitted(unittest.TestCase):
    def fitted(self, saved, own, pair=names_alike):
        return pieces.fitted(*saved, spec_of(own[0]), own[1], pair)

    def test_any_division_becomes_any_other(self):
        divisions = [(1, 1), (1, 2), (2, 1), (1, 3), (2, 3), (4, 6), (4, 2)]
        for before in divisions:
            for now in divisions:
                with self.subTest(before=before, now=now):
                    tensors, shards = self.fitted(
                        divided(*before), divided(*now)
                    )
                    expected, places = divided(*now)
                    self.assertEqual(as_lists(tensors), as_lists(expected))
                    self.assertEqual(shards, places)

    def test_a_process_gets_its_own_pieces_alone(self):
        tensors, shards = divided(1, 2)
        own = {name: tensors[name] for name in ["k@0:4,3:6"]}
        place = {name: shards[name] for name in own}
        found, places = self.fitted(divided(2, 1), (own, place))
        self.assertEqual(as_lists(found), as_lists(own))
        self.assertEqual(places, place)

    def test_what_is_divided_alike_stays(self):
        saved = divided(2, 2)
        found, places = self.fitted(saved, divided(2, 2))
        for name, tensor in saved[0].items():
            self.assertIs(found[name], tensor)
        self.assertEqual(places, saved[1])

    def test_pieces_that_some_workers_have_too_count_once(self):
        tensors, shards = divided(1, 2)
        double = "other name"
        tensors[double] = tensors["k@0:4,0:3"]
        shards[double] = shards["k@0:4,0:3"]
        found, _ = self.fitted((tensors, shards), divided(2, 1))
        self.assertEqual(as_lists(found), as_lists(divided(2, 1)[0]))
        # A double does not stand for the piece that is missing.
        del tensors["k@0:4,3:6"], shards["k@0:4,3:6"]
        found, _ = self.fitted((tensors, shards), divided(2, 1))
        self.assertEqual([*found], [*tensors])

    def test_names_may_have_other_numbers(self):
        saved = divided(1, 2, "k_1")
        found, places = self.fitted(saved, divided(2, 1, "k_7"))
        expected, shards = divided(2, 1, "k_1")
        self.assertEqual(as_lists(found), as_lists(expected))
        self.assertEqual(places, shards)

    def test_the_order_stays(self):
        # Variables with names that differ in their numbers are paired by it.
        a, shards_a = divided(1, 2, "a", WHOLE)
        b, _ = divided(1, 1, "b", -WHOLE)
        c, shards_c = divided(1, 2, "c", 2 * WHOLE)
        saved = a | b | c, shards_a | shards_c
        now = divided(1, 1, "a")[0] | b | divided(1, 1, "c")[0], {}
        found, places = self.fitted(saved, now)
        self.assertEqual([*found], ["a", "b", "c"])
        self.assertEqual(places, {})

    def test_another_shape_stays_for_the_message(self):
        saved = divided(1, 2)
        own = divided(2, 1, value=np.zeros((6, 4), "float32"))
        found, places = self.fitted(saved, own)
        self.assertEqual((found, places), saved)

    def test_a_variable_that_is_not_there_changes_nothing(self):
        saved = divided(1, 2)
        self.assertEqual(self.fitted(saved, divided(2, 1, "other")), saved)

    def test_empty_pieces(self):
        empty = np.zeros((0, 6), "float32")
        saved = {"k": ("F32", [0, 6], np.zeros(0, np.uint8))}, {}
        own = {"k@0:0,0:3": ("F32", [0, 3], None)}
        place = {
            "k@0:0,0:3": {"variable": "k", "shape": [0, 6], "begin": [0, 0]}
        }
        found, places = self.fitted(saved, (own, place))
        self.assertEqual(found["k@0:0,0:3"][1], [0, *empty.shape[1:]][:1] + [3])
        self.assertEqual(len(found["k@0:0,0:3"][2]), 0)
        self.assertEqual(places, place)

    def test_without_pieces_nothing_is_done(self):
        tensors = divided(1, 1)[0]
        found, _ = pieces.fitted(tensors, {}, [], {}, None)
        self.assertIs(found, tensors)


class Check(unittest.TestCase):
    def test_what_is_saved_is_valid(self):
        tensors, shards = divided(2, 3)
        pieces.check(shards, tensors)
        pieces.check({}, tensors)

    def test_shards_that_do_not_describe_tensors_are_refused(self):
        tensors, shards = divided(1, 2)
        name = next(iter(shards))
        for bad in (
            {"no": shards[name]},
            {name: {}},
            {name: shards[name] | {"variable": 1}},
            {name: shards[name] | {"shape": [4]}},
            {name: shards[name] | {"begin": [0, 0, 0]}},
            {name: shards[name] | {"begin": [0, -1]}},
            {name: shards[name] | {"begin": [0, True]}},
            {name: shards[name] | {"shape": [4.0, 6]}},
            {name: shards[name] | {"begin": [1, 0]}},
            {name: None},
            [name],
            None,
        ):
            with (
                self.subTest(bad),
                self.assertRaises(
                    (AttributeError, KeyError, TypeError, ValueError)
                ),
            ):
                pieces.check(bad, tensors)


if __name__ == "__main__":
    unittest.main()
