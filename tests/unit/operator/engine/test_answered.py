"""Which answered annotation is taken off its object, and which a manifest would put back."""

import json
from typing import Any

import pytest

from fairlead_operator.engine.answered import (
    is_declared,
    newly_answered,
    take_off,
    take_off_unread,
)
from fairlead_operator.errors import ClusterRefusalError
from fairlead_operator.requests import Action
from fairlead_operator.unread import explain_unread
from support.fakes import Clock, FakeKube
from support.world import NAMESPACE

RETRAIN = "fairlead.dev/retrain"
WORDS = "Ada: new tariff"
OLD = {"action": "retry", "text": "before", "answeredAt": "2026-01-01T00:00:00.000Z"}
NEW = {"action": "retrain", "text": WORDS, "answeredAt": "2026-01-01T00:01:00.000Z"}


def field(manager: str, operation: str = "Update", annotation: str = RETRAIN) -> dict[str, Any]:
    fields = {"f:metadata": {"f:annotations": {f"f:{annotation}": {}}}}
    return {"manager": manager, "operation": operation, "fieldsV1": fields}


def model(
    *fields: dict[str, Any], words: str = WORDS, applied: str | None = None
) -> dict[str, Any]:
    annotations = {RETRAIN: words}
    if applied is not None:
        annotations["kubectl.kubernetes.io/last-applied-configuration"] = applied
    meta = {"namespace": NAMESPACE, "name": "nsw-price", "annotations": annotations}
    return {"kind": "Model", "metadata": meta | {"managedFields": list(fields)}, "spec": {}}


MANIFEST = json.dumps({"metadata": {"annotations": {RETRAIN: WORDS}}})
BARE = json.dumps({"metadata": {"name": "nsw-price"}})


@pytest.mark.parametrize(
    ("body", "declared"),
    [
        pytest.param(model(field("kubectl-annotate")), False, id="kubectl annotate"),
        pytest.param(model(field("kubectl-annotate"), applied=BARE), False,
                     id="kubectl annotate, of what was applied without it"),
        pytest.param(model(field("OpenAPI-Generator")), False, id="the command"),
        pytest.param(model(field("kubectl-client-side-apply"), applied=MANIFEST), True,
                     id="kubectl apply"),
        pytest.param(model(field("kubectl-annotate"), applied=MANIFEST), True,
                     id="kubectl annotate, of what was applied with it"),
        pytest.param(model(field("argocd-controller", "Apply")), True, id="server-side apply"),
        pytest.param(model(field("kubectl-annotate"), field("flux", "Apply")), True,
                     id="server-side apply and somebody else"),
        pytest.param(model(field("helm")), True, id="Helm"),
        pytest.param(model(field("Terraform")), True, id="Terraform"),
        pytest.param(model(), True, id="nobody knows"),
        pytest.param(model(field("kubectl-annotate", annotation="example.com/x")), True,
                     id="nobody knows of this one"),
        pytest.param(model({"manager": "kubectl-annotate"}), True, id="fields without a list"),
        pytest.param(model(field("kubectl-annotate"), applied="{"), False,
                     id="a manifest that is cut off"),
    ],
)  # fmt: skip
def test_is_declared(body: dict[str, Any], declared: bool) -> None:
    assert is_declared(body, RETRAIN) == declared


@pytest.mark.parametrize(
    ("old", "new", "answered"),
    [
        pytest.param([], [NEW], [(Action.RETRAIN, WORDS)], id="the first"),
        pytest.param([OLD], [OLD, NEW], [(Action.RETRAIN, WORDS)], id="beside an older one"),
        pytest.param([OLD, NEW], [OLD, NEW], [], id="none"),
        pytest.param([NEW], [NEW | {"withdrawn": True}], [], id="one that has gone since"),
        pytest.param([NEW], [NEW, NEW | {"answeredAt": "2026-01-02T00:00:00.000Z"}],
                     [(Action.RETRAIN, WORDS)], id="the same words again"),
        pytest.param([], [NEW | {"action": "supersede"}], [], id="the operator's own"),
    ],
)  # fmt: skip
def test_newly_answered(old: list[Any], new: list[Any], answered: list[Any]) -> None:
    assert list(newly_answered({"requests": old}, {"requests": new})) == answered


@pytest.fixture
def kube() -> FakeKube:
    kube = FakeKube(Clock())
    kube.put(model(field("kubectl-annotate")))
    return kube


