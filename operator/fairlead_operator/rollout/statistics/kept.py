"""A judgment as the status keeps it until the next is due.  Pure."""

import dataclasses
from typing import Final

from fairlead_operator.api.phases.rollout import Verdict
from fairlead_operator.api.rollout import CheckStatus
from fairlead_operator.rollout.statistics.verdict import Judgment

_KEPT: Final = tuple(
    field.name for field in dataclasses.fields(Judgment) if field.name != "verdict"
)


def to_status(judgment: Judgment, version: str) -> CheckStatus:
    """Keep the judgment of a version."""
    kept = {field: getattr(judgment, field) for field in _KEPT}
    return CheckStatus(version=version, verdict=judgment.verdict.value, **kept)


def from_status(check: CheckStatus) -> Judgment:
    """Read the judgment that was kept."""
    kept = {field: getattr(check, field) for field in _KEPT}
    return Judgment(verdict=Verdict(check.verdict), **kept)
