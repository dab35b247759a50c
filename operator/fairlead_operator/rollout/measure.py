"""Questions to Prometheus when they are due, and what the answers mean."""

import asyncio
import dataclasses
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from fairlead_operator.api.checks import Check
from fairlead_operator.api.policy import RolloutPolicy
from fairlead_operator.api.rollout import CheckStatus, RolloutStatus
from fairlead_operator.errors import TransientError
from fairlead_operator.ports import Ports
from fairlead_operator.rollout import queries
from fairlead_operator.rollout.analysis import Bounds, Judgment, Measurement, Verdict, judge
from fairlead_operator.rollout.states import Phase

_MIN_SAMPLES: Final = 20


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """The judgments in force, and when the next are due."""

    judgments: tuple[Judgment, ...]
    measured_at: datetime | None
    next_measurement: timedelta


async def analyze(
    status: RolloutStatus,
    policy: RolloutPolicy,
    names: Mapping[str, str],
    *,
    ports: Ports,
    now: datetime,
) -> Analysis:
    """Measure when it is time; between two measurements the last judgment stands."""
    interval = policy.analysis.interval
    if status.phase not in {Phase.PROGRESSING, Phase.PAUSED, Phase.GUARDING}:
        return Analysis(judgments=(), measured_at=None, next_measurement=interval)
    last = status.measured_at or status.since or now
    if now - last < interval:
        return Analysis(
            judgments=tuple(_judgment(check) for check in status.checks),
            measured_at=status.measured_at,
            next_measurement=interval - (now - last),
        )
    failures = {check.name: check.failures for check in status.checks}
    measured = await asyncio.gather(
        *(_measure(check, names, ports) for check in policy.analysis.checks)
    )
    judgments = tuple(
        judge(measurement, _bounds(check), failures_before=failures.get(check.name, 0))
        for check, measurement in zip(policy.analysis.checks, measured, strict=True)
    )
    return Analysis(judgments=judgments, measured_at=now, next_measurement=interval)


async def _measure(check: Check, names: Mapping[str, str], ports: Ports) -> Measurement:
    """One dead check must not stop the reconcile: its error becomes a value."""
    try:
        value = await ports.prometheus.query(queries.for_check(check, **names))
        samples = None
        if check.builtin is not None:
            target = {key: names[key] for key in ("namespace", "model", "version")}
            samples = await ports.prometheus.query(queries.requests(**target, window=check.window))
    except (TransientError, ValueError) as error:
        return Measurement(name=check.name, error=str(error)[:500])
    return Measurement(name=check.name, value=value, samples=samples)


def _bounds(check: Check) -> Bounds:
    min_samples = 0 if check.builtin is None else check.min_samples or _MIN_SAMPLES
    return Bounds(
        at_least=check.at_least,
        at_most=check.at_most,
        min_samples=min_samples,
        failure_limit=check.failure_limit,
    )


def _judgment(check: CheckStatus) -> Judgment:
    return Judgment(
        name=check.name,
        verdict=Verdict(check.verdict),
        value=check.value,
        samples=check.samples,
        failures=check.failures,
        message=check.message,
    )
