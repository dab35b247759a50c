"""Versions that bring code: refused before a pod, allowed by both fields, never taken down."""

import dataclasses
from datetime import timedelta
from typing import Any

import pytest

from fairlead_operator.command.going_back import build_back
from support.world import NAMESPACE, SETTINGS, World, model_manifest

NAME = f"{NAMESPACE}.nsw-price"
PERMISSION = "FAIRLEAD_ALLOW_ARTIFACT_CODE"


class Cluster(World):
    """A Model that serves 1.0.0, and a 1.1.0 that brings code."""

    def __init__(self) -> None:
        super().__init__()
        self.prometheus.healthy()
        self.registry.register(NAME, "1.0.0")
        self.registry.register(NAME, "1.1.0", digest="sha256:1")
        self.registry.code_of["1.1.0"] = "python_function"

    def allow(self, *, in_chart: bool, in_model: bool) -> None:
        """Set both permissions, as an upgrade of the release and an edit do."""
        meta = {"namespace": NAMESPACE, "name": "nsw-price"}
        spec = {"serving": {"allowArtifactCode": in_model}}
        self.kube.put({"kind": "Model", "metadata": meta, "spec": spec})
        self.settings = dataclasses.replace(SETTINGS, allow_artifact_code=in_chart)
        self.restart_operator()

    def permission(self, version: str) -> str | None:
        """Return what the server of a version was told; None where it has none."""
        name = f"nsw-price-{version.replace('.', '-')}"
        server = self.kube.objects.get(("Deployment", NAMESPACE, name))
        if server is None:
            return None
        (container,) = server["spec"]["template"]["spec"]["containers"]
        return next(
            (entry["value"] for entry in container["env"] if entry["name"] == PERMISSION), "unset"
        )

    async def read_code(self) -> None:
        """Read what was asked for, and look at the Model where something was."""
        async for _ in self.registrations.read_code(self.registry):
            self.watches.look_at_model(NAMESPACE, "nsw-price")
        await self.run()

    def condition(self) -> dict[str, Any]:
        conditions = self.model()["status"]["conditions"]
        return next((entry for entry in conditions if entry["type"] == "CodeAllowed"), {})


@pytest.fixture
async def world() -> Cluster:
    world = Cluster()
    world.kube.put(model_manifest(version="1.0.0"))
    await world.pass_time(timedelta(minutes=2))
    assert world.model()["status"]["stable"]["version"] == "1.0.0"
    return world


@pytest.mark.parametrize(
    ("in_chart", "in_model"),
    [
        pytest.param(False, False, id="neither allows it"),
        pytest.param(True, False, id="the Model does not"),
        pytest.param(False, True, id="the chart does not"),
    ],
)
async def test_a_version_that_may_not_run_its_code_never_has_a_pod(
    world: Cluster, in_chart: bool, in_model: bool
) -> None:
    world.allow(in_chart=in_chart, in_model=in_model)
    world.pin("1.1.0")
    await world.run()

    assert world.permission("1.1.0") is None
    status = world.rollout()["status"]
    assert (status["phase"], status["reason"]) == ("RolledBack", "CodeNotAllowed")
    blocked = world.model()["status"]
    assert (blocked["phase"], blocked["stable"]["version"]) == ("Blocked", "1.0.0")
    assert "runs code from its artifact (python_function)" in blocked["blocked"][0]["message"]


async def test_once_it_may_it_is_tried_by_itself(world: Cluster) -> None:
    world.pin("1.1.0")
    await world.run()

    world.allow(in_chart=True, in_model=True)
    await world.pass_time(timedelta(minutes=30))

    assert world.model()["status"]["stable"]["version"] == "1.1.0"
    assert world.permission("1.1.0") == "true"


async def test_a_permission_that_is_taken_back_takes_nothing_down(world: Cluster) -> None:
    world.allow(in_chart=True, in_model=True)
    world.pin("1.1.0")
    await world.pass_time(timedelta(minutes=30))

    world.allow(in_chart=False, in_model=False)
    await world.pass_time(timedelta(minutes=5))
    await world.read_code()
    world.restart_operator()  # so that everything is looked at again
    await world.run()

    assert world.permission("1.1.0") == "true", "its pods are as they were"
    model = world.model()["status"]
    assert (model["phase"], model["stable"]["version"]) == ("Serving", "1.1.0")
    assert world.condition()["reason"] == "CodeNotAllowed"
    assert "it goes on serving" in world.condition()["message"]


async def test_a_version_of_an_earlier_release_goes_on_after_the_upgrade(world: Cluster) -> None:
    world.registry.code_of["1.0.0"] = "python_function"
    server = world.kube.objects["Deployment", NAMESPACE, "nsw-price-1-0-0"]
    (container,) = server["spec"]["template"]["spec"]["containers"]
    container["env"] = [entry for entry in container["env"] if entry["name"] != PERMISSION]
    assert world.permission("1.0.0") == "unset"

    world.restart_operator()
    await world.pass_time(timedelta(hours=1))

    assert world.permission("1.0.0") == "true"
    assert world.model()["status"]["phase"] == "Serving"


