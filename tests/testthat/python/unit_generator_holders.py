"""generator_holders.py: generators that libraries hold, and what is not done to
them."""

import functools
import gc
import importlib.util
import random
import sys
import threading
import time
import types
import unittest
import weakref
from unittest import mock

import numpy as np

from kerasbackup.parts.random import generator_holders
from kerasbackup.parts.random.found_generators import FoundGenerators

LIBRARY = '''
import collections
import random
import threading

import numpy as np


class Pool:
    """Sets a generator for each element, as Grain's does."""

    def __init__(self, seed):
        self._lock = threading.Lock()
        self._free = collections.deque([np.random.default_rng(seed)])

    def draw(self, index, between):
        with self._lock:
            rng = self._free.pop()
        rng.bit_generator.state = np.random.PCG64(index).state
        first = rng.random()
        between()
        drawn = first, rng.random()
        with self._lock:
            self._free.append(rng)
        return drawn


class Placing:
    """Places the counter for each element, without threads."""

    def __init__(self):
        self.rng = np.random.Generator(np.random.Philox(5))

    def draw(self, index):
        state = self.rng.bit_generator.state
        state["state"]["counter"][:] = [0, 0, 0, index]
        state["buffer_pos"] = 4
        self.rng.bit_generator.state = state
        return self.rng.random()


class Augmenting:
    """Draws on and on, as most of them do."""

    def __init__(self, seed):
        self.fields = {"rng": np.random.Generator(np.random.Philox(seed))}
        self.choose = random.Random(seed).random

    def draw(self):
        return self.fields["rng"].random(), self.choose()


def drawing(rng, lock=None):
    """A function and a generator object that have one."""

    def draw():
        return rng.random() if lock is None else lock

    def numbers():
        while True:
            yield rng.random()

    return draw, numbers()


module_lock = threading.Lock()
'''


def library(path="/opt/lib/python3/site-packages/pooling/__init__.py"):
    """A module as an installed package has it."""
    module = types.ModuleType("pooling")
    module.__file__ = path
    sys.modules["pooling"] = module
    exec(compile(LIBRARY, path, "exec"), vars(module))
    return module


def names_of_classes(objects):
    return sorted(type(one).__name__ for one in objects)


class Holders(unittest.TestCase):
    """Which objects hold a generator."""

    def found(self, *generators):
        return generator_holders.of(list(generators))[0]

    def holds(self, holders, one):
        return any(one is holder for holder in holders)

    def test_a_module_holds_its_names_and_its_functions_do_not(self):
        module = types.ModuleType("kerasbackup_test_module")
        exec("def draw():\n    return rng.random()", vars(module))
        module.rng = np.random.default_rng(1)
        with mock.patch.dict(sys.modules, {module.__name__: module}):
            (holders,) = self.found(module.rng)
        self.assertTrue(self.holds(holders, vars(module)))
        self.assertFalse(self.holds(holders, module.draw))

    def test_a_dict_that_is_no_modules_leads_to_its_owner(self):
        class WithoutDict:
            __slots__ = ()

        for names in (
            {},
            {"__name__": "sys"},
            {"__name__": "no such module"},
            {"__name__": "without_dict"},
        ):
            rng = np.random.default_rng(1)
            owner = types.SimpleNamespace(one={**names, "rng": rng})
            # A package may put anything into the list of modules.
            with mock.patch.dict(sys.modules, without_dict=WithoutDict()):
                (holders,) = self.found(rng)
            self.assertTrue(
                self.holds(holders, owner) or self.holds(holders, vars(owner))
            )
            self.assertFalse(self.holds(holders, owner.one))

    def test_each_generator_has_its_own(self):
        first, second = np.random.default_rng(1), np.random.default_rng(2)
        owners = [
            types.SimpleNamespace(rng=first),
            types.SimpleNamespace(rng=[[second]]),
            types.SimpleNamespace(both=(first, {"b": second})),
        ]
        holders = self.found(first, second)
        for found, theirs in zip(holders, ((0, 2), (1, 2))):
            self.assertEqual(
                [self.holds(found, one) for one in owners],
                [i in theirs for i in range(3)],
            )

    def test_each_container_is_searched_once(self):
        rng = np.random.default_rng(1)
        owner = types.SimpleNamespace(rngs=[rng, {"again": rng}])
        (holders,) = self.found(rng)
        self.assertEqual(sum(one is owner for one in holders), 1)

    def test_a_container_lives_as_long_as_the_search(self):
        rng, outer = np.random.default_rng(1), []
        inner = functools.partial(print, rng)
        reference = weakref.ref(inner)
        found = [[inner], [outer]]
        del inner

        def look(*objects):
            # Only the search can have it now. If it were gone, another object
            # could get its id.
            self.assertIsNotNone(reference())
            return found.pop(0) if found else []

        with mock.patch.object(gc, "get_referrers", look):
            self.found(rng)
        self.assertEqual(found, [])


