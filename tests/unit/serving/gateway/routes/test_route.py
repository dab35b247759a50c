"""Which route documents are served, and who gets a host that two Models want."""

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead_serving.gateway.routes.fields import InvalidRouteError
from fairlead_serving.gateway.routes.options import ByHeader, Mirror, Preview
from fairlead_serving.gateway.routes.route import (
    TOTAL_WEIGHT,
    Route,
    Version,
    from_document,
    parse_route,
    settle_hosts,
    to_document,
)
from fairlead_serving.gateway.xds.snapshot import Snapshot
from fairlead_serving.gateway.xds.target import build_target
from support.route_options import OPTIONS

GOOD: dict[str, Any] = {
    "model": "nsw-price",
    "namespace": "energy",
    "revision": "9f2c",
    "hosts": ["nsw-price", "nsw-price.energy"],
    "timeoutSeconds": 60,
    "versions": [
        {"version": "1.1.0", "weight": 10, "service": "nsw-price-1-1-0"},
        {"version": "1.0.0", "weight": 90, "service": "nsw-price-1-0-0"},
    ],
}


FULL: dict[str, Any] = GOOD | OPTIONS


def version(**changes: Any) -> dict[str, Any]:
    return {"version": "1.0.0", "weight": 100, "service": "nsw-price-1-0-0"} | changes


def parse(document: Any) -> Route:
    return parse_route(json.dumps(document), namespace="energy", model="nsw-price")


def route(model: str, *hosts: str) -> Route:
    return dataclasses.replace(parse(GOOD), model=model, hosts=hosts)


def test_a_good_document_becomes_a_route() -> None:
    assert parse(GOOD) == Route(
        namespace="energy",
        model="nsw-price",
        revision="9f2c",
        hosts=("nsw-price", "nsw-price.energy"),
        timeout_seconds=60,
        versions=(
            Version(version="1.1.0", weight=10, service="nsw-price-1-1-0"),
            Version(version="1.0.0", weight=90, service="nsw-price-1-0-0"),
        ),
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"model": "other"}, "model is 'other', expected 'nsw-price'", id="model"),
        pytest.param({"namespace": "x"}, "namespace is 'x', expected 'energy'", id="namespace"),
        pytest.param({"revision": ""}, "revision is missing or not a string", id="no revision"),
        pytest.param({"revision": 7}, "revision is missing or not a string", id="revision: number"),
        pytest.param({"hosts": []}, "hosts is missing or empty", id="no hosts"),
        pytest.param({"hosts": "a"}, "hosts is missing or empty", id="hosts: a text"),
        pytest.param({"hosts": ["*"]}, "host '*' is not a DNS name in lower case", id="wildcard"),
        pytest.param({"hosts": ["A.b"]}, "host 'A.b' is not a DNS name", id="upper case"),
        pytest.param({"hosts": ["a:80"]}, "host 'a:80' is not a DNS name", id="port"),
        pytest.param({"hosts": ["a..b"]}, "host 'a..b' is not a DNS name", id="empty label"),
        pytest.param({"hosts": [".".join("a" * 150)]}, "is not a DNS name", id="long host"),
        pytest.param({"hosts": [7]}, "host 7 is not a DNS name", id="host: number"),
        pytest.param({"timeoutSeconds": None}, "timeoutSeconds is missing", id="no timeout"),
        pytest.param({"timeoutSeconds": True}, "timeoutSeconds is missing", id="timeout: bool"),
        pytest.param({"timeoutSeconds": 0}, "timeoutSeconds is 0; give", id="timeout: 0"),
        pytest.param({"timeoutSeconds": 1e9}, "timeoutSeconds is 1000000000.0", id="timeout: big"),
        pytest.param({"versions": []}, "versions is missing or empty", id="no versions"),
        pytest.param({"versions": {}}, "versions is missing or empty", id="versions: object"),
        pytest.param({"versions": ["1.0.0"]}, "is not an object", id="version: a text"),
        pytest.param(
            {"versions": [version(version=str(n), weight=0) for n in range(9)]},
            "versions has 9 entries; give at most 8",
            id="nine versions",
        ),
        pytest.param(
            {"versions": [version(version="1|0")]}, "'1|0' is not a valid label", id="separator"
        ),
        pytest.param(
            {"versions": [version(version="1%0")]}, "'1%0' is not a valid label", id="format sign"
        ),
        pytest.param(
            {"versions": [version(weight=50), version(weight=50)]},
            "versions names one version twice: 1.0.0, 1.0.0",
            id="version twice",
        ),
        pytest.param(
            {"versions": [version(weight=99)]}, "weights add up to 99, expected 100", id="sum"
        ),
        pytest.param(
            {"versions": [version(weight=0)]}, "weights add up to 0, expected 100", id="all 0"
        ),
        pytest.param({"versions": [version(weight=101)]}, "is 101; give 0 to 100", id="over 100"),
        pytest.param({"versions": [version(weight=-1)]}, "is -1; give", id="below 0"),
        pytest.param({"versions": [version(weight=99.5)]}, "not a whole number", id="fraction"),
        pytest.param({"versions": [version(weight=True)]}, "not a whole number", id="weight: bool"),
        pytest.param({"versions": [version(service="A_b")]}, "service 'A_b'", id="service"),
    ],
)
def test_a_bad_document_is_refused_with_the_field(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRouteError) as caught:
        parse(GOOD | changes)

    assert message in str(caught.value)


