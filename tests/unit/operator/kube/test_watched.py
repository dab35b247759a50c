"""What follows from the answer to a write of our own, and what does not."""

from typing import Any

import pytest

from fairlead_operator.kube.store import News, Store
from fairlead_operator.kube.watched import WatchedKube
from support.fakes import Clock, FakeKube

PLACE = ("Model", "energy", "m")


def model(**status: Any) -> dict[str, Any]:
    return {
        "apiVersion": "fairlead.dev/v1alpha1",
        "kind": "Model",
        "metadata": {"namespace": "energy", "name": "m"},
        "spec": {"task": "regression"},
        "status": status,
    }


@pytest.fixture
def api() -> FakeKube:
    kube = FakeKube(Clock())
    kube.put(model(phase="Serving", observedGeneration=1))
    return kube


@pytest.fixture
async def store(api: FakeKube) -> Store:
    store = Store()
    found = await api.get(*PLACE)
    assert found is not None
    store.put(found)
    return store


@pytest.mark.parametrize(
    ("status", "news"),
    [
        pytest.param({"observedGeneration": 2}, News.KNOWN, id="seen"),
        pytest.param({"conditions": []}, News.KNOWN, id="said"),
        pytest.param({"conditions": [{"type": "Ready", "status": "True", "reason": "Serving"}]},
                     News.KNOWN, id="said: a condition"),
        pytest.param({"conditions": [{"type": "Applied", "status": "False", "reason": "Away"}]},
                     News.OURS, id="refused: a Model says it of its children"),
        pytest.param({"phase": "Blocked", "observedGeneration": 2}, News.OURS, id="decided"),
        pytest.param({"observedGeneration": 2, "rollout": "r"}, News.OURS, id="asked for"),
    ],
)  # fmt: skip
async def test_only_what_reconciles_read_is_looked_at_again(
    api: FakeKube, store: Store, status: dict[str, Any], news: News
) -> None:
    body = await WatchedKube(api, store).patch_status(*PLACE, status)

    assert body is not None
    assert store.put(body) is news  # as the watch tells it


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"spec": {"task": "ranking"}}, id="of the spec"),
        pytest.param({"metadata": {"annotations": {"fairlead.dev/abort": "now"}}}, id="a request"),
    ],
)
async def test_a_change_of_anothers_that_came_before_our_write_is_looked_at(
    api: FakeKube, store: Store, change: dict[str, Any]
) -> None:
    """Its own event is older than our answer, and so wakes nobody."""
    theirs = api.objects[PLACE]
    for part, values in change.items():
        theirs[part] |= values
    body = await WatchedKube(api, store).patch_status(*PLACE, {"observedGeneration": 2})

    assert body is not None
    assert store.put(body) is News.OURS


async def test_what_we_decided_is_looked_at_although_we_said_something_since(
    api: FakeKube, store: Store
) -> None:
    """A watch may tell the last of two states alone."""
    kube = WatchedKube(api, store)
    await kube.patch_status(*PLACE, {"phase": "RollingOut", "rollout": "r"})
    body = await kube.patch_status(*PLACE, {"observedGeneration": 2})

    assert body is not None
    assert store.put(body) is News.OURS
