"""The stages of a tf.data pipeline: which of them differ from iterator to
iterator, and when they draw from the stages before them."""

from collections.abc import Callable
from collections.abc import Iterator
from typing import Any


def stages(dataset: Any) -> Iterator[Any]:
    """A tf.data pipeline and all stages that it is made of; for any other data,
    only the data."""
    pending = [dataset]
    while pending:
        stage = pending.pop()
        yield stage
        # Something else may have an attribute of that name.
        if hasattr(stage, "element_spec") and hasattr(stage, "_inputs"):
            pending += stage._inputs()


def seeds(dataset: Any) -> list[int]:
    """The seeds of the stages that shuffle; 0 if a stage has none."""
    return [
        int(getattr(stage, name))
        for stage in stages(dataset)
        for name in ("_seed", "_seed2")
        if shuffles(stage) and hasattr(stage, name)
    ]


def caches(stage: Any) -> bool:
    """Whether a stage keeps what its first pass has drawn."""
    return _name(stage) == "CacheDataset"


def is_moved(stage: Any) -> bool:
    """Whether a stage differs from iterator to iterator."""
    return bool(
        getattr(stage, "_reshuffle_each_iteration", False)
        or getattr(stage, "_rerandomize", False)
        or has_other_within(stage)
    )


def shuffles(stage: Any) -> bool:
    """Whether a stage makes an iterator of the stage before it when the first
    element is drawn, rather than at once."""
    return hasattr(stage, "_reshuffle_each_iteration")


def begins_again(stage: Any) -> bool:
    """Whether a stage makes an iterator of the stage before it later than its
    own iterator, or makes several."""
    return _name(stage) in ("_ConcatenateDataset", "_RepeatDataset")


def has_other_within(stage: Any) -> bool:
    """Whether a function of a stage uses a pipeline that was made outside of
    it. Which one it is, and whether it shuffles, cannot be seen."""
    is_stage = hasattr(stage, "_inputs")
    functions = getattr(stage, "_functions", list) if is_stage else list
    return any(
        getattr(value.dtype, "name", "") == "variant"
        for wrapper in functions()
        for value in wrapper.function.captured_inputs
    )


def have_behind(found: list[Any], is_such: Callable[[Any], bool]) -> bool:
    """Whether a stage for which `is_such` is true has a moved stage before
    it."""
    return any(
        any(one is not stage and is_moved(one) for one in stages(stage))
        for stage in found
        if is_such(stage)
    )


def is_drawn_ahead(pipeline: Any) -> bool:
    """Whether a thread draws from a pipeline. TensorFlow adds one at the end of
    a pipeline without one, unless options forbid it."""
    options = pipeline.options()
    is_left_alone = (
        options.autotune.enabled is False
        or options.experimental_optimization.inject_prefetch is False
        or options.experimental_optimization.apply_default_optimizations
        is False
    )
    return not is_left_alone or any(
        kind in _name(stage)
        for stage in stages(pipeline)
        for kind in ("Parallel", "Prefetch")
        if have_behind(list(stages(stage)), begins_again)
    )


def _name(stage: Any) -> str:
    return type(stage).__name__
