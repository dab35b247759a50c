"""The registry's word on the candidates: all of them, none of them, or not now."""

from typing import Any

import pytest

from fairlead_operator.api.rollout import RolloutStatus
from fairlead_operator.rollout.candidates import Candidates, resolve
from fairlead_operator.rollout.decision.states import Resolution
from support.world import World

MODEL = "energy.nsw-price"
RESOLVED = {"arms": [{"version": "1.1.0", "registryVersion": "7", "digest": "sha256:7"}]}


@pytest.fixture
def world() -> World:
    world = World()
    world.registry.register(MODEL, "1.1.0", digest="sha256:1")
    return world


async def asked(world: World, *versions: str, status: dict[str, Any] | None = None) -> Candidates:
    known = RolloutStatus.model_validate(status or {})
    return await resolve(versions, known, MODEL, world.ports)


async def test_every_candidate_is_found_in_order(world: World) -> None:
    world.registry.register(MODEL, "1.2.0", digest="sha256:2")

    candidates = await asked(world, "1.2.0", "1.1.0")

    assert candidates.resolution is Resolution.FOUND
    assert [reference.digest for reference in candidates.references] == ["sha256:2", "sha256:1"]


@pytest.mark.parametrize(
    ("digest", "words"),
    [
        pytest.param(None, "no version of energy.nsw-price with the tag fairlead.version=1.2.0",
                     id="there is none"),
        pytest.param("", "has no tag fairlead.digest", id="one without a digest"),
    ],
)  # fmt: skip
async def test_one_that_is_missing_is_missing_for_all(
    world: World, digest: str | None, words: str
) -> None:
    if digest is not None:
        world.registry.register(MODEL, "1.2.0", digest=digest)

    candidates = await asked(world, "1.1.0", "1.2.0")

    assert (candidates.references, candidates.resolution) == ((), Resolution.MISSING)
    assert words in candidates.message


async def test_a_registry_that_is_away_says_nothing_of_a_version(world: World) -> None:
    world.registry.down = True

    candidates = await asked(world, "1.1.0")

    assert (candidates.references, candidates.resolution) == ((), Resolution.UNAVAILABLE)


@pytest.mark.parametrize("status", [RESOLVED, {"candidate": RESOLVED["arms"][0]}])
async def test_what_was_found_once_is_not_asked_again(world: World, status: dict[str, Any]) -> None:
    """Neither an outage nor another registration of the version changes what was begun."""
    world.registry.down = True

    candidates = await asked(world, "1.1.0", status=status)

    assert [reference.digest for reference in candidates.references] == ["sha256:7"]