class Referrers(unittest.TestCase):
    """The walk through all objects, during which none may be collected."""

    def test_no_collection_meanwhile(self):
        self.addCleanup(gc.enable)
        seen = []

        def look(*objects):
            seen.append(gc.isenabled())
            return []

        for was_enabled in (True, False):
            (gc.enable if was_enabled else gc.disable)()
            with mock.patch.object(gc, "get_referrers", look):
                generator_holders.of([random.Random(1)])
            self.assertEqual(gc.isenabled(), was_enabled)
        # There is one walk for each, as nothing refers to the generators.
        self.assertEqual(seen, [False, False])

    def test_enabled_again_after_a_failure(self):
        with (
            mock.patch.object(gc, "get_referrers", side_effect=MemoryError),
            self.assertRaises(MemoryError),
        ):
            generator_holders.of([random.Random(1)])
        self.assertTrue(gc.isenabled())


class Holding(unittest.TestCase):
    def setUp(self):
        self.addCleanup(sys.modules.pop, "pooling", None)

    def test_holders_are_found_past_containers(self):
        class Mine:
            pass

        direct, nested, bound, closed = map(random.Random, range(4))
        one, other, third = Mine(), Mine(), Mine()
        one.rng = direct
        other.rngs = {"all": [(nested,)]}
        third.draw = bound.random
        holders, _ = generator_holders.of([direct, nested, bound, closed])
        self.assertIn(one, holders[0])
        self.assertEqual(names_of_classes(holders[2]), ["Mine"])
        self.assertTrue(all(type(one) is not Mine for one in holders[3]))
        self.assertIn(other, holders[1])
        # In four containers nobody looks.
        other.rngs = [{"all": [(nested,)]}]
        holders, at_hand = generator_holders.of([nested])
        self.assertEqual(holders, [[]])
        # Threads of other tests may have others.
        self.assertNotIn(id(nested), at_hand)

    def test_what_comes_with_python_or_is_installed_is_a_library(self):
        is_of_library = generator_holders.is_of_library
        self.assertTrue(is_of_library(library().Placing()))
        self.assertTrue(is_of_library(threading.Event()))
        self.assertFalse(is_of_library(library("/home/me/x.py").Placing()))
        self.assertFalse(is_of_library(self))
        self.assertFalse(is_of_library(np.random.default_rng(1)))
        debian = "/usr/lib/python3/dist-packages/pooling.py"
        self.assertTrue(is_of_library(library(debian).Placing()))

    def test_what_trains_is_no_library(self):
        for name in ("jax", "keras", "numpy", "tensorflow", "torch"):
            inner = f"{name}.made_up_for_this_test"
            module = types.ModuleType(inner)
            module.__file__ = f"/opt/lib/python3/site-packages/{name}/made.py"
            holder = type("Holder", (), {"__module__": inner})()
            with mock.patch.dict(sys.modules, {inner: module}):
                self.assertFalse(generator_holders.is_of_library(holder))

    def test_what_comes_from_no_file_is_no_library(self):
        built_in, odd = {}, type("Odd", (), {"__module__": 5})()
        self.assertFalse(generator_holders.is_of_library(built_in))
        self.assertFalse(generator_holders.is_of_library(odd))

    def test_a_lock_in_a_field_is_for_threads(self):
        class Locked:
            def __init__(self):
                self.lock = threading.Lock()

        class Without:
            def __init__(self):
                self.lock = "a text"

        for make, expected in ((Locked, True), (Without, False)):
            one, asked = make(), make()
            # Now it has a dict of its own.
            self.assertEqual([*vars(asked)], ["lock"])
            for holder in (one, asked):
                self.assertIs(
                    generator_holders.is_for_threads(holder), expected
                )

    def test_a_function_or_generator_of_a_library_is_one_too(self):
        rngs = [random.Random(i) for i in range(4)]
        lock = threading.Lock()
        path = "/home/me/x.py"
        kept = [
            library().drawing(rngs[0]),
            library().drawing(rngs[1], lock),
            library(path).drawing(rngs[2]),
        ]
        for _, numbers in kept:
            next(numbers)
        is_of_library = generator_holders.is_of_library
        holders, _ = generator_holders.of(rngs)
        for found, expected in zip(holders, (True, True, False)):
            names = sorted(set(names_of_classes(found)))
            self.assertEqual(names, ["function", "generator"])
            self.assertEqual({is_of_library(one) for one in found}, {expected})
        is_for_threads = generator_holders.is_for_threads
        self.assertTrue(any(map(is_for_threads, holders[1])))
        # A lock of the module's is for anything.
        self.assertFalse(any(map(is_for_threads, holders[0])))

    def test_one_that_a_librarys_threads_share_is_never_written_to(self):
        pool = library().Pool(3)
        alone = pool.draw(7, lambda: None)
        loose = FoundGenerators()
        pool.draw(1, lambda: None)
        states = loose.capture()
        # Restored while a thread is between two numbers.
        is_drawing, is_restored = threading.Event(), threading.Event()
        drawn = []

        def between():
            is_drawing.set()
            is_restored.wait(60)

        thread = threading.Thread(
            target=lambda: drawn.append(pool.draw(7, between))
        )
        thread.start()
        is_drawing.wait(60)
        loose.restore(states)
        is_restored.set()
        thread.join()
        self.assertEqual(drawn, [alone])
        self.assertEqual(states, {})

    def test_one_that_a_thread_has_at_hand_is_never_written_to(self):
        # Nothing but a variable of a running function has it.
        pool = library().Pool(3)
        is_drawing, goes_on = threading.Event(), threading.Event()

        def between():
            is_drawing.set()
            goes_on.wait(60)

        thread = threading.Thread(target=pool.draw, args=(7, between))
        thread.start()
        is_drawing.wait(60)
        loose = FoundGenerators()
        goes_on.set()
        thread.join()
        self.assertEqual(loose.capture(), {})

    def test_one_that_a_thread_takes_meanwhile_is_looked_for_again(self):
        one, other = random.Random(1), random.Random(2)
        pool, ended = library().Pool(3), threading.Event()
        self.addCleanup(ended.set)
        drawing = threading.Event()

        def between():
            drawing.set()
            ended.wait(60)

        threading.Thread(target=pool.draw, args=(7, between)).start()
        drawing.wait(60)
        looks = [[[], [self]], [[pool]]]
        with mock.patch.object(
            generator_holders, "_scan", side_effect=looks
        ) as scan:
            found, at_hand = generator_holders.of([one, other])
        self.assertEqual(
            scan.call_args_list, [mock.call([one, other]), mock.call([one])]
        )
        self.assertEqual(found, [[pool], [self]])
        self.assertFalse(at_hand & {id(one), id(other)})

    def test_what_a_thread_had_at_any_look_counts(self):
        looks = [{-1}, {-2}, {-3}, {-4}]
        with (
            mock.patch.object(generator_holders, "_scan", return_value=[[]]),
            mock.patch.object(
                generator_holders, "has_threads_of_packages", return_value=True
            ),
            mock.patch.object(generator_holders, "_at_hand", side_effect=looks),
            mock.patch.object(time, "sleep") as sleep,
        ):
            found, at_hand = generator_holders.of([random.Random(1)])
        self.assertEqual(found, [[]])
        self.assertEqual(at_hand, {-1, -2, -3, -4})
        # Training waits for all of them.
        self.assertLess(sum(call.args[0] for call in sleep.mock_calls), 0.1)

    def test_nobody_waits_for_threads_of_a_script(self):
        ended = threading.Event()
        self.addCleanup(ended.set)
        threading.Thread(target=ended.wait, args=(60,)).start()
        with mock.patch.object(
            generator_holders, "_scan", return_value=[[]]
        ) as scan:
            generator_holders.of([random.Random(1)])
        scan.assert_called_once()

    def test_what_looks_at_one_is_none_of_those_that_have_it(self):
        seen = []

        def of(generators):
            seen.append(found := generator_holders_of(generators))
            return found

        generator_holders_of = generator_holders.of
        draws = random.Random(1)
        kept = draws.random
        earlier = FoundGenerators()
        with mock.patch.object(generator_holders, "of", of):
            self.assertTrue(FoundGenerators().has(draws))
        ((holders, _),) = seen
        modules = {type(o).__module__ for found in holders for o in found}
        self.assertFalse({m for m in modules if m.startswith("kerasbackup")})
        del earlier, kept

    def test_one_that_a_library_sets_itself_has_no_state(self):
        placing = library().Placing()
        loose = FoundGenerators()
        placing.draw(3)
        self.assertEqual(loose.capture(), {})
        # It may look like one that draws on and on at first.
        other = library().Placing()
        loose = FoundGenerators()
        other.draw(0)
        self.assertEqual(len(loose.capture()), 1)
        other.draw(1)
        self.assertEqual(loose.capture(), {})

    def test_one_that_a_library_draws_on_from_is_state(self):
        augmenting = library().Augmenting(4)
        loose = FoundGenerators()
        augmenting.draw()
        states = loose.capture()
        self.assertEqual(len(states), 2)
        following = augmenting.draw()
        again = library().Augmenting(4)
        loose = FoundGenerators()
        self.assertEqual(loose.expect(states), [])
        loose.restore(states)
        self.assertEqual(again.draw(), following)

    def test_a_script_may_have_locks_and_set_its_own(self):
        script = library("/home/me/train.py")
        pool, placing = script.Pool(3), script.Placing()
        loose = FoundGenerators()
        pool.draw(1, lambda: None)
        placing.draw(3)
        self.assertEqual(len(loose.capture()), 2)


