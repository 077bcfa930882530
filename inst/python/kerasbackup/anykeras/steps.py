"""Which steps of its training a model defines itself."""

from typing import Any

from kerasbackup.anykeras import ask
from kerasbackup.anykeras.model_parts import layers_to_finalize

has_own_train_step = ask.its_own(__name__, "has_own_train_step")
has_call = ask.its_own(__name__, "has_call")
keeps_test_function = ask.its_own(__name__, "keeps_test_function")


def renew_compiled(model: Any) -> None:
    """Lets Keras make the functions of a model anew that it has compiled, if
    layers compute with values derived from their variables: these are constants
    in what was compiled."""
    if not layers_to_finalize(model):
        return
    for name in ("train", "test", "predict"):
        if getattr(model, f"{name}_function", None) is not None:
            getattr(model, f"make_{name}_function")(force=True)
