"""The random generators of layers, such as Dropout.

By default such a layer draws with operations that keep their state in kernels,
which nobody can read. tf_keras has another kind of generator, whose state is a
variable.
"""

from typing import Any

LEGACY, STATEFUL = "legacy_stateful", "stateful"


def make_readable(model: Any, layers: list[Any]) -> bool:
    """Lets random layers draw from generators whose state is a variable. To be
    called before the first step is traced. The layers draw other numbers then.

    Args:
        model: The model.
        layers: Its layers at any depth.

    Returns:
        Whether any layer was changed.
    """
    legacy = [one for one in _generators(layers) if one._rng_type == LEGACY]
    for generator in legacy:
        generator._rng_type = STATEFUL
        generator._built = False
        with model.distribute_strategy.scope():
            generator._maybe_init()
    return bool(legacy)


def states(layers: list[Any]) -> list[Any]:
    """The variables with the states of the generators of layers."""
    made = (getattr(one, "_generator", None) for one in _generators(layers))
    return [one.state for one in made if one is not None]


def unreadable(layers: list[Any]) -> list[str]:
    """The names of layers whose generators keep their state in kernels."""
    return [
        layer.name
        for layer in layers
        if any(one._rng_type == LEGACY for one in _generators([layer]))
    ]


def _generators(layers: list[Any]) -> list[Any]:
    found = (getattr(one, "_random_generator", None) for one in layers)
    return [one for one in found if hasattr(one, "_rng_type")]