@pytest.mark.parametrize("field", sorted(GOOD))
def test_every_field_is_needed(field: str) -> None:
    with pytest.raises(InvalidRouteError, match=field):
        parse({name: value for name, value in GOOD.items() if name != field})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "route.json is not JSON", id="empty"),
        pytest.param("{", "route.json is not JSON", id="cut off"),
        pytest.param("[]", "route.json is not an object", id="a list"),
        pytest.param("[" * 100_000, "route.json is not JSON", id="too deep"),
    ],
)
def test_a_text_that_is_no_document_is_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidRouteError, match=message):
        parse_route(text, namespace="energy", model="nsw-price")


def test_the_optional_fields_become_parts_of_a_route() -> None:
    full = parse(FULL)

    assert full.mirror == Mirror(version="1.1.0", percent=20)
    assert full.sticky == ByHeader(header="x-user-id")
    assert full.preview == Preview(version="1.1.0", hosts=("nsw-price-preview",))
    assert full.guard is not None
    assert full.guard.guard_id == "5f0c"


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


def served(document: Any) -> Route | str:
    """The route, or the refusal."""
    try:
        return parse(document)
    except InvalidRouteError as error:
        return str(error)


_PATHS = [
    (field,) if inner is None else (field, inner)
    for field in sorted(FULL)
    for inner in [None, *(FULL[field] if isinstance(FULL[field], dict) else ())]
]


@settings(max_examples=2000)
@given(changes=st.dictionaries(st.sampled_from(_PATHS), _json, min_size=1, max_size=3))
def test_a_fuzzed_document_is_served_or_refused_by_the_name_of_a_field(
    changes: dict[tuple[str, ...], Any],
) -> None:
    document = json.loads(json.dumps(FULL))
    for (field, *inner), value in changes.items():
        if inner and isinstance(document[field], dict):
            document[field][inner[0]] = value
        else:
            document[field] = value
    parsed = served(document)
    if isinstance(parsed, str):
        touched = {path[-1].removesuffix("s") for path in changes}
        assert any(name in parsed for name in touched | {"version", "host"}), parsed
        return

    assert sum(parsed.weights.values()) == TOTAL_WEIGHT
    assert from_document(json.loads(json.dumps(to_document(parsed)))) == parsed
    build_target(Snapshot(routes=(parsed,)))  # and Envoy's types take it


@given(text=st.text() | st.binary().map(lambda raw: raw.decode("latin-1")))
def test_a_text_of_any_kind_is_refused(text: str) -> None:
    with pytest.raises(InvalidRouteError, match=r"is (not|missing)"):
        parse_route(text, namespace="energy", model="nsw-price")


@given(weight=st.integers(0, 100))
def test_a_route_survives_its_document(weight: int) -> None:
    parsed = parse(
        GOOD
        | {
            "versions": [
                version(version="2.0.0", weight=weight),
                version(weight=100 - weight),
            ]
        }
    )

    assert from_document(json.loads(json.dumps(to_document(parsed)))) == parsed


def test_a_disputed_host_goes_to_the_first_model_by_name() -> None:
    settled, errors = settle_hosts([route("b", "b", "shared"), route("a", "a", "shared")])

    assert [(each.model, each.hosts) for each in settled] == [("a", ("a", "shared")), ("b", ("b",))]
    assert errors == {"b": "host taken by another Model: shared (of Model a)"}


def test_a_preview_never_takes_a_live_host() -> None:
    """Model `b` comes after `a`, but serves what `a` only previews."""
    preview = Preview(version="1.1.0", hosts=("b", "a-preview"))
    previewing = dataclasses.replace(route("a", "a"), preview=preview)

    settled, errors = settle_hosts([previewing, route("b", "b")])

    assert [each.hosts for each in settled] == [("a",), ("b",)]
    assert settled[0].preview == dataclasses.replace(preview, hosts=("a-preview",))
    assert errors == {"a": "host taken by another Model: b (of Model b)"}


def test_a_model_that_lost_every_host_has_no_route() -> None:
    settled, errors = settle_hosts([route("a", "shared"), route("b", "shared")])

    assert [each.model for each in settled] == ["a"]
    assert set(errors) == {"b"}


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sets(st.sampled_from("wxyz"), min_size=1))))
def test_no_host_is_given_twice(claims: list[tuple[str, set[str]]]) -> None:
    routes = {model: route(model, *sorted(hosts)) for model, hosts in claims}.values()

    settled, _ = settle_hosts(routes)

    given_out = [host for each in settled for host in each.hosts]
    assert sorted(given_out) == sorted({host for each in routes for host in each.hosts})
