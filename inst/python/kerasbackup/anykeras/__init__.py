"""The Keras that an object is of: one interface to `keras3/` and `tf_keras/`.

Each module here has the name of a module in these folders, and lists the
functions that both have there. What they do is written in `keras3/`.
"""
