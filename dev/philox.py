"""Draws again what a random operation of TensorFlow with a seed has drawn, from
the number of its outputs. dev/decisions.md says what follows from it.

    python dev/philox.py

Prints for each call whether a stateless Philox gives the same bits: once if its
counter counts the outputs of all traces, and once if it counts only those of
the trace that makes the call.
"""

import numpy as np
import tensorflow as tf

COLUMNS = 7


def draw_again(traced, rows, drawn):
    """The bytes that a call gives after so many outputs.

    Args:
        traced: The concrete function with the operation.
        rows: Integer, the rows of the call.
        drawn: Integer, the outputs before it.
    """
    (operation,) = (
        one for one in traced.graph.get_operations() if "Random" in one.type
    )
    return tf.raw_ops.StatelessRandomUniformV2(
        shape=[rows, COLUMNS],
        key=tf.constant([operation.get_attr("seed")], tf.uint64),
        # The first number counts blocks of four numbers, of which an output
        # reserves 256.
        counter=tf.constant(
            [drawn * 256, operation.get_attr("seed2")], tf.uint64
        ),
        alg=1,
    ).numpy()


def main():
    tf.random.set_seed(1)

    @tf.function(reduce_retracing=False)
    def draw(x):
        return tf.random.uniform(tf.shape(x), seed=4)

    drawn, total = {}, 0
    for rows in (5, 5, 3, 5, 3):
        x = tf.zeros([rows, COLUMNS])
        found = draw(x).numpy()
        before = drawn.get(rows, 0)
        for name, count in (("all traces", total), ("its trace", before)):
            other = draw_again(draw.get_concrete_function(x), rows, count)
            same = np.array_equal(found, other)
            print(f"{rows} rows, after {count} outputs of {name}: {same}")
        drawn[rows] = before + found.size
        total += found.size


if __name__ == "__main__":
    main()
