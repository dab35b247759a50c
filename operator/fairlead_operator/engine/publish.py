"""A report into the cluster: events first, then what differs in the status."""

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from fairlead_operator.errors import (
    ClusterRefusalError,
    NamespaceEndingError,
    WebhookUnavailableError,
)
from fairlead_operator.kube.merge import difference
from fairlead_operator.ports import Kube
from fairlead_operator.report import Report, build_event

_LOGGER: Final = logging.getLogger(__name__)


async def publish(body: Mapping[str, Any], report: Report, kube: Kube, *, now: datetime) -> None:
    """Write events and status; a quiet reconcile writes nothing.

    An Event that the cluster refuses is lost: the status says the same, and must not wait for it.
    """
    meta = body["metadata"]
    for event in report.events:
        try:
            await kube.apply(build_event(body, event, now=now))
        except NamespaceEndingError as error:
            _LOGGER.debug("event not written", extra={"error": str(error)})
        except (ClusterRefusalError, WebhookUnavailableError) as error:
            _LOGGER.warning("event refused", extra={"reason": event.reason, "error": str(error)})
    patch = difference(body.get("status") or {}, report.status)
    if patch:
        await kube.patch_status(body["kind"], meta["namespace"], meta["name"], patch)
