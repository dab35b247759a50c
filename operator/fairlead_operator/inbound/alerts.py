"""Reads from the webhook body of Alertmanager or Grafana what it asks of which version.  Pure.

Only a firing alert that names a Model and a version and carries the label
``fairlead_action: rollback`` can take a candidate back.  An alert that cannot be read
is refused by itself, so that the others of its group are not lost.
"""

import dataclasses
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from fairlead_operator.alert_labels import AlertLabels
from fairlead_operator.api.base import NAME_PATTERN, VERSION_PATTERN, read_moment
from fairlead_operator.text import printable, shorten

_ACTION: Final = "fairlead_action"
_ROLLBACK: Final = "rollback"
_FORMS: Final = frozenset({"4", "1"})  # versions of Alertmanager's and of Grafana's webhook
# Grafana fires also because it has no data, or could not ask: infrastructure is no evidence.
_STATE_REASON: Final = "grafana_state_reason"
_NO_EVIDENCE: Final = frozenset({"NoData", "Error"})
_NO_EVIDENCE_NAMES: Final = frozenset({"DatasourceNoData", "DatasourceError"})
_TEXT_LIMIT: Final = 253
_ALERTS_LIMIT: Final = 1000
_LONGEST: Final = 500  # characters of a message
_NAME: Final = re.compile(NAME_PATTERN)
_VERSION: Final = re.compile(VERSION_PATTERN)


class NotAlertmanagerError(ValueError):
    """The body is neither Alertmanager's nor Grafana's; the message names the field."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    name: str
    namespace: str
    model: str
    version: str
    message: str
    since: datetime | None = None  # when it began to fire; None where it does not say


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """An alert that asks for a rollback and does not say of what."""

    name: str
    why: str  # begins with the field


def parse_alerts(body: Any, labels: AlertLabels) -> tuple[Alert | Refused, ...]:
    """Return the alerts of a webhook body that ask for a rollback, each once.

    Raises:
        NotAlertmanagerError: the body has another form than these webhooks.
    """
    if not isinstance(body, Mapping):
        raise NotAlertmanagerError("the body must be a JSON object")
    if str(body.get("version")) not in _FORMS:
        raise NotAlertmanagerError(
            'version: must be "4", as in Alertmanager\'s webhook, or "1", as in Grafana\'s'
        )
    alerts = body.get("alerts")
    if not isinstance(alerts, list):
        raise NotAlertmanagerError("alerts: must be a list")
    if len(alerts) > _ALERTS_LIMIT:
        raise NotAlertmanagerError(
            f"alerts: {len(alerts)} are too many; send at most {_ALERTS_LIMIT}"
        )
    parsed = (_parse_alert(f"alerts[{index}]", alert, labels) for index, alert in enumerate(alerts))
    return tuple(dict.fromkeys(alert for alert in parsed if alert is not None))


def _parse_alert(where: str, alert: Any, labels: AlertLabels) -> Alert | Refused | None:
    if not isinstance(alert, Mapping) or not isinstance(alert.get("labels"), Mapping):
        return Refused(name="alert", why=f"{where}.labels: must be an object")
    said = alert["labels"]
    if alert.get("status") != "firing" or said.get(_ACTION) != _ROLLBACK:
        return None
    if _is_without_evidence(said, alert.get("annotations")):
        return None
    name = printable(said.get("alertname", "alert"), limit=_TEXT_LIMIT)
    for label, pattern, kind in (
        (labels.namespace, _NAME, "name of a namespace"),
        (labels.model, _NAME, "name of a Model"),
        (labels.version, _VERSION, "version such as 1.2.0"),
    ):
        value = said.get(label)
        # The names become part of paths: nothing but a name may pass.
        if not isinstance(value, str) or len(value) > _TEXT_LIMIT or not pattern.fullmatch(value):
            return Refused(name=name, why=f"{where}.labels.{label}: must be the {kind}")
    return Alert(
        name=name,
        namespace=said[labels.namespace],
        model=said[labels.model],
        version=said[labels.version],
        message=_message(name, alert.get("annotations")),
        since=_moment(alert.get("startsAt")),
    )


def _moment(value: object) -> datetime | None:
    """Parse a time; return None for what is none, and for Go's zero time."""
    moment = read_moment(value)
    return moment if moment is not None and moment.year > 1 else None


def _is_without_evidence(labels: Mapping[str, Any], annotations: Any) -> bool:
    texts = annotations if isinstance(annotations, Mapping) else {}
    reasons = {reason.strip() for reason in str(texts.get(_STATE_REASON, "")).split(",")}
    return str(labels.get("alertname")) in _NO_EVIDENCE_NAMES or bool(reasons & _NO_EVIDENCE)


def _message(name: str, annotations: Any) -> str:
    texts = annotations if isinstance(annotations, Mapping) else {}
    said = [
        printable(texts[key], limit=_LONGEST)
        for key in ("summary", "description")
        if texts.get(key)
    ]
    return shorten(": ".join([name, *said]), _LONGEST)
