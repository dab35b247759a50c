"""What each version of a trial did for its goal since the trial began, and what that decides."""

import asyncio
import dataclasses
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, assert_never

from fairlead_operator.api.strategy import Goal
from fairlead_operator.errors import TransientError
from fairlead_operator.ports import Ports, Prometheus, Rating, Record
from fairlead_operator.prometheus.counting import COUNT, Span, Target
from fairlead_operator.rollout.decision.plan import TrialDesign
from fairlead_operator.rollout.evidence import queries
from fairlead_operator.rollout.evidence.measurement import to_subject
from fairlead_operator.rollout.evidence.queries import Tallying
from fairlead_operator.rollout.evidence.scene import Pairing
from fairlead_operator.rollout.statistics.ab_test import (
    SILENCE,
    ArmCounts,
    Outcome,
    Trial,
)
from fairlead_operator.text import shorten

_NEW: Final = 0.5  # outcomes; a query that extrapolates is never quite still
_NONE: Final = timedelta(0)
_RANGE: Final = re.compile(r"\[\s*[0-9]")
_FORGOTTEN: Final = (
    "the goal's own range forgets older events, so its count may stand still: write [{{window}}], "
    "the time since the trial began"
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LastCount:
    """What a version had at the look before."""

    samples: float
    grown_at: datetime | None  # when that was last more than before


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TrialLook:
    """One trial at a moment."""

    pairing: Pairing
    in_play: tuple[str, ...]  # the candidates that did not leave it
    began: int  # candidates, those that left too
    shares: Mapping[str, int]  # present percent of every version, the stable one's too
    since: datetime  # when the trial began
    changed_at: datetime  # when the shares were last moved
    before: Mapping[str, LastCount]  # of every version that was counted before

    @property
    def versions(self) -> tuple[str, ...]:
        """Return the stable version first, then the candidates in play."""
        return self.pairing.stable, *self.in_play

    @property
    def targets(self) -> dict[str, tuple[Target, Span]]:
        """Return each version with the time that counts."""
        span = self.pairing.since(self.since)
        return {version: (self.pairing.target(version), span) for version in self.versions}


async def run_trial(look: TrialLook, design: TrialDesign, ports: Ports) -> Trial:
    """Count, and decide.  A goal that cannot be read decides nothing and moves no share."""
    try:
        arms = await _count(design.goal, look, ports)
    except (TransientError, ValueError) as error:
        message = f"the goal cannot be read, so nothing is decided: {shorten(str(error), 200)}"
        return Trial(outcome=Outcome.RUNNING, message=message)
    now = look.pairing.now
    trial = design.judge(
        [dataclasses.replace(arm, quiet=_quiet(arm, look)) for arm in arms],
        stable=look.pairing.stable,
        began=look.began,
        shares=look.shares,
        elapsed=now - look.since,
        since_change=now - look.changed_at,
    )
    waits = trial.outcome is Outcome.RUNNING and any(arm.quiet >= SILENCE for arm in trial.arms)
    if waits and _forgets(design.goal):
        return dataclasses.replace(trial, message=f"{trial.message}; {_FORGOTTEN}")
    return trial


def _forgets(goal: Goal) -> bool:
    """Tell whether a query counts the last minutes only: as many may come as are forgotten."""
    texts = (goal.query or "", goal.total or "")
    return any("{{window}}" not in text and _RANGE.search(text) for text in texts)


def _quiet(arm: ArmCounts, look: TrialLook) -> timedelta:
    """Return how long ago a version's latest outcome was given.

    Where that is not known: how long ago its count grew; of one without any, since the beginning.
    A count of the record does not only grow: of very many predictions the latest are looked at.
    """
    if arm.newest is not None:
        return max(_NONE, look.pairing.now - max(arm.newest, look.since))
    before = look.before.get(arm.version)
    if arm.trials >= (before.samples if before else 0.0) + _NEW:
        return _NONE
    grown_at = (before and before.grown_at) or look.since
    return max(_NONE, look.pairing.now - grown_at)


async def _count(goal: Goal, look: TrialLook, ports: Ports) -> Sequence[ArmCounts]:
    """Count what each version did for the goal."""
    match goal.metric:
        case "success-rate":
            return await _answered(queries.success_counts(look.targets), look, ports.prometheus)
        case "latency":
            bound = float(goal.latency_milliseconds or 0)
            tallying = queries.latency_counts(look.targets, bound)
            return await _answered(tallying, look, ports.prometheus)
        case "live-accuracy":
            return await _rated("accuracy", look, ports.record)
        case "reward":
            return await _rated("reward", look, ports.record)
        case None:
            return await _asked(goal, look, ports.prometheus)
    assert_never(goal.metric)


async def _answered(
    tallying: Tallying, look: TrialLook, prometheus: Prometheus
) -> Sequence[ArmCounts]:
    """Count answers; a version without any has no trials yet."""
    numbers = await prometheus.query_by(tallying.promql, COUNT)
    counts = {version: tallying.read(numbers, version) for version in look.versions}
    return [
        ArmCounts(
            version=version,
            successes=count.good if count else 0.0,
            trials=count.total if count else 0.0,
        )
        for version, count in counts.items()
    ]


async def _rated(rating: Rating, look: TrialLook, record: Record) -> Sequence[ArmCounts]:
    """Count labels that were met, or rewards."""
    tallies = await asyncio.gather(
        *(
            record.tally(rating, to_subject(look.pairing, version, look.since))
            for version in look.versions
        )
    )
    return [
        ArmCounts(
            version=version,
            successes=tally.successes,
            trials=tally.trials,
            newest=tally.newest,
        )
        for version, tally in zip(look.versions, tallies, strict=True)
    ]


async def _asked(goal: Goal, look: TrialLook, prometheus: Prometheus) -> Sequence[ArmCounts]:
    """Count what a user's queries do; a version without an answer has no trials yet."""

    async def count(version: str) -> ArmCounts:
        target, span = look.targets[version]
        stable = look.pairing.stable
        good, total = await asyncio.gather(
            *(
                prometheus.query(queries.fill(text, target, stable=stable, length=span.length))
                for text in (goal.query or "", goal.total or "")
            )
        )
        if good is None or total is None:
            return ArmCounts(version=version, successes=0, trials=0)
        return ArmCounts(version=version, successes=good, trials=total)

    return await asyncio.gather(*(count(version) for version in look.versions))
