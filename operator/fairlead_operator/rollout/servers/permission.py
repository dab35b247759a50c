"""Whether the server of a version may run code from its artifact.  Pure.

A version that begins is asked by the fields.  What has traffic keeps what it began with, whatever
becomes of the fields, or a changed field would restart or stop what serves.  That takes nothing
away: its digest is fixed, and with these bytes it began under the fields of that day.  A server
that a release without the field made, or that was stopped for another and comes back, may; so
may one that is gone, of a version that was in charge with this digest and is gone back to.
"""

from collections.abc import Mapping
from typing import Any

from fairlead_contract.artifact import ALLOWS_CODE


def may_run_code(live: Mapping[str, Any] | None, *, begins: bool, allowed: bool) -> bool:
    """Decide it.

    Args:
        live: the Deployment as it is; None while there is none.
        begins: whether the version has no traffic yet, and was never in charge.
        allowed: what the Model and the operator's values say together.
    """
    return allowed if begins else _began_with(live) != "false"


def _began_with(live: Mapping[str, Any] | None) -> str | None:
    containers = live["spec"]["template"]["spec"]["containers"] if live is not None else []
    variables = (entry for each in containers for entry in each.get("env") or ())
    return next((entry.get("value") for entry in variables if entry["name"] == ALLOWS_CODE), None)
