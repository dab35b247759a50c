"""A report into the cluster: events first, then what differs in the status."""

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from fairlead_operator.errors import (
    ClusterRefusalError,
    NamespaceEndingError,
    TransientError,
    WebhookUnavailableError,
)
from fairlead_operator.kube.merge import difference
from fairlead_operator.ports import Kube
from fairlead_operator.report import Report, build_event

_LOGGER: Final = logging.getLogger(__name__)


async def publish(body: Mapping[str, Any], report: Report, kube: Kube, *, now: datetime) -> None:
    """Write events and status; a quiet reconcile writes nothing.

    The status says what an Event says, and waits for none: one that the cluster refuses is lost,
    one that it could not take just now is tried once more after the status.
    """
    meta, left = body["metadata"], []
    for event in report.events:
        manifest = build_event(body, event, now=now)
        if not await _announce(manifest, kube):
            left.append(manifest)
    patch = difference(body.get("status") or {}, report.status)
    if patch:
        await kube.patch_status(body["kind"], meta["namespace"], meta["name"], patch)
    for manifest in left:
        if not await _announce(manifest, kube):
            _LOGGER.warning("event not written", extra={"reason": manifest["reason"]})


async def _announce(event: Mapping[str, Any], kube: Kube) -> bool:
    """Write an Event; return whether it is done with, be it since nobody will take it."""
    try:
        await kube.apply(event)
    except NamespaceEndingError as error:
        _LOGGER.debug("event not written", extra={"error": str(error)})
    except (ClusterRefusalError, WebhookUnavailableError) as error:
        _LOGGER.warning("event refused", extra={"reason": event["reason"], "error": str(error)})
    except TransientError as error:
        _LOGGER.debug("event not written yet", extra={"error": str(error)})
        return False
    return True
