"""The checks of one candidate, asked when they are due; until then the last answers stand."""

import asyncio
import dataclasses
from datetime import datetime, timedelta
from typing import Final

from fairlead_operator.api.checks import Check
from fairlead_operator.api.rollout import CheckStatus
from fairlead_operator.ports import Ports
from fairlead_operator.rollout.decision.states import in_seconds
from fairlead_operator.rollout.evidence.checks import answerable
from fairlead_operator.rollout.evidence.judgment import from_status, to_criteria
from fairlead_operator.rollout.evidence.measurement import measure, with_window
from fairlead_operator.rollout.evidence.scene import Scene
from fairlead_operator.rollout.evidence.turnover import SETTLING
from fairlead_operator.rollout.statistics.verdict import Criteria, Judgment, Measurement, judge

REPLACED: Final = (
    "pods of it are being replaced; its answers count again "
    f"{in_seconds(SETTLING)} after the last of them was made"
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One candidate, what it must prove, and what the last look said."""

    scene: Scene
    checks: tuple[Check, ...]
    interval: timedelta
    stages: int = 1  # of the whole rollout, which share a comparison's alpha
    problem: str | None = None  # why the checks are not known
    last: tuple[CheckStatus, ...] = ()
    measured_at: datetime | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """The judgments in force, and when the next are due."""

    judgments: tuple[Judgment, ...]
    measured_at: datetime | None
    next_measurement: timedelta


async def analyze(look: Look, ports: Ports) -> Analysis:
    """Measure when it is time; between two measurements the last judgment stands."""
    now = look.scene.pairing.now
    passed = now - (look.measured_at or look.scene.since)
    if passed < look.interval and look.problem is None:
        return Analysis(
            judgments=tuple(from_status(check) for check in look.last),
            measured_at=look.measured_at,
            next_measurement=look.interval - passed,
        )
    if look.problem is not None:
        failed = Measurement(name="analysis", error=look.problem)
        nothing = Criteria(at_least=None, at_most=None, min_samples=0, failure_limit=0)
        judgments = [judge(failed, nothing, failures_before=0)]
    else:
        last = {check.name: check for check in look.last}
        checks = answerable(look.checks, look.scene)
        judgments = await asyncio.gather(
            *(_judge(check, look, last.get(check.name), ports) for check in checks)
        )
    return Analysis(judgments=tuple(judgments), measured_at=now, next_measurement=look.interval)


async def _judge(check: Check, look: Look, last: CheckStatus | None, ports: Ports) -> Judgment:
    """Measure one check, and judge it; while pods are replaced, only what the record keeps."""
    bound = last.bound if last else None
    if look.scene.is_settling and not check.is_recorded:
        measurement = Measurement(name=check.name, doubt=REPLACED, bound=bound)
    else:
        measurement = await measure(check, look.scene, bound=bound, ports=ports)
    return judge(
        with_window(measurement, check, look.scene),
        to_criteria(check, stages=look.stages),
        failures_before=last.failures if last else 0,
    )
