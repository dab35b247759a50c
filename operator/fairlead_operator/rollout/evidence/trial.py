"""What each version of a trial did for its goal since the trial began, and what that decides."""

import asyncio
import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from fairlead_operator.api.strategy import Goal
from fairlead_operator.errors import TransientError
from fairlead_operator.ports import Ports, Rating, Subject
from fairlead_operator.rollout.decision.plan import TrialDesign
from fairlead_operator.rollout.evidence import queries
from fairlead_operator.rollout.evidence.queries import GATEWAY, Series, Span, Target
from fairlead_operator.rollout.statistics.ab_test import Outcome, Tally, Trial


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TrialLook:
    """One trial at a moment."""

    namespace: str
    model: str
    stable: str
    versions: tuple[str, ...]  # the candidates in play
    shares: Mapping[str, int]  # present percent of every version, the stable one's too
    since: datetime  # when the trial began
    changed_at: datetime  # when the shares were last moved
    series: Series = GATEWAY  # who counts their answers

    def targets(self, now: datetime) -> dict[str, tuple[Target, Span]]:
        """The stable version first, then the candidates, with the time that counts."""
        span = Span(length=max(timedelta(seconds=1), now - self.since))
        return {
            version: (
                Target(
                    namespace=self.namespace,
                    model=self.model,
                    version=version,
                    series=self.series,
                ),
                span,
            )
            for version in (self.stable, *self.versions)
        }


async def run_trial(look: TrialLook, design: TrialDesign, *, ports: Ports, now: datetime) -> Trial:
    """Count, and decide.  A goal that cannot be read decides nothing and moves no share."""
    try:
        tallies = await _count(design.goal, look, ports, now)
    except (TransientError, ValueError) as error:
        message = f"the goal cannot be read: {str(error)[:200]}"
        return Trial(outcome=Outcome.RUNNING, message=message)
    return design.judge(
        tallies,
        stable=look.stable,
        shares=look.shares,
        elapsed=now - look.since,
        since_change=now - look.changed_at,
    )


async def _count(goal: Goal, look: TrialLook, ports: Ports, now: datetime) -> Sequence[Tally]:
    """One tally of each version."""
    targets = look.targets(now)
    match goal.metric:
        case "success-rate":
            query = queries.success_counts(targets)
            numbers = await ports.prometheus.query_by(query, queries.COUNT)
            return [
                _tally(version, numbers, lost=numbers.get(f"{version}-bad", 0.0))
                for version in targets
            ]
        case "latency":
            query = queries.latency_counts(targets, float(goal.latency_milliseconds or 0))
            numbers = await ports.prometheus.query_by(query, queries.COUNT)
            return [_tally(version, numbers) for version in targets]
        case "live-accuracy":
            return await _rated("accuracy", look, ports)
        case "reward":
            return await _rated("reward", look, ports)
    return await asyncio.gather(
        *(_asked(goal, target, span, look.stable, ports) for target, span in targets.values())
    )


def _tally(version: str, numbers: Mapping[str, float], *, lost: float | None = None) -> Tally:
    total = numbers.get(f"{version}-total", 0.0)
    good = numbers.get(f"{version}-good", 0.0) if lost is None else total - lost
    return Tally(version=version, successes=good, trials=total)


async def _rated(rating: Rating, look: TrialLook, ports: Ports) -> Sequence[Tally]:
    versions = (look.stable, *look.versions)
    tallies = await asyncio.gather(
        *(
            ports.record.tally(
                rating,
                Subject(
                    namespace=look.namespace,
                    model=look.model,
                    version=version,
                    since=look.since,
                ),
            )
            for version in versions
        )
    )
    return [
        Tally(version=version, successes=tally.successes, trials=tally.trials)
        for version, tally in zip(versions, tallies, strict=True)
    ]


async def _asked(goal: Goal, target: Target, span: Span, stable: str, ports: Ports) -> Tally:
    """A user's counts; one without an answer has no trials yet."""
    good, total = await asyncio.gather(
        *(
            ports.prometheus.query(queries.fill(text, target, stable=stable, length=span.length))
            for text in (goal.query or "", goal.total or "")
        )
    )
    if good is None or total is None:
        return Tally(version=target.version, successes=0, trials=0)
    return Tally(version=target.version, successes=good, trials=total)
