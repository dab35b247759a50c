"""The Model a TrainingRun or a Rollout belongs to: there, gone, or not to be read."""

from typing import Any

import pytest

from fairlead_operator.errors import InvalidSpecError, TransientError
from fairlead_operator.parent import read_parent
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
