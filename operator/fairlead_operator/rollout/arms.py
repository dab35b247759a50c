"""Each candidate and the trial between them, as status shows them.  Pure."""

from collections.abc import Sequence
from datetime import datetime

from fairlead_operator.api.common import VersionReference
from fairlead_operator.api.phases.rollout import BEFORE_TRAFFIC, Phase
from fairlead_operator.api.rollout import ArmStatus, TrialStatus
from fairlead_operator.rollout.decision.pods_first import prepared_loads
from fairlead_operator.rollout.decision.states import Arm, Decision
from fairlead_operator.rollout.seen import Seen
from fairlead_operator.rollout.statistics.ab_test import ArmResult
from fairlead_operator.text import shorten


def report_arms(seen: Seen, decision: Decision, *, begins: bool) -> tuple[ArmStatus, ...]:
    """Describe each candidate: what the registry knows of it, and where it stands.

    Args:
        begins: whether a step begins with this decision.
    """
    references = {reference.version: reference for reference in seen.candidates}
    shares, dropped = dict(decision.shares), dict(decision.dropped)
    prepared = prepared_loads(seen.observed, decision) if seen.observed.capacity else {}
    entries = []
    for arm in seen.observed.arms:
        unknown = VersionReference(version=arm.version, registry_version="", digest="")
        reference = references.get(arm.version, unknown)
        cause = dropped.get(arm.version)
        entry = _arm(seen, reference, weight=shares[arm.version])
        more = {
            "prepared": prepared.get(arm.version, 0),
            "observed_weight": _observed(arm, seen, decision),
            "pods": _pods(arm.version, seen, begins=begins),
            "reason": cause.reason if cause else None,
            "message": shorten(cause.message) if cause else None,
        }
        entries.append(entry.model_copy(update=more))
    return tuple(entries)


def observed_weight(arms: Sequence[ArmStatus]) -> int | None:
    """Return what the gateway reports of all candidates together."""
    weights = [arm.observed_weight for arm in arms if arm.observed_weight is not None]
    return sum(weights) if len(weights) == len(arms) else None


def _pods(version: str, seen: Seen, *, begins: bool) -> int | None:
    """Return how many pods there were when the step began."""
    if begins:
        return seen.pods[version].there if version in seen.pods else None
    return next((arm.pods for arm in seen.case.status.arms if arm.version == version), None)


def _observed(arm: Arm, seen: Seen, decision: Decision) -> int | None:
    """Return what the gateway reports; of a version that was never routed, nothing is 0."""
    if seen.observed.phase in BEFORE_TRAFFIC and decision.phase is not Phase.SUCCEEDED:
        return 0
    return arm.weight


def _arm(seen: Seen, reference: VersionReference, *, weight: int) -> ArmStatus:
    """Give a version its numbers in the trial: the newest, or the last that were counted."""
    newest = seen.observed.trial.arms if seen.observed.trial else ()
    stable = seen.case.status.trial.stable if seen.case.status.trial else None
    counted = (*newest, *seen.case.status.arms, *((stable,) if stable else ()))
    standing = next((entry for entry in counted if entry.version == reference.version), None)
    return ArmStatus(
        version=reference.version,
        registry_version=reference.registry_version,
        digest=reference.digest,
        weight=weight,
        prepared=0,
        observed_weight=None,
        pods=None,
        samples=standing.samples if standing else None,
        counted_at=_counted_at(standing, seen.case.now),
        value=standing.value if standing else None,
        probability=standing.probability if standing else None,
        reason=None,
        message=None,
    )


def _counted_at(standing: ArmResult | ArmStatus | None, now: datetime) -> datetime | None:
    if isinstance(standing, ArmResult):
        return now - standing.quiet if standing.samples else None
    return standing.counted_at if standing else None


def report_trial(seen: Seen, decision: Decision) -> TrialStatus | None:
    """Say where the trial stands; it stays when the trial is over."""
    old, trial, stable = seen.case.status.trial, seen.observed.trial, seen.case.stable
    if seen.observed.plan.trial is None or stable is None:
        return old
    if trial is None and old is None:
        return None
    before = {arm.version: arm.weight for arm in seen.case.status.arms}
    moved = before != dict(decision.shares)
    changed = old.changed_at if old else None
    return TrialStatus(
        message=shorten(trial.message) if trial else (old.message if old else ""),
        leader=trial.leader if trial else (old.leader if old else None),
        measured_at=seen.case.now if trial else (old.measured_at if old else None),
        changed_at=seen.case.now if moved else changed,
        stable=_arm(seen, stable, weight=100 - decision.weight),
    )
