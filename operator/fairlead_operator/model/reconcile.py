"""One look at a Model: observe, decide, act, report."""

from collections.abc import Mapping
from typing import Any

from fairlead_operator.errors import InvalidSpecError
from fairlead_operator.model.act import act
from fairlead_operator.model.observe import observe
from fairlead_operator.model.state_machine import decide
from fairlead_operator.model.status import report
from fairlead_operator.ports import Ports
from fairlead_operator.report import Report, report_invalid
from fairlead_operator.settings import Settings


async def reconcile(body: Mapping[str, Any], ports: Ports, settings: Settings) -> Report:
    """Look, choose, make it true, say so.

    Raises:
        TransientError: the cluster did not answer.
    """
    now = ports.now()
    try:
        seen = await observe(body, ports, now=now)
    except InvalidSpecError as error:
        return report_invalid(body, error, now=now)
    decision = decide(seen.observed)
    await act(body, decision, seen, ports, settings)
    return report(body, seen, decision)
