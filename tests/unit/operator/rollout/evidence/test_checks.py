"""Which checks are in force, and what is said where they cannot be."""

import dataclasses
from datetime import timedelta
from typing import Any

import pytest

from fairlead_operator.api.checks import DEFAULT_CHECKS, DEFAULT_VETO, Check
from fairlead_operator.api.model import ModelSpec
from fairlead_operator.api.policy import RolloutPolicy
from fairlead_operator.api.template import AnalysisTemplateSpec
from fairlead_operator.rollout.decision.plan import compile_plan
from fairlead_operator.rollout.evidence.checks import ChecksError, answerable, resolve_checks
from fairlead_operator.rollout.evidence.scene import Pairing, Scene
from support.fakes import START
from support.world import model_manifest

OWN = {"name": "own", "query": "q", "atMost": 1}
ORDERS = {
    "name": "orders",
    "query": 'orders{shop="{{arguments.shop}}",c="{{arguments.currency}}",v="{{version}}"}',
    "atLeast": 1,
}
ARGUMENTS = [{"name": "shop"}, {"name": "currency", "value": "EUR"}]


def resolve(
    analysis: Any, *, template: Any = None, spec: Any = None, **policy: Any
) -> tuple[Check, ...]:
    rollout = RolloutPolicy.model_validate({"analysis": analysis, **policy})
    return resolve_checks(
        rollout,
        ModelSpec.model_validate(model_manifest(**(spec or {}))["spec"]),
        compile_plan(rollout),
        AnalysisTemplateSpec.model_validate(template) if template else None,
    )


def given(*arguments: tuple[str, str]) -> Any:
    return {
        "templateRef": {
            "name": "shared",
            "arguments": [{"name": name, "value": value} for name, value in arguments],
        }
    }


def test_with_nothing_said_the_default_is_in_force() -> None:
    assert resolve({}) == (*DEFAULT_CHECKS, DEFAULT_VETO)


ACCEPTED = {"name": "accepted", "builtin": "acceptance-rate"}


@pytest.mark.parametrize(
    ("checks", "names"),
    [
        pytest.param([OWN], ["own", "acceptance-rate"], id="beside a list that does not say"),
        pytest.param(
            [OWN, ACCEPTED | {"relative": {"margin": 0.2}}], ["own", "accepted"], id="wider"
        ),
        pytest.param([OWN, ACCEPTED | {"atLeast": 0.5}], ["own", "accepted"], id="a bound"),
        pytest.param(
            [OWN, ACCEPTED | {"atLeast": 0.5, "dryRun": True}], ["own", "accepted"], id="off"
        ),
        pytest.param(
            [OWN | {"name": "acceptance-rate"}],
            ["acceptance-rate", "acceptance-rate-default"],
            id="its name is taken",
        ),
    ],
)
def test_the_default_veto_is_added_unless_the_list_says_otherwise(
    checks: list[Any], names: list[str]
) -> None:
    assert [check.name for check in resolve({"checks": checks})] == names


@pytest.mark.parametrize(
    "policy",
    [
        {"strategy": "recreate"},
        {"strategy": "blueGreen"},
        {"strategy": "shadow"},
        {"strategy": "abTest", "abTest": {"goal": {"metric": "success-rate"}}},
        {"strategy": "bandit", "bandit": {"goal": {"metric": "success-rate"}}},
    ],
    ids=lambda policy: str(policy["strategy"]),
)
def test_the_default_veto_is_there_under_every_strategy(policy: Any) -> None:
    assert DEFAULT_VETO in resolve({}, **policy)


def test_a_templates_veto_takes_the_place_of_the_default() -> None:
    wider = ACCEPTED | {"relative": {"margin": 0.2}}

    checks = resolve(given(), template={"checks": [OWN, wider]})

    assert [check.name for check in checks] == ["own", "accepted"]


def test_own_checks_come_first_then_the_templates() -> None:
    checks = resolve(
        given(("shop", "a")) | {"checks": [OWN]},
        template={"arguments": ARGUMENTS, "checks": [ORDERS]},
    )

    assert [check.name for check in checks] == ["own", "orders", "acceptance-rate"]
    assert checks[1].query == 'orders{shop="a",c="EUR",v="{{version}}"}'


