"""What a checkpoint consists of: its parts, in the order of a restore.

Variables come first: a save makes those that Keras has not made yet, which
the other parts describe.
The validation data come before those of training, which make up for what
validation drew of them.
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
