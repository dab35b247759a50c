"""Alertmanager's body, as it asks for a rollback; each test names only what differs."""

from typing import Any

LABELS = {
    "alertname": "FairleadVersionSlow", "model_namespace": "energy", "model": "nsw-price",
    "version": "1.1.0", "fairlead_action": "rollback",
}  # fmt: skip


def body(*alerts: Any, **more: Any) -> dict[str, Any]:
    """Build what Alertmanager posts."""
    return {"version": "4", "alerts": list(alerts)} | more


def alert(**changes: Any) -> dict[str, Any]:
    """Build an alert that asks for a rollback."""
    return {
        "status": "firing",
        "labels": LABELS,
        "annotations": {"summary": "p95 900 ms"},
    } | changes
