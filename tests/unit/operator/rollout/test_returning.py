"""Who comes back: told by status and history, with the digest, and not by who asks."""

from datetime import UTC, datetime
from typing import Any, Final

import pytest

from fairlead_operator.api.common import VersionReference
from fairlead_operator.api.history import HistoryEntry
from fairlead_operator.api.rollout import RolloutSpec
from fairlead_operator.rollout.returning import find_returning
from support import builders
from support.world import NAMESPACE, World

BYTES: Final = "sha256:1"
THIS: Final = {"version": "1.1.0", "registryVersion": "2", "digest": BYTES}
OTHER: Final = {**THIS, "digest": "sha256:2"}
STABLE: Final = {"version": "1.0.0", "registryVersion": "1", "digest": "sha256:0"}


def sibling(world: World, **status: Any) -> None:
    meta = {
        "namespace": NAMESPACE,
        "name": "earlier",
        "labels": {"fairlead.dev/model": "nsw-price"},
    }
    spec = {"model": "nsw-price", "version": "1.1.0"}
    world.kube.put({"kind": "Rollout", "metadata": meta, "spec": spec, "status": status})


async def record(world: World, transition: str, digest: str | None = BYTES) -> None:
    entry = HistoryEntry(
        namespace=NAMESPACE,
        model="nsw-price",
        rollout="earlier",
        rollout_uid="r0",
        transition=transition,
        at=datetime(2026, 1, 1, tzinfo=UTC),
        version="1.1.0",
        began=datetime(2026, 1, 1, tzinfo=UTC),
        numbers={} if digest is None else {"digest": digest},
    )
    await world.record.add_history(entry)


async def look(world: World, trigger: str = "rollback", **changes: Any) -> bool:
    spec = {"model": "nsw-price", "version": "1.1.0", "trigger": trigger}
    case = builders.case(spec=RolloutSpec.model_validate(spec), **changes)
    candidate = VersionReference.model_validate(THIS)
    return "1.1.0" in await find_returning(case, (candidate,), world.ports)


@pytest.mark.parametrize("trigger", ["rollback", "restored"])
@pytest.mark.parametrize(
    ("status", "returns"),
    [
        pytest.param({"phase": "RolledBack", "stable": THIS}, True, id="it was in charge"),
        pytest.param({"phase": "Succeeded", "candidate": THIS}, True, id="it was promoted"),
        pytest.param({"phase": "RolledBack", "candidate": THIS}, False, id="it was taken back"),
        pytest.param({"phase": "Progressing", "candidate": THIS}, False, id="it is on trial"),
        pytest.param({"phase": "Succeeded", "candidate": OTHER}, False, id="with other bytes"),
        pytest.param({"phase": "Succeeded", "candidate": STABLE}, False, id="another version"),
        pytest.param({}, False, id="nothing is told"),
    ],
)
async def test_what_its_rollouts_tell(trigger: str, status: dict[str, Any], returns: bool) -> None:
    world = World()
    sibling(world, **status)

    assert await look(world, trigger) == returns


@pytest.mark.parametrize(
    ("transition", "digest", "returns"),
    [
        pytest.param("Promoted", BYTES, True, id="it was promoted"),
        pytest.param("Promoted", "sha256:2", False, id="with other bytes"),
        pytest.param("Promoted", None, False, id="of a release that kept no digest"),
        pytest.param("Started", BYTES, False, id="it was on trial"),
        pytest.param("RolledBack", BYTES, False, id="it was taken back"),
    ],
)
async def test_what_the_history_tells(transition: str, digest: str | None, returns: bool) -> None:
    world = World()
    await record(world, transition, digest)

    assert await look(world) == returns


@pytest.mark.parametrize("trigger", ["hand", "pinned", "trained"])
async def test_only_what_goes_back_comes_back(trigger: str) -> None:
    world = World()
    sibling(world, phase="Succeeded", candidate=THIS)
    await record(world, "Promoted")

    assert not await look(world, trigger)


@pytest.mark.parametrize(("stable", "returns"), [(THIS, True), (OTHER, False)])
async def test_the_version_in_charge_comes_back(stable: dict[str, str], *, returns: bool) -> None:
    assert await look(World(), "pinned", stable=VersionReference.model_validate(stable)) == returns


async def test_a_record_that_does_not_answer_tells_nothing() -> None:
    world = World()
    await record(world, "Promoted")
    world.record.down = True

    assert not await look(world)
