"""The route in the words of the Gateway API, and what its Gateways say: doubt is no weight."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fairlead_contract.http import cookie_value
from fairlead_operator.api.gateway import GatewaySpec
from fairlead_operator.api.policy import RolloutPolicy
from fairlead_operator.kube.metadata import Owner
from fairlead_operator.rollout.decision.plan import compile_plan
from fairlead_operator.rollout.traffic.http_route import (
    build_http_routes,
    find_unsupported,
)
from fairlead_operator.rollout.traffic.route import build_route

NOW = datetime(2026, 1, 1, tzinfo=UTC)
OWNER = Owner(kind="Model", namespace="energy", name="nsw-price", uid="1")
GATEWAY = GatewaySpec.model_validate(
    {
        "kind": "GatewayAPI",
        "parentRefs": [{"name": "models", "namespace": "gateways"}, {"name": "inner"}],
        "hostnames": ["nsw-price.example.com"],
        "previewHostnames": ["nsw-price-preview.example.com"],
    }
)
VERSIONS = (("1.1.0", 10), ("1.0.0", 90))


def cookie_of(version: str, *, trial: str = "u1") -> str:
    return f"fairlead-nsw-price={cookie_value(version, trial)}"


CANDIDATE, STABLE = cookie_of("1.1.0"), cookie_of("1.0.0")
PATHS = [
    {"path": {"type": "PathPrefix", "value": path}}
    for path in ("/predict", "/feedback", "/v2/models/nsw-price/infer")
]
UNCOUNTED = {
    "type": "RequestHeaderModifier",
    "requestHeaderModifier": {
        "remove": ["x-fairlead-shadow"],
        "set": [{"name": "x-fairlead-uncounted", "value": "true"}],
    },
}


def document(*versions: tuple[str, int], forcing: bool = True, **more: Any) -> dict[str, Any]:
    route = build_route(
        versions or VERSIONS, owner=OWNER, timeout=timedelta(seconds=10), forcing=forcing
    )
    return {**route, **more}


def built(*versions: tuple[str, int], **more: Any) -> dict[str, Any]:
    return build_http_routes(document(*versions, **more), owner=OWNER, gateway=GATEWAY)[0]


def rules(*versions: tuple[str, int], **more: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = built(*versions, **more)["spec"]["rules"]
    return found


def split_of(found: list[dict[str, Any]]) -> dict[str, int]:
    return {backend["name"]: backend["weight"] for backend in found[0]["backendRefs"]}


def test_the_route_belongs_to_the_model_and_names_its_gateways_and_hosts() -> None:
    route = built()

    assert (route["apiVersion"], route["kind"]) == ("gateway.networking.k8s.io/v1", "HTTPRoute")
    assert route["metadata"]["ownerReferences"] == [OWNER.reference()]
    assert route["metadata"]["labels"]["fairlead.dev/model"] == "nsw-price"
    assert route["spec"]["parentRefs"] == [
        {"name": "models", "namespace": "gateways"},
        {"name": "inner"},
    ]
    assert route["spec"]["hostnames"] == ["nsw-price.example.com"]


def test_a_version_is_forced_by_a_header_that_the_split_does_not_ask_for() -> None:
    split, *forced = rules()

    assert [rule["matches"][0]["headers"][0]["value"] for rule in forced] == ["1.1.0", "1.0.0"]
    assert [rule["backendRefs"][0]["name"] for rule in forced] == [
        "nsw-price-1-1-0",
        "nsw-price-1-0-0",
    ]
    assert [rule["filters"] for rule in forced] == [[UNCOUNTED], [UNCOUNTED]]
    assert "headers" not in split["matches"][0]
    assert split_of([split]) == {"nsw-price-1-1-0": 10, "nsw-price-1-0-0": 90}


def test_no_request_chooses_its_version_unless_the_model_lets_it() -> None:
    assert len(rules(forcing=False)) == 1


def test_a_version_without_weight_is_reached_by_header_alone() -> None:
    found = rules(("1.1.0", 0), ("1.0.0", 100))

    assert split_of(found) == {"nsw-price-1-0-0": 100}
    assert found[1]["backendRefs"][0] == {"name": "nsw-price-1-1-0", "port": 80, "weight": 1}


def test_every_rule_gives_up_after_the_timeout_of_the_model() -> None:
    assert {rule["timeouts"]["request"] for rule in rules()} == {"10s"}


def test_a_share_of_the_split_is_mirrored_and_forced_requests_are_not() -> None:
    split, *forced = rules(("1.1.0", 0), ("1.0.0", 100), mirror={"version": "1.1.0", "percent": 20})

    assert split["filters"][1] == {
        "type": "RequestMirror",
        "requestMirror": {"backendRef": {"name": "nsw-price-1-1-0", "port": 81}, "percent": 20},
    }
    assert {len(rule["filters"]) for rule in forced} == {1}


def test_no_client_can_call_its_request_a_copy() -> None:
    for rule in rules(sticky=STICKY):
        headers = rule["filters"][0]["requestHeaderModifier"]
        assert "x-fairlead-shadow" in headers["remove"]


def test_no_client_can_keep_its_request_from_being_counted() -> None:
    for rule in rules(sticky=STICKY, forcing=False):
        headers = rule["filters"][0]["requestHeaderModifier"]
        assert headers == {"remove": ["x-fairlead-shadow", "x-fairlead-uncounted"]}


PREVIEW = {"version": "1.1.0", "hosts": ["nsw-price-preview"]}


def test_a_preview_has_a_route_and_hosts_of_its_own() -> None:
    live, preview = build_http_routes(
        document(("1.1.0", 0), ("1.0.0", 100), preview=PREVIEW), owner=OWNER, gateway=GATEWAY
    )

    assert live == built(("1.1.0", 0), ("1.0.0", 100))
    assert preview["metadata"]["name"] == "nsw-price-preview"
    assert preview["metadata"]["labels"] == live["metadata"]["labels"]
    assert preview["spec"]["parentRefs"] == live["spec"]["parentRefs"]
    assert preview["spec"]["hostnames"] == ["nsw-price-preview.example.com"]
    (rule,) = preview["spec"]["rules"]
    assert rule["matches"] == PATHS
    assert rule["backendRefs"] == [{"name": "nsw-price-1-1-0", "port": 80, "weight": 1}]


def test_a_preview_without_hosts_takes_no_one_else_s() -> None:
    nowhere = GATEWAY.model_copy(update={"preview_hostnames": None})

    assert len(build_http_routes(document(preview=PREVIEW), owner=OWNER, gateway=nowhere)) == 1


STICKY = {"by": "cookie", "maxAgeSeconds": 3600, "id": "u1"}


def test_a_user_gets_a_cookie_from_the_version_that_answered() -> None:
    split = rules(sticky=STICKY)[0]

    assigned = {
        backend["name"]: backend["filters"][0]["responseHeaderModifier"]["add"][0]
        for backend in split["backendRefs"]
    }
    assert assigned["nsw-price-1-1-0"] == {
        "name": "set-cookie",
        "value": f"{CANDIDATE}; Max-Age=3600; Path=/; HttpOnly; SameSite=Lax",
    }
    assert len(assigned) == 2


@pytest.mark.parametrize(
    ("cookie", "version"),
    [
        pytest.param(CANDIDATE, "1.1.0", id="alone"),
        pytest.param(f"a=b; {STABLE}; c=d", "1.0.0", id="among others"),
        pytest.param(f"a=b;{STABLE}", "1.0.0", id="without a blank"),
        pytest.param(f"{CANDIDATE}0", None, id="a longer value"),
        pytest.param(f"x{CANDIDATE}", None, id="a longer name"),
        pytest.param(f"a={CANDIDATE}", None, id="the value of another"),
        pytest.param("fairlead-nsw-price=1.1.0", None, id="written by the caller"),
        pytest.param(cookie_of("1.1.0", trial="u0"), None, id="of the trial before"),
        pytest.param("", None, id="no cookie"),
    ],
)
def test_the_cookie_leads_back_to_the_version(cookie: str, version: str | None) -> None:
    sticky_rules = rules(sticky=STICKY)[3:]
    found = [
        rule["backendRefs"][0]["name"]
        for rule in sticky_rules
        if re.search(rule["matches"][0]["headers"][0]["value"], cookie)
    ]
    full = [
        rule["backendRefs"][0]["name"]
        for rule in sticky_rules
        if re.fullmatch(rule["matches"][0]["headers"][0]["value"], cookie)
    ]

    assert found == full == ([f"nsw-price-{version.replace('.', '-')}"] if version else [])


def test_a_version_that_left_the_split_loses_its_users() -> None:
    found = rules(("1.1.0", 0), ("1.0.0", 100), sticky=STICKY)

    assert [rule["backendRefs"][0]["name"] for rule in found[3:]] == ["nsw-price-1-0-0"]


def test_the_split_keeps_its_place_when_a_version_leaves() -> None:
    with_both, alone = rules(), rules(("1.0.0", 100))

    assert with_both[0]["matches"] == alone[0]["matches"]
    assert "headers" not in alone[0]["matches"][0]


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        pytest.param({}, None, id="the guard that nobody asked for is not missed"),
        pytest.param({"fastGuard": {"enabled": False}}, None, id="no guard, said aloud"),
        pytest.param({"fastGuard": {"minRequests": 5}}, "fastGuard", id="a guard"),
        pytest.param(
            {"strategy": "abTest", "abTest": {"goal": {"metric": "reward"}}}, None, id="by cookie"
        ),
        pytest.param(
            {
                "strategy": "abTest",
                "abTest": {"goal": {"metric": "reward"}, "sticky": {"by": "header", "header": "x"}},
            },
            "set sticky.by: cookie, or serving.gateway.kind: BuiltIn in the Model",
            id="by header",
        ),
        pytest.param(
            {
                "strategy": "bandit",
                "bandit": {"goal": {"metric": "reward"}, "sticky": {"by": "header", "header": "x"}},
            },
            "set sticky.by: cookie, or serving.gateway.kind: BuiltIn in the Model",
            id="a bandit by header",
        ),
        pytest.param({"strategy": "blueGreen"}, None, id="a preview"),
    ],
)
def test_what_a_route_cannot_say_is_found(policy: dict[str, Any], words: str | None) -> None:
    found = unsupported(policy, GATEWAY)

    assert (found is None) == (words is None)
    assert words is None or words in (found or "")


def unsupported(policy: dict[str, Any], gateway: GatewaySpec) -> str | None:
    known = RolloutPolicy.model_validate(policy)
    return find_unsupported(known, compile_plan(known), gateway)


def test_a_preview_nobody_could_reach_is_found() -> None:
    nowhere = GATEWAY.model_copy(update={"preview_hostnames": None})

    assert "gateway.previewHostnames" in (unsupported({"strategy": "blueGreen"}, nowhere) or "")


def test_only_what_callers_use_is_routed() -> None:
    live, preview = build_http_routes(
        document(("1.1.0", 0), ("1.0.0", 100), preview=PREVIEW, sticky=STICKY),
        owner=OWNER,
        gateway=GATEWAY,
    )

    for rule in (*live["spec"]["rules"], *preview["spec"]["rules"]):
        assert [match["path"] for match in rule["matches"]] == [each["path"] for each in PATHS]
        assert len({str(match.get("headers")) for match in rule["matches"]}) == 1
