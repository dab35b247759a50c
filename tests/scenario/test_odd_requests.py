"""Annotations nobody's tool wrote: each is answered or ignored, and the rollout goes on."""

import json
from collections.abc import Iterator

import pytest

from support.fuzz import mutations
from support.world import NAMESPACE, World, model_manifest

_SAID = {"by": "ada", "at": "2026-01-01T00:00:00Z", "why": "wrong data"}
_ALERT = {"receivedAt": "2026-01-01T00:00:00Z", "message": "slow", "version": "1.1.0"}
_COUNT = 20


def texts(document: dict[str, str], *, seed: int) -> Iterator[str]:
    """JSON that is nearly right, and halves of it."""
    for number, mutant in enumerate(mutations(document, count=_COUNT, seed=seed)):
        text = json.dumps(mutant)
        yield text if number % 3 else text[: len(text) // 2]


async def in_flight() -> World:
    """1.0.0 is in charge, and 1.1.0 has its first traffic."""
    world = World()
    world.prometheus.healthy()
    for version in ("1.0.0", "1.1.0"):
        world.registry.register(f"{NAMESPACE}.nsw-price", version)
    world.kube.put(model_manifest(version="1.0.0"))
    await world.run()
    world.kube.put(
        {
            "kind": "Model",
            "metadata": {"namespace": NAMESPACE, "name": "nsw-price"},
            "spec": {"version": "1.1.0"},
        }
    )
    await world.run()
    return world


@pytest.mark.parametrize("action", ["pause", "resume", "approve", "abort", "promote", "alert"])
async def test_an_odd_request_of_a_rollout_breaks_nothing(action: str) -> None:
    for text in texts(_ALERT if action == "alert" else _SAID, seed=5):
        world = await in_flight()
        name = world.model()["status"]["rollout"]

        await world.kube.annotate(
            "Rollout", NAMESPACE, name, {f"fairlead.dev/{action}": text or " "}
        )
        await world.run()

        assert sum(world.weights().values()) == 100, text
        assert world.rollout()["status"]["phase"], text


@pytest.mark.parametrize("action", ["retrain", "retry"])
async def test_an_odd_request_of_a_model_breaks_nothing(action: str) -> None:
    for text in texts(_SAID, seed=6):
        world = await in_flight()

        await world.kube.annotate("Model", NAMESPACE, "nsw-price", {f"fairlead.dev/{action}": text})
        await world.run()

        assert sum(world.weights().values()) == 100, text


def conditions(world: World, kind: str, name: str) -> dict[str, tuple[str, str]]:
    told = world.kube.objects[kind, NAMESPACE, name]["status"]["conditions"]
    return {each["type"]: (each["status"], each["message"]) for each in told}


@pytest.mark.parametrize("annotation", ["fairlead.dev/alert", "fairlead.dev/abbort"])
@pytest.mark.parametrize("declared", [True, False], ids=["in a manifest", "by hand"])
async def test_what_nobody_reads_is_answered_once(annotation: str, *, declared: bool) -> None:
    """Garbage in the annotation of alerts stood on a Model for ever, and nobody said anything."""
    world = await in_flight()
    fields = {"f:metadata": {"f:annotations": {f"f:{annotation}": {}}}}
    by = {"operation": "Apply" if declared else "Update", "manager": "m", "fieldsV1": fields}
    meta = {"namespace": NAMESPACE, "name": "nsw-price", "managedFields": [by]}
    world.kube.put({"kind": "Model", "metadata": meta | {"annotations": {annotation: "}{"}}})

    await world.run()
    world.kube.put({"kind": "Model", "metadata": meta | {"labels": {"look": "again"}}})
    await world.run()

    status, message = conditions(world, "Model", "nsw-price")["AnnotationsRead"]
    assert status == ("False" if declared else "True")
    assert f"nobody reads {annotation} of a Model" in message
    assert (annotation in world.model()["metadata"]["annotations"]) is declared
    told = [reason for reason, words in world.events() if annotation in words]
    assert told == ["RequestRefused"]
