"""What is due into the record, written after the status that tells it.

A database that does not answer stops nothing: the entry stays due, and the Rollout is
looked at again until it is written, also after its end.
"""

import dataclasses
import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from fairlead_operator.api.rollout import RolloutStatus
from fairlead_operator.errors import TransientError
from fairlead_operator.ports import Record
from fairlead_operator.report import Report
from fairlead_operator.rollout.history import due_entry

_LOGGER = logging.getLogger(__name__)
_RETRY: Final = timedelta(seconds=30)


async def remember(
    body: Mapping[str, Any], status: RolloutStatus, report: Report, record: Record
) -> Report:
    """Write the entry that is due; return the report with what became of it."""
    entry = due_entry(body, status)
    if entry is None:
        return report
    try:
        await record.add_history(entry)
    except TransientError as error:
        _LOGGER.debug("history not written", extra={"error": str(error)})
        return report.within(_RETRY)
    return dataclasses.replace(report, status={**report.status, "recorded": entry.transition})