class Looking(unittest.TestCase):
    def test_nothing_is_kept_alive_by_it(self):
        class Large:
            pass

        def look():
            large = Large()
            draw = random.Random(3)
            FoundGenerators()
            return weakref.ref(large), weakref.ref(draw)

        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)
        self.assertEqual([one() for one in look()], [None, None])


@unittest.skipUnless(importlib.util.find_spec("grain"), "there is no Grain")
class OfGrain(unittest.TestCase):
    """What the table shows by chance, shown for sure."""

    def dataset(self, between):
        import grain

        def noisy(element, rng):
            first = rng.random()
            between(element)
            return element, first, rng.random()

        return grain.MapDataset.source(list(range(6))).seed(3).random_map(noisy)

    def read(self, dataset):
        """By one thread, which is ahead."""
        import grain

        return iter(dataset.to_iter_dataset(grain.ReadOptions(1, 4)))

    def test_its_threads_are_left_alone(self):
        waits = False
        is_drawing, is_restored = threading.Event(), threading.Event()

        def between(element):
            if waits and element == 4:
                is_drawing.set()
                is_restored.wait(60)

        dataset = self.dataset(between)
        alone = [dataset[i] for i in range(6)]
        loose = FoundGenerators()
        dataset[1]
        states = loose.capture()
        waits = True
        batches = self.read(dataset)
        drawn = [next(batches)]
        is_drawing.wait(60)
        # It is between two numbers of that element's.
        loose.restore(states)
        is_restored.set()
        self.assertEqual([*drawn, *batches], alone)
        self.assertEqual(states, {})
