"""Checks of one candidate when they are due, and what their answers mean."""

import asyncio
import dataclasses
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from fairlead_operator.api.checks import DEFAULT_CHECKS, Check
from fairlead_operator.api.rollout import CheckStatus
from fairlead_operator.ports import Ports
from fairlead_operator.rollout.evidence.measurement import Scene, measure
from fairlead_operator.rollout.evidence.queries import GATEWAY, Series, Target
from fairlead_operator.rollout.statistics.kept import from_status
from fairlead_operator.rollout.statistics.verdict import (
    Bounds,
    Judgment,
    Measurement,
    Tolerance,
    judge,
)

_MIN_SAMPLES: Final = (("live-", 100, "labels"), ("prediction-", 200, "predictions"))
_MIN_REQUESTS: Final = 20


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One candidate, what it must prove, and what the last look said."""

    namespace: str
    model: str
    version: str
    stable: str
    checks: tuple[Check, ...]
    interval: timedelta
    since: datetime  # when the present step began; a pause does not renew it
    mirrored: bool = False  # no traffic but copies of live requests: judged by those
    stages: int = 1  # of the whole rollout, which share a comparison's alpha
    reference: timedelta | None = None  # at 100 %: the stable version's last minutes with traffic
    problem: str | None = None  # why the checks are not known
    last: tuple[CheckStatus, ...] = ()
    measured_at: datetime | None = None
    series: Series = GATEWAY  # who counts its answers


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """The judgments in force, and when the next are due."""

    judgments: tuple[Judgment, ...]
    measured_at: datetime | None
    next_measurement: timedelta


async def analyze(look: Look, *, ports: Ports, now: datetime) -> Analysis:
    """Measure when it is time; between two measurements the last judgment stands."""
    passed = now - (look.measured_at or look.since)
    if passed < look.interval and look.problem is None:
        return Analysis(
            judgments=tuple(from_status(check) for check in look.last),
            measured_at=look.measured_at,
            next_measurement=look.interval - passed,
        )
    if look.problem is not None:
        unknown = Measurement(name="analysis", error=look.problem)
        nothing = Bounds(at_least=None, at_most=None, min_samples=0, failure_limit=0)
        judgments = [judge(unknown, nothing, failures_before=0)]
    else:
        last = {check.name: check for check in look.last}
        judgments = await asyncio.gather(
            *(_judge(check, look, last.get(check.name), ports, now) for check in applicable(look))
        )
    return Analysis(judgments=tuple(judgments), measured_at=now, next_measurement=look.interval)


def applicable(look: Look) -> tuple[Check, ...]:
    """The checks that can be answered now; where none can, the default one, as something must.

    Agreement needs the same requests answered by both versions; drift, and a user's comparison,
    a stable version with traffic.
    """
    return tuple(_answerable(look.checks, look)) or DEFAULT_CHECKS


def _answerable(checks: Iterable[Check], look: Look) -> Iterable[Check]:
    alone = look.reference is not None
    for check in checks:
        if check.builtin == "prediction-agreement" and not look.mirrored:
            continue
        if check.builtin == "prediction-drift" and alone:
            continue
        if check.query is not None and check.relative is not None and alone:
            if check.at_least is None and check.at_most is None:
                continue
            yield check.model_copy(update={"relative": None})
            continue
        yield check


async def _judge(
    check: Check, look: Look, last: CheckStatus | None, ports: Ports, now: datetime
) -> Judgment:
    scene = Scene(
        target=Target(
            namespace=look.namespace,
            model=look.model,
            version=look.version,
            mirrored=look.mirrored,
            series=look.series,
        ),
        stable=look.stable,
        since=look.since,
        now=now,
        reference=look.reference,
    )
    measurement = await measure(check, scene, bound=last.bound if last else None, ports=ports)
    return judge(
        measurement,
        _bounds(check, stages=look.stages),
        failures_before=last.failures if last else 0,
    )


def _bounds(check: Check, *, stages: int) -> Bounds:
    needed, unit = _needed(check)
    relative = check.relative
    return Bounds(
        at_least=check.at_least,
        at_most=check.at_most,
        min_samples=needed,
        failure_limit=check.failure_limit,
        tolerance=Tolerance(margin=relative.margin, alpha=relative.alpha / max(1, stages))
        if relative
        else None,
        unit=unit,
        dry_run=check.dry_run,
    )


def _needed(check: Check) -> tuple[int, str]:
    """How many a verdict needs, and of what."""
    if check.query is not None:
        return (0 if check.total is None else check.min_samples or _MIN_REQUESTS), "events"
    for prefix, count, unit in _MIN_SAMPLES:
        if (check.builtin or "").startswith(prefix):
            return check.min_samples or count, unit
    return check.min_samples or _MIN_REQUESTS, "requests"
