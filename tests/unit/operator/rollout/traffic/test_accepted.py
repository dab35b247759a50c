"""What the Gateways of the cluster say of a route: in force, or doubt."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_operator.api.gateway import GatewaySpec
from fairlead_operator.api.phases.rollout import RouteReason
from fairlead_operator.kube.metadata import Owner
from fairlead_operator.rollout.traffic.accepted import SETTLE, read_http_routes
from fairlead_operator.rollout.traffic.http_route import build_http_routes
from fairlead_operator.rollout.traffic.route import build_route
from support.builders import NOW

OWNER = Owner(kind="Model", namespace="energy", name="nsw-price", uid="1")
GATEWAY = GatewaySpec.model_validate(
    {
        "kind": "GatewayAPI",
        "parentRefs": [{"name": "models", "namespace": "gateways"}, {"name": "inner"}],
        "hostnames": ["nsw-price.example.com"],
    }
)
VERSIONS = (("1.1.0", 10), ("1.0.0", 90))


def built(*versions: tuple[str, int]) -> dict[str, Any]:
    route = build_route(versions or VERSIONS, owner=OWNER, timeout=timedelta(seconds=10))
    return build_http_routes(route, owner=OWNER, gateway=GATEWAY)[0]


def condition(kind: str, *, generation: int = 4, status: str = "True") -> dict[str, Any]:
    return {
        "type": kind,
        "status": status,
        "observedGeneration": generation,
        "reason": "NoMatchingListenerHostname",
        "message": "no listener takes the host",
    }


def parent(
    name: str = "models", namespace: str = "gateways", *conditions: dict[str, Any]
) -> dict[str, Any]:
    return {
        "parentRef": {
            "group": "gateway.networking.k8s.io",
            "kind": "Gateway",
            "name": name,
            "namespace": namespace,
        },
        "conditions": list(conditions or (condition("Accepted"), condition("ResolvedRefs"))),
    }


BOTH = (parent(), parent("inner", "energy"))
SILENT = parent() | {"conditions": []}


def live(
    *parents: dict[str, Any], written: timedelta = SETTLE, name: str = "nsw-price-route"
) -> dict[str, Any]:
    route = built()
    route["metadata"]["name"] = name
    moment = (NOW - written).isoformat().replace("+00:00", "Z")
    route["metadata"] |= {
        "generation": 4,
        "managedFields": [
            {"manager": "fairlead", "operation": "Apply", "time": moment},
            {"manager": "envoy-gateway", "subresource": "status", "time": "2027-01-01T00:00:00Z"},
        ],
    }
    return route | {"status": {"parents": list(parents)}}


@pytest.mark.parametrize(
    ("route", "reason", "words"),
    [
        pytest.param(None, RouteReason.PENDING, "not written", id="no route yet"),
        pytest.param(live(), RouteReason.PENDING, "Gateway gateways/models says nothing",
                     id="no Gateway has seen it"),
        pytest.param(live(BOTH[0]), RouteReason.PENDING, "Gateway energy/inner says nothing",
                     id="one Gateway of two has seen it"),
        pytest.param(live(parent("models", "gateways", condition("Accepted")), BOTH[1]),
                     RouteReason.PENDING, "does not say yet whether ResolvedRefs is true",
                     id="half of the word"),
        pytest.param(live(SILENT, BOTH[1]),
                     RouteReason.PENDING, "reports no conditions", id="an entry without words"),
        pytest.param(
            live(parent("models", "gateways", condition("Accepted", generation=3),
                        condition("ResolvedRefs")), BOTH[1]),
            RouteReason.PENDING, "has not looked", id="the word is about an older route"),
        pytest.param(
            live(parent("models", "gateways", condition("Accepted", status="False"),
                        condition("ResolvedRefs")), BOTH[1]),
            RouteReason.REFUSED, "NoMatchingListenerHostname: no listener takes the host",
            id="a Gateway refuses it"),
        pytest.param(
            live(*BOTH, parent("models", "gateways", condition("Accepted"),
                               condition("ResolvedRefs", status="False"))),
            RouteReason.REFUSED, "does not carry the route: ResolvedRefs is False",
            id="one controller of two refuses it"),
        pytest.param(live(*BOTH, written=SETTLE / 2), RouteReason.PENDING, "proxies have 3 s",
                     id="accepted a moment ago"),
    ],
)  # fmt: skip
def test_doubt_is_no_weight(route: dict[str, Any] | None, reason: RouteReason, words: str) -> None:
    found = read_http_routes([route] if route else [], "nsw-price", now=NOW)

    assert found.reason is reason
    assert words in found.message
    assert found.weight_of("nsw-price", "1.1.0") is None


@pytest.mark.parametrize(
    ("routes", "unheard"),
    [
        pytest.param([], True, id="no route yet"),
        pytest.param([live()], True, id="no Gateway says anything"),
        pytest.param([live(SILENT)], True, id="one without words"),
        pytest.param([live(BOTH[0])], False, id="one of two has seen it"),
        pytest.param(
            [live(parent("models", "gateways", condition("Accepted", generation=3)))],
            False,
            id="an older route was accepted",
        ),
        pytest.param(
            [live(*BOTH), live(name="nsw-price-preview")], False, id="the preview's alone"
        ),
    ],
)
def test_a_route_that_no_gateway_ever_spoke_of(routes: list[dict[str, Any]], unheard: bool) -> None:
    assert read_http_routes(routes, "nsw-price", now=NOW).unheard is unheard


def test_a_clock_far_behind_the_api_server_s_does_not_hold_a_route_up() -> None:
    route = live(*BOTH, written=timedelta(hours=-1))

    found = read_http_routes([route], "nsw-price", now=NOW)

    assert found.reason is RouteReason.ACCEPTED


def test_what_every_gateway_accepted_is_in_force() -> None:
    found = read_http_routes([live(*BOTH)], "nsw-price", now=NOW)

    assert found.reason is RouteReason.ACCEPTED
    assert found.message == "accepted by Gateway gateways/models, Gateway energy/inner"
    assert found.weight_of("nsw-price", "1.1.0") == 10
    assert found.weight_of("nsw-price", "1.0.0") == 90
    assert found.weight_of("nsw-price", "2.0.0") == 0


def test_a_preview_nobody_can_reach_is_doubt() -> None:
    refusal = parent(
        "models", "gateways", condition("Accepted", status="False"), condition("ResolvedRefs")
    )
    waiting = live(refusal, BOTH[1], name="nsw-price-preview")

    found = read_http_routes([live(*BOTH), waiting], "nsw-price", now=NOW)

    assert (found.reason, found.preview) == (RouteReason.REFUSED, True)
    assert found.message.startswith(
        "preview: Gateway gateways/models does not carry the route: Accepted is False"
    )
    assert found.weight_of("nsw-price", "1.1.0") is None


def test_a_preview_beside_a_route_in_force_changes_no_weight() -> None:
    preview = live(*BOTH, name="nsw-price-preview")

    found = read_http_routes([preview, live(*BOTH)], "nsw-price", now=NOW)

    assert (found.reason, found.preview) == (RouteReason.ACCEPTED, True)
    assert found.weight_of("nsw-price", "1.1.0") == 10


shares = st.integers(0, 100).map(lambda weight: (("1.1.0", weight), ("1.0.0", 100 - weight)))


@given(shares)
def test_what_is_written_is_what_is_read_back(versions: tuple[tuple[str, int], ...]) -> None:
    route = built(*versions)
    route["metadata"]["generation"] = 4
    route["status"] = {"parents": list(BOTH)}

    found = read_http_routes([route], "nsw-price", now=NOW)

    assert {version: found.weight_of("nsw-price", version) for version, _ in versions} == dict(
        versions
    )


def test_an_implementation_that_leaves_out_the_generation_is_believed() -> None:
    said = [condition(kind) for kind in ("Accepted", "ResolvedRefs")]
    for each in said:
        del each["observedGeneration"]
    route = live(parent("models", "gateways", *said), BOTH[1])

    assert read_http_routes([route], "nsw-price", now=NOW).reason is RouteReason.ACCEPTED


def test_of_several_entries_for_a_gateway_one_without_conditions_says_nothing() -> None:
    route = live(*BOTH, SILENT)

    assert read_http_routes([route], "nsw-price", now=NOW).reason is RouteReason.ACCEPTED
