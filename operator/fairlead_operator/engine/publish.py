"""A report into the cluster: events first, then what differs in the status."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from fairlead_operator.kube.merge import difference
from fairlead_operator.ports import Kube
from fairlead_operator.report import Report, build_event


async def publish(body: Mapping[str, Any], report: Report, kube: Kube, *, now: datetime) -> None:
    """Write events and status; a quiet reconcile writes nothing."""
    meta = body["metadata"]
    for event in report.events:
        await kube.apply(build_event(body, event, now=now))
    patch = difference(body.get("status") or {}, report.status)
    if patch:
        await kube.patch_status(body["kind"], meta["namespace"], meta["name"], patch)
