"""What a route may say beside its weights, and how a refusal names the field."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from fairlead_serving.gateway.routes.fields import InvalidRouteError
from fairlead_serving.gateway.routes.options import (
    ByCookie,
    ByHeader,
    Guard,
    Mirror,
    Preview,
    guard_document,
    read_guard,
    read_mirror,
    read_preview,
    read_sticky,
    sticky_document,
)
from support.route_options import OPTIONS

NAMES = ("1.1.0", "1.0.0")
HOSTS = ("nsw-price", "nsw-price.energy")
READERS: Mapping[str, Callable[[Mapping[str, Any]], object]] = {
    "mirror": lambda document: read_mirror(document, NAMES),
    "sticky": read_sticky,
    "preview": lambda document: read_preview(document, NAMES, HOSTS),
    "guard": lambda document: read_guard(document, NAMES),
}
GUARD = Guard(
    guard_id="5f0c",
    versions=("1.1.0",),
    fallback="1.0.0",
    min_requests=10,
    max_failure_ratio=0.5,
    max_refusal_ratio=0.4,
    window_seconds=2,
    slow_milliseconds=1000,
    max_slow_ratio=0.25,
)


def read(field: str, document: Mapping[str, Any]) -> object:
    return READERS[field](document)


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        pytest.param("mirror", OPTIONS["mirror"], Mirror(version="1.1.0", percent=20), id="mirror"),
        pytest.param(
            "sticky",
            {"by": "header", "header": "X-User-ID"},
            ByHeader(header="x-user-id"),
            id="sticky by header: in small letters",
        ),
        pytest.param(
            "sticky",
            {"by": "cookie", "maxAgeSeconds": 60},
            ByCookie(max_age_seconds=60),
            id="sticky by cookie, of an operator of before",
        ),
        pytest.param(
            "sticky",
            {"by": "cookie", "maxAgeSeconds": 60, "id": "u1"},
            ByCookie(max_age_seconds=60, trial="u1"),
            id="sticky by cookie",
        ),
        pytest.param(
            "preview",
            {"version": "1.1.0", "hosts": ["next", "next"]},
            Preview(version="1.1.0", hosts=("next",)),
            id="preview: each host once",
        ),
        pytest.param("guard", OPTIONS["guard"], GUARD, id="guard"),
        *(pytest.param(field, None, None, id=f"no {field}") for field in READERS),
    ],
)
def test_an_option_becomes_a_value(field: str, value: object, expected: object) -> None:
    assert read(field, {field: value}) == expected


@pytest.mark.parametrize(
    "sticky",
    [
        ByHeader(header="x-user-id"),
        ByCookie(max_age_seconds=60),
        ByCookie(max_age_seconds=60, trial="u1"),
    ],
    ids=["header", "cookie of before", "cookie"],
)
def test_stickiness_survives_its_document(sticky: ByHeader | ByCookie) -> None:
    assert read_sticky({"sticky": sticky_document(sticky)}) == sticky


def test_a_guard_survives_its_document() -> None:
    assert read_guard({"guard": guard_document(GUARD)}, NAMES) == GUARD


@pytest.mark.parametrize(
    ("field", "changes", "message"),
    [
        pytest.param("mirror", [], "mirror is not an object", id="mirror: a list"),
        pytest.param("mirror", {"version": "9"}, "mirror.version '9' is not in", id="mirror: 9"),
        pytest.param("mirror", {"version": None}, "mirror.version is missing", id="mirror: none"),
        pytest.param("mirror", {"percent": 101}, "mirror.percent is 101", id="mirror: over 100"),
        pytest.param("mirror", {"percent": float("nan")}, "mirror.percent is nan", id="NaN"),
        pytest.param("sticky", {"by": "ip"}, "sticky.by is 'ip'; give", id="sticky by ip"),
        pytest.param("sticky", {"header": ":path"}, "sticky.header ':path'", id="pseudo header"),
        pytest.param("sticky", {"header": "x-fairlead-version"}, "sticky.header", id="our header"),
        pytest.param("sticky", {"by": "cookie"}, "sticky.maxAgeSeconds is missing", id="no age"),
        pytest.param(
            "sticky", {"by": "cookie", "maxAgeSeconds": 9, "id": 7}, "sticky.id", id="an id of what"
        ),
        pytest.param("preview", {"version": "9"}, "preview.version '9'", id="preview: 9"),
        pytest.param("preview", {"hosts": []}, "preview.hosts is missing", id="no preview hosts"),
        pytest.param("preview", {"hosts": ["*"]}, "preview.hosts: host '*'", id="wild preview"),
        pytest.param(
            "preview",
            {"hosts": ["nsw-price"]},
            "preview.hosts and hosts both have nsw-price",
            id="own host",
        ),
        pytest.param("guard", {"id": ""}, "guard.id is missing", id="no guard id"),
        pytest.param("guard", {"versions": []}, "guard.versions is missing", id="nothing guarded"),
        pytest.param("guard", {"versions": [{}]}, "guard.versions has {}", id="guarded: object"),
        pytest.param("guard", {"fallback": "9"}, "guard.fallback '9' is not in", id="fallback 9"),
        pytest.param(
            "guard",
            {"versions": ["1.1.0", "1.0.0"]},
            "guard.fallback '1.0.0' is in guard.versions",
            id="the stable version is never guarded",
        ),
        pytest.param("guard", {"minRequests": 0}, "guard.minRequests is 0", id="no minimum"),
        pytest.param("guard", {"minRequests": 1.5}, "guard.minRequests is", id="fraction of one"),
        pytest.param("guard", {"maxFailureRatio": 1.1}, "guard.maxFailureRatio", id="ratio 1.1"),
        pytest.param("guard", {"maxRefusalRatio": -1}, "guard.maxRefusalRatio", id="ratio -1"),
        pytest.param("guard", {"maxRefusalRatio": None}, "guard.maxRefusalRatio", id="ratio: null"),
        pytest.param("guard", {"windowSeconds": 0}, "guard.windowSeconds is 0", id="no window"),
        pytest.param("guard", {"maxSlowRatio": None}, "or neither", id="half of slowness"),
        pytest.param("guard", {"slowMilliseconds": "1s"}, "guard.slowMillis", id="slow: text"),
    ],
)
def test_a_bad_option_is_refused_with_the_field(field: str, changes: Any, message: str) -> None:
    value = OPTIONS[field] | changes if isinstance(changes, dict) else changes

    with pytest.raises(InvalidRouteError) as refusal:
        read(field, OPTIONS | {field: value})

    assert message in str(refusal.value)


def test_a_guard_of_an_operator_that_knows_no_refusals_has_no_limit_for_them() -> None:
    document = {
        name: value for name, value in OPTIONS["guard"].items() if name != "maxRefusalRatio"
    }

    guard = read_guard({"guard": document}, NAMES)

    assert guard is not None
    assert guard.max_refusal_ratio == 1
