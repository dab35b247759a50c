"""What a check asks, of whom, and how the answers become one measurement.

The gateway's counters and users' PromQL are asked of Prometheus, labels and predictions of the
record.  A comparison counts both versions since the step began.  At 100 % the stable version has
no traffic any more: it is then counted over its last minutes with some, ``Scene.reference`` long.
"""

import asyncio
import dataclasses
from datetime import datetime, timedelta
from typing import Final

from fairlead_contract.statistics.sequential import Counts, Losses
from fairlead_contract.statistics.stability import stability_index
from fairlead_operator.api.builtins import Builtin, Counted, Loss, MeanLoss, Quantile
from fairlead_operator.api.checks import Check
from fairlead_operator.errors import TransientError
from fairlead_operator.ports import Moments, Ports, Prometheus, Record, Subject, Tally
from fairlead_operator.prometheus import counting
from fairlead_operator.prometheus.counting import Span, Target
from fairlead_operator.rollout.evidence import queries
from fairlead_operator.rollout.evidence.scene import Pairing, Scene
from fairlead_operator.rollout.statistics.verdict import Measurement, Pair
from fairlead_operator.text import shorten

_BEFORE: Final = timedelta(minutes=5)  # of the stable version, to tell quick from slow


async def measure(check: Check, scene: Scene, *, bound: float | None, ports: Ports) -> Measurement:
    """Ask once.  One dead check must not stop the reconcile: its error becomes a value.

    Args:
        bound: milliseconds that were found to divide quick from slow answers in this step.
    """
    try:
        if check.builtin is None:
            return await _ask_query(check, scene, ports.prometheus)
        return await _ask_builtin(check, check.builtin, scene, bound, ports)
    except (TransientError, ValueError) as error:
        return Measurement(name=check.name, error=shorten(str(error), 500))


def with_window(measurement: Measurement, check: Check, scene: Scene) -> Measurement:
    """Add which minutes a bound was held against; those from the record count the whole step."""
    if check.is_recorded or not _has_bounds(check):
        return measurement
    return dataclasses.replace(measurement, window=check.look_back, lasted=scene.span.length)


def _look_back(check: Check, scene: Scene) -> Span:
    """Return the minutes that a bound is held against: with this step's weight, all of them.

    Before it there was another weight, or an earlier attempt with the same version.
    """
    return Span(length=min(check.look_back, scene.span.length))


async def _ask_builtin(
    check: Check, builtin: Builtin, scene: Scene, bound: float | None, ports: Ports
) -> Measurement:
    if check.relative is not None and builtin.comparison is None:
        raise ValueError(
            f"{builtin.name} cannot be compared with the stable version; use {builtin.direction}"
        )
    match builtin.query:
        case "accuracy":
            return await _ask_accuracy(check, scene, ports.record)
        case MeanLoss(loss=loss):
            return await _ask_loss(check, loss, scene, ports.record)
        case "drift":
            return await _ask_drift(check, scene, ports.record)
        case "agreement":
            return await _ask_agreement(check, scene, ports.record)
        case counted:
            return await _ask_counts(check, counted, scene, bound, ports.prometheus)


async def _ask_counts(
    check: Check, counted: Counted, scene: Scene, bound: float | None, prometheus: Prometheus
) -> Measurement:
    """Ask what the gateway or the model servers have counted."""
    value = samples = pair = expected = None
    if _has_bounds(check):
        # How busy a pod is in a few seconds is chance: the window is there to even it out.
        whole = Span(length=check.look_back)
        span = whole if counted == "saturation" else _look_back(check, scene)
        value, samples = await asyncio.gather(
            prometheus.query(queries.value(counted, scene.target, span)),
            prometheus.query(counting.requests(scene.target, span)),
        )
    if check.relative is not None:
        if isinstance(counted, Quantile):
            bound = bound or await _find_bound(counted, scene, prometheus)
        tallying = queries.counts(counted, scene.counted, bound)
        if tallying is not None:
            numbers = await prometheus.query_by(tallying.promql, counting.COUNT)
            candidate, stable = (tallying.read(numbers, name) for name in scene.counted)
            pair = _pair(candidate, stable)
            if candidate is not None and check.is_veto:
                value, samples = _mean(candidate), candidate.total
            if stable is not None and scene.portion is not None:
                expected = stable.good * scene.portion
    return Measurement(
        name=check.name,
        value=value,
        samples=samples,
        pair=pair,
        bound=bound,
        expected=expected,
    )


