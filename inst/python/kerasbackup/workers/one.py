"""A process that trains alone: there is nobody to tell anything."""

from collections.abc import Callable
from typing import Any

from kerasbackup.workers.workers import Workers


class One(Workers):
    """The only worker of a training."""

    def __init__(self):
        super().__init__(0, 1)

    def together(self, where: str, make: Callable[[], Any]) -> list[Any]:
        return [make()]