def standing(kube: FakeKube) -> str | None:
    meta = kube.objects["Model", NAMESPACE, "nsw-price"]["metadata"]
    return (meta.get("annotations") or {}).get(RETRAIN)


async def test_an_answered_request_is_taken_off(kube: FakeKube) -> None:
    await take_off(model(), {"requests": [NEW]}, kube)

    assert standing(kube) is None


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(model(field("argocd-controller", "Apply")), id="a manifest has it"),
        pytest.param(model(field("kubectl-annotate"), words="Ada: more"), id="it says more by now"),
    ],
)
async def test_what_stays(kube: FakeKube, body: dict[str, Any]) -> None:
    kube.put(body)
    before = standing(kube)

    await take_off(model(), {"requests": [NEW]}, kube)

    assert standing(kube) == before


async def test_what_is_written_meanwhile_is_not_lost(kube: FakeKube) -> None:
    reread, reads = kube.reread, 0

    async def overtaken(*place: str) -> Any:
        nonlocal reads
        reads += 1
        body = await reread(*place)
        if reads == 1:
            kube.put(model(field("kubectl-annotate"), words="Ada: more"))
        return body

    kube.reread = overtaken  # type: ignore[method-assign]
    await take_off(model(), {"requests": [NEW]}, kube)

    assert (standing(kube), reads) == ("Ada: more", 2)


async def test_a_write_that_comes_between_is_followed_by_another_try(kube: FakeKube) -> None:
    reread, reads = kube.reread, 0

    async def overtaken(*place: str) -> Any:
        nonlocal reads
        reads += 1
        body = await reread(*place)
        if reads == 1:
            kube.put(model(field("kubectl-annotate")) | {"status": {"phase": "Serving"}})
        return body

    kube.reread = overtaken  # type: ignore[method-assign]
    await take_off(model(), {"requests": [NEW]}, kube)

    assert (standing(kube), reads) == (None, 2)


async def test_what_may_not_be_removed_stays_and_stops_nothing(kube: FakeKube) -> None:
    kube.refusing["Model", "nsw-price"] = ClusterRefusalError("403")

    await take_off(model(), {"requests": [NEW]}, kube)

    assert standing(kube) == WORDS


async def test_an_object_that_is_gone_is_nothing_to_take_off_from(kube: FakeKube) -> None:
    await kube.delete("Model", NAMESPACE, "nsw-price")

    await take_off(model(), {"requests": [NEW]}, kube)

    assert kube.writes[-1][0] == "delete"


SLIP = "fairlead.dev/abbort"


@pytest.mark.parametrize(
    ("manager", "operation", "stays"),
    [
        pytest.param("kubectl-annotate", "Update", False, id="a person wrote it"),
        pytest.param("argocd-controller", "Apply", True, id="a manifest has it"),
        pytest.param("fairlead", "Update", True, id="an operator of a later release wrote it"),
    ],
)
async def test_what_nobody_reads_is_taken_off(
    kube: FakeKube, manager: str, operation: str, *, stays: bool
) -> None:
    body = model(field(manager, operation, SLIP))
    body["metadata"]["annotations"] |= {SLIP: "x"}
    kube.put(body)

    await take_off_unread(body, kube)

    left = kube.objects["Model", NAMESPACE, "nsw-price"]["metadata"]["annotations"]
    assert (SLIP in left) is stays
    assert RETRAIN in left


async def test_what_is_told_already_costs_no_call(kube: FakeKube) -> None:
    body = model(field("helm", annotation=SLIP))
    body["metadata"]["annotations"] |= {SLIP: "x"}
    words = explain_unread("Model", body["metadata"]["annotations"])
    told = {"type": "AnnotationsRead", "status": "False", "reason": "r", "message": words}
    kube.fail_next = [AssertionError("a call")]

    await take_off_unread(body | {"status": {"conditions": [told]}}, kube)
    await take_off_unread(model(), kube)


@pytest.mark.parametrize("gone", [True, False], ids=["it is gone", "it may not be changed"])
async def test_what_nobody_reads_stops_nothing(kube: FakeKube, *, gone: bool) -> None:
    body = model(field("kubectl-annotate", annotation=SLIP))
    body["metadata"]["annotations"] |= {SLIP: "x"}
    kube.put(body)
    if gone:
        await kube.delete("Model", NAMESPACE, "nsw-price")
    kube.refusing["Model", "nsw-price"] = ClusterRefusalError("403")

    await take_off_unread(body, kube)
