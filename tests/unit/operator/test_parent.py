"""The Model a TrainingRun or a Rollout belongs to: there, gone, or not to be read."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_operator.api.model import ModelSpec
from fairlead_operator.errors import InvalidSpecError, TransientError
from fairlead_operator.parent import LEAST_MODEL, read_in_part, read_parent, without_wait
from support.fakes import Clock, FakeKube
from support.world import NAMESPACE, model_manifest


@pytest.fixture
def kube() -> FakeKube:
    return FakeKube(Clock())


async def test_a_model_is_read_with_its_spec_and_status(kube: FakeKube) -> None:
    kube.put(model_manifest(version="1.2.0") | {"status": {"rollout": "r-2"}})

    parent = await read_parent("nsw-price", NAMESPACE, kube)

    assert parent.body["metadata"]["name"] == "nsw-price"
    assert (parent.spec.version, parent.status.rollout) == ("1.2.0", "r-2")


@pytest.mark.parametrize("status", [{}, {"status": None}, {"status": {"ofANewerOperator": 1}}])
async def test_a_model_whose_status_says_nothing_is_a_new_one(
    kube: FakeKube, status: dict[str, Any]
) -> None:
    kube.put(model_manifest() | status)

    parent = await read_parent("nsw-price", NAMESPACE, kube)

    assert (parent.status.rollout, parent.status.stable) == (None, None)


@pytest.mark.parametrize(
    ("manifest", "words"),
    [
        pytest.param(None, "no Model nsw-price in namespace energy", id="there is none"),
        pytest.param(model_manifest(version="newest"), "version", id="its spec is wrong"),
        pytest.param(
            model_manifest() | {"status": {"conditions": "all fine"}},
            "conditions",
            id="its status is of another form",
        ),
    ],
)
async def test_what_cannot_be_read_waits_for_a_person(
    kube: FakeKube, manifest: dict[str, Any] | None, words: str
) -> None:
    if manifest is not None:
        kube.put(manifest)

    with pytest.raises(InvalidSpecError, match=words) as refused:
        await read_parent("nsw-price", NAMESPACE, kube)

    assert "nsw-price" in str(refused.value), "it names the Model"


async def test_a_cluster_that_does_not_answer_is_no_missing_model(kube: FakeKube) -> None:
    kube.fail_next.append(TransientError("GET Model: 503"))

    with pytest.raises(TransientError):
        await read_parent("nsw-price", NAMESPACE, kube)


SPEC: dict[str, Any] = model_manifest()["spec"]


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param({"magic": 1}, id="a field of a later release"),
        pytest.param({"serving": {"replicas": 3, "magic": {"a": 1}}}, id="one inside another"),
        pytest.param({"serving": {"replicas": 3, "requestTimeout": "soon"}}, id="another value"),
        pytest.param({"rollout": 7}, id="another type"),
        pytest.param({"rollout": {"strategy": "magic", "patience": "9m"}}, id="another strategy"),
        pytest.param({"freezeWindows": [{}]}, id="an item with too little"),
        pytest.param({"task": "magic"}, id="what every Model has"),
        pytest.param({"data": {}}, id="what every Model has, with too little"),
    ],
)
async def test_what_cannot_be_read_is_left_out_and_told(
    kube: FakeKube, fault: dict[str, Any]
) -> None:
    manifest = model_manifest(version="1.2.0")
    manifest["spec"] |= fault
    kube.put(manifest)

    parent = await read_parent("nsw-price", NAMESPACE, kube, in_part=True)

    assert parent.spec.version == "1.2.0"
    assert parent.unread is not None
    assert "nsw-price" in parent.unread
    if "replicas" in fault.get("serving", {}):
        assert parent.spec.serving.replicas == 3
    if isinstance(fault.get("rollout"), dict):
        assert parent.spec.rollout.patience == timedelta(minutes=9)


JUNK = st.recursive(
    st.none() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from([*SPEC, "x"]), inner)
    ),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from([*SPEC, "serving", "alternatives", "x"]), JUNK))
def test_any_spec_is_read_in_part(junk: dict[str, Any]) -> None:
    assert read_in_part(ModelSpec, SPEC | junk, least=LEAST_MODEL).task
    assert read_in_part(ModelSpec, junk, least=LEAST_MODEL).task


@pytest.mark.parametrize(
    ("status", "kept"),
    [
        pytest.param({"reason": "WaitingForModel"}, False, id="it waited for its Model"),
        pytest.param({"reason": "InvalidSpec"}, False, id="it could not begin"),
        pytest.param(
            {"reason": "InvalidSpec", "startedAt": "2026-01-01T00:00:00Z"},
            True,
            id="it waits, and could be read before",
        ),
        pytest.param({"reason": "WaitingForTurn"}, True, id="it waits for its turn"),
    ],
)
def test_who_has_not_begun_begins_anew(status: dict[str, Any], kept: bool) -> None:
    row = {"phase": "Pending", "message": "m", **status}

    assert without_wait(row) == (row if kept else {})
