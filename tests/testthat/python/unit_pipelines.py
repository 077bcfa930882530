"""pipelines.py: the stages of a tf.data pipeline, with stages that are made of
plain objects."""

import importlib.util
import types
import unittest

from kerasbackup.parts.data.sources import pipelines


class Stage:
    element_spec = None

    def __init__(self, *before, **attributes):
        self._before = before
        vars(self).update(attributes)

    def _inputs(self):
        return list(self._before)

    def options(self):
        return self.known


class CacheDataset(Stage):
    pass


class _RepeatDataset(Stage):
    pass


class _ConcatenateDataset(Stage):
    pass


class _ParallelMapDataset(Stage):
    pass


class _PrefetchDataset(Stage):
    pass


def shuffle(*before, again=True, **attributes):
    return Stage(*before, _reshuffle_each_iteration=again, **attributes)


def with_function(*captured):
    """A stage with a function that uses tensors from outside of it."""
    inputs = [
        types.SimpleNamespace(dtype=types.SimpleNamespace(name=name))
        for name in captured
    ]
    function = types.SimpleNamespace(captured_inputs=inputs)
    wrapper = types.SimpleNamespace(function=function)
    return Stage(_functions=lambda: [wrapper])


def options(autotune=None, inject=None, default=None):
    return types.SimpleNamespace(
        autotune=types.SimpleNamespace(enabled=autotune),
        experimental_optimization=types.SimpleNamespace(
            inject_prefetch=inject, apply_default_optimizations=default
        ),
    )


class Stages(unittest.TestCase):
    def test_a_pipeline_and_all_that_it_is_made_of(self):
        source, other = Stage(), Stage()
        middle = Stage(source)
        end = Stage(middle, other)
        found = [*pipelines.stages(end)]
        self.assertEqual(
            {*map(id, found)}, {*map(id, (end, middle, source, other))}
        )
        self.assertIs(found[0], end)
        self.assertEqual(len(found), 4)

    def test_of_anything_else_only_itself(self):
        for other in (
            None,
            [1],
            types.SimpleNamespace(element_spec=None),
            types.SimpleNamespace(_inputs=[1, 2]),
        ):
            self.assertEqual([*pipelines.stages(other)], [other])

    def test_the_seeds_are_those_of_stages_that_shuffle(self):
        source = Stage(_seed=9, _seed2=9)
        pipeline = shuffle(
            shuffle(source, _seed=3, _seed2=4), _seed=True, other=5
        )
        self.assertEqual(pipelines.seeds(pipeline), [1, 3, 4])
        self.assertIs(type(pipelines.seeds(pipeline)[0]), int)
        self.assertEqual(pipelines.seeds(source), [])


class Kinds(unittest.TestCase):
    def test_stages_are_told_by_what_they_have(self):
        self.assertTrue(pipelines.shuffles(shuffle(again=False)))
        self.assertFalse(pipelines.shuffles(Stage()))
        self.assertTrue(pipelines.caches(CacheDataset()))
        self.assertFalse(pipelines.caches(Stage()))
        self.assertTrue(pipelines.begins_again(_RepeatDataset()))
        self.assertTrue(pipelines.begins_again(_ConcatenateDataset()))
        self.assertFalse(pipelines.begins_again(CacheDataset()))

    def test_what_differs_from_iterator_to_iterator(self):
        for stage, expected in (
            (shuffle(), True),
            (shuffle(again=False), False),
            (Stage(_rerandomize=True), True),
            (Stage(_rerandomize=False), False),
            (with_function("variant"), True),
            (Stage(), False),
            (None, False),
        ):
            self.assertIs(pipelines.is_moved(stage), expected)

    def test_a_pipeline_within_a_function(self):
        self.assertTrue(
            pipelines.has_other_within(with_function("float32", "variant"))
        )
        self.assertFalse(pipelines.has_other_within(with_function("float32")))
        self.assertFalse(pipelines.has_other_within(with_function()))
        # A tensor of another library may have a dtype without a name.
        (wrapper,) = (nameless := with_function("float32"))._functions()
        wrapper.function.captured_inputs[0].dtype = object()
        self.assertFalse(pipelines.has_other_within(nameless))
        self.assertFalse(pipelines.has_other_within(Stage()))
        # What is no stage may have an attribute of that name.
        self.assertFalse(
            pipelines.has_other_within(types.SimpleNamespace(_functions=3))
        )

    @unittest.skipUnless(
        importlib.util.find_spec("tensorflow"), "there is no tf.data"
    )
    def test_tensorflows_own_stages_are_told_too(self):
        import tensorflow as tf

        source = tf.data.Dataset.range(8)
        self.assertTrue(pipelines.caches(source.cache()))
        self.assertTrue(pipelines.begins_again(source.repeat()))
        self.assertTrue(pipelines.begins_again(source.concatenate(source)))
        self.assertTrue(pipelines.shuffles(source.shuffle(3)))
        self.assertTrue(pipelines.is_moved(source.shuffle(3)))
        self.assertEqual(
            pipelines.seeds(source.shuffle(3, seed=5).batch(2))[1], 5
        )
        within = source.flat_map(lambda i: source)
        self.assertTrue(pipelines.has_other_within(within))
        self.assertFalse(pipelines.is_drawn_ahead(Options.plain(source)))


class Options:
    @staticmethod
    def plain(source):
        import tensorflow as tf

        known = tf.data.Options()
        known.autotune.enabled = False
        return source.with_options(known)


class Behind(unittest.TestCase):
    """A stage that differs, and a stage behind it."""

    def have(self, pipeline):
        return pipelines.have_behind(
            [*pipelines.stages(pipeline)], pipelines.begins_again
        )

    def test_a_stage_of_that_kind_after_one_that_differs(self):
        self.assertTrue(self.have(_RepeatDataset(shuffle())))
        self.assertTrue(self.have(Stage(_RepeatDataset(Stage(shuffle())))))

    def test_no_other_order_and_no_other_kind(self):
        self.assertFalse(self.have(shuffle(_RepeatDataset())))
        self.assertFalse(self.have(CacheDataset(shuffle())))
        self.assertFalse(self.have(_RepeatDataset(shuffle(again=False))))

    def test_the_stage_itself_does_not_count(self):
        itself = _RepeatDataset(_reshuffle_each_iteration=True)
        self.assertFalse(self.have(itself))


class DrawnAhead(unittest.TestCase):
    def is_ahead(self, pipeline, known):
        pipeline.known = known
        return pipelines.is_drawn_ahead(pipeline)

    def test_tensorflow_adds_a_thread_unless_options_forbid_it(self):
        self.assertTrue(self.is_ahead(Stage(), options()))
        self.assertTrue(self.is_ahead(Stage(), options(True, True, True)))
        for known in (
            options(autotune=False),
            options(inject=False),
            options(default=False),
        ):
            self.assertFalse(self.is_ahead(Stage(), known))

    def test_a_stage_with_threads_counts_where_it_is_behind_a_repetition(self):
        known = options(autotune=False)
        for kind in (_ParallelMapDataset, _PrefetchDataset):
            repeated = _RepeatDataset(shuffle())
            self.assertTrue(self.is_ahead(kind(repeated), known))
            self.assertTrue(self.is_ahead(Stage(kind(repeated)), known))
            self.assertFalse(
                self.is_ahead(_RepeatDataset(kind(shuffle())), known)
            )
            self.assertFalse(self.is_ahead(kind(shuffle()), known))
        self.assertFalse(self.is_ahead(Stage(_RepeatDataset(shuffle())), known))
