"""One key's turn: what is read, what is published, what is told, and what a failure becomes."""

import asyncio
import dataclasses
import logging
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest
from prometheus_client import REGISTRY

from fairlead_operator.api.group import GATEWAY_NAME
from fairlead_operator.engine.controller import Controller
from fairlead_operator.engine.work_queue import WorkQueue
from fairlead_operator.errors import (
    ClusterRefusalError,
    NamespaceEndingError,
    TransientError,
)
from fairlead_operator.keys import Key
from fairlead_operator.namespace.gateway import build_gateway
from fairlead_operator.telemetry import metrics
from support.fake_logins import FakeLogins
from support.fakes import START
from support.world import NAMESPACE, SETTINGS, World, model_manifest

MODEL = Key("Model", NAMESPACE, "nsw-price")
ROLLOUT = Key("Rollout", NAMESPACE, "r-1")
OTHER = Key("Rollout", NAMESPACE, "hand")
TRAINING_RUN = Key("TrainingRun", NAMESPACE, "t-1")
SHARED = Key.of_namespace(NAMESPACE)
STABLE = {"version": "1.0.0", "registryVersion": "1", "digest": "sha256:0"}
AWAY = TransientError("GET Service: 503")
ENDING = NamespaceEndingError("POST …: 403 … because it is being terminated")
REFUSED = ClusterRefusalError("PATCH …: 403 forbidden by policy")


class ImpatientQueue(WorkQueue):
    """A queue in which every delay is over at once; it remembers what it was told."""

    def __init__(self) -> None:
        super().__init__()
        self.forgotten: list[Key] = []
        self.delays: list[float] = []

    def forget(self, key: Key) -> None:
        self.forgotten.append(key)
        super().forget(key)

    def add_after(self, key: Key, delay: timedelta) -> None:
        self.delays.append(delay.total_seconds())
        self.add(key)


@pytest.fixture
def world() -> World:
    """A namespace with the parts of a gateway, and no Model."""
    world = World()
    for manifest in build_gateway(NAMESPACE, images=SETTINGS.images, replicas=1):
        world.kube.put(manifest)
    return world


@pytest.fixture
def queue() -> ImpatientQueue:
    return ImpatientQueue()


@pytest.fixture
def controller(world: World, queue: ImpatientQueue) -> Controller:
    metrics.ROLLOUT_PHASE.clear()
    return Controller(queue, world.ports, SETTINGS)


def put(world: World, key: Key, *, status: dict[str, Any] | None = None, **meta: Any) -> None:
    """Put an object of this key as it is made, in or after this status."""
    specs: dict[str, dict[str, Any]] = {
        "Model": model_manifest()["spec"],
        "Rollout": {"model": "nsw-price", "version": "1.1.0"},
        "TrainingRun": {"model": "nsw-price", "trigger": "initial"},
    }
    world.kube.put(
        {
            "kind": key.kind,
            "metadata": {"namespace": key.namespace, "name": key.name, **meta},
            "spec": specs[key.kind],
            "status": status or {},
        }
    )


def status_of(world: World, key: Key) -> dict[str, Any]:
    return dict(world.kube.objects[key.kind, key.namespace, key.name].get("status") or {})


def condition(world: World, key: Key, kind: str) -> tuple[str, str]:
    (entry,) = (c for c in status_of(world, key)["conditions"] if c["type"] == kind)
    return entry["status"], entry["reason"]


def has_gateway(world: World) -> bool:
    return ("Deployment", NAMESPACE, GATEWAY_NAME) in world.kube.objects


