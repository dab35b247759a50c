"""Names in the record that model servers write and the operator reads.

The operator alone creates the tables, by statements that spell every name themselves: what a
release once created must not change with a constant.
"""

from typing import Final

SCHEMA: Final = "fairlead_record"
PREDICTIONS: Final = f"{SCHEMA}.predictions"
FEEDBACK: Final = f"{SCHEMA}.feedback"

# In the order in which servers write them.
PREDICTION_COLUMNS: Final = (
    "prediction_id", "row_index", "request_id", "namespace", "model", "version", "at", "mirrored",
    "value", "class", "probabilities",
)  # fmt: skip
FEEDBACK_COLUMNS: Final = (
    "prediction_id", "row_index", "namespace", "model", "at", "label_value", "label_class",
    "reward", "label_at", "reward_at",
)  # fmt: skip
