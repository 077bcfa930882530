"""What Grain's datasets are mapped by. Its workers import this, and need no
Keras for that."""

import time


def noisy(element, rng):
    """Draws number by number, slowly: whatever is done to the generator while
    training goes on is done between two of them."""
    x, y = element
    x = x.copy()
    for i in range(len(x)):
        x[i] += rng.normal() / 10
        time.sleep(0.0002)
    return x, y
