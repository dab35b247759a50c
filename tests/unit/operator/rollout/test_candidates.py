"""The registry's word on the candidates: all of them, none of them, or not now."""

from typing import Any

import pytest

from fairlead_operator.api.common import VersionReference
from fairlead_operator.api.rollout import RolloutSpec
from fairlead_operator.rollout.candidates import Candidates, resolve
from fairlead_operator.rollout.decision.states import Resolution
from support.builders import case
from support.world import World

MODEL = "energy.nsw-price"
RESOLVED = {"arms": [{"version": "1.1.0", "registryVersion": "7", "digest": "sha256:7"}]}


@pytest.fixture
def world() -> World:
    world = World()
    world.registry.register(MODEL, "1.1.0", digest="sha256:1")
    return world


async def asked(
    world: World, *versions: str, status: dict[str, Any] | None = None, **more: Any
) -> Candidates:
    spec = {"model": "nsw-price", "version": versions[0], "alternatives": versions[1:]}
    told: dict[str, Any] = {"known": more.pop("known", ()), "has_turn": more.pop("has_turn", True)}
    about = case(status=status, spec=RolloutSpec.model_validate(spec | more), **told)
    return await resolve(about, world.registry)


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


DIGEST = f"sha256:{'a' * 64}"
IN_CHARGE = case().stable


@pytest.mark.parametrize(
    ("known", "pinned", "resolution", "digest"),
    [
        pytest.param((), None, Resolution.AMBIGUOUS, None, id="nothing tells which it is"),
        pytest.param(("sha256:1",), None, Resolution.FOUND, "sha256:1", id="the Model knows it"),
        pytest.param(("sha256:gone",), None, Resolution.CHANGED, None, id="it was exchanged"),
        pytest.param((), DIGEST, Resolution.FOUND, DIGEST, id="the spec names its digest"),
    ],
)
async def test_a_second_registration_is_never_taken_for_the_first(
    world: World,
    known: tuple[str, ...],
    pinned: str | None,
    resolution: Resolution,
    digest: str | None,
) -> None:
    """The newest of two registrations was taken, whoever had made it."""
    world.registry.forge(MODEL, "1.1.0", digest=DIGEST)
    told = tuple(
        VersionReference(version="1.1.0", registry_version="77", digest=one) for one in known
    )

    candidates = await asked(world, "1.1.0", known=told, versionDigest=pinned)

    assert candidates.resolution is resolution
    assert [one.digest for one in candidates.references] == ([digest] if digest else [])


@pytest.mark.parametrize(
    ("pinned", "resolution"),
    [
        pytest.param(None, Resolution.AMBIGUOUS, id="nobody says which"),
        pytest.param(DIGEST, Resolution.FOUND, id="the spec names its digest"),
        pytest.param(f"sha256:{'9' * 64}", Resolution.CHANGED, id="nobody registered that one"),
    ],
)
async def test_an_alternative_is_what_its_digest_says(
    world: World, pinned: str | None, resolution: Resolution
) -> None:
    world.registry.register(MODEL, "1.2.0", digest="sha256:2")
    world.registry.forge(MODEL, "1.2.0", digest=DIGEST)
    digests = [{"version": "1.2.0", "digest": pinned}] if pinned else []

    candidates = await asked(
        world, "1.1.0", alternatives=["1.2.0"], alternativeDigests=digests, trigger="hand"
    )

    assert candidates.resolution is resolution
    if resolution is Resolution.FOUND:
        assert [one.digest for one in candidates.references][1:] == [DIGEST]
    else:
        assert "alternativeDigests" in candidates.message


@pytest.mark.parametrize(
    ("trigger", "has_turn", "is_asked"),
    [
        pytest.param("trained", False, False, id="the Model's, which does not name it yet"),
        pytest.param("trained", True, True, id="the Model's"),
        pytest.param("rollback", False, True, id="a person's: a slip of the pen is told at once"),
    ],
)
async def test_the_model_says_first_what_it_knows(
    world: World, trigger: str, *, has_turn: bool, is_asked: bool
) -> None:
    candidates = await asked(world, "1.1.0", trigger=trigger, has_turn=has_turn)

    assert (candidates.resolution is Resolution.FOUND) is is_asked


@pytest.mark.parametrize(
    ("trigger", "resolution"),
    [
        pytest.param("hand", Resolution.CHANGED, id="by hand: it would be exchanged in place"),
        pytest.param("restored", Resolution.FOUND, id="restored: it serves on as it is"),
    ],
)
async def test_what_is_in_charge_keeps_its_artifact(
    world: World, trigger: str, resolution: Resolution
) -> None:
    assert IN_CHARGE is not None
    world.registry.register(MODEL, "1.0.0")
    world.registry.forge(MODEL, "1.0.0", digest=DIGEST)

    candidates = await asked(
        world, "1.0.0", known=(IN_CHARGE,), trigger=trigger, versionDigest=DIGEST
    )

    assert candidates.resolution is resolution
    found = [one.digest for one in candidates.references]
    assert found == ([IN_CHARGE.digest] if resolution is Resolution.FOUND else [])
