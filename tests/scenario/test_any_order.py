"""Manifests applied in any order, minutes apart, come to the same end: none must be the first."""

import itertools
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

import pytest

from support.world import NAMESPACE, World, model_manifest

LONG = timedelta(minutes=15)  # longer than a candidate may take to start, and than patience
BASE = model_manifest()["spec"]["rollout"]
ANALYSIS = {"interval": "10s", "templateRef": {"name": "shared"}}
CHECK = {"name": "own", "query": "good", "atLeast": 0.5}


def manifest(kind: str, name: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"namespace": NAMESPACE, "name": name}, "spec": {**spec}}


FOLDER: Final = {
    "template": manifest("AnalysisTemplate", "shared", {"checks": [CHECK]}),
    "model": model_manifest(version="1.0.0", rollout=BASE | {"analysis": ANALYSIS}),
    "rollout": manifest("Rollout", "by-hand", {"model": "nsw-price", "version": "1.0.0"}),
    "run": manifest("TrainingRun", "by-hand", {"model": "nsw-price"}),
}


async def applied(*names: str) -> World:
    world = World()
    world.prometheus.healthy()
    world.prometheus.own = {"good": 1.0}
    world.registry.register(f"{NAMESPACE}.nsw-price", "1.0.0")
    for name in names:
        world.kube.put(FOLDER[name])
        await world.pass_time(LONG)
    return world


@pytest.mark.parametrize(
    "order", list(itertools.permutations(("template", "model", "rollout"))), ids="-".join
)
async def test_a_folder_converges(order: tuple[str, ...]) -> None:
    world = await applied(*order)

    assert world.weights() == {"1.0.0": 100}
    status = world.model()["status"]
    assert (status["stable"]["version"], status.get("blocked", [])) == ("1.0.0", [])
    ends = {
        item["status"]["phase"] for (kind, *_), item in world.kube.objects.items()
        if kind == "Rollout"
    }  # fmt: skip
    assert ends == {"Succeeded"}


@pytest.mark.parametrize("order", [("run", "model"), ("model", "run")], ids="-".join)
async def test_a_training_begins_when_its_model_is_there(order: tuple[str, ...]) -> None:
    world = await applied(*order)

    run = world.kube.objects["TrainingRun", NAMESPACE, "by-hand"]
    assert run["status"]["phase"] == "Searching"
    assert "there is no Model" not in str(run["status"].get("conditions"))
