"""Queues that threads share."""

from typing import Any


def refill(queue: Any, items: list[Any]) -> None:
    """Gives a queue these items, in place of those it has."""
    with queue.mutex:
        queue.queue.clear()
        queue.queue.extend(items)
