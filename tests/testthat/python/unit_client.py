"""client.py: what R tells of a checkpoint, and where its bytes go."""

import array
import json
import unittest

from kerasbackup.store import client
from kerasbackup.store import errors


def entry(begin, end, **changes):
    whole = {"dtype": "U8", "shape": [end - begin]}
    return whole | {"data_offsets": [begin, end]} | changes


def header(**tensors):
    return json.dumps(
        {"__metadata__": {"epoch": "1"}, **tensors, "kerasbackup.trailer": {}}
    )


def checkpoint(**tensors):
    return client.Checkpoint({"path": "a/file", "header": header(**tensors)})


class Checkpoints(unittest.TestCase):
    def test_each_tensor_has_a_place(self):
        sizes = [0, 1, 70, client.PIECE - 100, 200, client.PIECE + 1, 3, 0, 64]
        tensors = {}
        end = 0
        for i, size in enumerate(sizes):
            tensors[f"t{i}"] = entry(end, end + size)
            end += size
        # In the order of the file, whatever the header's.
        one = checkpoint(**dict(reversed(tensors.items())))
        self.assertEqual(
            [(n, t[2].nbytes) for n, t in one.tensors.items() if t[2].nbytes],
            [(f"t{i}", size) for i, size in enumerate(sizes) if size],
        )
        places = list(array.array("Q", bytes(one.places)))
        arrays = [data for _, _, data in one.tensors.values()]
        self.assertEqual(places[1::2], [data.nbytes for data in arrays])
        for i, data in enumerate(arrays):
            if data.nbytes:
                self.assertEqual(data.ctypes.data, places[2 * i])
                self.assertEqual(data.ctypes.data % client.ALIGNMENT, 0)
            data[:] = i + 1
        # No two have a byte in common.
        for i, data in enumerate(arrays):
            self.assertTrue((data == i + 1).all())

    def test_a_header_that_does_not_add_up_is_damage(self):
        for tensors in (
            {"a": entry(1, 2)},
            {"a": entry(0, 2), "b": entry(1, 3)},
            {"a": entry(0, 2), "b": entry(3, 4)},
            {"a": entry(2, 0)},
            {"a": entry(-1, 0)},
            {"a": entry(0, 1, data_offsets=[0.0, 1.0])},
            {"a": entry(0, 1, data_offsets=[0])},
            {"a": entry(0, 1, shape=[1.0])},
            {"a": entry(0, 1, shape=None)},
            {"a": {"dtype": "U8"}},
            {"a": []},
        ):
            with self.subTest(tensors=tensors):
                with self.assertRaisesRegex(errors.CorruptError, "a/file"):
                    checkpoint(**tensors)

    def test_too_little_memory_is_told(self):
        with self.assertRaisesRegex(errors.StorageError, "too little memory"):
            checkpoint(a=entry(0, 2**60))


class Loading(unittest.TestCase):
    """What Python asks of R, and what it makes of the answers."""

    def load(self, found, read):
        self.asked = []

        def load(verified):
            self.asked.append(verified)
            return {"value": found.pop(0)}

        def take(places):
            self.asked.append(len(places))
            return {"value": read.pop(0)}

        return client.Store({"load": load, "read": take}).load()

    def found(self, **tensors):
        return {"path": "a/file", "header": header(**tensors)}

    def test_what_is_not_damaged_is_read_once(self):
        one = self.load([self.found(a=entry(0, 3))], [True])
        self.assertEqual(list(one.tensors), ["a"])
        self.assertEqual(self.asked, [False, 16])

    def test_where_there_is_none_nothing_is_read(self):
        self.assertIsNone(self.load([None], []))

    def test_after_damage_there_is_a_second_look(self):
        found = [
            self.found(a=entry(0, 3)),
            self.found(a=entry(0, 3), b=entry(3, 4)),
        ]
        one = self.load(found, [False, True])
        self.assertEqual(list(one.tensors), ["a", "b"])
        self.assertEqual(self.asked, [False, 16, True, 32])
