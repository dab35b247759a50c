"""One look at a Model: observe, decide, act, report."""

import dataclasses
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from fairlead_operator.api.events import Event
from fairlead_operator.api.phases.model import EventReason
from fairlead_operator.attempts import describe
from fairlead_operator.errors import InvalidSpecError
from fairlead_operator.kube.refused_pods import TRY_EVERY
from fairlead_operator.model.act import act
from fairlead_operator.model.observe import check_code, observe
from fairlead_operator.model.state_machine import decide
from fairlead_operator.model.status import report
from fairlead_operator.ports import Ports
from fairlead_operator.report import (
    Report,
    report_failures,
    report_invalid,
    report_login,
    report_upgrade,
)
from fairlead_operator.settings import Settings


async def reconcile(
    body: Mapping[str, Any], ports: Ports, settings: Settings, *, now: datetime
) -> Report:
    """Look, choose, make it true, say so.

    Raises:
        TransientError: the cluster did not answer.
    """
    try:
        seen = await observe(body, ports, now=now, allows_code=settings.allow_artifact_code)
    except InvalidSpecError as error:
        return report_invalid(body, error, now=now)
    decision = decide(seen.observed)
    outcome = await act(body, decision, seen, ports, settings)
    if outcome.not_started:
        # The status must not name a child that there is not, nor call what asked for it done.
        observed = dataclasses.replace(
            seen.observed, cannot_start=outcome.not_started, refusal=describe(outcome.failures)
        )
        seen, decision = dataclasses.replace(seen, observed=observed), decide(observed)
    if not outcome.tidied:
        seen = dataclasses.replace(seen, settled=None)
    failures = (*outcome.failures, *seen.failures)
    kept_code = check_code(
        seen.spec,
        decision.stable,
        body["metadata"],
        ports,
        by_operator=settings.allow_artifact_code,
    )
    told = report(body, seen, decision, failures=failures, kept_code=kept_code)
    told = report_upgrade(body, told, outcome.held or seen.held, now=now)
    told = report_login(body, told, outcome.login.shared, now=now)
    if (renewed := outcome.login.renewed) is not None:
        event = Event(reason=EventReason.LOGIN_RENEWED, message=renewed)
        told = dataclasses.replace(told, events=(*told.events, event))
    if (again := outcome.login.look_again) is not None:
        told = told.within(again)
    if outcome.refused:
        told = told.within(TRY_EVERY)
    return report_failures(body, told, failures, now=now)
