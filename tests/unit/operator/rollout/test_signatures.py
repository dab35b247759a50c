"""What is said of the candidates' signatures, and when MLflow is asked for them."""

from typing import Any

import pytest

from fairlead_operator.api.common import VersionReference
from fairlead_operator.api.phases.rollout import SignatureReason
from fairlead_operator.rollout.seen import Signatures
from fairlead_operator.rollout.signatures import compare_signatures
from fairlead_operator.signature import Column, Signature
from support import builders
from support.world import NAMESPACE, World

NAME = f"{NAMESPACE}.nsw-price"
MORE = Signature(inputs=(Column(name="x", type="double"),))
OPTIONAL = Signature(inputs=(Column(name="x", type="double", required=False),))
TOLD = [{"type": "SignatureChanged", "status": "Unknown", "reason": "SignatureUnreadable"}]


@pytest.fixture
def world() -> World:
    world = World()
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        world.registry.register(NAME, version)
    return world


async def compare(
    world: World, *versions: str, phase: str = "Pending", **status: Any
) -> Signatures | None:
    references = [
        VersionReference(
            version=version,
            registry_version=world.registry.versions[NAME, version].registry_version,
        )
        for version in versions
    ]
    stable = VersionReference(version="1.0.0", registry_version="1")
    one = builders.case(status={"phase": phase, **status}, stable=stable)
    return await compare_signatures(one, references, world.ports.registry)


async def test_the_same_signature_is_said_to_be_the_same(world: World) -> None:
    assert await compare(world, "1.1.0") == Signatures(
        reason=SignatureReason.UNCHANGED, message="1.1.0 takes and gives what 1.0.0 does"
    )


async def test_a_changed_one_is_said_with_what_it_does_to_callers(world: World) -> None:
    world.registry.signatures["1.1.0"] = MORE

    assert await compare(world, "1.1.0") == Signatures(
        reason=SignatureReason.CHANGED,
        message="1.1.0 against 1.0.0: adds x (double); callers who send what 1.0.0 takes are "
        "refused",
        refuses=True,
    )


async def test_of_several_candidates_each_is_compared(world: World) -> None:
    world.registry.signatures["1.2.0"] = OPTIONAL

    assert await compare(world, "1.1.0", "1.2.0") == Signatures(
        reason=SignatureReason.CHANGED,
        message="1.1.0 takes and gives what 1.0.0 does; 1.2.0 against 1.0.0: adds x (double, "
        "optional); callers who send what 1.0.0 takes are still answered",
    )


@pytest.mark.parametrize("version", ["1.0.0", "1.1.0"], ids=["stable", "candidate"])
async def test_a_signature_that_cannot_be_read_is_not_known(world: World, version: str) -> None:
    world.registry.unreadable.add(version)

    found = await compare(world, "1.1.0")

    assert found == Signatures(
        reason=SignatureReason.UNREADABLE,
        message=f"what the versions take is not compared: {version} was logged without a signature",
    )


async def test_a_registry_that_is_down_is_asked_again_until_traffic_begins(world: World) -> None:
    world.registry.down = True

    waiting = await compare(world, "1.1.0", phase="Pending")
    begun = await compare(world, "1.1.0", phase="Progressing")

    assert waiting is None
    assert begun is not None
    assert begun.reason is SignatureReason.UNREADABLE


@pytest.mark.parametrize(
    ("versions", "status"),
    [
        pytest.param(["1.1.0"], {"conditions": TOLD}, id="it was said"),
        pytest.param([], {}, id="not found in the registry yet"),
        pytest.param(["1.0.0"], {}, id="the stable version itself, restored"),
        pytest.param(["1.1.0"], {"phase": "RollingBack"}, id="on the way back"),
        pytest.param(["1.1.0"], {"phase": "Succeeded"}, id="an end of before this was looked at"),
    ],
)
async def test_nobody_is_asked_without_need(world: World, versions: list[str], status: Any) -> None:
    world.registry.down = True

    assert await compare(world, *versions, **{"phase": "Progressing"} | status) is None


async def test_who_waits_for_its_turn_is_compared_when_it_comes(world: World) -> None:
    """Another version may be in charge by then."""
    reference = VersionReference(version="1.1.0", registry_version="2")
    one = builders.case(status={"phase": "Pending"}, has_turn=False)

    assert await compare_signatures(one, [reference], world.ports.registry) is None


async def test_a_first_version_is_compared_with_nothing(world: World) -> None:
    one = builders.case(status={"phase": "Pending"}, stable=None)

    reference = VersionReference(version="1.1.0", registry_version="2")
    assert await compare_signatures(one, [reference], world.ports.registry) is None
