"""A host name is whose accepted route has it; of wishes, only those of one namespace count."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from fairlead_operator.api.gateway import GatewaySpec
from fairlead_operator.kube.hosts import find_taken, leave_out
from fairlead_operator.kube.metadata import Owner
from support.fakes import Clock, FakeKube

PUBLIC = {"name": "public", "namespace": "gateways"}
INSIDE, OUTSIDE = PUBLIC | {"sectionName": "inside"}, PUBLIC | {"sectionName": "outside"}
CLOSED = {"accepted": False}


class Cluster:
    """Models at Gateways, each a minute younger than the one before."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.kube = FakeKube(self.clock)

    def add(self, name: str, namespace: str = "energy", **gateway: Any) -> Owner:
        self.clock.advance(timedelta(minutes=1))
        at = {"kind": "GatewayAPI", "parentRefs": [PUBLIC], "hostnames": ["h"], **gateway}
        meta = {"namespace": namespace, "name": name}
        spec = {"serving": {"gateway": at}}
        return Owner.of(self.kube.put({"kind": "Model", "metadata": meta, "spec": spec}))

    def route(
        self, owner: Owner, *hosts: str, accepted: bool = True, end: str = "route", **at: Any
    ) -> None:
        """Write a route of a Model, and what its Rollout says of it."""
        self.clock.advance(timedelta(minutes=1))
        parents = [at.get("parent", PUBLIC)]
        said = [
            {
                "parentRef": at.get("by", parents[0]),
                "conditions": [
                    {"type": "Accepted", "status": "True" if accepted else "False"},
                    {"type": "ResolvedRefs", "status": "True"},
                ],
            }
        ]
        meta = {"namespace": owner.namespace, "name": f"{owner.name}-{end}"}
        self.kube.put(
            {
                "kind": "HTTPRoute",
                "metadata": {**meta, "ownerReferences": [{"uid": at.get("uid", owner.uid)}]},
                "spec": {"hostnames": list(hosts), "parentRefs": parents},
                "status": {"parents": said},
            }
        )
        self.kube.put(
            {
                "kind": "Rollout",
                "metadata": {"namespace": owner.namespace, "name": f"{owner.name}-1"},
                "spec": {"model": owner.name},
                "status": {"gateway": {"kind": "GatewayAPI", "hostnames": list(hosts)}},
            }
        )

    async def find(self, owner: Owner, **gateway: Any) -> Mapping[str, str]:
        return await find_taken(owner, self.wish(**gateway), self.kube)

    def wish(self, **gateway: Any) -> GatewaySpec:
        at = {"kind": "GatewayAPI", "parentRefs": [PUBLIC], "hostnames": ["h"], **gateway}
        return GatewaySpec.model_validate(at)


@pytest.mark.parametrize(
    ("namespace", "route", "taken"),
    [
        pytest.param("energy", None, True, id="asked for, by an older one of the namespace"),
        pytest.param("evil", None, False, id="asked for, in another namespace"),
        pytest.param("evil", {}, True, id="in a route, in another namespace"),
        pytest.param("evil", CLOSED, False, id="in a route that is refused"),
        pytest.param("evil", {"end": "preview"}, True, id="in the route of a preview"),
        pytest.param("evil", {"uid": "another's"}, False, id="in a route of somebody else"),
        pytest.param("evil", {"parent": INSIDE}, True, id="at one listener of all"),
        pytest.param("evil", {"parent": {"name": "public"}}, False, id="at a Gateway of its own"),
        pytest.param("evil", {"by": INSIDE}, False, id="accepted where it does not ask"),
    ],
)
async def test_a_host_name_is_taken(
    namespace: str, route: Mapping[str, Any] | None, taken: bool
) -> None:
    cluster = Cluster()
    other = cluster.add("other", namespace)
    if route is not None:
        cluster.route(other, "h", **route)

    assert bool(await cluster.find(cluster.add("ours"))) is taken


@pytest.mark.parametrize(
    ("ours", "theirs", "taken"),
    [
        pytest.param({}, {}, False, id="our route is older"),
        pytest.param(CLOSED, {}, True, id="ours is refused"),
        pytest.param({}, CLOSED, False, id="theirs is refused"),
        pytest.param({"parent": INSIDE}, {"parent": OUTSIDE}, True, id="at other listeners"),
    ],
)
async def test_of_two_routes_the_oldest_that_was_accepted_has_the_name(
    ours: Mapping[str, Any], theirs: Mapping[str, Any], taken: bool
) -> None:
    cluster = Cluster()
    other, owner = cluster.add("other", "trade"), cluster.add("ours")
    cluster.route(owner, "h", **ours)
    cluster.route(other, "h", **theirs)
    at = {"parentRefs": [OUTSIDE]} if "parent" in ours else {}

    assert bool(await cluster.find(owner, **at)) is taken
    assert (await leave_out({"h": "its"}, owner, cluster.wish(), cluster.kube)).hostnames == ("h",)


async def test_a_route_counts_whatever_its_model_asks_for_by_now() -> None:
    cluster = Cluster()
    cluster.route(cluster.add("other", hostnames=["y"]), "h")

    assert [*await cluster.find(cluster.add("ours"), hostnames=["g", "h"])] == ["h"]


@pytest.mark.parametrize(
    ("live", "hosts", "previews", "left"),
    [
        pytest.param("", "ab", "", ("a", ""), id="a name that is another's"),
        pytest.param("", "a", "b", ("a", ""), id="that of a preview"),
        pytest.param("b", "ab", "", ("ab", ""), id="none that our route has"),
        pytest.param("c", "b", "", ("c", ""), id="all: the route keeps what it has"),
        pytest.param("c", "b", "cd", ("c", "d"), id="all, and what it has is to be a preview"),
        pytest.param("", "b", "d", ("", "d"), id="all, without a route"),
    ],
)
async def test_what_is_another_s_is_left_out(
    live: str, hosts: str, previews: str, left: tuple[str, str]
) -> None:
    cluster = Cluster()
    owner = cluster.add("ours")
    if live:
        cluster.route(owner, *live)
    wish = cluster.wish(hostnames=[*hosts], previewHostnames=[*previews] or None)

    gateway = await leave_out({"b": "another's"}, owner, wish, cluster.kube)

    assert ("".join(gateway.hostnames or ""), "".join(gateway.preview_hostnames or "")) == left
