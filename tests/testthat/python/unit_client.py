"""client.py: what R tells of a checkpoint, and where its bytes go."""

import array
import ctypes
import json
import math
import unittest

import numpy as np

from kerasbackup.store import client
from kerasbackup.store import errors
from kerasbackup.store.changes import Change


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

    def test_the_order_is_that_of_the_file_not_of_the_names(self):
        one = checkpoint(a=entry(1, 2), b=entry(0, 1))
        self.assertEqual(list(one.tensors), ["b", "a"])

    def test_an_empty_one_at_the_beginning_takes_no_memory(self):
        one = checkpoint(a=entry(0, 0), b=entry(0, 1))
        empty, byte = (data for _, _, data in one.tensors.values())
        self.assertEqual((empty.dtype, empty.nbytes), (np.uint8, 0))
        self.assertEqual(
            list(array.array("Q", bytes(one.places))),
            [0, 0, byte.ctypes.data, 1],
        )

    def test_they_are_aligned_as_jax_and_tensorflow_ask_for(self):
        sizes = [1, 70, 3]
        ends = np.cumsum(sizes).tolist()
        one = checkpoint(
            **{f"t{end}": entry(end - n, end) for n, end in zip(sizes, ends)}
        )
        for _, _, data in one.tensors.values():
            self.assertEqual(data.ctypes.data % 64, 0)

    def test_what_is_wrong_is_told(self):
        with self.assertRaisesRegex(errors.CorruptError, "TypeError: a has"):
            checkpoint(a=entry(0, 1, shape=[1.0]))

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

    def test_as_long_as_r_says_that_another_look_may_find_one(self):
        found = [self.found(a=entry(0, 3))] * 3
        self.load(list(found), [False, False, True])
        self.assertEqual(self.asked, [False, 16, True, 16, True, 16])
        self.assertIsNone(self.load([found[0], None], [False]))


class Calls(unittest.TestCase):
    """What R is asked for, with what, and what Python makes of the answer."""

    def setUp(self):
        self.asked = []

    def store(self, name, value=None):
        def answer(*args):
            self.asked.append(args)
            return {"value": value}

        return client.Store({name: answer})

    def test_those_that_tell_r_something(self):
        lines = ["a", "b"]
        for name, args in (
            ("note_cache_locks", (["a.lockfile"],)),
            ("set_r_seed", ("seed",)),
            ("notify", ("unsaved", lines)),
            ("progress", (3, 7)),
            ("progress", (None, None)),
            ("leave", ("incomplete", lines)),
            ("finish", ()),
            ("close", ()),
        ):
            with self.subTest(name=name, args=args):
                self.asked.clear()
                getattr(self.store(name), name)(*args)
                self.assertEqual(self.asked, [args])

    def test_those_that_ask(self):
        names = {"x": 1}
        for name, value, found in (
            ("script_names", names, names),
            ("script_names", [], {}),
            ("r_seed", "seed", "seed"),
            ("is_saved", 1, True),
            ("is_saved", None, False),
            ("preempt", "why", "why"),
            (
                "watch",
                {"address": "140737488355328", "bits": 3.0},
                (1 << 47, 3),
            ),
        ):
            with self.subTest(name=name, value=value):
                self.asked.clear()
                back = getattr(self.store(name, value), name)()
                self.assertEqual(back, found)
                self.assertIs(type(back), type(found))
                self.assertEqual(self.asked, [()])

    def test_a_plan_is_json(self):
        spec = [("w", "float32", [2, 3]), ("b", "int8", [])]
        for value in (True, False):
            self.asked.clear()
            answer = "yes" if value else ""
            self.assertIs(self.store("plan", answer).plan(spec), value)
            ((text,),) = self.asked
            self.assertEqual(json.loads(text), [list(one) for one in spec])

    def test_a_size_beyond_32_bits_is_no_integer(self):
        self.store("prepare").prepare(2**40)
        self.assertEqual(self.asked, [(2.0**40,)])
        self.assertIs(type(self.asked[0][0]), float)

    def test_a_save_has_its_addresses_and_short_metadata(self):
        addresses = bytearray(8)
        for value, is_saved in ((1, True), (None, False)):
            self.asked.clear()
            found = self.store("save", value).save(addresses, {"name": "ü"})
            self.assertIs(found, is_saved)
            ((place, text, *mark),) = self.asked
            self.assertIs(place, addresses)
            self.assertEqual(text, '{"kerasbackup":"1","name":"ü"}')
            self.assertEqual(len(mark), 2)
            self.assertTrue(all(map(math.isnan, mark)))

    def test_a_save_has_what_it_counts_as(self):
        self.store("save", 1).save(bytearray(8), {}, 10.0, value=0.5)
        ((_, _, *mark),) = self.asked
        self.assertEqual(mark, [10.0, 0.5])

    def test_a_save_that_failed_has_the_class_of_r(self):
        self.store("fail").fail(errors.StorageError("full"))
        self.assertEqual(self.asked, [("kerasbackup_error_io", "full")])

    def test_what_is_no_text_to_r_is_told_as_text(self):
        self.store("notify").notify("unsaved", ["ü", "a\udc80"])
        self.assertEqual(self.asked, [("unsaved", ["ü", "a\\udc80"])])

    def test_notes_have_their_table(self):
        self.store("notify").notify("notes", [Change("was 1", ("b", 2, 1))])
        ((_, lines, table),) = self.asked
        self.assertEqual(lines, ["was 1"])
        self.assertEqual(
            json.loads(table),
            {"what": ["b"], "script": ["2"], "checkpoint": ["1"]},
        )

    def test_a_failure_of_r_is_an_exception(self):
        failure = {"error": "kerasbackup_error_io", "message": "full"}
        store = client.Store({"close": lambda: failure})
        with self.assertRaisesRegex(errors.StorageError, "^full$"):
            store.close()


class Activity(unittest.TestCase):
    """What is read from R's memory without a call."""

    def open(self):
        self.memory = (ctypes.c_uint64 * 2)()
        self.asked = []

        def open(*args):
            self.asked.append(args)
            return {"value": str(ctypes.addressof(self.memory))}

        def end(*args):
            return {"value": None}

        self.store = client.Store(
            {"open": open, "close": end, "finish": end, "leave": end}
        )
        self.is_running = lambda: True
        self.store.open(self.is_running)

    def test_r_may_ask_whether_the_training_goes_on(self):
        self.open()
        self.assertEqual(self.asked, [(self.is_running,)])

    def test_how_long_the_last_write_took_unless_one_goes_on(self):
        self.open()
        self.memory[:] = [0, 2_500_000_000]
        self.assertEqual(self.store.writing_time(), 2.5)
        self.memory[0] = 1
        self.assertIsNone(self.store.writing_time())

    def test_after_the_end_it_is_not_looked_at(self):
        for end in (
            lambda store: store.close(),
            lambda store: store.finish(),
            lambda store: store.leave("incomplete", []),
        ):
            self.open()
            end(self.store)
            with self.assertRaises(TypeError):
                self.store.writing_time()

    def test_nor_before_the_beginning(self):
        with self.assertRaises(TypeError):
            client.Store({}).writing_time()
