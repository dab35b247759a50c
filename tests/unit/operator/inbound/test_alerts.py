"""Alertmanager's and Grafana's body: what asks for a rollback, and what is refused by name."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_operator.alert_labels import AlertLabels
from fairlead_operator.inbound.alerts import (
    Alert,
    NotAlertmanagerError,
    Refused,
    parse_alerts,
)
from support.alertmanager import LABELS, alert, body, grafana_body
from support.fuzz import mutations


def without(key: str) -> dict[str, str]:
    return {name: value for name, value in LABELS.items() if name != key}


def test_a_firing_alert_that_asks_for_a_rollback_is_taken() -> None:
    assert parse_alerts(body(alert()), AlertLabels()) == (
        Alert(
            name="FairleadVersionSlow",
            namespace="energy",
            model="nsw-price",
            version="1.1.0",
            message="FairleadVersionSlow: p95 900 ms",
            since=None,
        ),
    )


def test_grafanas_form_is_taken_as_alertmanagers() -> None:
    (said,) = parse_alerts(grafana_body(alert(startsAt="")), AlertLabels())

    assert (said,) == parse_alerts(body(alert()), AlertLabels())


def test_in_grafanas_form_too_a_bad_alert_does_not_lose_the_others() -> None:
    bad = alert(labels=LABELS | {"version": "[no value]"})

    refused, taken = parse_alerts(grafana_body(bad, alert()), AlertLabels())

    assert isinstance(refused, Refused)
    assert refused.why.startswith("alerts[0].labels.version: ")
    assert isinstance(taken, Alert)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(
            alert(labels=LABELS | {"alertname": "DatasourceNoData", "rulename": "slow"}),
            id="no data",
        ),
        pytest.param(
            alert(labels=without("version") | {"alertname": "DatasourceError"}),
            id="the data source cannot be asked",
        ),
        pytest.param(
            alert(annotations={"grafana_state_reason": "NoData"}), id="no data, set to alert"
        ),
        pytest.param(
            alert(annotations={"grafana_state_reason": "Error, KeepLast"}), id="the last is kept"
        ),
    ],
)
def test_grafanas_alerts_about_its_own_data_are_left_alone(other: dict[str, Any]) -> None:
    assert parse_alerts(grafana_body(other), AlertLabels()) == ()


def test_an_alert_that_stands_there_twice_is_taken_once() -> None:
    assert len(parse_alerts(body(alert(), alert()), AlertLabels())) == 1


def test_labels_may_have_other_names() -> None:
    sent = alert(labels=without("model") | {"exported_model": "other"})

    (found,) = parse_alerts(body(sent), AlertLabels(model="exported_model"))

    assert isinstance(found, Alert)
    assert found.model == "other"


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(alert(status="resolved"), id="resolved"),
        pytest.param(alert(labels=without("fairlead_action")), id="asks for nothing"),
        pytest.param(alert(labels=LABELS | {"fairlead_action": "notify"}), id="only notifies"),
    ],
)
def test_other_alerts_are_left_alone(other: dict[str, Any]) -> None:
    assert parse_alerts(body(other), AlertLabels()) == ()


@pytest.mark.parametrize(
    ("sent", "named"),
    [
        pytest.param([], "the body", id="a list"),
        pytest.param({}, "version", id="empty"),
        pytest.param(body(version="3"), "version", id="another version"),
        pytest.param(
            {"dashboardId": 1, "ruleName": "slow", "state": "alerting", "tags": {}},
            "version",
            id="Grafana's alerts of old",
        ),
        pytest.param(body() | {"alerts": {}}, "alerts", id="alerts is no list"),
        pytest.param(body(*[alert()] * 1001), "alerts", id="a flood"),
    ],
)
def test_what_is_not_alertmanagers_is_refused_by_field(sent: Any, named: str) -> None:
    with pytest.raises(NotAlertmanagerError, match=named):
        parse_alerts(sent, AlertLabels())


@pytest.mark.parametrize(
    ("labels", "field"),
    [
        pytest.param(without("model"), "model", id="no model"),
        pytest.param(LABELS | {"version": ""}, "version", id="an empty version"),
        pytest.param(LABELS | {"version": "v1"}, "version", id="a version of another kind"),
        pytest.param(LABELS | {"version": 1}, "version", id="a version that is a number"),
        pytest.param(LABELS | {"model": "m" * 300}, "model", id="a huge name"),
        pytest.param(LABELS | {"model_namespace": "../secrets"}, "model_namespace", id="a path"),
        pytest.param(LABELS | {"model": "a?b=c"}, "model", id="a query"),
    ],
)
def test_an_alert_of_nobody_is_refused_by_field_and_the_next_is_taken(
    labels: dict[str, Any], field: str
) -> None:
    refused, taken = parse_alerts(body(alert(labels=labels), alert()), AlertLabels())

    assert isinstance(refused, Refused)
    assert refused.why.startswith(f"alerts[0].labels.{field}: ")
    assert isinstance(taken, Alert)


@pytest.mark.parametrize("other", [7, None, "x", {}, {"labels": []}, {"labels": None}])
def test_what_is_no_alert_is_refused_by_field_and_the_next_is_taken(other: Any) -> None:
    refused, taken = parse_alerts(body(other, alert()), AlertLabels())

    assert refused == Refused(name="alert", why="alerts[0].labels: must be an object")
    assert isinstance(taken, Alert)


@pytest.mark.parametrize(
    ("starts_at", "since"),
    [
        pytest.param("2026-01-01T01:00:00.123456789+01:00",
                     datetime(2026, 1, 1, 0, 0, 0, 123456, tzinfo=UTC), id="Go's nanoseconds"),
        pytest.param("2026-01-01T00:00:00Z", datetime(2026, 1, 1, tzinfo=UTC), id="whole seconds"),
        pytest.param("0001-01-01T00:00:00Z", None, id="Go's zero time"),
        pytest.param("2026-01-01T00:00:00", None, id="no time zone"),
        pytest.param("noon", None, id="no time"),
        pytest.param(7, None, id="a number"),
        pytest.param(None, None, id="nothing"),
    ],
)  # fmt: skip
def test_since_when_an_alert_fires(starts_at: Any, since: datetime | None) -> None:
    (found,) = parse_alerts(body(alert(startsAt=starts_at)), AlertLabels())

    assert isinstance(found, Alert)
    assert found.since == since


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(st.lists(json_values) | st.fixed_dictionaries({}, optional={"labels": json_values}))
def test_anything_is_taken_or_refused(content: Any) -> None:
    assert_taken_or_refused({"version": "4", "alerts": content})


def test_ten_thousand_bodies_that_are_nearly_right_are_taken_or_refused_by_field() -> None:
    good = body(alert(), alert(labels=LABELS | {"version": "1.2.0"}), groupLabels={}, receiver="f")

    outcomes = {assert_taken_or_refused(sent) for sent in mutations(good, count=10_000, seed=4)}

    assert outcomes == {"not Alertmanager's", "refused", "taken"}


def test_grafanas_bodies_that_are_nearly_right_are_taken_or_refused_by_field() -> None:
    good = grafana_body(alert(), alert(labels=LABELS | {"version": "1.2.0"}))

    for sent in mutations(good, count=2_000, seed=5):
        assert_taken_or_refused(sent)


def assert_taken_or_refused(sent: Any) -> str:
    """Whatever was sent, nothing fails, and a refusal names the field."""
    found, problem = parse(sent)
    if problem is not None:
        assert problem.startswith(("the body", "version:", "alerts"))
        return "not Alertmanager's"
    refused = [entry for entry in found if isinstance(entry, Refused)]
    assert all(entry.why.startswith("alerts[") for entry in refused)
    for taken in (entry for entry in found if isinstance(entry, Alert)):
        assert "/" not in taken.namespace + taken.model + taken.version
        assert taken.message.isprintable()
        assert len(taken.message) <= 500
    return "refused" if refused else "taken"


def parse(sent: Any) -> tuple[tuple[Alert | Refused, ...], str | None]:
    try:
        return parse_alerts(sent, AlertLabels()), None
    except NotAlertmanagerError as error:
        return (), str(error)
