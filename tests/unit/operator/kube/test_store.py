"""The store: whatever comes in whatever order, the newest state stays, and the dead stay dead."""

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_operator.kube import store as stores
from fairlead_operator.kube.kinds import MLFLOW_SECRETS
from fairlead_operator.kube.store import News, Place, Store

NAMESPACE = "energy"
PLACE = Place("ConfigMap", NAMESPACE, "c")


def body(version: int, *, kind: str = "ConfigMap", name: str = "c", **parts: Any) -> dict[str, Any]:
    meta = {"namespace": NAMESPACE, "name": name, "resourceVersion": str(version)}
    return {"kind": kind, "metadata": {**meta, **parts.pop("metadata", {})}, **parts}


def labelled(name: str, **labels: str) -> dict[str, Any]:
    names = {f"fairlead.dev/{key}": value for key, value in labels.items()}
    return body(1, name=name, metadata={"labels": names})


def names_of(found: Any) -> list[str]:
    return [item["metadata"]["name"] for item in found]


def test_put_tells_news_from_what_was_known() -> None:
    store = Store()

    told = [store.put(body(version)) for version in (2, 2, 1, 3)]

    assert told == [News.NEW, News.KNOWN, News.OLD, News.NEW]
    assert store.get(*PLACE) == body(3)


def test_an_answer_to_our_own_request_is_told_once() -> None:
    store = Store()
    store.put(body(1))
    answers = [store.put(body(version), told=False) for version in (1, 2, 2)]

    assert answers == [News.KNOWN, News.NEW, News.KNOWN]
    assert [store.put(body(version)) for version in (1, 2, 2)] == [News.OLD, News.OURS, News.KNOWN]


def test_what_nobody_reads_of_an_answer_hides_no_state_before_it_that_is_still_to_be_told() -> None:
    """A watch may leave out the state before."""
    store = Store()
    store.put(body(1))
    store.put(body(2), told=False)
    store.put(body(3), told=True, quiet=True)

    assert store.put(body(3)) is News.OURS
    store.put(body(4), told=True, quiet=True)
    assert store.put(body(4)) is News.KNOWN


def test_an_answer_that_comes_after_the_end_brings_nothing_back() -> None:
    store = Store()
    store.put(body(1))
    store.remove(PLACE, 3)

    assert store.put(body(2)) is News.OLD
    assert store.get(*PLACE) is None
    assert store.put(body(4)) is News.NEW


def test_an_old_end_does_not_end_what_was_created_again() -> None:
    store = Store()
    store.put(body(5))

    assert not store.remove(PLACE, 3)
    assert store.get(*PLACE) == body(5)


def test_only_so_many_ends_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "_GRAVES", 2)
    store = Store()
    for name in "abc":
        store.remove(Place("ConfigMap", NAMESPACE, name), 5)

    told = [store.put(body(1, name=name)) for name in "abc"]
    assert told == [News.NEW, News.OLD, News.OLD]


def test_a_reader_cannot_change_what_is_kept() -> None:
    store = Store()
    store.put(body(1, data={"a": "1"}))
    found = store.get(*PLACE)
    assert found is not None
    found["data"]["a"] = "2"

    assert (store.get(*PLACE) or {})["data"] == {"a": "1"}


def test_what_nobody_reads_is_not_kept() -> None:
    store = Store()
    annotations = {"kubectl.kubernetes.io/last-applied-configuration": "{}", "kept": "1"}
    meta = {"managedFields": [{}], "annotations": annotations}
    store.put(body(1, kind="Pod", metadata=meta, spec={"containers": []}, status={"phase": "R"}))
    found = store.get("Pod", NAMESPACE, "c") or {}

    assert set(found) == {"kind", "metadata", "status"}
    assert found["metadata"]["annotations"] == {"kept": "1"}
    assert "managedFields" not in found["metadata"]


def test_lists_follow_labels_as_they_change() -> None:
    store = Store()
    for name in "ba":
        store.put(labelled(name, model="m", component="server"))
    store.put(labelled("c", model="other", component="server"))
    store.put(labelled("d"))

    mine = {"fairlead.dev/model": "m", "fairlead.dev/component": "server"}
    assert names_of(store.list("ConfigMap", NAMESPACE, mine)) == ["a", "b"]
    servers = {"fairlead.dev/component": "server"}
    assert names_of(store.list("ConfigMap", NAMESPACE, servers)) == ["a", "b", "c"]
    assert names_of(store.list("ConfigMap", NAMESPACE, {})) == ["a", "b", "c", "d"]
    assert names_of(store.list("ConfigMap", "elsewhere", {})) == []

    store.put(body(2, name="a"))
    store.remove(Place("ConfigMap", NAMESPACE, "b"))
    assert names_of(store.list("ConfigMap", NAMESPACE, mine)) == []


