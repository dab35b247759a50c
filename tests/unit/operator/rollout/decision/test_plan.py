"""Each strategy as the plan that the one machine walks through."""

import itertools
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_operator.api.checks import AnalysisSpec
from fairlead_operator.api.policy import RolloutPolicy
from fairlead_operator.api.strategy import Sticky
from fairlead_operator.errors import InvalidSpecError
from fairlead_operator.rollout.decision.plan import (
    Step,
    automatic_steps,
    compile_plan,
    standing_plan,
)
from support.builders import design

MINUTE = timedelta(minutes=1)
STEPS = [{"weight": 5, "hold": "1m"}, {"weight": 50, "hold": "2m", "pause": True}]
COMPILED = (Step(weight=5, hold=MINUTE), Step(weight=50, hold=2 * MINUTE, pause=True))


GOAL = {"metric": "reward"}


def plan(**policy: Any) -> tuple[Step, ...]:
    return compile_plan(RolloutPolicy.model_validate(policy)).steps


@pytest.mark.parametrize(
    ("policy", "steps"),
    [
        pytest.param({"steps": STEPS}, COMPILED, id="canary: the steps as they are"),
        pytest.param({"strategy": "blueGreen"},
                     (Step(weight=0, hold=5 * MINUTE, mirror=100, preview=True),),
                     id="blueGreen: a mirrored preview"),
        pytest.param({"strategy": "blueGreen",
                      "blueGreen": {"mirror": 0, "hold": "1m", "pause": True}},
                     (Step(weight=0, hold=MINUTE, pause=True, preview=True),),
                     id="blueGreen: a preview for people"),
        pytest.param({"strategy": "shadow", "shadow": {"mirror": 20, "hold": "1m"}},
                     (Step(weight=0, hold=MINUTE, mirror=20),), id="shadow: then all traffic"),
        pytest.param({"strategy": "shadow", "steps": STEPS},
                     (Step(weight=0, hold=10 * MINUTE, mirror=100), *COMPILED),
                     id="shadow: then the steps"),
        pytest.param({"strategy": "recreate"},
                     (Step(weight=0, hold=timedelta(0), exclusive=True),),
                     id="recreate: alone"),
        pytest.param({"strategy": "abTest", "abTest": {"goal": GOAL, "maxDuration": "1h"}},
                     (Step(weight=50, hold=60 * MINUTE, sticky=Sticky(),
                           trial=design("abTest", maxDuration="1h")),),
                     id="abTest: one trial of equal shares"),
        pytest.param({"strategy": "abTest", "abTest": {"goal": GOAL, "weight": 10,
                      "maxDuration": "1h", "onUndecided": "rollBack"}},
                     (Step(weight=10, hold=60 * MINUTE, sticky=Sticky(), undecided_goes_back=True,
                           trial=design("abTest", weight=10, maxDuration="1h",
                                        onUndecided="rollBack")),), id="abTest: as declared"),
        pytest.param({"strategy": "bandit", "bandit": {"goal": GOAL, "maxDuration": "1h"}},
                     (Step(weight=50, hold=60 * MINUTE, follows_reward=True,
                           trial=design("bandit", maxDuration="1h")),),
                     id="bandit: begins with equal shares"),
    ],
)  # fmt: skip
def test_compile_plan(policy: dict[str, Any], steps: tuple[Step, ...]) -> None:
    assert plan(**policy) == steps


