"""Whose an object is, and what is done to one that is not ours: nothing."""

from collections.abc import Mapping
from typing import Any

import pytest

from fairlead_operator.errors import ClusterRefusalError, ConflictError, TakenError
from fairlead_operator.kube.database_secret import name_database_secret
from fairlead_operator.kube.metadata import Owner, component_labels
from fairlead_operator.kube.owned import (
    apply_owned,
    check_names,
    create_once,
    is_marked,
    is_ours,
    name_route,
    name_server,
    remove_owned,
)
from fairlead_operator.model.manifests import build_address
from fairlead_operator.namespace.gateway import build_gateway
from fairlead_operator.rollout.servers.manifests import build_preview
from fairlead_operator.training_run.manifests import job_labels, name_job
from support.fakes import Clock, FakeKube
from support.world import SETTINGS

OWNER = Owner(kind="Model", namespace="energy", name="web", uid="uid-of-web")
LABELS = component_labels("address", "web")
PLACE = ("Service", "energy", "web")


def service(
    labels: Mapping[str, str] = LABELS, owners: tuple[str, ...] = (OWNER.uid,)
) -> dict[str, Any]:
    references = [OWNER.reference() | {"uid": uid} for uid in owners]
    meta = {"namespace": "energy", "name": "web", "labels": dict(labels)}
    return {"kind": "Service", "metadata": meta | {"ownerReferences": references}}


GATEWAY = service(component_labels("gateway"), ())
OURS = service()


@pytest.mark.parametrize(
    ("manifest", "live", "expected"),
    [
        pytest.param(OURS, service(), True, id="owner and labels"),
        pytest.param(OURS, service({}), True, id="the owner suffices"),
        pytest.param(OURS, service({}, ("another", OWNER.uid)), True, id="one owner of several"),
        pytest.param(OURS, service(LABELS, ()), True, id="the labels suffice"),
        pytest.param(OURS, service(LABELS, ("before",)), True, id="of the Model made anew"),
        pytest.param(OURS, service({**LABELS, "team": "a"}, ()), True, id="more labels than ours"),
        pytest.param(OURS, service({}, ()), False, id="neither"),
        pytest.param(OURS, service({"app": "web"}, ("another",)), False, id="a person's"),
        pytest.param(
            OURS, service(component_labels("address", "api"), ()), False, id="another Model's"
        ),
        pytest.param(
            OURS, service(component_labels("server", "web"), ()), False, id="another component's"
        ),
        pytest.param(
            service(component_labels("server", "web", "1.0.0")),
            service(component_labels("server", "web", "1.1.0"), ()), False, id="another version's",
        ),
        pytest.param(
            service(job_labels("search", model="web", run="a-b"), ("a-b",)),
            service(job_labels("search", model="web", run="a.b"), ("a.b",)), False,
            id="another training's",
        ),
        pytest.param(
            service(component_labels("server", "web", "1.0.0")),
            service(component_labels("server", "api", "1.0.0")), True,
            id="ours, with labels that a person changed",
        ),
        pytest.param(
            OURS, service(LABELS | {"app.kubernetes.io/managed-by": "Helm"}, ()), False,
            id="another manager's",
        ),
        pytest.param(GATEWAY, GATEWAY, True, id="shared: the labels decide"),
        pytest.param(GATEWAY, service({}, ()), False, id="shared: without labels"),
        pytest.param(
            GATEWAY, service(component_labels("gateway", "web"), ()), False, id="shared: a Model's"
        ),
        pytest.param(service({}, ()), service({}, ()), False, id="no marks are no claim"),
    ],
)  # fmt: skip
def test_whose_an_object_is(manifest: dict[str, Any], live: dict[str, Any], expected: bool) -> None:
    assert is_ours(manifest, live) is expected


WEB = {"fairlead.dev/model": "web"}
SERVER = {**WEB, "fairlead.dev/component": "server", "fairlead.dev/version": "1.0.0"}
SEARCH = {**WEB, "fairlead.dev/training-run": "web", "fairlead.dev/stage": "search"}
EARLIER = [
    (build_address(OWNER), {**WEB, "fairlead.dev/component": "address"}),
    (build_preview(OWNER), {**WEB, "fairlead.dev/component": "address"}),
    *((name, SERVER) for name in name_server(OWNER, "1.0.0", autoscaler="ScaledObject")),
    *(
        (name, {**WEB, "fairlead.dev/component": "route"})
        for built_in in (True, False)
        for name in name_route(OWNER, built_in=built_in)
    ),
    (name_job("search", OWNER, model="web"), {**SEARCH, "fairlead.dev/component": "trainer"}),
    (name_database_secret("energy"), {"fairlead.dev/component": "trainer"}),
    *(
        (part, {"fairlead.dev/component": "gateway"})
        for part in build_gateway("energy", images=SETTINGS.images, replicas=1)
    ),
]