def count(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


@pytest.mark.parametrize("key", [MODEL, ROLLOUT, TRAINING_RUN], ids=lambda key: key.kind)
async def test_an_object_is_reconciled_by_its_kind_and_the_report_is_published(
    world: World, controller: Controller, key: Key
) -> None:
    put(world, MODEL)
    if key is not MODEL:
        put(world, key)
    before = count("fairlead_reconciles_total", kind=key.kind, outcome="done")

    await controller.handle(key)

    assert status_of(world, key)["phase"]
    assert count("fairlead_reconciles_total", kind=key.kind, outcome="done") == before + 1


async def test_a_report_says_when_to_look_again(world: World, controller: Controller) -> None:
    """A Rollout whose registry does not answer asks for another look."""
    put(world, MODEL, status={"rollout": "r-1", "stable": STABLE})
    put(world, ROLLOUT)
    world.registry.down = True

    again = await controller.handle(ROLLOUT)

    assert again is not None
    assert again > timedelta(0)


@pytest.mark.parametrize("key", [MODEL, ROLLOUT, TRAINING_RUN], ids=lambda key: key.kind)
async def test_who_is_gone_is_forgotten(
    controller: Controller, queue: ImpatientQueue, key: Key
) -> None:
    assert await controller.handle(key) is None

    assert queue.forgotten == [key]


@pytest.mark.parametrize("key", [MODEL, ROLLOUT, TRAINING_RUN], ids=lambda key: key.kind)
async def test_who_is_being_deleted_is_forgotten_and_left_as_it_is(
    world: World, controller: Controller, queue: ImpatientQueue, key: Key
) -> None:
    put(world, key, deletionTimestamp="2026-01-01T00:00:00Z")

    assert await controller.handle(key) is None

    assert queue.forgotten == [key]
    assert status_of(world, key) == {}


@pytest.mark.parametrize("error", [REFUSED, AWAY], ids=["refused", "no answer"])
async def test_what_a_gone_model_left_is_tried_less_and_less_often(
    world: World, controller: Controller, queue: ImpatientQueue, error: Exception
) -> None:
    """A policy that refused it was asked five times a second for as long as it was there."""
    world.kube.fail_next = [error] * 4
    queue.add(MODEL)

    await work_off(controller, until=lambda: not has_gateway(world))

    assert queue.delays == [0.2, 0.4, 0.8, 1.6]
    assert queue.failures(MODEL) == 0


@pytest.mark.parametrize(("key", "stays"), [(MODEL, False), (ROLLOUT, True), (TRAINING_RUN, True)])
async def test_the_last_model_takes_gateway_and_login_along(
    world: World, queue: ImpatientQueue, key: Key, *, stays: bool
) -> None:
    logins = FakeLogins()

    await Controller(queue, dataclasses.replace(world.ports, logins=logins), SETTINGS).handle(key)

    assert has_gateway(world) is stays
    assert logins.dismissed == ([] if stays else [NAMESPACE])


async def test_a_namespace_that_has_a_model_keeps_its_login(
    world: World, queue: ImpatientQueue
) -> None:
    logins = FakeLogins()
    put(world, MODEL)

    await Controller(queue, dataclasses.replace(world.ports, logins=logins), SETTINGS).handle(
        SHARED
    )

    assert logins.dismissed == []


async def test_the_key_of_a_namespace_tidies_it(
    world: World, controller: Controller, queue: ImpatientQueue
) -> None:
    assert await controller.handle(SHARED) is None

    assert not has_gateway(world)
    assert queue.forgotten == []


async def test_the_key_of_trainings_ends_what_they_left(
    world: World, controller: Controller, queue: ImpatientQueue
) -> None:
    experiment = f"{NAMESPACE}/nsw-price"
    await world.registry.start_run(experiment=experiment, name="t-1", key="uid-gone", now=START)

    assert await controller.handle(Key.of_trainings(NAMESPACE)) is None

    assert world.registry.ended == {"run-1": "KILLED"}
    assert has_gateway(world)


@pytest.mark.parametrize(
    ("key", "phase", "times"),
    [
        pytest.param(ROLLOUT, "Progressing", 1, id="a Rollout that may move traffic"),
        pytest.param(ROLLOUT, None, 1, id="a new Rollout"),
        pytest.param(ROLLOUT, "Succeeded", 0, id="a Rollout that has ended"),
        pytest.param(MODEL, "RollingOut", 0, id="a Model"),
    ],
)
async def test_who_moves_traffic_is_read_past_the_watches(
    world: World, controller: Controller, key: Key, phase: str | None, times: int
) -> None:
    put(world, MODEL)
    put(world, key, status={"phase": phase} if phase else {})
    reread, read = world.kube.reread, list[Key]()

    async def note(kind: str, namespace: str, name: str) -> dict[str, Any] | None:
        read.append(Key(kind, namespace, name))
        return await reread(kind, namespace, name)

    world.kube.reread = note  # type: ignore[method-assign]
    await controller.handle(key)

    assert read.count(key) == times


async def test_a_write_that_the_cluster_refuses_is_told_once(
    world: World, controller: Controller
) -> None:
    put(world, MODEL)
    apply = world.kube.apply

    async def refuse(manifest: Mapping[str, Any]) -> dict[str, Any]:
        if manifest["kind"] != "Event":
            raise ClusterRefusalError("PATCH …: 403 forbidden by policy")
        return await apply(manifest)

    world.kube.apply = refuse  # type: ignore[method-assign]
    for _ in range(2):
        assert await controller.handle(MODEL) is not None, "and tried again"

    assert condition(world, MODEL, "Applied") == ("False", "ClusterRefused")
    assert [reason for reason, _ in world.events()].count("ClusterRefused") == 1


async def test_a_read_that_the_cluster_refuses_is_told_once_and_left_to_the_queue(
    world: World, controller: Controller
) -> None:
    put(world, MODEL)

    async def refuse(*_: object) -> list[dict[str, Any]]:
        raise ClusterRefusalError("GET …: 403 forbidden")

    world.kube.children = refuse  # type: ignore[assignment, method-assign]
    for _ in range(2):
        with pytest.raises(ClusterRefusalError):
            await controller.handle(MODEL)

    assert condition(world, MODEL, "Progressing") == ("Unknown", "ClusterRefused")
    assert [reason for reason, _ in world.events()] == ["ClusterRefused"]


async def test_a_spec_that_no_schema_could_refuse_waits_for_a_person(
    world: World, controller: Controller
) -> None:
    put(world, ROLLOUT)  # of a Model that is not there

    assert await controller.handle(ROLLOUT) is None

    assert condition(world, ROLLOUT, "Progressing") == ("False", "WaitingForModel")


async def test_a_transition_is_told_once(
    world: World, controller: Controller, caplog: pytest.LogCaptureFixture
) -> None:
    put(world, MODEL, status={"rollout": "r-1", "stable": STABLE})
    put(world, ROLLOUT)
    world.registry.register("energy.nsw-price", "1.1.0")

    with caplog.at_level(logging.INFO):
        await controller.handle(ROLLOUT)
        await controller.handle(ROLLOUT)

    (told,) = (entry for entry in caplog.records if entry.message == "phase changed")
    assert {"from": "", "to": "Pending", "object": "r-1"}.items() <= vars(told).items()
    labels = {"model_namespace": NAMESPACE, "model": "nsw-price"}
    assert count("fairlead_rollout_phase", **labels, phase="Pending") == 1


async def test_a_rollback_is_counted_with_its_reason(world: World, controller: Controller) -> None:
    put(world, MODEL, status={"rollout": "r-1", "stable": STABLE})
    put(world, ROLLOUT, status={"phase": "Pending"})  # to a version nobody has registered
    before = count("fairlead_rollbacks_total", reason="VersionNotFound")

    for _ in range(2):
        await controller.handle(ROLLOUT)

    assert status_of(world, ROLLOUT)["phase"] == "RolledBack"
    assert count("fairlead_rollbacks_total", reason="VersionNotFound") == before + 1
    labels = {"model_namespace": NAMESPACE, "model": "nsw-price"}
    assert count("fairlead_rollout_phase", **labels, phase="RolledBack") == 1
    assert count("fairlead_rollout_phase", **labels, phase="Pending") == 0


@pytest.mark.parametrize("deleted", [ROLLOUT, MODEL], ids=["Rollout", "Model"])
async def test_the_phase_is_told_by_a_new_process_and_gone_with_its_object(
    world: World, controller: Controller, queue: ImpatientQueue, deleted: Key
) -> None:
    put(world, MODEL, status={"rollout": "r-1", "stable": STABLE})
    put(world, ROLLOUT)
    world.registry.register("energy.nsw-price", "1.1.0")
    labels = {"model_namespace": NAMESPACE, "model": "nsw-price", "phase": "Pending"}
    await controller.handle(ROLLOUT)
    metrics.ROLLOUT_PHASE.clear()

    new = Controller(queue, world.ports, SETTINGS)
    await new.handle(ROLLOUT)
    assert count("fairlead_rollout_phase", **labels) == 1

    await world.kube.delete(deleted.kind, deleted.namespace, deleted.name)
    await new.handle(deleted)
    assert count("fairlead_rollout_phase", **labels) == 0


@pytest.mark.parametrize("key", [MODEL, ROLLOUT, TRAINING_RUN], ids=lambda key: key.kind)
@pytest.mark.parametrize("is_told", [True, False], ids=["told", "the cluster is away as well"])
async def test_a_bug_is_told_once_by_the_object_and_left_to_the_queue(
    world: World, controller: Controller, key: Key, *, is_told: bool
) -> None:
    """A tag in MLflow stopped a Rollout, and only a traceback in the log said so."""
    put(world, MODEL)
    if key is not MODEL:
        put(world, key)

    async def break_down(*_: object, **__: object) -> list[dict[str, Any]]:
        raise KeyError("password=secret")

    async def be_away(*_: object) -> None:
        raise AWAY

    reads = {"Model": "children", "TrainingRun": "get", "Rollout": "get"}
    read, get = reads[key.kind], world.kube.get
    if read == "get":  # of the Model that it names

        async def get_own(kind: str, *name: str) -> dict[str, Any] | None:
            return await get(kind, *name) if kind == key.kind else await break_down()

        world.kube.get = get_own  # type: ignore[assignment, method-assign]
    else:
        world.kube.children = break_down  # type: ignore[method-assign]
    if not is_told:
        world.kube.patch_status = be_away  # type: ignore[assignment, method-assign]
    for _ in range(2):
        with pytest.raises(KeyError):
            await controller.handle(key)

    if not is_told:
        assert status_of(world, key) == {}
        return
    assert condition(world, key, "Progressing") == ("Unknown", "InternalError")
    (told,) = world.events()
    assert told[0] == "InternalError"
    assert "KeyError" in str(told)
    assert "secret" not in str(status_of(world, key))


def shown_phases() -> set[str]:
    """Return the phases that are shown of rollouts."""
    return {
        sample.labels["phase"]
        for metric in metrics.ROLLOUT_PHASE.collect()
        for sample in metric.samples
    }


@pytest.mark.parametrize(
    ("asked", "phase"),
    [
        pytest.param({}, "Pending", id="waits for its turn"),
        pytest.param({"fairlead.dev/abort": "not now"}, "RolledBack", id="ends without a turn"),
    ],
)
async def test_a_rollout_that_is_not_the_models_current_one_shows_no_phase(
    world: World, controller: Controller, asked: dict[str, str], phase: str
) -> None:
    """Its own phase stood in the place of the current one's, and the alert began anew."""
    put(world, MODEL, status={"rollout": "r-1", "stable": STABLE})
    put(world, ROLLOUT, status={"phase": "Paused"})
    put(world, OTHER, annotations=asked)
    world.registry.register("energy.nsw-price", "1.1.0")
    await controller.handle(ROLLOUT)

    await controller.handle(OTHER)
    assert status_of(world, OTHER)["phase"] == phase
    assert shown_phases() == {"Paused"}

    await world.kube.delete(OTHER.kind, OTHER.namespace, OTHER.name)
    await controller.handle(OTHER)
    assert shown_phases() == {"Paused"}


async def test_the_phase_shown_follows_the_model_to_its_next_rollout(
    world: World, controller: Controller
) -> None:
    put(world, MODEL, status={"rollout": "r-1", "stable": STABLE})
    put(world, ROLLOUT, status={"phase": "Paused"})
    put(world, OTHER)
    world.registry.register("energy.nsw-price", "1.1.0")
    await controller.handle(ROLLOUT)
    assert shown_phases() == {"Paused"}

    put(world, MODEL, status={"rollout": "hand", "stable": STABLE})
    await controller.handle(ROLLOUT)
    assert shown_phases() == set(), "no longer the current one"

    await controller.handle(OTHER)
    assert shown_phases() == {"Pending"}


async def work_off(controller: Controller, *, until: Callable[[], bool]) -> None:
    """Let one worker work until the condition holds."""
    worker = asyncio.create_task(controller.run())
    async with asyncio.timeout(60):
        while not until():  # noqa: ASYNC110  the condition is the test's, not an event
            await asyncio.sleep(0)
    worker.cancel()
    await asyncio.gather(worker, return_exceptions=True)


async def test_the_sixth_failure_in_a_row_is_shown(
    world: World,
    controller: Controller,
    queue: ImpatientQueue,
    caplog: pytest.LogCaptureFixture,
) -> None:
    world.kube.fail_next = [AWAY] * 8
    queue.add(SHARED)

    with caplog.at_level(logging.DEBUG, logger="fairlead_operator"):
        await work_off(controller, until=lambda: not has_gateway(world))

    levels = [entry.levelno for entry in caplog.records if entry.message == "reconcile retried"]
    assert levels == [logging.DEBUG] * 5 + [logging.WARNING] + [logging.DEBUG] * 2


async def test_failures_that_pass_are_counted_anew(
    world: World,
    controller: Controller,
    queue: ImpatientQueue,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING, logger="fairlead_operator"):
        for _ in range(2):
            world.kube.fail_next = [AWAY] * 5
            queue.add(SHARED)
            await work_off(controller, until=lambda: queue.failures(SHARED) == len(queue) == 0)

    assert len(queue.delays) == 10
    assert caplog.records == []


async def test_a_bug_is_an_error_from_the_first_time_on(
    world: World,
    controller: Controller,
    queue: ImpatientQueue,
    caplog: pytest.LogCaptureFixture,
) -> None:
    world.kube.fail_next = [KeyError("spec")]
    before = count("fairlead_reconciles_total", kind="Namespace", outcome="failed")
    queue.add(SHARED)

    with caplog.at_level(logging.DEBUG, logger="fairlead_operator"):
        await work_off(controller, until=lambda: not has_gateway(world))

    (told,) = (entry for entry in caplog.records if entry.message == "reconcile failed")
    assert told.levelno == logging.ERROR
    assert told.exc_info is not None, "with its traceback"
    assert count("fairlead_reconciles_total", kind="Namespace", outcome="failed") == before + 1


@pytest.mark.parametrize(
    ("error", "message", "levels"),
    [
        pytest.param(ENDING, "the namespace ends", [logging.INFO] + [logging.DEBUG] * 7,
                     id="a namespace that ends is told once"),
        pytest.param(REFUSED, "reconcile refused", [logging.WARNING] + [logging.DEBUG] * 4
                     + [logging.WARNING] + [logging.DEBUG] * 2,
                     id="a refusal is told, and again when it lasts"),
    ],
)  # fmt: skip
async def test_what_the_cluster_refuses_is_no_bug(
    world: World,
    controller: Controller,
    queue: ImpatientQueue,
    caplog: pytest.LogCaptureFixture,
    *,
    error: Exception,
    message: str,
    levels: list[int],
) -> None:
    """Tracebacks filled the log while a namespace ended."""
    world.kube.fail_next = [error] * 8
    queue.add(SHARED)

    with caplog.at_level(logging.DEBUG, logger="fairlead_operator"):
        await work_off(controller, until=lambda: not has_gateway(world))

    told = [entry for entry in caplog.records if entry.message == message]
    assert [entry.levelno for entry in told] == levels
    assert [entry for entry in caplog.records if entry.exc_info] == []


async def test_an_event_in_a_namespace_that_ends_holds_up_no_status(
    world: World, controller: Controller, caplog: pytest.LogCaptureFixture
) -> None:
    put(world, MODEL)
    put(world, ROLLOUT)
    world.registry.register("energy.nsw-price", "1.1.0")
    apply = world.kube.apply

    async def end(manifest: Mapping[str, Any]) -> dict[str, Any]:
        if manifest["kind"] == "Event":
            raise ENDING
        return await apply(manifest)

    world.kube.apply = end  # type: ignore[method-assign]
    await controller.handle(MODEL)
    await controller.handle(ROLLOUT)

    assert status_of(world, MODEL)["phase"]
    assert status_of(world, ROLLOUT)["phase"] == "Pending"
    assert [entry.message for entry in caplog.records if entry.levelno >= logging.WARNING] == []


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        pytest.param(ENDING, 30, id="a namespace that ends: no hurry"),
        pytest.param(AWAY, 0.2, id="the queue's own back-off"),
        pytest.param(TransientError("429", retry_after=7), 7, id="what the other side asked for"),
        pytest.param(KeyError("spec"), 0.2, id="a bug: the queue's own back-off"),
    ],
)
async def test_how_long_a_failure_waits(
    world: World, controller: Controller, queue: ImpatientQueue, error: Exception, seconds: float
) -> None:
    world.kube.fail_next = [error]
    queue.add(SHARED)

    await work_off(controller, until=lambda: not has_gateway(world))

    assert queue.delays == [seconds]
