"""What is told, and what is found out although nobody told it."""

import asyncio
import copy
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from fairlead_operator.engine import watches as module
from fairlead_operator.engine.wakeup import Wakeup
from fairlead_operator.engine.watches import Sync, Watches
from fairlead_operator.engine.work_queue import WorkQueue
from fairlead_operator.errors import ClusterRefusalError, TransientError, UnknownKindError
from fairlead_operator.keys import Key
from fairlead_operator.kube.client import Page
from fairlead_operator.kube.kinds import MLFLOW_SECRETS, OPTIONAL, WATCHED, Selector
from fairlead_operator.kube.store import Place, Store
from support.quick_time import quick_time

__all__ = ["quick_time"]  # fixtures

NAMESPACE = "energy"
MODEL = Key("Model", NAMESPACE, "m")
ROLLOUT = Key("Rollout", NAMESPACE, "r")


class Queue(WorkQueue):
    """Remembers who was woken."""

    def __init__(self) -> None:
        super().__init__()
        self.woken: list[Key] = []

    def add(self, key: Key) -> None:
        self.woken.append(key)


class Cluster:
    """Objects as they are, one on a page."""

    def __init__(self) -> None:
        self.objects: dict[Place, dict[str, Any]] = {}
        self.version = 10
        self.errors: list[Exception] = []
        self.reads = 0
        self.asked: set[tuple[str, str]] = set()
        self.absent: dict[str, Exception] = {}

    def put(self, body: dict[str, Any]) -> dict[str, Any]:
        self.version += 1
        body["metadata"]["resourceVersion"] = str(self.version)
        self.objects[Place.of(body)] = body
        return copy.deepcopy(body)

    async def pages(self, kind: str, namespace: str, selector: Selector) -> AsyncIterator[Page]:
        assert selector in [{**WATCHED, **OPTIONAL}[kind], MLFLOW_SECRETS.get(kind)]
        if kind in self.absent:
            raise self.absent[kind]
        self.asked.add((kind, namespace))
        self.reads += kind == "Model"
        if self.errors:
            raise self.errors.pop(0)
        found = [
            copy.deepcopy(body)
            for place, body in self.objects.items()
            if place.kind == kind and selector.may_select(place.name)
        ]
        for body in found:
            yield Page(version=str(self.version), items=[body])
        yield Page(version=str(self.version), items=[])


class Desk:
    def __init__(
        self,
        *,
        namespaces: tuple[str, ...] = (),
        beside: Mapping[str, Selector] | None = None,
    ) -> None:
        self.cluster = Cluster()
        self.store, self.queue = Store(), Queue()
        self.watches = Watches(self.store, Wakeup(), self.queue)
        client: Any = self.cluster
        self.sync = Sync(client, self.store, self.watches, namespaces=namespaces, beside=beside)

    def woken(self) -> list[Key]:
        woken, self.queue.woken = self.queue.woken, []
        return woken


@pytest.fixture
def desk() -> Desk:
    return Desk()


def model(**status: str) -> dict[str, Any]:
    meta = {"namespace": NAMESPACE, "name": "m"}
    return {"kind": "Model", "metadata": meta, "spec": {}, "status": status}


def rollout() -> dict[str, Any]:
    meta = {"namespace": NAMESPACE, "name": "r"}
    return {"kind": "Rollout", "metadata": meta, "spec": {"model": "m"}}


def service() -> dict[str, Any]:
    labels = {"fairlead.dev/component": "address", "fairlead.dev/model": "m"}
    meta = {"namespace": NAMESPACE, "name": "m", "labels": labels}
    return {"kind": "Service", "metadata": meta, "spec": {}}


def scaler(kind: str, *, floor: int = 1, status: Any = None) -> dict[str, Any]:
    labels = {"fairlead.dev/component": "server", "fairlead.dev/model": "m"}
    meta = {"namespace": NAMESPACE, "name": "m-1-0-0", "labels": labels}
    return {"kind": kind, "metadata": meta, "spec": {"min": floor}, "status": status}


def test_an_event_is_kept_before_it_wakes(desk: Desk) -> None:
    desk.watches.tell(desk.cluster.put(model()), "ADDED")

    assert desk.woken() == [MODEL]
    assert desk.store.get("Model", NAMESPACE, "m") is not None


@pytest.mark.parametrize(
    "how",
    [
        pytest.param("ADDED", id="by the watch"),
        pytest.param(None, id="by the list of a watch that begins anew meanwhile"),
        pytest.param("LISTED", id="by reading everything"),
    ],
)
def test_our_own_write_wakes_our_kinds_alone_and_once(desk: Desk, how: str | None) -> None:
    for body in (desk.cluster.put(rollout()), desk.cluster.put(service())):
        desk.store.put(body, told=False)  # the answer to the write came first
        desk.watches.tell(body, how)
        desk.watches.tell(body, "MODIFIED")

    assert desk.woken() == [ROLLOUT, MODEL]
    desk.watches.look_at(NAMESPACE, "m")
    assert desk.woken() == [ROLLOUT, MODEL]