@pytest.mark.parametrize(
    ("policy", "facts"),
    [
        pytest.param({}, {"compares", "guarded"}, id="canary"),
        pytest.param({"fastGuard": {"enabled": False}}, {"compares"}, id="canary unguarded"),
        pytest.param({"strategy": "shadow"}, {"copies", "compares", "guarded"}, id="shadow"),
        pytest.param({"strategy": "blueGreen"}, {"copies", "compares", "preview", "guarded"},
                     id="blueGreen"),
        pytest.param({"strategy": "blueGreen", "blueGreen": {"mirror": 0}},
                     {"compares", "preview", "guarded"}, id="blueGreen without copies"),
        pytest.param({"strategy": "recreate"}, set(), id="recreate"),
        pytest.param({"strategy": "abTest", "abTest": {"goal": GOAL}},
                     {"compares", "takes_alternatives", "guarded"}, id="abTest"),
        pytest.param({"strategy": "bandit", "bandit": {"goal": GOAL}},
                     {"compares", "takes_alternatives", "guarded"}, id="bandit"),
    ],
)  # fmt: skip
def test_what_is_asked_of_a_whole_plan(policy: dict[str, Any], facts: set[str]) -> None:
    compiled = compile_plan(RolloutPolicy.model_validate(policy))

    answers = {
        "copies": compiled.copies,
        "compares": compiled.compares,
        "preview": compiled.preview,
        "takes_alternatives": compiled.takes_alternatives,
        "guarded": compiled.fast_guard is not None,
    }
    assert {fact for fact, holds in answers.items() if holds} == facts


def test_several_candidates_and_the_stable_version_share_alike() -> None:
    policy = RolloutPolicy.model_validate({"strategy": "bandit", "bandit": {"goal": GOAL}})

    (step,) = compile_plan(policy, candidates=4).steps

    assert step.weight == 20


def test_a_trial_without_a_design_is_refused_by_name() -> None:
    with pytest.raises(InvalidSpecError, match="abTest: missing"):
        plan(strategy="abTest")


@pytest.mark.parametrize(
    ("weight", "candidates", "fits"),
    [(99, 1, True), (49, 2, True), (50, 2, False), (40, 4, False), (24, 4, True), (25, 4, False)],
)
def test_a_trial_leaves_traffic_for_the_stable_version(
    weight: int, candidates: int, fits: bool
) -> None:
    policy = RolloutPolicy.model_validate(
        {"strategy": "abTest", "abTest": {"goal": GOAL, "weight": weight, "maxDuration": "1h"}}
    )
    if fits:
        (step,) = compile_plan(policy, candidates=candidates).steps
        assert step.weight * candidates < 100
    else:
        with pytest.raises(InvalidSpecError, match=f"abTest.weight: {candidates} candidates"):
            compile_plan(policy, candidates=candidates)


@pytest.mark.parametrize("strategy", ["canary", "recreate", None])
@pytest.mark.parametrize("steps", [0, 1, 3])
def test_a_plan_that_stands_keeps_what_was_given(strategy: str | None, steps: int) -> None:
    standing = standing_plan(
        RolloutPolicy(),
        strategy=strategy,
        steps=steps,
        candidates=2,
        mirror=20,
        preview=True,
        sticky=Sticky(),
    )

    assert len(standing.steps) == max(1, steps)
    assert standing.compares == (strategy != "recreate")
    assert (standing.fast_guard is not None) == standing.compares
    assert (standing.copies, standing.preview) == (True, True)
    assert {step.sticky for step in standing.steps} == {Sticky()}


def test_a_step_keeps_its_own_checks() -> None:
    check = {"name": "own", "query": "x", "atMost": 1}

    (step,) = plan(steps=[{"weight": 5, "checks": [check]}])

    assert [found.name for found in step.checks] == ["own"]


@given(
    interval=st.integers(1, 3600), windows=st.lists(st.integers(5, 86400), min_size=1, max_size=20)
)
def test_every_automatic_step_can_measure_its_own_traffic_twice(
    interval: int, windows: list[int]
) -> None:
    checks = [
        {"name": f"c{index}", "query": "x", "atMost": 1, "window": f"{window}s"}
        for index, window in enumerate(windows)
    ]
    analysis = AnalysisSpec.model_validate({"interval": f"{interval}s", "checks": checks})

    steps = automatic_steps(analysis)

    needed = timedelta(seconds=max(windows) + 2 * interval)
    assert all(step.hold >= max(MINUTE, needed) for step in steps)
    weights = [step.weight for step in steps]
    assert all(2 * low == high for low, high in itertools.pairwise(weights))
    assert weights[0] == 5
    assert weights[-1] == 80
