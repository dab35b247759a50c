"""Alertmanager's webhook body into what it asks of which version.  Pure.

Only a firing alert that names a Model and a version and carries the label
``fairlead_action: rollback`` can take a candidate back.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

_NAME_LIMIT: Final = 253
_ALERTS_LIMIT: Final = 1000


class NotAlertmanagerError(ValueError):
    """The body is not Alertmanager's; the message names the field."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    name: str
    namespace: str
    model: str
    version: str
    message: str


def parse_alerts(body: Any) -> tuple[Alert, ...]:
    """The alerts of a webhook body that ask for a rollback.

    Raises:
        NotAlertmanagerError: the body has another form than webhook version 4.
    """
    if not isinstance(body, Mapping):
        raise NotAlertmanagerError("the body must be a JSON object")
    if str(body.get("version")) != "4":
        raise NotAlertmanagerError("version: expected Alertmanager webhook version 4")
    alerts = body.get("alerts")
    if not isinstance(alerts, list):
        raise NotAlertmanagerError("alerts: must be a list")
    if len(alerts) > _ALERTS_LIMIT:
        raise NotAlertmanagerError(f"alerts: {len(alerts)}, at most {_ALERTS_LIMIT} are taken")
    found = (_parse_alert(index, alert) for index, alert in enumerate(alerts))
    return tuple(alert for alert in found if alert is not None)


def _parse_alert(index: int, alert: Any) -> Alert | None:
    if not isinstance(alert, Mapping) or not isinstance(alert.get("labels"), Mapping):
        raise NotAlertmanagerError(f"alerts[{index}].labels: must be an object")
    labels = alert["labels"]
    if alert.get("status") != "firing" or labels.get("fairlead_action") != "rollback":
        return None
    named = [labels.get(key) for key in ("model_namespace", "model", "version", "alertname")]
    for key, value in zip(("model_namespace", "model", "version", "alertname"), named, strict=True):
        if not isinstance(value, str) or not 0 < len(value) <= _NAME_LIMIT:
            raise NotAlertmanagerError(
                f"alerts[{index}].labels.{key}: must be text of 1 to {_NAME_LIMIT} characters"
            )
    annotations = alert.get("annotations")
    texts = annotations if isinstance(annotations, Mapping) else {}
    said = [str(texts[key]) for key in ("summary", "description") if texts.get(key)]
    name = str(named[3])
    return Alert(
        name=name,
        namespace=str(named[0]),
        model=str(named[1]),
        version=str(named[2]),
        message=": ".join([name, *said])[:500],
    )