@pytest.mark.parametrize(("manifest", "labels"), EARLIER, ids=lambda value: value.get("kind", ""))
def test_what_earlier_operators_made_is_ours(
    manifest: dict[str, Any], labels: dict[str, str]
) -> None:
    """Word for word: after an upgrade these labels must still be the same."""
    live = service({"app.kubernetes.io/managed-by": "fairlead", **labels}, ())

    assert is_ours(manifest, live)


@pytest.mark.parametrize(
    ("manifest", "expected"),
    [(OURS, True), (GATEWAY, True), (service({}), True), (service({}, ()), False)],
    ids=["owned and labelled", "labelled", "owned", "an Event"],
)
def test_what_says_whom_it_is_for(manifest: dict[str, Any], expected: bool) -> None:
    assert is_marked(manifest) is expected


@pytest.fixture
def api() -> FakeKube:
    return FakeKube(Clock())


@pytest.mark.parametrize("known", [True, False], ids=["known", "not known"])
@pytest.mark.parametrize("exists", [True, False], ids=["it is there", "it is not"])
async def test_ours_is_applied_whatever_is_known_of_it(
    api: FakeKube, exists: bool, known: bool
) -> None:
    live = service() | {"metadata": service()["metadata"] | {"uid": "gone"}}
    if exists:
        live = api.put(service(LABELS, ()))

    await apply_owned(OURS, live if known else None, api)

    owners = api.objects[PLACE]["metadata"]["ownerReferences"]
    assert [owner["uid"] for owner in owners] == [OWNER.uid]


SETTINGS_MAP = {**OURS, "kind": "ConfigMap", "data": {"a": "2"}}


@pytest.mark.parametrize("known", [True, False], ids=["known", "not known"])
async def test_ours_is_exchanged_where_it_was_made_immutable(api: FakeKube, known: bool) -> None:
    sealed = api.put({**SETTINGS_MAP, "data": {"a": "1"}, "immutable": True})

    await apply_owned(SETTINGS_MAP, sealed if known else None, api)

    live = api.objects["ConfigMap", "energy", "web"]
    assert (live["data"], live.get("immutable")) == ({"a": "2"}, None)
    assert live["metadata"]["uid"] != sealed["metadata"]["uid"]


async def test_ours_is_exchanged_though_others_write_what_is_in_it(api: FakeKube) -> None:
    without = {key: value for key, value in SETTINGS_MAP.items() if key != "data"}
    sealed = api.put({**without, "immutable": True})

    await apply_owned(without, sealed, api)

    live = api.objects["ConfigMap", "energy", "web"]
    assert live.get("immutable") is None
    assert live["metadata"]["uid"] != sealed["metadata"]["uid"]


async def test_what_is_refused_otherwise_is_not_exchanged(api: FakeKube) -> None:
    live = api.put({**SETTINGS_MAP, "data": {"a": "1"}, "immutable": True})
    api.refusing["ConfigMap", "web"] = ClusterRefusalError("422 denied by a policy")

    with pytest.raises(ClusterRefusalError):
        await apply_owned(SETTINGS_MAP, live, api)

    assert api.objects["ConfigMap", "energy", "web"]["data"] == {"a": "1"}


@pytest.mark.parametrize("known", [True, False], ids=["known", "not known"])
@pytest.mark.parametrize(
    ("labels", "words"),
    [
        pytest.param(
            {"app": "web"},
            "Service web exists and is not ours: it carries neither our owner reference nor the "
            "labels app.kubernetes.io/managed-by: fairlead, fairlead.dev/component: address, "
            "fairlead.dev/model: web; rename the Model, or delete the Service",
            id="a person's",
        ),
        pytest.param(
            component_labels("server", "we", "b"),
            "Service web belongs to Model we, whose name or version makes the same name: rename "
            "Model web, or delete Model we",
            id="another Model's",
        ),
        pytest.param(
            component_labels("server", "web", "1.0.0"),
            "Service web exists and is not ours: it carries neither our owner reference nor the "
            "labels app.kubernetes.io/managed-by: fairlead, fairlead.dev/component: address, "
            "fairlead.dev/model: web; rename the Model, or delete the Service",
            id="the same Model's, for something else",
        ),
    ],
)
async def test_what_is_not_ours_is_named_and_left(
    api: FakeKube, labels: dict[str, str], words: str, known: bool
) -> None:
    live = api.put(service(labels, ()))
    before = len(api.writes)

    with pytest.raises(TakenError) as refusal:
        await apply_owned(OURS, live if known else None, api)

    assert str(refusal.value) == words
    assert len(api.writes) == before


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        pytest.param({}, "delete or rename the Service", id="a person's"),
        pytest.param(component_labels("server", "api"), "delete or rename the", id="a Model's"),
    ],
)
async def test_what_belongs_to_no_model_asks_for_no_other_name_of_one(
    api: FakeKube, labels: dict[str, str], words: str
) -> None:
    api.put(service(labels, ()))

    with pytest.raises(TakenError, match=words):
        await apply_owned(GATEWAY, None, api)


