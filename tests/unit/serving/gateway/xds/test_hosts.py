"""What Envoy is told about a route."""

import dataclasses
import itertools
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_serving.gateway.routes.options import ByCookie, ByHeader, Guard, Mirror, Preview
from fairlead_serving.gateway.routes.route import TOTAL_WEIGHT, Route, Version
from fairlead_serving.gateway.xds.clusters import cluster_name
from fairlead_serving.gateway.xds.hosts import build_route_configuration, build_scope

ROUTE = Route(
    namespace="energy",
    model="nsw-price",
    revision="1",
    hosts=("nsw-price",),
    timeout_seconds=60,
    versions=(
        Version(version="1.1.0", weight=10, service="nsw-price-1-1-0"),
        Version(version="1.0.0", weight=90, service="nsw-price-1-0-0"),
    ),
)


def virtual_hosts(route: Route) -> list[dict[str, Any]]:
    each: list[dict[str, Any]] = build_route_configuration(route)["virtual_hosts"]
    return each


def routes(route: Route) -> list[dict[str, Any]]:
    """Envoy's routes for the live traffic, without the answer to all other paths."""
    *each, _ = virtual_hosts(route)[0]["routes"]
    return each


def weighted(route: Route) -> list[tuple[str, int]]:
    default = routes(route)[-1]
    return [
        (each["name"], each["weight"]) for each in default["route"]["weighted_clusters"]["clusters"]
    ]


def split(*weights: int) -> Route:
    versions = tuple(
        Version(version=f"{number}.0.0", weight=weight, service=f"s-{number}")
        for number, weight in enumerate(weights)
    )
    return dataclasses.replace(ROUTE, versions=versions)


def forcing(route: Route) -> Route:
    return dataclasses.replace(route, forcing=True)


def test_the_candidate_is_first_in_the_split() -> None:
    assert weighted(ROUTE) == [("energy|nsw-price|1.1.0", 10), ("energy|nsw-price|1.0.0", 90)]


def test_a_version_without_weight_has_its_header_route_only() -> None:
    route = split(0, 100)

    names = [each["name"] for each in routes(forcing(route))]

    assert weighted(route) == [("energy|nsw-price|1.0.0", 100)]
    assert "energy/nsw-price/force/0.0.0" in names


@given(st.lists(st.integers(0, 100), min_size=1, max_size=4))
def test_the_total_is_constant_and_the_order_kept(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), 100]
    route = split(*(after - before for before, after in itertools.pairwise(edges)))

    shares = weighted(route)

    assert sum(weight for _, weight in shares) == TOTAL_WEIGHT
    assert all(weight > 0 for _, weight in shares)
    assert [name for name, _ in shares] == [
        cluster_name(route, version.version) for version in route.versions if version.weight
    ]


def test_forced_versions_come_before_the_unknown_and_the_split() -> None:
    names = [each["name"] for each in routes(forcing(ROUTE))]

    assert names == [
        "energy/nsw-price/force/1.1.0",
        "energy/nsw-price/force/1.0.0",
        "energy/nsw-price/unknown-version",
        "energy/nsw-price/default",
    ]


def test_a_request_that_names_its_version_is_refused_where_none_may() -> None:
    refused, default = routes(ROUTE)

    assert refused["match"]["headers"] == [{"name": "x-fairlead-version", "present_match": True}]
    assert refused["direct_response"]["status"] == 403
    assert "spec.serving.forceVersionSecret" in str(refused["direct_response"])
    assert default["name"] == "energy/nsw-price/default"


def test_requests_that_choose_a_version_are_counted_apart_and_marked() -> None:
    preview = Preview(version="1.1.0", hosts=("p",))
    route = dataclasses.replace(forcing(ROUTE), preview=preview, sticky=ByCookie(max_age_seconds=9))
    live, previewed = virtual_hosts(route)
    first, second, _, *split, _ = live["routes"]

    for each, version in ((first, "1.1.0"), (second, "1.0.0"), (previewed["routes"][0], "1.1.0")):
        assert each["route"]["cluster"] == f"energy|nsw-price|{version}|direct"
        mark = {"key": "x-fairlead-uncounted", "value": "true"}
        assert each["request_headers_to_add"][0]["header"] == mark
    assert len(split) == 3
    for each in split:
        assert each["request_headers_to_remove"] == ["x-fairlead-uncounted"]


def test_only_what_cannot_have_reached_a_model_is_tried_again() -> None:
    preview = Preview(version="1.1.0", hosts=("p",))

    for host in virtual_hosts(dataclasses.replace(ROUTE, preview=preview)):
        assert host["retry_policy"]["retry_on"] == (
            "connect-failure,refused-stream,reset-before-request"
        )
        assert not any("retry_policy" in each.get("route", {}) for each in host["routes"])


@pytest.mark.parametrize(
    ("seconds", "timeout", "idle"),
    [
        pytest.param(60, "60s", "60s", id="short"),
        pytest.param(900, "900s", "900s", id="long: no earlier end by idleness"),
        pytest.param(0.5, "0.5s", "60s", id="fraction"),
    ],
)
def test_timeouts(seconds: float, timeout: str, idle: str) -> None:
    route = dataclasses.replace(ROUTE, timeout_seconds=seconds)

    action = routes(route)[-1]["route"]

    assert (action["timeout"], action["idle_timeout"]) == (timeout, idle)


