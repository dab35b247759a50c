"""Going back needs no check, no readable policy and no Model that goes on: a person always can."""

from datetime import timedelta
from typing import Any, Final

import pytest

from fairlead_operator.command.going_back import build_back
from support.world import NAMESPACE, World, model_manifest

SECOND: Final = timedelta(seconds=1)
MINUTE: Final = timedelta(minutes=1)
HOUR: Final = timedelta(hours=1)
CANARY: Final = {"steps": [{"weight": 20, "hold": "5m"}, {"weight": 50, "hold": "5m"}]}
AT_ONCE: Final = {"steps": [{"weight": 100, "hold": "0s"}]}
RECREATE: Final = {"strategy": "recreate", "steps": None}


def change(world: World, **spec: Any) -> None:
    meta = {"namespace": NAMESPACE, "name": "nsw-price"}
    world.kube.put({"kind": "Model", "metadata": meta, "spec": spec})


def annotate(world: World, what: str, text: str) -> None:
    name = world.model()["status"]["rollout"]
    meta = {"namespace": NAMESPACE, "name": name, "annotations": {f"fairlead.dev/{what}": text}}
    world.kube.put({"kind": "Rollout", "metadata": meta})


def go_back(world: World, to: str = "1.0.0") -> None:
    """Create what ``fairlead rollback`` does."""
    back = build_back(world.model(), to, request="{}", by_steps=False)
    del back["metadata"]["generateName"]
    world.kube.put({**back, "metadata": {**back["metadata"], "name": "back"}})


async def begin(rollout: dict[str, Any] = CANARY, **spec: Any) -> World:
    """1.0.0 serves, and 1.1.0 is asked for."""
    world = World()
    world.kube.unknown_kinds.clear()
    world.prometheus.healthy()
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        world.registry.register(f"{NAMESPACE}.nsw-price", version)
    world.kube.put(model_manifest(version="1.0.0", **spec))
    await world.run()
    change(world, version="1.1.0", rollout=rollout)
    await world.run()
    return world


async def arrive(rollout: dict[str, Any] = AT_ONCE, **spec: Any) -> World:
    """1.1.0 is in charge, and 1.0.0 was before."""
    world = await begin(rollout, **spec)
    await world.pass_time(30 * MINUTE)
    assert world.model()["status"]["stable"]["version"] == "1.1.0"
    return world


def template(name: str, *checks: dict[str, Any]) -> dict[str, Any]:
    meta = {"namespace": NAMESPACE, "name": name}
    return {"kind": "AnalysisTemplate", "metadata": meta, "spec": {"checks": list(checks)}}


COPIES: Final = {"name": "same", "builtin": "prediction-agreement", "atLeast": 0.9}
RECORDED: Final = {"name": "mae", "builtin": "live-mae", "atMost": 9}


@pytest.mark.parametrize(
    "found",
    [
        pytest.param(None, id="there is no such template"),
        pytest.param(COPIES, id="its check needs copies"),
        pytest.param(RECORDED, id="its check needs a prediction log"),
    ],
)
@pytest.mark.parametrize("rollout", [CANARY, RECREATE], ids=["canary", "recreate"])
async def test_a_person_goes_back_though_the_checks_cannot_be_asked(
    rollout: dict[str, Any], found: dict[str, Any] | None
) -> None:
    world = await arrive()
    if found is not None:
        world.kube.put(template("shared", found))
    analysis = {"templateRef": {"name": "shared"}}
    change(world, version=None, rollout=rollout | {"analysis": analysis})
    await world.run()
    go_back(world)
    await world.run()
    await world.pass_time(10 * SECOND)

    assert world.weights().get("1.0.0") == 100


async def test_a_model_of_which_one_version_may_run_goes_back_with_one_at_a_time() -> None:
    world = await arrive(RECREATE)
    running: list[set[str]] = []

    def look() -> None:
        servers = {name for kind, _, name in world.kube.objects if kind == "Deployment"}
        running.append(servers - {"fairlead-gateway"})

    world.kube.after_write = look
    go_back(world)
    await world.run()
    await world.pass_time(MINUTE)

    assert world.weights() == {"1.0.0": 100}
    assert {"nsw-price-1-0-0"} in running
    assert all(len(servers) <= 1 for servers in running)