async def _find_bound(quantile: Quantile, scene: Scene, prometheus: Prometheus) -> float | None:
    """Find where the stable version's quantile lay before the step, as a bound of the histogram.

    It must not move with what the step shows, or it would run after a slow candidate.
    """
    before = Span(length=_BEFORE, ago=scene.step.length)
    time = await prometheus.query(queries.latency(quantile.rank, scene.stable, before))
    if time is None:
        time = await prometheus.query(queries.latency_ever(quantile.rank, scene.stable))
    return None if time is None else queries.next_bucket(time)


async def _ask_query(check: Check, scene: Scene, prometheus: Prometheus) -> Measurement:
    """Ask a user's query, and its total."""
    value = samples = pair = None
    if _has_bounds(check):
        # What a query without a total adds up only its author knows: half a window may be too few.
        whole = Span(length=check.look_back)
        span = whole if check.total is None else _look_back(check, scene)
        good, samples = await _ask_user(check, scene, scene.target, span, prometheus)
        value = good
        if check.total is not None:
            value = good / samples if good is not None and samples and samples > 0 else None
    if check.relative is not None:
        answers = await asyncio.gather(
            *(
                _ask_user(check, scene, target, scene.span, prometheus)
                for target, _ in scene.counted.values()
            )
        )
        pair = _pair(*(_events(good, total) for good, total in answers))
    return Measurement(name=check.name, value=value, samples=samples, pair=pair)


async def _ask_user(
    check: Check, scene: Scene, target: Target, span: Span, prometheus: Prometheus
) -> tuple[float | None, float | None]:
    """Ask a user's query of one version, and its total where it has one."""

    async def ask(text: str | None) -> float | None:
        if text is None:
            return None
        stable = scene.pairing.stable
        return await prometheus.query(queries.fill(text, target, stable=stable, length=span.length))

    good, total = await asyncio.gather(ask(check.query), ask(check.total))
    return good, total


async def _ask_accuracy(check: Check, scene: Scene, record: Record) -> Measurement:
    """Ask which labels were met since the step began."""
    candidate, stable = await asyncio.gather(
        *(record.tally("accuracy", subject) for subject in _subjects(scene))
    )
    return _compared(check, _counts(candidate), _counts(stable))


async def _ask_loss(check: Check, loss: Loss, scene: Scene, record: Record) -> Measurement:
    """Ask how far predictions were from their labels since the step began."""
    candidate, stable = await asyncio.gather(
        *(record.losses(loss, subject) for subject in _subjects(scene))
    )
    root = loss == "squared"
    return _compared(check, _losses(candidate, root=root), _losses(stable, root=root))


async def _ask_drift(check: Check, scene: Scene, record: Record) -> Measurement:
    """Ask how the predictions of both versions are distributed."""
    candidate, stable = await record.distributions(_subjects(scene)[0], scene.pairing.stable)
    return Measurement(
        name=check.name,
        value=stability_index(candidate, stable),
        samples=min(sum(candidate), sum(stable)),
    )


async def _ask_agreement(check: Check, scene: Scene, record: Record) -> Measurement:
    """Ask which requests both versions answered alike."""
    agreed = _counts(await record.agreement(_subjects(scene)[0], scene.pairing.stable))
    return Measurement(name=check.name, value=_mean(agreed), samples=agreed.total)


def to_subject(pairing: Pairing, version: str, since: datetime) -> Subject:
    """Return whose predictions the record is asked for."""
    return Subject(namespace=pairing.namespace, model=pairing.model, version=version, since=since)


def _subjects(scene: Scene) -> tuple[Subject, Subject]:
    """Return the candidate's predictions and the stable version's."""
    before = scene.since - (scene.reference or timedelta(0))
    return (
        to_subject(scene.pairing, scene.version, scene.since),
        to_subject(scene.pairing, scene.pairing.stable, before),
    )


def _compared(check: Check, candidate: Counts | Losses, stable: Counts | Losses) -> Measurement:
    return Measurement(
        name=check.name,
        value=_mean(candidate),
        samples=candidate.total,
        pair=Pair(candidate=candidate, stable=stable),
    )


def _pair(candidate: Counts | None, stable: Counts | None) -> Pair | None:
    """Pair the counts; None where either version is silent."""
    return Pair(candidate=candidate, stable=stable) if candidate and stable else None


def _events(good: float | None, total: float | None) -> Counts | None:
    """Return a user's counts; None where either query has no answer."""
    if good is None or total is None:
        return None
    return Counts(good=min(good, total), total=total)


def _has_bounds(check: Check) -> bool:
    return check.at_least is not None or check.at_most is not None


def _mean(numbers: Counts | Losses) -> float | None:
    return numbers.mean if numbers.total > 0 else None


def _counts(tally: Tally) -> Counts:
    return Counts(good=tally.successes, total=tally.trials)


def _losses(moments: Moments, *, root: bool) -> Losses:
    return Losses(total=moments.count, sum=moments.total, squares=moments.squares, root=root)
