"""Names in the record that model servers write and the operator reads.

The operator alone creates the tables, by statements that spell every name themselves: what a
release once created must not change with a constant.
"""

from typing import Final

SCHEMA: Final = "fairlead_record"
PREDICTIONS: Final = f"{SCHEMA}.predictions"
FEEDBACK: Final = f"{SCHEMA}.feedback"

# SQLSTATE of what is refused because the namespace has written its share of the day; the error
# names the table.
LIMIT_REACHED: Final = "FL001"
