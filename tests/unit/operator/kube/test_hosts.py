"""Whose a host name is, of several Models that name it, and what a route keeps."""

from typing import Any

import pytest

from fairlead_operator.api.gateway import GatewaySpec
from fairlead_operator.kube.hosts import find_taken, leave_out
from fairlead_operator.kube.metadata import Owner
from support.conformance import model_at
from support.fakes import Clock, FakeKube

HOST, OTHER = "prices.example.com", "other.example.com"
OURS = Owner(kind="Model", namespace="energy", name="ours", uid="uid-ours")
EARLIER, NOW, LATER = (f"2026-01-0{day}T00:00:00Z" for day in (1, 2, 3))


def model(name: str, created: str, namespace: str = "energy", **gateway: Any) -> dict[str, Any]:
    body = model_at(namespace, name, {"hostnames": [HOST], **gateway})
    body["metadata"] |= {"uid": f"uid-{name}", "creationTimestamp": created}
    return body


def route(name: str, created: str, *hosts: str, owner: str | None = None) -> dict[str, Any]:
    owners = [{"uid": f"uid-{owner or name}"}]
    meta = {"namespace": "energy", "name": f"{name}-route", "creationTimestamp": created}
    spec = {"hostnames": list(hosts)}
    return {"kind": "HTTPRoute", "metadata": {**meta, "ownerReferences": owners}, "spec": spec}


def holding(*bodies: dict[str, Any]) -> FakeKube:
    kube = FakeKube(Clock())
    for body in bodies:
        kube.put(body)
    return kube


def gateway(*hosts: str, **more: Any) -> GatewaySpec:
    given = {"kind": "GatewayAPI", "parentRefs": [{"name": "public"}], "hostnames": list(hosts)}
    return GatewaySpec.model_validate(given | more)


@pytest.mark.parametrize(
    ("others", "whose"),
    [
        pytest.param([], None, id="nobody else names it"),
        pytest.param([model("a", LATER)], None, id="a younger Model"),
        pytest.param([model("a", EARLIER)], "Model a's", id="an older Model"),
        pytest.param([model("a", NOW)], "Model a's", id="of one age: the first by name"),
        pytest.param([model("z", NOW)], None, id="of one age: the last by name"),
        pytest.param(
            [model("a", LATER), route("a", LATER, HOST)], "Model a's", id="who has it in a route"
        ),
        pytest.param(
            [model("a", EARLIER), route("ours", LATER, HOST)], None, id="we have it in a route"
        ),
        pytest.param(
            [model("a", LATER), route("a", NOW, HOST), route("ours", LATER, HOST)],
            "Model a's",
            id="of two routes: the older",
        ),
        pytest.param(
            [model("a", LATER), route("a", NOW, OTHER)], None, id="its route has another yet"
        ),
        pytest.param(
            [model("a", LATER), route("a", NOW, HOST, owner="before")],
            None,
            id="the route of an earlier Model of that name",
        ),
        pytest.param(
            [model("a", EARLIER, kind="BuiltIn")], None, id="a Model that left the Gateway"
        ),
        pytest.param(
            [model("a", EARLIER, parentRefs=[{"name": "inner"}])], None, id="at another Gateway"
        ),
        pytest.param([model("a", EARLIER, "trade")], None, id="a Gateway of its own namespace"),
        pytest.param(
            [model("a", EARLIER, "trade", parentRefs=[{"name": "public", "namespace": "energy"}])],
            "a Model of another namespace's",
            id="of another namespace at the same Gateway",
        ),
    ],
)
async def test_whose_a_host_name_is(others: list[dict[str, Any]], whose: str | None) -> None:
    kube = holding(model("ours", NOW), *others)

    taken = await find_taken(OURS, gateway(HOST), kube)

    assert list(taken) == ([HOST] if whose else [])
    assert (
        f"the host name {HOST} is {whose} at the same Gateway" in taken.get(HOST, "") or not whose
    )


@pytest.mark.parametrize(
    ("live", "kept"),
    [
        pytest.param([], (OTHER,), id="what is not taken"),
        pytest.param(
            [route("ours", NOW, HOST)], (HOST, OTHER), id="and what the route has: all stays"
        ),
    ],
)
async def test_what_is_taken_is_left_out(live: list[dict[str, Any]], kept: tuple[str, ...]) -> None:
    left = await leave_out({HOST: "…"}, OURS, gateway(HOST, OTHER), holding(*live))

    assert left.hostnames == kept


async def test_where_all_are_taken_the_route_keeps_its_own() -> None:
    kube = holding(route("ours", NOW, OTHER))

    left = await leave_out({HOST: "…"}, OURS, gateway(HOST), kube)

    assert left.hostnames == (OTHER,)


@pytest.mark.parametrize(
    ("live", "kind"),
    [
        pytest.param([], "GatewayAPI", id="nothing yet"),
        pytest.param(
            [{"kind": "ConfigMap", "metadata": {"namespace": "energy", "name": "ours-route"}}],
            "BuiltIn",
            id="the built-in gateway goes on",
        ),
    ],
)
async def test_without_any_host_name_there_is_no_route(
    live: list[dict[str, Any]], kind: str
) -> None:
    left = await leave_out({HOST: "…"}, OURS, gateway(HOST), holding(*live))

    assert (left.kind, left.hostnames) == (kind, None)
