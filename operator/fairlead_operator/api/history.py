"""An entry of a Model's history as a value."""

import dataclasses
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

ENTRIES: Final = 200  # of a Model that are read to tell what was in charge


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    """One transition of a Rollout: what was live when, by whom, and why it ended."""

    namespace: str
    model: str
    rollout: str
    rollout_uid: str
    transition: str  # with the uid, what makes an entry the same one
    at: datetime
    version: str  # the candidate
    stable: str = ""  # the version in charge before; empty for a first one
    began: datetime | None = None  # when the candidate first took traffic
    ended: datetime | None = None  # when it took the last
    weight: int = 0  # the highest percent it reached
    trigger: str = ""
    by: str = ""
    reason: str = ""
    message: str = ""
    numbers: Mapping[str, Any] = dataclasses.field(default_factory=dict)  # as JSON has them
