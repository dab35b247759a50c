"""One look at a Rollout: observe, decide, act, report."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from fairlead_operator.errors import InvalidSpecError
from fairlead_operator.ports import Ports
from fairlead_operator.report import Report, report_failures, report_invalid, report_upgrade
from fairlead_operator.rollout.act import act
from fairlead_operator.rollout.decision.state_machine import decide
from fairlead_operator.rollout.observe import observe
from fairlead_operator.rollout.remember import remember
from fairlead_operator.rollout.status import report
from fairlead_operator.settings import Settings


async def reconcile(
    body: Mapping[str, Any], ports: Ports, settings: Settings, *, now: datetime
) -> Report:
    """Look, choose, make it true, say so.

    Effects come before the report: a crash between the two repeats the work, and
    a repeated reconcile changes nothing.

    Raises:
        TransientError: the cluster did not answer.
    """
    try:
        seen = await observe(body, ports, now=now, allows_code=settings.allow_artifact_code)
    except InvalidSpecError as error:
        return report_invalid(body, error, now=now)
    outcome = await act(decide(seen.observed), seen, ports, settings)
    told = report(
        body,
        outcome.seen,
        outcome.decision,
        unscaled=outcome.unscaled,
        unrouted=outcome.unrouted,
    )
    told = report_upgrade(body, told, outcome.held, now=now)
    told = report_failures(body, told, outcome.failures, now=now)
    return await remember(body, seen.case.status, told, ports.record)
