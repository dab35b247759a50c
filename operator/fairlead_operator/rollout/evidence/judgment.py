"""What a check demands, and its judgment as status keeps it.  Pure."""

import dataclasses
from typing import Final

from fairlead_operator.api.builtins import Samples
from fairlead_operator.api.checks import Check
from fairlead_operator.api.phases.rollout import Verdict
from fairlead_operator.api.rollout import CheckStatus
from fairlead_operator.rollout.statistics.verdict import Criteria, Judgment, Tolerance

_EVENTS: Final = Samples(least=20, of="events")  # of a user's counts
_UNCOUNTED: Final = Samples(least=0, of="events")  # a query without its total
_KEPT: Final = tuple(
    field.name for field in dataclasses.fields(Judgment) if field.name != "verdict"
)


def to_criteria(check: Check, *, stages: int) -> Criteria:
    """Return what a good answer is.

    Args:
        stages: of the whole rollout, which share a comparison's alpha.
    """
    samples, relative = _samples(check), check.relative
    return Criteria(
        at_least=check.at_least,
        at_most=check.at_most,
        min_samples=(check.min_samples or samples.least) if samples.least else 0,
        failure_limit=check.failure_limit,
        tolerance=Tolerance(margin=relative.margin, alpha=relative.alpha / max(1, stages))
        if relative
        else None,
        counted=samples.of,
        unit=check.builtin.unit.sign if check.builtin else "",
        dry_run=check.dry_run,
        is_veto=check.builtin is not None and check.builtin.is_veto,
    )


def _samples(check: Check) -> Samples:
    """Return how many a verdict needs unless the check says so, and of what."""
    if check.builtin is not None:
        return check.builtin.samples
    return _UNCOUNTED if check.total is None else _EVENTS


def to_status(judgment: Judgment, version: str) -> CheckStatus:
    """Return a version's judgment as it is kept."""
    kept = {field: getattr(judgment, field) for field in _KEPT}
    return CheckStatus(version=version, verdict=judgment.verdict.value, **kept)


def from_status(check: CheckStatus) -> Judgment:
    """Return a judgment that was kept."""
    kept = {field: getattr(check, field) for field in _KEPT}
    return Judgment(verdict=Verdict(check.verdict), **kept)