def test_a_version_that_is_not_there_answers_404_with_its_name() -> None:
    unknown_version = routes(forcing(ROUTE))[-2]["direct_response"]

    assert unknown_version["status"] == 404
    assert "%REQ(x-fairlead-version)%" in str(unknown_version)


def test_only_live_traffic_is_copied() -> None:
    route = dataclasses.replace(
        ROUTE,
        mirror=Mirror(version="1.1.0", percent=10),
        preview=Preview(version="1.1.0", hosts=("p",)),
        sticky=ByCookie(max_age_seconds=60),
    )
    every = [each for host in virtual_hosts(route) for each in host["routes"]]

    copied = {each["name"] for each in every if "request_mirror_policies" in each.get("route", {})}

    assert copied == {"energy/nsw-price/sticky/1.0.0", "energy/nsw-price/default"}


def test_a_cookie_route_is_for_versions_with_traffic_only() -> None:
    sticky = ByCookie(max_age_seconds=60)

    names = [each["name"] for each in routes(dataclasses.replace(split(0, 100), sticky=sticky))]

    assert names == [
        "energy/nsw-price/forcing-is-off",
        "energy/nsw-price/sticky/1.0.0",
        "energy/nsw-price/default",
    ]


def test_a_cookie_route_comes_after_the_versions_that_a_header_names() -> None:
    sticky = ByCookie(max_age_seconds=60)
    route = dataclasses.replace(forcing(split(0, 100)), sticky=sticky)

    names = [each["name"] for each in routes(route)]

    assert names == [
        "energy/nsw-price/force/0.0.0",
        "energy/nsw-price/force/1.0.0",
        "energy/nsw-price/unknown-version",
        "energy/nsw-price/sticky/1.0.0",
        "energy/nsw-price/default",
    ]


GUARD = Guard(
    guard_id="g",
    versions=("1.1.0",),
    fallback="1.0.0",
    min_requests=10,
    max_failure_ratio=0.5,
    window_seconds=2,
)
SLOW = dataclasses.replace(GUARD, slow_milliseconds=250, max_slow_ratio=0.5)


def test_short_bodies_are_kept_until_they_are_whole_where_the_guard_asks_who_waits() -> None:
    sticky = ByCookie(max_age_seconds=60)
    route = dataclasses.replace(forcing(ROUTE), sticky=sticky, guard=SLOW)
    plain = {each["name"]: each for each in routes(dataclasses.replace(route, guard=None))}
    live = ["sticky/1.1.0", "sticky/1.0.0", "default"]

    given = routes(route)

    names = [each["name"].removeprefix("energy/nsw-price/") for each in given]
    assert names[3:] == [name for each in live for name in (f"{each}/whole", each)]
    for whole, other in zip(given[3::2], given[4::2], strict=True):
        assert other == plain[other["name"]]
        *others, short = whole["match"]["headers"]
        assert others == other["match"]["headers"]
        assert short["name"] == "content-length"
        assert whole["route"] == other["route"] | {"priority": "HIGH"}
        (keep,) = whole["typed_per_filter_config"].values()
        assert re.fullmatch(short["string_match"]["safe_regex"]["regex"], "99999")
        assert keep["buffer"]["max_request_bytes"] >= 99_999


@pytest.mark.parametrize("length", ["100000", "", "5,5", "-1", "1e9"])
def test_a_body_that_may_be_long_is_never_kept(length: str) -> None:
    *_, whole, _ = routes(dataclasses.replace(ROUTE, guard=SLOW))

    pattern = whole["match"]["headers"][-1]["string_match"]["safe_regex"]["regex"]

    assert not re.fullmatch(pattern, length)


def test_no_body_is_kept_where_nobody_asks_who_waits() -> None:
    assert routes(dataclasses.replace(ROUTE, guard=GUARD)) == routes(ROUTE)


def test_a_header_is_salted_with_the_model() -> None:
    route = dataclasses.replace(ROUTE, sticky=ByHeader(header="x-user-id"))

    action = routes(route)[-1]["route"]

    assert action["weighted_clusters"]["use_hash_policy"] is True
    assert action["hash_policy"][0]["header"]["regex_rewrite"]["substitution"] == (
        r"energy/nsw-price:\1"
    )


def test_unknown_clusters_are_refused_by_envoy() -> None:
    assert build_route_configuration(ROUTE)["validate_clusters"] is True


def test_hosts_of_the_preview_are_told_from_all_others() -> None:
    preview = Preview(version="1.1.0", hosts=("nsw-next",))

    live, previewed = virtual_hosts(dataclasses.replace(ROUTE, preview=preview))

    assert live["domains"] == ["*"]
    assert previewed["domains"] == ["nsw-next"]


