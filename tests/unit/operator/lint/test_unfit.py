"""What the operator would only say once a rollout has begun."""

from typing import Any

import pytest

from fairlead_operator.lint.unfit import find_unfit, find_unfit_template

TEMPLATE = {
    "spec": {
        "arguments": [{"name": "shop"}, {"name": "currency", "value": "EUR"}],
        "checks": [
            {
                "name": "orders",
                "query": "sum(orders{s='{{arguments.shop}}',c='{{arguments.currency}}'})",
                "atLeast": 1,
            }
        ],
    }
}
LABELS = {"spec": {"checks": [{"name": "labels", "builtin": "live-accuracy", "atLeast": 0.7}]}}


def model(**analysis: Any) -> dict[str, Any]:
    data = {"source": {"uri": "https://a"}, "timestampColumn": "t", "target": "y"}
    spec = {"task": "regression", "data": data, "rollout": {"analysis": analysis}}
    return {"spec": spec}


def reference(name: str = "shop", **arguments: str) -> dict[str, Any]:
    given = [{"name": key, "value": value} for key, value in arguments.items()]
    return {"templateRef": {"name": name, "arguments": given}}


@pytest.mark.parametrize(
    ("analysis", "words"),
    [
        pytest.param(reference(), "the argument shop has no value", id="no argument"),
        pytest.param(
            reference(shop="a", stop="b"), "the template has no argument stop", id="unknown"
        ),
        pytest.param(
            reference(shop="a") | {"checks": [{"name": "orders", "query": "x", "atMost": 1}]},
            "orders",
            id="a check of the same name",
        ),
        pytest.param(reference("labels"), "predictionLog", id="a check without its record"),
    ],
)
def test_what_does_not_go_together_is_told(analysis: dict[str, Any], words: str) -> None:
    (problem,) = find_unfit(model(**analysis), {"shop": TEMPLATE, "labels": LABELS})

    assert problem.field == "spec.rollout.analysis"
    assert words in problem.message


@pytest.mark.parametrize(
    "analysis",
    [
        pytest.param({}, id="no template"),
        pytest.param(reference(shop="a"), id="every argument"),
        pytest.param(reference("elsewhere", any="b"), id="a template that is not given"),
    ],
)
def test_what_goes_together_is_let_pass(analysis: dict[str, Any]) -> None:
    assert list(find_unfit(model(**analysis), {"shop": TEMPLATE})) == []


def test_what_the_operator_cannot_read_is_told_by_its_path() -> None:
    body = model(checks=[{"name": "a", "query": "x", "atMost": "much"}])

    problem, *_ = find_unfit(body, {})

    assert problem.field == "spec.rollout.analysis.checks[0].atMost"


def test_what_the_operator_cannot_read_of_a_template_is_told_of_the_template() -> None:
    template = {"spec": {"checks": [{"name": "a", "query": "x", "atMost": "much"}]}}

    problem, *_ = find_unfit_template(template)

    assert problem.field == "spec.checks[0].atMost"
    assert list(find_unfit(model(**reference()), {"shop": template})) == []
    assert list(find_unfit_template(TEMPLATE)) == []