@pytest.mark.parametrize(
    ("analysis", "template", "words"),
    [
        pytest.param(
            given(),
            {"arguments": ARGUMENTS, "checks": [ORDERS]},
            "argument shop has no value",
            id="an argument is missing",
        ),
        pytest.param(
            given(("shop", "a"), ("city", "b")),
            {"arguments": ARGUMENTS, "checks": [ORDERS]},
            "no argument city; it has currency, shop",
            id="an argument nobody knows",
        ),
        pytest.param(
            given(),
            {"checks": [ORDERS]},
            "uses {{arguments.shop}}, which the template does not declare",
            id="a name that is not declared",
        ),
        pytest.param(
            given() | {"checks": [OWN]},
            {"checks": [OWN]},
            "check own is in analysis.checks and",
            id="a name twice",
        ),
        pytest.param(
            given(), {"checks": [OWN | {"dryRun": True}]}, "every check is a dry run", id="all dry"
        ),
        pytest.param(
            given(),
            {"checks": [{"name": "a", "builtin": "live-accuracy", "atLeast": 0.5}]},
            "serving.predictionLog.enabled",
            id="labels without a record",
        ),
    ],
)
def test_what_cannot_be_is_named(analysis: Any, template: Any, words: str) -> None:
    with pytest.raises(ChecksError) as refused:
        resolve(analysis, template=template)

    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("check", "policy", "words"),
    [
        pytest.param(
            {"builtin": "live-mae", "atMost": 1},
            {},
            "live-mae is for task: regression",
            id="a loss of numbers",
        ),
        pytest.param(
            {"builtin": "prediction-agreement", "atLeast": 0.9},
            {},
            "choose strategy: shadow, or blueGreen",
            id="agreement without copies",
        ),
        pytest.param(
            {"builtin": "prediction-agreement", "atLeast": 0.9},
            {"strategy": "blueGreen", "blueGreen": {"mirror": 0}},
            "with mirror above 0",
            id="a preview without copies",
        ),
        pytest.param(
            {"builtin": "success-rate", "relative": {"margin": 0.01}},
            {"strategy": "recreate"},
            "which is stopped under strategy recreate",
            id="nothing to compare with",
        ),
    ],
)
def test_a_templates_check_must_fit_the_model_and_its_strategy(
    check: Any, policy: Any, words: str
) -> None:
    recorded = {"serving": {"predictionLog": {"enabled": True}}}

    with pytest.raises(ChecksError) as refused:
        resolve(given(), template={"checks": [{"name": "a", **check}]}, spec=recorded, **policy)

    assert words in str(refused.value)


def test_a_check_of_a_step_may_not_have_a_templates_name() -> None:
    with pytest.raises(ChecksError, match="check own of a step has the same name as a check in"):
        resolve(given(), template={"checks": [OWN]}, steps=[{"weight": 5, "checks": [OWN]}])


def check(**fields: Any) -> Check:
    return Check.model_validate({"name": "c", **fields})


SCENE = Scene(
    pairing=Pairing(
        namespace="energy",
        model="nsw-price",
        stable="1.0.0",
        now=START,
    ),
    version="1.1.0",
    since=START,
)
COPIES = dataclasses.replace(SCENE, mirrored=True)
ALONE = dataclasses.replace(SCENE, reference=timedelta(minutes=1))
AGREEMENT = check(builtin="prediction-agreement", atLeast=0.9)
DRIFT = check(name="d", builtin="prediction-drift", atMost=0.1)
BESIDE = check(name="o", query="q", total="t", relative={"margin": 0.1})
BESIDE_AND_BOUND = check(name="b", query="q", total="t", relative={"margin": 0.1}, atLeast=0.5)


@pytest.mark.parametrize(
    ("checks", "scene", "names"),
    [
        pytest.param((AGREEMENT, DRIFT, BESIDE), COPIES, ["c", "d", "o"], id="copies"),
        pytest.param((AGREEMENT, DRIFT, BESIDE), SCENE, ["d", "o"], id="traffic"),
        pytest.param((AGREEMENT, DRIFT, BESIDE, BESIDE_AND_BOUND), ALONE, ["b"], id="all traffic"),
        pytest.param((AGREEMENT,), SCENE, ["success-rate"], id="something must be proven"),
        pytest.param(
            (DEFAULT_VETO,),
            SCENE,
            ["success-rate", "acceptance-rate"],
            id="a veto proves nothing",
        ),
        pytest.param((DRIFT, DEFAULT_VETO), SCENE, ["d", "acceptance-rate"], id="beside proof"),
    ],
)
def test_what_can_be_answered_is_asked(
    checks: tuple[Check, ...], scene: Scene, names: list[str]
) -> None:
    assert [one.name for one in answerable(checks, scene)] == names


def test_at_all_traffic_a_users_comparison_is_left_to_its_bounds() -> None:
    assert answerable((BESIDE_AND_BOUND,), ALONE)[0].relative is None