def test_only_a_model_that_there_is_can_be_woken(desk: Desk) -> None:
    """Its name may come from the label of a series that anybody wrote."""
    desk.watches.tell(desk.cluster.put(model()), "ADDED")
    desk.woken()

    desk.watches.look_at_model(NAMESPACE, "m")
    desk.watches.look_at_model("elsewhere", "m")

    assert desk.woken() == [MODEL]


def test_what_trainings_left_is_looked_at_in_our_namespaces_alone() -> None:
    queue = Queue()
    watches = Watches(Store([NAMESPACE]), Wakeup(), queue)

    for namespace in (NAMESPACE, "elsewhere"):
        watches.look_at_trainings(namespace)

    assert queue.woken == [Key.of_trainings(NAMESPACE)]


def test_what_is_left_without_models_is_looked_at_in_our_namespaces_alone() -> None:
    queue = Queue()
    store = Store([NAMESPACE, "empty"])
    store.put({**model(), "metadata": {**model()["metadata"], "resourceVersion": "2"}})
    watches = Watches(store, Wakeup(), queue)

    for namespace in (NAMESPACE, "empty", "elsewhere"):
        watches.look_at_namespace(namespace)

    assert queue.woken == [Key.of_namespace("empty")]


def test_an_old_event_wakes_nobody(desk: Desk) -> None:
    old, new = desk.cluster.put(model()), desk.cluster.put(model(phase="Serving"))
    desk.store.put(new, told=False)
    desk.watches.tell(old, "MODIFIED")

    assert desk.woken() == []
    assert desk.store.get("Model", NAMESPACE, "m") == new


def test_a_watch_that_begins_anew_wakes_for_news_only(desk: Desk) -> None:
    body = desk.cluster.put(model())
    desk.watches.tell(body, "ADDED")
    desk.woken()
    desk.watches.tell(body, None)

    assert desk.woken() == []
    assert desk.watches.listed.is_set()


def test_an_end_wakes_and_an_old_end_does_not(desk: Desk) -> None:
    first = desk.cluster.put(rollout())
    again = desk.cluster.put(rollout())
    desk.watches.tell(again, "ADDED")
    desk.woken()

    desk.watches.tell(first, "DELETED")
    assert desk.woken() == []
    desk.watches.tell(again, "DELETED")
    assert desk.woken() == [ROLLOUT, MODEL]


async def test_reading_everything_finds_what_no_watch_told(desk: Desk) -> None:
    desk.watches.tell(desk.cluster.put(rollout()), "ADDED")
    desk.watches.tell(desk.cluster.put(model()), "ADDED")
    desk.woken()
    del desk.cluster.objects[Place(*ROLLOUT)]  # ended, changed, created: all untold
    desk.cluster.put(model(phase="Serving"))
    desk.cluster.put(service())

    await desk.sync.read_all()

    assert set(desk.woken()) == {MODEL, ROLLOUT}
    assert desk.store.get(*ROLLOUT) is None
    assert (desk.store.get(*MODEL) or {})["status"] == {"phase": "Serving"}
    assert desk.store.get("Service", NAMESPACE, "m") is not None

    await desk.sync.read_all()
    assert desk.woken() == []


def login(name: str) -> dict[str, Any]:
    return {"kind": "Secret", "metadata": {"namespace": NAMESPACE, "name": name}, "data": {}}


@pytest.mark.parametrize("lost", ["fairlead-database", "fairlead-mlflow"])
async def test_of_a_kind_that_is_watched_by_two_names_each_is_read_for_itself(lost: str) -> None:
    desk = Desk(beside=MLFLOW_SECRETS)
    desk.cluster.put(model())
    for name in ("fairlead-database", "fairlead-mlflow"):
        desk.cluster.put(login(name))
    await desk.sync.fill()
    desk.woken()
    del desk.cluster.objects[Place("Secret", NAMESPACE, lost)]
    desk.cluster.version += 1

    await desk.sync.read_all()

    assert desk.woken() == [MODEL], "whose pods read it"
    (kept,) = desk.store.places("Secret")
    assert kept[0].name == ({"fairlead-database", "fairlead-mlflow"} - {lost}).pop()


async def test_each_round_of_watches_has_one_selector_for_a_kind() -> None:
    rounds = Desk(beside=MLFLOW_SECRETS).sync.rounds

    assert [kinds["Secret"].fields for kinds in rounds] == [
        "metadata.name=fairlead-database",
        "metadata.name=fairlead-mlflow",
    ]


async def test_what_is_younger_than_the_list_is_kept(desk: Desk) -> None:
    desk.watches.tell(desk.cluster.put(model()), "ADDED")
    desk.cluster.objects.clear()
    desk.cluster.version -= 1

    await desk.sync.read_all()

    assert desk.store.get(*MODEL) is not None


