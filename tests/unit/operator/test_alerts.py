"""Alertmanager's body: what asks for a rollback, and what is refused by name."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_operator.alerts import Alert, NotAlertmanagerError, parse_alerts

LABELS = {
    "alertname": "FairleadVersionSlow", "model_namespace": "energy", "model": "nsw-price",
    "version": "1.1.0", "fairlead_action": "rollback",
}  # fmt: skip


def body(*alerts: Any, **more: Any) -> dict[str, Any]:
    return {"version": "4", "alerts": list(alerts)} | more


def alert(**changes: Any) -> dict[str, Any]:
    return {
        "status": "firing",
        "labels": LABELS,
        "annotations": {"summary": "p95 900 ms"},
    } | changes


def without(key: str) -> dict[str, str]:
    return {name: value for name, value in LABELS.items() if name != key}


def test_a_firing_alert_that_asks_for_a_rollback_is_taken() -> None:
    assert parse_alerts(body(alert())) == (
        Alert(
            name="FairleadVersionSlow",
            namespace="energy",
            model="nsw-price",
            version="1.1.0",
            message="FairleadVersionSlow: p95 900 ms",
        ),
    )


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(alert(status="resolved"), id="resolved"),
        pytest.param(alert(labels=without("fairlead_action")), id="asks for nothing"),
        pytest.param(alert(labels=LABELS | {"fairlead_action": "notify"}), id="only notifies"),
    ],
)
def test_other_alerts_are_left_alone(other: dict[str, Any]) -> None:
    assert parse_alerts(body(other)) == ()


@pytest.mark.parametrize(
    ("sent", "named"),
    [
        pytest.param([], "the body", id="a list"),
        pytest.param({}, "version", id="empty"),
        pytest.param(body(version="3"), "version", id="another version"),
        pytest.param(body() | {"alerts": {}}, "alerts", id="alerts is no list"),
        pytest.param(body(*[alert()] * 1001), "alerts", id="a flood"),
        pytest.param(body(alert(), 7), r"alerts\[1\].labels", id="an alert is a number"),
        pytest.param(body(alert(labels=without("model"))), r"alerts\[0\].labels.model",
                     id="no model"),
        pytest.param(body(alert(labels=LABELS | {"version": ""})), r"labels.version",
                     id="empty version"),
        pytest.param(body(alert(labels=LABELS | {"model": "m" * 300})), r"labels.model",
                     id="a huge name"),
    ],
)  # fmt: skip
def test_what_is_not_alertmanagers_is_refused_by_field(sent: Any, named: str) -> None:
    with pytest.raises(NotAlertmanagerError, match=named):
        parse_alerts(sent)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(st.lists(json_values) | st.fixed_dictionaries({}, optional={"labels": json_values}))
def test_anything_is_taken_or_refused(content: Any) -> None:
    try:
        found = parse_alerts({"version": "4", "alerts": content})
    except NotAlertmanagerError:
        return
    assert all(isinstance(entry, Alert) for entry in found)