def test_children_follow_their_spec() -> None:
    store = Store()
    for name, model in (("b", "m"), ("a", "m"), ("c", "other")):
        store.put(body(1, kind="Rollout", name=name, spec={"model": model}))

    assert names_of(store.children("Rollout", NAMESPACE, "m")) == ["a", "b"]
    assert names_of(store.children("Rollout", NAMESPACE, "none")) == []


def test_models_are_found_by_the_host_names_they_ask_for_and_those_they_had() -> None:
    def model(version: int, *hosts: str) -> dict[str, Any]:
        spec = {"serving": {"gateway": {"hostnames": [*hosts]}}}
        return body(version, kind="Model", name="m", spec=spec)

    def rollout(version: int, *hosts: str) -> dict[str, Any]:
        status = {"gateway": {"hostnames": [*hosts], "previewHostnames": ["p"]}}
        return body(version, kind="Rollout", name="r", spec={"model": "m"}, status=status)

    def at(*hosts: str) -> str:
        return "".join(host for host in hosts if names_of(store.models_at(host)))

    store = Store()
    told = [at(*"abcp")]
    for state in (rollout(1, "a"), model(2, "b", "b"), model(3, "c"), rollout(4, "b", "c")):
        store.put(state)
        told.append(at(*"abcp"))
    for place in (Place("Rollout", NAMESPACE, "r"), Place("Model", NAMESPACE, "m")):
        store.remove(place, 5)
        told.append(at(*"abcp"))

    assert told == ["", "", "abp", "acp", "bcp", "c", ""]


@pytest.mark.parametrize(
    ("namespaces", "kind", "covered"),
    [
        pytest.param((), "Model", True, id="everywhere: a watched kind"),
        pytest.param((), "Event", False, id="everywhere: a kind nobody watches"),
        pytest.param((NAMESPACE,), "Model", True, id="in the namespace watched"),
        pytest.param(("other",), "Model", False, id="in another namespace"),
    ],
)
def test_covers_only_what_is_watched(
    namespaces: tuple[str, ...], kind: str, *, covered: bool
) -> None:
    assert Store(namespaces).covers(kind, NAMESPACE) is covered


@pytest.mark.parametrize(
    ("kind", "name", "covered"),
    [
        pytest.param("Secret", "fairlead-database", True, id="the name that is watched"),
        pytest.param("Secret", "fairlead-mlflow", False, id="another of a kind watched by name"),
        pytest.param("RoleBinding", "a-team", False, id="another kind watched by name"),
        pytest.param("Service", "nsw-price", True, id="of a kind watched by label"),
        pytest.param("Model", "nsw-price", True, id="of a kind watched as a whole"),
        pytest.param("Event", "nsw-price", False, id="of a kind nobody watches"),
    ],
)
def test_covers_only_the_names_that_are_watched(kind: str, name: str, *, covered: bool) -> None:
    assert Store().covers_name(kind, NAMESPACE, name) is covered


def test_another_name_of_a_kind_is_covered_once_it_is_watched_too() -> None:
    store = Store()
    for _ in range(2):
        store.cover("Secret", MLFLOW_SECRETS["Secret"])

    covered = {
        name: store.covers_name("Secret", NAMESPACE, name)
        for name in ("fairlead-database", "fairlead-mlflow", "theirs")
    }
    told = {name: store.tells(body(1, kind="Secret", name=name)) for name in covered}

    expected = {"fairlead-database": True, "fairlead-mlflow": True, "theirs": False}
    assert (covered, told) == (expected, expected)


def test_a_comparison_holds_until_the_object_changes() -> None:
    store = Store()
    store.put(body(1))
    store.verify(PLACE, "digest")
    store.put(body(1))
    assert store.verified(PLACE) == "digest"

    store.put(body(2))
    assert store.verified(PLACE) is None
    store.remove(PLACE)
    assert store.verified(PLACE) is None


_states = st.lists(st.sampled_from(["state", "end"]), min_size=1, max_size=6)


@given(_states, st.randoms(use_true_random=False))
def test_any_order_ends_as_the_cluster_is(states: list[str], random: Any) -> None:
    """Each state may be told more than once: by a watch, a list, an answer."""
    events = list(enumerate(states, start=1))
    told = events * 2
    random.shuffle(told)
    store = Store()
    for version, state in told:
        if state == "end":
            store.remove(PLACE, version)
        else:
            store.put(body(version, data={"at": str(version)}))

    version, state = events[-1]
    expected = None if state == "end" else body(version, data={"at": str(version)})
    assert store.get(*PLACE) == expected
    assert len(list(store.places("ConfigMap"))) == (0 if state == "end" else 1)


def test_texts_are_compact() -> None:
    """What makes thousands of objects cheap."""
    store = Store()
    for number in itertools.islice(itertools.count(1), 3):
        store.put(body(number, name=f"c-{number}", data={"route.json": json.dumps({"a": 1})}))

    assert [place.name for place, _ in store.places("ConfigMap")] == ["c-1", "c-2", "c-3"]
