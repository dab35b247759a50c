"""What a check asks, of whom, and how the answers become one measurement.

The gateway's counters and users' PromQL are asked of Prometheus, labels and predictions of the
record.  A comparison counts both versions since the step began.  At 100 % the stable version has
no traffic any more: it is then counted over its last minutes with some, ``Scene.reference`` long.
"""

import asyncio
import dataclasses
from datetime import datetime, timedelta
from typing import Final

from fairlead_operator.api.checks import Check
from fairlead_operator.errors import TransientError
from fairlead_operator.ports import Loss, Moments, Ports, Subject, Tally
from fairlead_operator.rollout.evidence import queries
from fairlead_operator.rollout.evidence.queries import Span, Target
from fairlead_operator.rollout.statistics.sequential import Counts, Losses
from fairlead_operator.rollout.statistics.verdict import Measurement, Pair, stability_index

_LOSSES: Final[dict[str, Loss]] = {
    "live-log-loss": "log-loss",
    "live-mae": "absolute",
    "live-rmse": "squared",
}
_SECOND: Final = timedelta(seconds=1)
_BEFORE: Final = timedelta(minutes=5)  # of the stable version, to tell quick from slow


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Which candidate beside which stable version, and since when."""

    target: Target
    stable: str
    since: datetime  # when the present step began
    now: datetime
    reference: timedelta | None = None  # None while the stable version has traffic

    @property
    def length(self) -> timedelta:
        return max(_SECOND, self.now - self.since)

    @property
    def counted(self) -> dict[str, tuple[Target, Span]]:
        """Both versions with the minutes that count."""
        past = Span(length=self.length)
        if self.reference is not None:
            past = Span(length=max(_SECOND, self.reference), ago=self.length)
        stable = dataclasses.replace(self.target, version=self.stable, mirrored=False)
        return {
            "candidate": (self.target, Span(length=self.length)),
            "stable": (stable, past),
        }

    @property
    def candidate(self) -> Subject:
        return self._subject(self.target.version, self.since)

    @property
    def other(self) -> Subject:
        return self._subject(self.stable, self.since - (self.reference or timedelta(0)))

    def _subject(self, version: str, since: datetime) -> Subject:
        return Subject(
            namespace=self.target.namespace,
            model=self.target.model,
            version=version,
            since=since,
        )


async def measure(check: Check, scene: Scene, *, bound: float | None, ports: Ports) -> Measurement:
    """Ask once.  One dead check must not stop the reconcile: its error becomes a value.

    Args:
        bound: milliseconds that were found to divide quick from slow answers in this step.
    """
    try:
        if check.is_recorded:
            return await _from_record(check, scene, ports)
        value = samples = None
        if check.at_least is not None or check.at_most is not None:
            value, samples = await _value(check, scene, ports)
        pair = None
        if check.relative is not None:
            if check.builtin in queries.QUANTILES:
                bound = bound or await _find_bound(check.builtin, scene, ports)
            pair = await _pair(check, scene, bound, ports)
    except (TransientError, ValueError) as error:
        return Measurement(name=check.name, error=str(error)[:500])
    return Measurement(name=check.name, value=value, samples=samples, pair=pair, bound=bound)


async def _value(check: Check, scene: Scene, ports: Ports) -> tuple[float | None, float | None]:
    """What is held against fixed bounds, and of how many it is made."""
    ask = ports.prometheus.query
    first = queries.absolute(check, scene.target, stable=scene.stable)
    if check.query is None:
        span = Span(length=check.look_back)
        value, samples = await asyncio.gather(ask(first), ask(queries.requests(scene.target, span)))
        return value, samples
    if check.total is None:
        return await ask(first), None
    second = queries.fill(check.total, scene.target, stable=scene.stable, length=check.look_back)
    good, total = await asyncio.gather(ask(first), ask(second))
    if good is None or not total or total < 0:
        return None, total
    return good / total, total


async def _pair(check: Check, scene: Scene, bound: float | None, ports: Ports) -> Pair | None:
    """Counts of both versions; None where either is silent."""
    if check.query is not None:
        counts = await asyncio.gather(
            *(_count(check, scene, target, ports) for target, _ in scene.counted.values())
        )
        candidate, stable = counts
        return Pair(candidate=candidate, stable=stable) if candidate and stable else None
    if check.builtin in queries.QUANTILES:
        if bound is None:
            return None
        query = queries.latency_counts(scene.counted, bound)
    else:
        query = queries.success_counts(scene.counted)
    numbers = await ports.prometheus.query_by(query, queries.COUNT)

    def count(name: str) -> Counts | None:
        total = numbers.get(f"{name}-total")
        if total is None:
            return None
        good = numbers.get(f"{name}-good", 0.0)
        if check.builtin == "success-rate":
            good = total - numbers.get(f"{name}-bad", 0.0)
        return Counts(good=min(max(good, 0.0), total), total=total)

    candidate, stable = count("candidate"), count("stable")
    return Pair(candidate=candidate, stable=stable) if candidate and stable else None


async def _count(check: Check, scene: Scene, target: Target, ports: Ports) -> Counts | None:
    """A user's good and total events of one version."""
    good, total = await asyncio.gather(
        *(
            ports.prometheus.query(
                queries.fill(question, target, stable=scene.stable, length=scene.length)
            )
            for question in (check.query or "", check.total or "")
        )
    )
    if good is None or total is None:
        return None
    return Counts(good=min(good, total), total=total)


