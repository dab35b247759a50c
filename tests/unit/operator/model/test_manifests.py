"""What a Model makes: its address, and children that name it."""

from typing import Any

import pytest

from fairlead_operator.api.model import ModelSpec
from fairlead_operator.api.phases.rollout import Trigger as RolloutTrigger
from fairlead_operator.api.phases.training_run import Trigger
from fairlead_operator.api.rollout import RolloutSpec
from fairlead_operator.api.training_run import TrainingRunSpec
from fairlead_operator.kube.metadata import Owner
from fairlead_operator.model.manifests import build_address, build_rollout, build_training_run
from fairlead_operator.model.states import Target
from support.specs import POLICIES
from support.world import NAMESPACE, model_manifest

OWNER = Owner(kind="Model", namespace=NAMESPACE, name="nsw-price", uid="u")
PINNED = Target(version="1.1.0", trigger="pinned")


def rollout(target: Target = PINNED, **spec: Any) -> dict[str, Any]:
    model = ModelSpec.model_validate(model_manifest(**spec)["spec"])
    return build_rollout(OWNER, model, target, number=7)


def test_the_address_leads_to_the_gateway_whatever_is_behind_it() -> None:
    selector = build_address(OWNER)["spec"]["selector"]

    assert selector["fairlead.dev/component"] == "gateway"
    assert "fairlead.dev/version" not in selector


@pytest.mark.parametrize("trigger", Trigger)
def test_a_training_says_why_it_was_started(trigger: Trigger) -> None:
    manifest = build_training_run(OWNER, number=3, trigger=trigger, task="sha256:task")

    assert manifest["metadata"]["name"] == "nsw-price-training-3"
    assert manifest["metadata"]["annotations"] == {"fairlead.dev/told": "sha256:task"}
    assert TrainingRunSpec.model_validate(manifest["spec"]).trigger == trigger


@pytest.mark.parametrize("strategy", POLICIES)
def test_a_rollout_keeps_the_policy_in_force_when_it_was_made(strategy: str) -> None:
    manifest = rollout(rollout=POLICIES[strategy])

    policy = RolloutSpec.model_validate(manifest["spec"]).policy
    assert (
        policy
        == ModelSpec.model_validate(model_manifest(rollout=POLICIES[strategy])["spec"]).rollout
    )


@pytest.mark.parametrize(
    ("target", "written"),
    [
        pytest.param(PINNED, None, id="one version: the field is left out"),
        pytest.param(Target(version="1.1.0", trigger="pinned", alternatives=("1.2.0",)), ["1.2.0"],
                     id="several at once"),
    ],
)  # fmt: skip
def test_alternatives_stand_beside_the_version(target: Target, written: list[str] | None) -> None:
    assert rollout(target)["spec"].get("alternatives") == written


DIGEST = f"sha256:{'a' * 64}"


@pytest.mark.parametrize(
    ("trigger", "digest"),
    [
        pytest.param("pinned", DIGEST, id="the version that the spec pins"),
        pytest.param("restored", None, id="what was in charge: as it was"),
        pytest.param("trained", None, id="what was trained: as its training said"),
    ],
)
def test_a_pinned_artifact_is_told_to_the_rollout(trigger: str, digest: str | None) -> None:
    target = Target(version="1.1.0", trigger=RolloutTrigger(trigger))

    spec = rollout(target, version="1.1.0", versionDigest=DIGEST)["spec"]

    assert RolloutSpec.model_validate(spec).version_digest == digest


@pytest.mark.parametrize(
    ("trigger", "digests"),
    [
        pytest.param("pinned", {"1.2.0": DIGEST}, id="the alternatives of the spec"),
        pytest.param("trained", {}, id="what was trained: as its training said"),
    ],
)
def test_the_artifacts_of_alternatives_are_told_to_the_rollout(
    trigger: str, digests: dict[str, str]
) -> None:
    target = Target(
        version="1.1.0", trigger=RolloutTrigger(trigger), alternatives=("1.2.0", "1.3.0")
    )
    pinned = {"version": "1.2.0", "digest": DIGEST}

    spec = rollout(
        target, version="1.1.0", alternatives=["1.2.0", "1.3.0"], alternativeDigests=[pinned]
    )["spec"]

    told = RolloutSpec.model_validate(spec)
    assert {each.version: each.digest for each in told.alternative_digests} == digests
    assert told.digest_of("1.1.0") is None
