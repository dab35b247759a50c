"""Which route of a Model reaches Envoy."""

import json
from collections.abc import Collection, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_serving.gateway.routes.endpoints import Endpoint, Found
from fairlead_serving.gateway.routes.route import Route, parse_route
from fairlead_serving.gateway.routes.trips import Trip, Tripped
from fairlead_serving.gateway.xds.assembly import Assembly, RouteDocument, assemble
from fairlead_serving.gateway.xds.snapshot import Snapshot

POD = (Endpoint(address="10.0.0.1", port=3000),)
BOTH = {"m-1": POD, "m-2": POD}
ALL_READY = Found(endpoints=BOTH, ready=frozenset(BOTH))


def text(weights: Mapping[str, int], *, revision: str = "new", **changes: Any) -> str:
    versions = [
        {"version": version, "weight": weight, "service": f"m-{version}"}
        for version, weight in weights.items()
    ]
    return json.dumps(
        {
            "model": "m",
            "namespace": "n",
            "revision": revision,
            "hosts": ["m"],
            "timeoutSeconds": 1,
            "versions": versions,
        }
        | changes
    )


def route(weights: Mapping[str, int]) -> Route:
    return parse_route(text(weights, revision="old"), namespace="n", model="m")


def assembled(
    document: str,
    *,
    current: Mapping[str, int] | None = None,
    endpoints: Mapping[str, tuple[Endpoint, ...]] = BOTH,
    ready: Collection[str] | None = None,
    refused: Mapping[tuple[str, str], str] | None = None,
    tripped: Tripped | None = None,
) -> Assembly:
    return assemble(
        [RouteDocument(model="m", text=document)],
        Found(endpoints=endpoints, ready=frozenset(endpoints if ready is None else ready)),
        namespace="n",
        last_good={} if current is None else {"m": route(current)},
        refused=refused or {},
        tripped={"m": tripped} if tripped else {},
    )


def revisions(assembly: Assembly) -> list[str]:
    return [each.revision for each in assembly.snapshot.routes]


def test_a_good_route_goes_in_with_its_endpoints() -> None:
    assembly = assembled(text({"2": 10, "1": 90}), endpoints=BOTH | {"stranger": POD})

    assert revisions(assembly) == ["new"]
    assert assembly.snapshot.endpoints == BOTH
    assert (assembly.errors, assembly.waiting) == ({}, {})


def test_a_version_without_pods_has_an_empty_list() -> None:
    assembly = assembled(text({"1": 100}), endpoints={})

    assert assembly.snapshot.endpoints == {"m-1": ()}


@pytest.mark.parametrize(
    ("current", "kept"),
    [
        pytest.param({"1": 100}, ["old"], id="the last good one stays"),
        pytest.param(None, [], id="nothing, where nothing was"),
    ],
)
def test_an_invalid_document(current: dict[str, int] | None, kept: list[str]) -> None:
    assembly = assembled(text({"1": 99}), current=current)

    assert revisions(assembly) == kept
    assert assembly.errors == {"m": "weights add up to 99, expected 100"}


def test_what_envoy_refused_is_not_sent_again() -> None:
    refused = {("m", "new"): "no such thing"}

    assembly = assembled(text({"2": 100}), current={"1": 100}, refused=refused)

    assert revisions(assembly) == ["old"]
    assert assembly.errors == {"m": "Envoy refused the route: no such thing"}


@pytest.mark.parametrize(
    ("current", "wanted", "with_pods", "goes"),
    [
        pytest.param({"1": 100}, {"2": 10, "1": 90}, "12", True, id="pods everywhere"),
        pytest.param({"1": 100}, {"2": 10, "1": 90}, "1", False, id="candidate without pods"),
        pytest.param({"1": 100}, {"2": 0, "1": 100}, "1", True, id="warm candidate: no traffic"),
        pytest.param({"2": 50, "1": 50}, {"1": 100}, "1", True, id="rollback from dead pods"),
        pytest.param({"2": 50, "1": 50}, {"1": 100}, "12", True, id="rollback"),
        pytest.param({"2": 100}, {"1": 100}, "2", False, id="rollback onto nothing"),
        pytest.param({"2": 100}, {"1": 100}, "", True, id="nothing either way"),
        pytest.param(None, {"1": 100}, "", True, id="first route"),
    ],
)
def test_traffic_waits_for_pods(
    current: dict[str, int] | None, wanted: dict[str, int], with_pods: str, *, goes: bool
) -> None:
    endpoints = {f"m-{version}": POD for version in with_pods}

    assembly = assembled(text(wanted), current=current, endpoints=endpoints)

    assert revisions(assembly) == (["new"] if goes else ["old"])
    assert bool(assembly.waiting) is not goes
    assert assembly.errors == {}


def test_what_is_waited_for_is_named() -> None:
    assembly = assembled(text({"2": 10, "1": 90}), current={"1": 100}, endpoints={"m-1": POD})

    assert assembly.waiting == {"m": "no ready endpoint for version 2"}


GUARD = {
    "id": "g",
    "versions": ["2"],
    "fallback": "1",
    "minRequests": 10,
    "maxFailureRatio": 0.5,
    "windowSeconds": 2,
}
TRIPPED = {"2": Trip(guard_id="g", at="", message="", requests=10, failures=10)}


