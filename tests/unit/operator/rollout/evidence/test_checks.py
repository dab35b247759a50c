"""Which checks are in force, and what is said where they cannot be."""

from typing import Any

import pytest

from fairlead_operator.api.checks import DEFAULT_CHECKS
from fairlead_operator.api.model import ModelSpec
from fairlead_operator.api.policy import RolloutPolicy
from fairlead_operator.rollout.evidence.checks import ChecksError, resolve_checks
from support.world import NAMESPACE, World, model_manifest

OWN = {"name": "own", "query": "q", "atMost": 1}
ORDERS = {
    "name": "orders",
    "query": 'orders{shop="{{arguments.shop}}",c="{{arguments.currency}}",v="{{version}}"}',
    "atLeast": 1,
}
ARGUMENTS = [{"name": "shop"}, {"name": "currency", "value": "EUR"}]


async def resolve(
    analysis: Any, *, template: Any = None, spec: Any = None, **policy: Any
) -> tuple[Any, ...]:
    world = World()
    if template is not None:
        world.kube.put(
            {
                "kind": "AnalysisTemplate",
                "metadata": {"namespace": NAMESPACE, "name": "shared"},
                "spec": template,
            }
        )
    model = model_manifest(**(spec or {}))["spec"]
    return await resolve_checks(
        RolloutPolicy.model_validate({"analysis": analysis, **policy}),
        ModelSpec.model_validate(model),
        NAMESPACE,
        world.kube,
    )


def given(*arguments: tuple[str, str]) -> Any:
    return {
        "templateRef": {
            "name": "shared",
            "arguments": [{"name": name, "value": value} for name, value in arguments],
        }
    }


async def test_with_nothing_said_the_default_is_in_force() -> None:
    assert await resolve({}) == DEFAULT_CHECKS


async def test_own_checks_come_first_then_the_templates() -> None:
    checks = await resolve(
        given(("shop", "a")) | {"checks": [OWN]},
        template={"arguments": ARGUMENTS, "checks": [ORDERS]},
    )

    assert [check.name for check in checks] == ["own", "orders"]
    assert checks[1].query == 'orders{shop="a",c="EUR",v="{{version}}"}'


@pytest.mark.parametrize(
    ("analysis", "template", "words"),
    [
        pytest.param(given(), None, "no AnalysisTemplate shared in energy", id="no template"),
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
        pytest.param(given(), {"checks": "x"}, "AnalysisTemplate shared", id="not readable"),
        pytest.param(
            given() | {"checks": [OWN]}, {"checks": [OWN]}, "own is a check of", id="a name twice"
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
async def test_what_cannot_be_is_named(analysis: Any, template: Any, words: str) -> None:
    with pytest.raises(ChecksError) as refused:
        await resolve(analysis, template=template)

    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("check", "policy", "words"),
    [
        pytest.param(
            {"builtin": "live-mae", "atMost": 1}, {}, "does not fit", id="a loss of numbers"
        ),
        pytest.param(
            {"builtin": "prediction-agreement", "atLeast": 0.9},
            {},
            "strategy shadow",
            id="agreement without copies",
        ),
        pytest.param(
            {"builtin": "prediction-agreement", "atLeast": 0.9},
            {"strategy": "blueGreen", "blueGreen": {"mirror": 0}},
            "with a mirror",
            id="a preview without copies",
        ),
        pytest.param(
            {"builtin": "success-rate", "relative": {"margin": 0.01}},
            {"strategy": "recreate"},
            "does not run beside",
            id="nothing to compare with",
        ),
    ],
)
async def test_a_templates_check_must_fit_the_model_and_its_strategy(
    check: Any, policy: Any, words: str
) -> None:
    recorded = {"serving": {"predictionLog": {"enabled": True}}}

    with pytest.raises(ChecksError) as refused:
        await resolve(
            given(), template={"checks": [{"name": "a", **check}]}, spec=recorded, **policy
        )

    assert words in str(refused.value)


async def test_a_check_of_a_step_may_not_have_a_templates_name() -> None:
    with pytest.raises(ChecksError, match="own is a check of a step"):
        await resolve(given(), template={"checks": [OWN]}, steps=[{"weight": 5, "checks": [OWN]}])