async def test_only_the_namespaces_watched_are_read() -> None:
    desk = Desk(namespaces=("a", "b"))
    await desk.sync.read_all()

    assert desk.cluster.asked == {(kind, name) for kind in WATCHED for name in ("a", "b")}


async def test_the_first_reading_waits_for_the_kinds(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_RETRY", 0.0)
    desk.cluster.errors = [TransientError("404"), TransientError("404")]
    desk.cluster.put(model())

    await desk.sync.fill()

    assert desk.woken() == [MODEL]


@pytest.mark.parametrize(
    ("answer", "watched"),
    [
        pytest.param(None, True, id="it is there"),
        pytest.param(UnknownKindError("404"), False, id="nobody installed it"),
        pytest.param(ClusterRefusalError("403"), False, id="we may not look at it"),
    ],
)
@pytest.mark.parametrize("kind", OPTIONAL)
async def test_a_kind_that_others_install_is_watched_where_it_can_be(
    desk: Desk, kind: str, answer: Exception | None, watched: bool
) -> None:
    if answer is not None:
        desk.cluster.absent[kind] = answer

    await desk.sync.fill()

    (kinds,) = desk.sync.rounds
    assert set(kinds) == {*WATCHED, *OPTIONAL} - (set() if watched else {kind})


async def test_scaled_objects_are_stored_where_they_are_watched(desk: Desk) -> None:
    assert not desk.store.covers("ScaledObject", NAMESPACE)
    desk.cluster.put(scaler("ScaledObject"))

    await desk.sync.fill()

    assert desk.store.covers("ScaledObject", NAMESPACE)
    assert desk.store.get("ScaledObject", NAMESPACE, "m-1-0-0") is not None
    assert not desk.store.covers("HTTPRoute", NAMESPACE)


async def test_a_kind_that_is_taken_away_again_takes_its_objects_along(desk: Desk) -> None:
    desk.watches.tell(desk.cluster.put(rollout()), "ADDED")
    desk.cluster.put(scaler("ScaledObject"))
    await desk.sync.fill()
    desk.woken()
    desk.cluster.absent["ScaledObject"] = UnknownKindError("404")

    await desk.sync.read_all()

    assert desk.store.get("ScaledObject", NAMESPACE, "m-1-0-0") is None
    assert desk.woken() == [ROLLOUT]


@pytest.mark.parametrize("kind", ["HorizontalPodAutoscaler", "ScaledObject"])
def test_an_autoscaler_wakes_for_its_troubles_and_not_for_the_load(desk: Desk, kind: str) -> None:
    desk.watches.tell(desk.cluster.put(rollout()), "ADDED")
    desk.watches.tell(desk.cluster.put(scaler(kind)), "ADDED")
    desk.woken()

    desk.watches.tell(desk.cluster.put(scaler(kind, status={"currentReplicas": 3})), "MODIFIED")
    assert desk.woken() == []
    blind = {"conditions": [{"type": "ScalingActive", "status": "False"}], "currentReplicas": 3}
    desk.watches.tell(desk.cluster.put(scaler(kind, status=blind)), "MODIFIED")
    assert desk.woken() == [ROLLOUT]
    desk.watches.tell(desk.cluster.put(scaler(kind, status=blind | {"x": 1})), "MODIFIED")
    assert desk.woken() == []
    desk.watches.tell(desk.cluster.put(scaler(kind, floor=2)), "MODIFIED")
    assert desk.woken() == [ROLLOUT]
    desk.watches.tell(desk.cluster.put(scaler(kind, floor=2)), "DELETED")
    assert desk.woken() == [ROLLOUT]


@pytest.mark.usefixtures("quick_time")
@pytest.mark.parametrize("error", [None, TransientError("away"), ClusterRefusalError("403")])
async def test_a_watch_that_began_anew_is_read_after_until_it_succeeds(
    desk: Desk, error: Exception | None
) -> None:
    desk.cluster.errors = [] if error is None else [error]
    desk.watches.listed.set()
    running = asyncio.create_task(desk.sync.run())

    await asyncio.sleep(module._PERIOD / 2)

    assert desk.cluster.reads == (1 if error is None else 2)
    running.cancel()


@pytest.mark.usefixtures("quick_time")
async def test_everything_is_read_now_and_then(desk: Desk) -> None:
    running = asyncio.create_task(desk.sync.run())

    await asyncio.sleep(module._PERIOD * 2.5)

    assert desk.cluster.reads == 2
    running.cancel()


@pytest.mark.usefixtures("quick_time")
async def test_the_patrol_comes_to_everyone(desk: Desk) -> None:
    walking = asyncio.create_task(desk.sync.patrol())
    await asyncio.sleep(1)
    assert desk.woken() == []
    desk.watches.tell(desk.cluster.put(model()), "ADDED")
    desk.watches.tell(desk.cluster.put(rollout()), "ADDED")
    desk.woken()

    await asyncio.sleep(module._PERIOD)

    assert set(desk.queue.woken) == {MODEL, ROLLOUT}
    walking.cancel()
