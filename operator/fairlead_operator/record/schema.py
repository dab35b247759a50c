"""Where the record's tables are, shared with the model servers (docs/contracts.md, section 7).

Servers append to ``predictions`` and ``feedback``; only the operator creates tables, reads
them, and removes what is old.  Which columns there are: ``record.migrations``.
"""

from typing import Final

from fairlead_contract import record

SCHEMA: Final = record.SCHEMA
