"""Small trainings that do what Keras' guides and examples do with `fit()`.

Each is a function of the directory for what callbacks write, and returns a
compiled model, the arguments of `fit()` and the callbacks. The name of a row of
the exactness table is the name of the guide's page on keras.io.
"""

from guides.basics import BASICS
from guides.own_steps import OWN_STEPS
from guides.sequences import SEQUENCES
from guides.tables import TABLES
from guides.vision import VISION

GUIDES = {**BASICS, **OWN_STEPS, **SEQUENCES, **TABLES, **VISION}
