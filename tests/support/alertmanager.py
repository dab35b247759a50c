"""Alertmanager's body, as it asks for a rollback; each test names only what differs."""

from typing import Any

LABELS = {
    "alertname": "FairleadVersionSlow", "model_namespace": "energy", "model": "nsw-price",
    "version": "1.1.0", "fairlead_action": "rollback",
}  # fmt: skip


def body(*alerts: Any, **more: Any) -> dict[str, Any]:
    """Build what Alertmanager posts."""
    return {"version": "4", "alerts": list(alerts)} | more


def grafana_body(*alerts: Any, **more: Any) -> dict[str, Any]:
    """Build what Grafana's alerting posts to a contact point of type webhook."""
    extra = {
        "startsAt": "2026-01-01T00:00:00Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://grafana.example/alerting/grafana/ab12/view",
        "fingerprint": "57c6d9296de2ad39",
        "silenceURL": "http://grafana.example/alerting/silence/new",
        "dashboardURL": "",
        "panelURL": "",
        "values": {"B": 0.9, "C": 1},
        "valueString": "[ var='B' labels={} value=0.9 ]",
    }
    return {
        "receiver": "fairlead",
        "status": "firing",
        "orgId": 1,
        "alerts": [extra | each if isinstance(each, dict) else each for each in alerts],
        "groupLabels": {},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://grafana.example/",
        "version": "1",
        "groupKey": '{}/{fairlead_action="rollback"}:{}',
        "truncatedAlerts": 0,
        "title": "[FIRING:1]",
        "state": "alerting",
        "message": "**Firing**",
    } | more


def alert(**changes: Any) -> dict[str, Any]:
    """Build an alert that asks for a rollback."""
    return {
        "status": "firing",
        "labels": LABELS,
        "annotations": {"summary": "p95 900 ms"},
    } | changes
