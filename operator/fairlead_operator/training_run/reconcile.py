"""One look at a TrainingRun: observe, decide, act, report."""

import dataclasses
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from fairlead_operator.attempts import describe
from fairlead_operator.errors import InvalidSpecError
from fairlead_operator.ports import Ports
from fairlead_operator.report import Report, report_failures, report_invalid
from fairlead_operator.settings import Settings
from fairlead_operator.training_run.act import act, start_run
from fairlead_operator.training_run.observe import observe
from fairlead_operator.training_run.state_machine import decide
from fairlead_operator.training_run.status import report


async def reconcile(
    body: Mapping[str, Any], ports: Ports, settings: Settings, *, now: datetime
) -> Report:
    """Look, choose, make it true, say so.

    Raises:
        TransientError: the cluster did not answer.
    """
    try:
        seen = await observe(body, ports, now=now)
    except InvalidSpecError as error:
        return report_invalid(body, error, now=now)
    decision = decide(seen.observed)
    if decision.want_run:
        # What MLflow answers is decided on at once, so that the Jobs wait for no other look.
        seen = await start_run(body, seen, ports, now=now)
        decision = decide(seen.observed)
    failures = await act(body, decision, seen, ports, settings, now=now)
    if failures and decision.wants_job:
        message = f"{decision.message}; not started: {describe(failures)}"
        decision = dataclasses.replace(decision, message=message)
    return report_failures(body, report(body, seen, decision, now=now), failures, now=now)
