"""Where a policy holds PromQL: all places, and what decides."""

from typing import Any

import pytest

from fairlead_operator.api.policy import RolloutPolicy
from fairlead_operator.api.promql import find_queries

OWN = {"name": "own", "query": "q", "atMost": 1}
COUNTED = {"name": "counted", "query": "g", "total": "t", "atLeast": 0.5}
GOAL = {"query": "g", "total": "t"}


@pytest.mark.parametrize(
    ("policy", "places"),
    [
        pytest.param({}, {}, id="none"),
        pytest.param(
            {"analysis": {"checks": [{"name": "s", "builtin": "success-rate", "atLeast": 0.9}]}},
            {},
            id="a builtin is no query",
        ),
        pytest.param(
            {"analysis": {"checks": [OWN, COUNTED]}},
            {
                "analysis.checks, query of own": "q",
                "analysis.checks, query of counted": "g",
                "analysis.checks, total of counted": "t",
            },
            id="checks",
        ),
        pytest.param(
            {"steps": [{"weight": 1, "checks": [OWN]}, {"weight": 2, "checks": [OWN]}]},
            {"steps[0].checks, query of own": "q", "steps[1].checks, query of own": "q"},
            id="checks of each step",
        ),
        pytest.param(
            {"strategy": "abTest", "abTest": {"goal": GOAL}},
            {"abTest.goal.query": "g", "abTest.goal.total": "t"},
            id="the goal of an A/B test",
        ),
        pytest.param(
            {"strategy": "bandit", "bandit": {"goal": GOAL}},
            {"bandit.goal.query": "g", "bandit.goal.total": "t"},
            id="the goal of a bandit",
        ),
        pytest.param(
            {"strategy": "abTest", "abTest": {"goal": {"metric": "reward"}}},
            {},
            id="a goal without a query",
        ),
    ],
)
def test_the_places_of_queries(policy: Any, places: dict[str, str]) -> None:
    written = find_queries(RolloutPolicy.model_validate(policy))

    assert {query.place: query.text for query in written} == places


def test_a_dry_run_does_not_decide() -> None:
    checks = [OWN, COUNTED | {"dryRun": True}]
    written = find_queries(RolloutPolicy.model_validate({"analysis": {"checks": checks}}))

    assert [query.decides for query in written] == [True, False, False]
