"""The layers that all workers train."""


def layers(keras):
    """Layers with weights, with statistics and with random numbers.

    Args:
        keras: The module of the Keras that they are of.
    """
    return [
        keras.layers.Dense(12, activation="relu"),
        keras.layers.BatchNormalization(),
        keras.layers.Dropout(0.3),
        keras.layers.Dense(6),
    ]
