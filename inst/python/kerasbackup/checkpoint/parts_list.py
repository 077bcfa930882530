"""What a checkpoint consists of: its parts, in the order of a restore.

Variables come first: a save creates those that Keras has not created yet, and
the other parts describe all of them. Validation data come before training data:
if both are drawn from one pipeline, the training data's restore makes up for
what validation drew.
"""

from kerasbackup.parts.callback_states import CallbackStates
from kerasbackup.parts.data.data_parts import TrainingData
from kerasbackup.parts.data.data_parts import ValidationData
from kerasbackup.parts.found_variables import FoundVariables
from kerasbackup.parts.last_logs import LastLogs
from kerasbackup.parts.model_variables import ModelVariables
from kerasbackup.parts.not_saved import ModelState
from kerasbackup.parts.part import Part
from kerasbackup.parts.plain_attributes import PlainAttributes
from kerasbackup.parts.preprocessing import Learned
from kerasbackup.parts.same_training import SameTraining
from kerasbackup.parts.script import Drift
from kerasbackup.parts.script import Script

PARTS: tuple[type[Part], ...] = (
    ModelVariables,
    SameTraining,
    Script,
    Learned,
    Drift,
    CallbackStates,
    PlainAttributes,
    FoundVariables,
    ValidationData,
    TrainingData,
    LastLogs,
    ModelState,
)