async def test_what_is_said_of_code_goes_with_its_version(world: Cluster) -> None:
    world.registry.code_of = {"1.0.0": "python_function"}
    world.restart_operator()
    await world.run()
    await world.read_code()
    assert world.condition()["message"].startswith("1.0.0 runs code")

    world.pin("1.1.0")
    await world.pass_time(timedelta(minutes=30))

    assert world.model()["status"]["stable"]["version"] == "1.1.0"
    assert world.condition() == {}


async def test_data_alone_needs_no_permission_and_keeps_none(world: Cluster) -> None:
    del world.registry.code_of["1.1.0"]
    world.pin("1.1.0")
    await world.pass_time(timedelta(minutes=30))
    assert world.model()["status"]["stable"]["version"] == "1.1.0"

    world.allow(in_chart=True, in_model=True)
    await world.pass_time(timedelta(minutes=5))

    assert world.permission("1.1.0") == "false", "no field restarts what serves"
    assert world.condition() == {}


async def serve_code(world: Cluster, *, strategy: dict[str, Any] | None = None) -> None:
    """Let 1.1.0 come into charge with its code, and 1.2.0 after it; then forbid code."""
    world.allow(in_chart=True, in_model=True)
    world.pin("1.1.0")
    await world.pass_time(timedelta(minutes=30))
    assert world.model()["status"]["stable"]["version"] == "1.1.0"
    world.registry.register(NAME, "1.2.0", digest="sha256:2")
    world.allow(in_chart=False, in_model=False)
    if strategy is not None:
        meta = {"namespace": NAMESPACE, "name": "nsw-price"}
        world.kube.put({"kind": "Model", "metadata": meta, "spec": {"rollout": strategy}})
    world.pin("1.2.0")


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(None, id="the same bytes"),
        pytest.param("sha256:" + "9" * 64, id="other bytes under its name"),
    ],
)
async def test_a_person_goes_back_to_code_that_was_in_charge(
    world: Cluster, other: str | None
) -> None:
    await serve_code(world)
    await world.pass_time(timedelta(minutes=30))
    assert world.model()["status"]["stable"]["version"] == "1.2.0"
    assert world.permission("1.1.0") is None
    back = build_back(world.model(), "1.1.0", request="{}", by_steps=False)
    del back["metadata"]["generateName"]
    if other is not None:
        back["spec"]["versionDigest"] = other
        world.registry.register(NAME, "1.1.0", digest=other)
    world.kube.put({**back, "metadata": {**back["metadata"], "name": "back"}})
    await world.run()
    await world.pass_time(timedelta(minutes=1))

    assert world.weights()["1.1.0" if other is None else "1.2.0"] == 100
    assert world.permission("1.1.0") == ("true" if other is None else None)
    assert other is None or world.rollout()["status"]["reason"] == "CodeNotAllowed"


async def test_a_deleted_rollout_of_recreate_gives_code_its_traffic_back(world: Cluster) -> None:
    await serve_code(world, strategy={"strategy": "recreate", "steps": None})
    await world.pass_time(timedelta(seconds=20))
    guarding = world.rollout()
    assert (guarding["status"]["phase"], world.permission("1.1.0")) == ("Guarding", None)
    meta = {"namespace": NAMESPACE, "name": "nsw-price"}
    world.kube.put({"kind": "Model", "metadata": meta, "spec": {"suspend": True}})
    await world.kube.delete("Rollout", NAMESPACE, guarding["metadata"]["name"])
    await world.run()
    await world.pass_time(timedelta(minutes=1))

    restored = world.rollout()
    assert (restored["spec"]["trigger"], restored["status"]["phase"]) == ("restored", "Succeeded")
    assert world.weights() == {"1.1.0": 100}
    assert world.permission("1.1.0") == "true"


async def test_a_model_that_is_applied_again_takes_up_code_that_was_in_charge(
    world: Cluster,
) -> None:
    world.allow(in_chart=True, in_model=True)
    world.pin("1.1.0")
    await world.pass_time(timedelta(minutes=30))
    await world.kube.delete("Model", NAMESPACE, "nsw-price")
    await world.run()
    world.kube.objects = {
        key: item for key, item in world.kube.objects.items() if key[0] == "Event"
    }
    world.deliver()
    world.settings = SETTINGS
    world.restart_operator()

    world.kube.put(model_manifest())
    await world.pass_time(timedelta(seconds=20))

    assert world.weights() == {"1.1.0": 100}
    assert world.permission("1.1.0") == "true"