def test_copies_go_to_a_cluster_of_their_own() -> None:
    route = dataclasses.replace(ROUTE, mirror=Mirror(version="1.1.0", percent=12.5))

    (policy,) = routes(route)[-1]["route"]["request_mirror_policies"]
    fraction = policy["runtime_fraction"]["default_value"]

    assert policy["cluster"] == "energy|nsw-price|1.1.0|shadow"
    assert fraction == {"numerator": 125_000, "denominator": "MILLION"}


def test_a_scope_leads_a_host_to_its_model() -> None:
    scope = build_scope("nsw-price", "energy/nsw-price")

    assert scope == {
        "name": "nsw-price",
        "route_configuration_name": "energy/nsw-price",
        "key": {"fragments": [{"string_key": "nsw-price"}]},
    }


@pytest.mark.parametrize(
    ("percent", "numerator"),
    [
        pytest.param(0, 0, id="nothing"),
        pytest.param(0.0001, 1, id="one request in a million"),
        pytest.param(33.33333, 333_333, id="a third, rounded"),
        pytest.param(100, 1_000_000, id="everything"),
    ],
)
def test_a_share_to_mirror_is_counted_in_millionths(percent: float, numerator: int) -> None:
    route = dataclasses.replace(ROUTE, mirror=Mirror(version="1.1.0", percent=percent))

    (policy,) = routes(route)[-1]["route"]["request_mirror_policies"]

    assert policy["runtime_fraction"]["default_value"]["numerator"] == numerator


def dealt(trial: str | None, *versions: Version) -> tuple[list[str], list[str]]:
    """The cookies that answers of a trial set, and the patterns that lead back, in one order."""
    sticky = ByCookie(max_age_seconds=60, trial=trial)
    route = dataclasses.replace(ROUTE, sticky=sticky, versions=versions or ROUTE.versions)
    _, *back, split = routes(route)
    added = [
        share["response_headers_to_add"][0]["header"]
        for share in split["route"]["weighted_clusters"]["clusters"]
    ]
    assert {header["key"] for header in added} == {"set-cookie"}
    patterns = [each["match"]["headers"][0]["string_match"]["safe_regex"]["regex"] for each in back]
    return [header["value"] for header in added], patterns


def test_a_cookie_names_the_model_and_lasts_as_long_as_it_says() -> None:
    ((candidate, _), _) = dealt("u1")

    pattern = r"fairlead-nsw-price=[0-9a-f]{32}; Path=/; Max-Age=60; HttpOnly; SameSite=Lax"
    assert re.fullmatch(pattern, candidate)


def test_a_cookie_leads_back_to_who_answered_and_to_nobody_else() -> None:
    cookies, patterns = dealt("u1")

    for number, cookie in enumerate(cookies):
        value = cookie.partition(";")[0]
        assert [bool(re.fullmatch(pattern, value)) for pattern in patterns] == [
            number == place for place in range(len(patterns))
        ]


@pytest.mark.parametrize(
    "cookie",
    [
        pytest.param("fairlead-nsw-price=1.1.0", id="a version that the caller would like"),
        pytest.param(dealt("u0")[0][0].partition(";")[0], id="dealt by an earlier trial"),
        pytest.param(dealt("u0")[0][1].partition(";")[0], id="of who kept the stable version"),
        pytest.param("fairlead-nsw-price=", id="nothing"),
    ],
)
def test_only_what_this_trial_has_dealt_chooses(cookie: str) -> None:
    """A caller wrote a version's name into the cookie, and had it without its turn."""
    _, patterns = dealt("u1")

    assert not any(re.fullmatch(pattern, cookie) for pattern in patterns)


def test_the_cookie_of_an_operator_of_before_is_the_version() -> None:
    ((candidate, _), (pattern, _)) = dealt(None)

    assert candidate.startswith("fairlead-nsw-price=1.1.0;")
    assert re.fullmatch(pattern, "fairlead-nsw-price=1.1.0")


@pytest.mark.parametrize(
    ("path", "leads"),
    [
        ("/predict", True),
        ("/predict/", True),
        ("/feedback", True),
        ("/", False),
        ("/metrics", False),
        ("/predict/x", False),
        ("/predictx", False),
        ("/x/predict", False),
        ("/v2/models/nsw-price/infer", True),
        ("/v2/models/nsw-price/infer/", True),
        ("/v2/models/nsw-price", False),
        ("/v2/models/nsw-price/versions/1.1.0/infer", False),
        ("/v2/models/another/infer", False),
        ("/v2/models/nsw.price/infer", False),
        ("/v2/health/ready", False),
        ("/docs.json", False),
        ("/static_content/index.css", False),
        ("/readyz", False),
    ],
)
def test_only_what_callers_use_is_routed(path: str, *, leads: bool) -> None:
    preview = Preview(version="1.1.0", hosts=("p",))
    route = dataclasses.replace(forcing(ROUTE), preview=preview, sticky=ByCookie(max_age_seconds=9))

    for host in virtual_hosts(route):
        *asked, rest = host["routes"]
        for each in asked:
            assert bool(re.fullmatch(each["match"]["safe_regex"]["regex"], path)) is leads
        assert (rest["match"], rest["direct_response"]["status"]) == ({"prefix": "/"}, 404)
        assert "POST /predict and POST /feedback" in str(rest["direct_response"])