async def _find_bound(builtin: str, scene: Scene, ports: Ports) -> float | None:
    """Where the stable version's quantile lay before the step began, as a bound of the histogram.

    It must not move with what the step shows, or it would run after a slow candidate.
    """
    quantile = queries.QUANTILES[builtin]
    stable, _ = scene.counted["stable"]
    before = Span(length=_BEFORE, ago=scene.length)
    found = await ports.prometheus.query(queries.latency(quantile, stable, before))
    if found is None:
        found = await ports.prometheus.query(queries.latency_ever(quantile, stable))
    return None if found is None else queries.next_bucket(found)


async def _from_record(check: Check, scene: Scene, ports: Ports) -> Measurement:
    """Labels and predictions since the step began."""
    record = ports.record
    match check.builtin:
        case "prediction-agreement":
            agreed = _counts(await record.agreement(scene.candidate, scene.stable))
            return Measurement(name=check.name, value=_mean(agreed), samples=agreed.total)
        case "prediction-drift":
            bins, others = await record.distributions(scene.candidate, scene.stable)
            return Measurement(
                name=check.name,
                value=stability_index(bins, others),
                samples=min(sum(bins), sum(others)),
            )
        case "live-accuracy":
            tallies = await asyncio.gather(
                *(record.tally("accuracy", subject) for subject in (scene.candidate, scene.other))
            )
            candidate, stable = (_counts(tally) for tally in tallies)
            return _compared(check, candidate, stable)
    kind = _LOSSES[check.builtin or ""]
    sums = await asyncio.gather(
        *(record.losses(kind, subject) for subject in (scene.candidate, scene.other))
    )
    loss, other = (_losses(moments, root=kind == "squared") for moments in sums)
    return _compared(check, loss, other)


def _compared(check: Check, candidate: Counts | Losses, stable: Counts | Losses) -> Measurement:
    return Measurement(
        name=check.name,
        value=_mean(candidate),
        samples=candidate.total,
        pair=Pair(candidate=candidate, stable=stable),
    )


def _mean(numbers: Counts | Losses) -> float | None:
    return numbers.mean if numbers.total > 0 else None


def _counts(tally: Tally) -> Counts:
    return Counts(good=tally.successes, total=tally.trials)


def _losses(moments: Moments, *, root: bool) -> Losses:
    return Losses(total=moments.count, sum=moments.total, squares=moments.squares, root=root)