@pytest.mark.parametrize(
    ("document", "weights", "is_over"),
    [
        pytest.param(
            text({"2": 30, "1": 70}, guard=GUARD), {"2": 0, "1": 100}, False, id="newer weights"
        ),
        pytest.param(
            text({"2": 100, "1": 0}, guard=GUARD), {"2": 0, "1": 100}, False, id="all of it"
        ),
        pytest.param(
            text({"2": 30, "1": 70}, guard=GUARD | {"id": "h"}),
            {"2": 30, "1": 70},
            True,
            id="the next rollout",
        ),
        pytest.param(text({"1": 100}), {"1": 100}, True, id="the operator has rolled back"),
        pytest.param("{", {"2": 0, "1": 100}, False, id="a document that is not valid"),
    ],
)
def test_what_has_tripped_stays_out_while_its_guard_is_there(
    document: str, weights: Mapping[str, int], *, is_over: bool
) -> None:
    guarded = parse_route(
        text({"2": 20, "1": 80}, revision="old", guard=GUARD), namespace="n", model="m"
    )

    snapshot = assemble(
        [RouteDocument(model="m", text=document)],
        ALL_READY,
        namespace="n",
        last_good={"m": guarded},
        refused={},
        tripped={"m": TRIPPED},
    ).snapshot

    assert snapshot.routes[0].weights == weights
    assert (snapshot.tripped == {}) is is_over


def test_a_version_without_pods_that_has_tripped_holds_up_nothing() -> None:
    wanted = text({"2": 30, "1": 70}, guard=GUARD)

    assembly = assembled(wanted, current={"1": 100}, endpoints={"m-1": POD}, tripped=TRIPPED)

    assert assembly.waiting == {}


@pytest.mark.parametrize(
    ("endpoints", "ready", "weights"),
    [
        pytest.param(BOTH, BOTH, {"2": 30, "1": 70}, id="both are ready"),
        pytest.param({"m-1": POD}, ["m-1"], {"2": 0, "1": 100}, id="the candidate's pods are gone"),
        pytest.param(BOTH, ["m-1"], {"2": 0, "1": 100}, id="they are there, and not ready"),
        pytest.param(BOTH, [], {"2": 30, "1": 70}, id="nobody is ready: who looks may be ill"),
        pytest.param(BOTH, ["m-2"], {"2": 30, "1": 70}, id="stable is not ready"),
    ],
)
def test_the_fallback_answers_for_a_candidate_without_a_ready_pod(
    endpoints: Mapping[str, tuple[Endpoint, ...]],
    ready: Collection[str],
    weights: Mapping[str, int],
) -> None:
    document = text({"2": 30, "1": 70}, guard=GUARD)

    assembly = assembled(document, current={"2": 20, "1": 80}, endpoints=endpoints, ready=ready)

    if not assembly.waiting:  # it keeps what it has, and that names no fallback
        assert assembly.snapshot.routes[0].weights == weights
    again = assembled(document, endpoints=endpoints, ready=ready)
    assert again.snapshot.routes[0].weights == weights
    assert again.accepted["m"].weights == {"2": 30, "1": 70}, "it would not come back"


def test_endpoints_go_after_the_weight_that_was_sent_there() -> None:
    document = RouteDocument(model="m", text=text({"2": 30, "1": 70}, guard=GUARD))
    gone = Found(endpoints={"m-1": POD}, ready=frozenset({"m-1"}))

    def after(published: Snapshot | None) -> Assembly:
        return assemble(
            [document],
            gone,
            namespace="n",
            last_good={},
            refused={},
            tripped={},
            published=published,
        )

    before = assembled(document.text).snapshot
    first = after(before)
    second = after(first.snapshot)

    assert first.snapshot.routes[0].weights == {"2": 0, "1": 100}
    assert (first.snapshot.endpoints, first.lingers) == (BOTH, True)
    assert (second.snapshot.endpoints, second.lingers) == ({"m-1": POD, "m-2": ()}, False)
    assert second == after(None)


def test_a_dispute_over_a_host_does_not_hold_back_the_weights() -> None:
    documents = [
        RouteDocument(model="a", text=text({"1": 100}, model="a", hosts=["shared"])),
        RouteDocument(model="m", text=text({"1": 100}, hosts=["m", "shared"])),
    ]

    assembly = assemble(documents, ALL_READY, namespace="n", last_good={}, refused={}, tripped={})

    assert [each.hosts for each in assembly.snapshot.routes] == [("shared",), ("m",)]
    assert assembly.accepted["m"].hosts == ("m", "shared")
    assert assembly.errors == {"m": "host taken by another Model: shared (of Model a)"}


@given(st.text() | st.binary().map(lambda raw: raw.decode("latin-1")))
def test_no_document_does_anything_to_another_model(broken: str) -> None:
    documents = [
        RouteDocument(model="a", text=broken),
        RouteDocument(model="m", text=text({"1": 100})),
    ]

    assembly = assemble(documents, ALL_READY, namespace="n", last_good={}, refused={}, tripped={})

    assert revisions(assembly) == ["new"]
    assert set(assembly.errors) == {"a"}


def test_a_model_without_document_has_no_route() -> None:
    assembly = assemble(
        [], ALL_READY, namespace="n", last_good={"m": route({"1": 100})}, refused={}, tripped={}
    )

    assert assembly.snapshot.routes == ()


_weights = st.integers(0, 100).map(lambda weight: {"2": weight, "1": 100 - weight})


@given(
    current=_weights,
    wanted=_weights,
    pods=st.sets(st.sampled_from(["m-1", "m-2"])).map(lambda names: dict.fromkeys(names, POD)),
)
def test_no_change_takes_traffic_from_pods_to_nowhere(
    current: dict[str, int], wanted: dict[str, int], pods: dict[str, tuple[Endpoint, ...]]
) -> None:
    def reach(weights: Mapping[str, int]) -> int:
        return sum(weight for version, weight in weights.items() if f"m-{version}" in pods)

    (chosen,) = assembled(text(wanted), current=current, endpoints=pods).snapshot.routes

    assert reach(chosen.weights) >= min(reach(current), reach(wanted))
    assert reach(chosen.weights) >= reach(current)