async def test_what_is_exchanged_again_and_again_is_tried_later(api: FakeKube) -> None:
    async def exchanged(manifest: Mapping[str, Any]) -> dict[str, Any]:
        raise ConflictError("PATCH web: 409")

    api.apply = exchanged  # type: ignore[method-assign]

    with pytest.raises(ConflictError):
        await apply_owned(OURS, None, api)


async def test_what_is_made_once_is_made_and_stays(api: FakeKube) -> None:
    made = await create_once(OURS, api)
    later = await create_once(OURS | {"spec": {"selector": {"app": "other"}}}, api)

    assert later == made
    assert [verb for verb, _, _ in api.writes] == ["create"]


@pytest.mark.parametrize(
    ("live", "error", "words"),
    [
        pytest.param(service({"app": "web"}, ()), TakenError, "Service web exists and is not ours",
                     id="theirs"),
        pytest.param(service(LABELS, ()), TakenError,
                     "Service web is what an earlier Model of this name left behind: delete it",
                     id="nobody's any more"),
        pytest.param(service(LABELS, ("before",)), ConflictError,
                     "Service web is of an earlier Model of this name, and goes with it",
                     id="of the Model that was before: it may take a moment"),
    ],
)  # fmt: skip
async def test_what_is_made_once_is_not_taken_from_another(
    api: FakeKube, live: dict[str, Any], error: type[Exception], words: str
) -> None:
    api.put(live)

    with pytest.raises(error, match=words):
        await create_once(OURS, api)

    assert [verb for verb, _, _ in api.writes] == ["put"]


async def test_all_that_was_left_behind_is_named_at_once(api: FakeKube) -> None:
    """Each was named only when the one before was deleted."""
    api.put(service(LABELS, ()))
    other = {"kind": "Rollout", "metadata": {"name": "web-rollout-2"}}

    with pytest.raises(TakenError) as taken:
        await create_once(OURS, api, beside=[service(LABELS, ()), other])

    assert str(taken.value) == (
        "Service web, Rollout web-rollout-2 are what an earlier Model of this name left behind: "
        "delete them"
    )


async def test_a_conflict_with_nothing_is_tried_later(api: FakeKube) -> None:
    """As that of a quota which many objects are counted in at the same time."""

    async def busy(manifest: Mapping[str, Any]) -> dict[str, Any]:
        raise ConflictError("POST web: 409 Operation cannot be fulfilled on resourcequotas")

    api.create = busy  # type: ignore[method-assign]

    with pytest.raises(ConflictError, match="resourcequotas"):
        await create_once(OURS, api)


async def test_names_are_checked_without_a_write(api: FakeKube) -> None:
    names = [*name_route(OWNER, built_in=True, preview=True), *name_server(OWNER, "1.0.0")]
    await check_names(names, api)
    api.put({"kind": "Service", "metadata": {"namespace": "energy", "name": "web-1-0-0"}})
    before = len(api.writes)

    with pytest.raises(TakenError, match=r"^Service web-1-0-0 exists and is not ours"):
        await check_names(names, api)
    api.put({"kind": "ConfigMap", "metadata": {"namespace": "energy", "name": "web-route"}})
    before += 1
    with pytest.raises(
        TakenError, match=r"ConfigMap web-route exists .*; Service web-1-0-0 exists"
    ):
        await check_names(names, api)

    assert len(api.writes) == before


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        pytest.param(
            name_route(OWNER, built_in=True), {("ConfigMap", "web-route")}, id="a route"
        ),
        pytest.param(
            name_route(OWNER, built_in=True, preview=True),
            {("ConfigMap", "web-route"), ("Service", "web-preview")}, id="with a preview",
        ),
        pytest.param(
            name_route(OWNER, built_in=False, preview=True),
            {("HTTPRoute", "web-route"), ("HTTPRoute", "web-preview")}, id="of another gateway",
        ),
        pytest.param(
            name_server(OWNER, "1.0.0"),
            {("Service", "web-1-0-0"), ("Deployment", "web-1-0-0")}, id="a server",
        ),
        pytest.param(
            name_server(OWNER, "1.0.0", autoscaler="ScaledObject"),
            {(kind, "web-1-0-0") for kind in ("Service", "Deployment", "ScaledObject")},
            id="one that is scaled",
        ),
    ],
)  # fmt: skip
def test_the_names_that_are_needed(names: Any, expected: set[tuple[str, str]]) -> None:
    assert {(name["kind"], name["metadata"]["name"]) for name in names} == expected


@pytest.mark.parametrize(
    ("live", "stays"),
    [
        pytest.param(service(), False, id="ours"),
        pytest.param(service(LABELS, ()), False, id="ours, by its labels"),
        pytest.param(service({"app": "web"}), False, id="ours, by its owner"),
        pytest.param(service({"app": "web"}, ("another",)), True, id="a person's"),
    ],
)
async def test_only_what_is_ours_is_removed(
    api: FakeKube, live: dict[str, Any], stays: bool
) -> None:
    api.put(live)

    await remove_owned(OURS, api)

    assert (PLACE in api.objects) is stays
