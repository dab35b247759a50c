"""Routes without what has tripped: only ever narrower."""

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_serving.gateway.routes.options import Guard, Mirror
from fairlead_serving.gateway.routes.route import TOTAL_WEIGHT, Route, Version
from fairlead_serving.gateway.routes.trips import (
    Trip,
    from_document,
    narrow,
    stand_in,
    still_tripped,
)

GUARD = Guard(
    guard_id="g",
    versions=("3", "2"),
    fallback="1",
    min_requests=10,
    max_failure_ratio=0.5,
    window_seconds=2,
)


def trip(guard_id: str = "g") -> Trip:
    return Trip(
        guard_id=guard_id, at="2026-01-01T00:00:00.000Z", message="m", requests=9, failures=8
    )


def route(**weights: int) -> Route:
    versions = tuple(
        Version(version=name.removeprefix("v"), weight=weight, service=name)
        for name, weight in weights.items()
    )
    return Route(
        namespace="n",
        model="m",
        revision="1",
        hosts=("m",),
        timeout_seconds=1,
        versions=versions,
        guard=GUARD,
    )


@pytest.mark.parametrize(
    ("out", "weights"),
    [
        pytest.param([], {"3": 20, "2": 30, "1": 50}, id="nothing"),
        pytest.param(["3"], {"3": 0, "2": 30, "1": 70}, id="one of two"),
        pytest.param(["3", "2"], {"3": 0, "2": 0, "1": 100}, id="all: the fallback only"),
        pytest.param(["1"], {"3": 20, "2": 30, "1": 50}, id="never the fallback"),
        pytest.param(["9"], {"3": 20, "2": 30, "1": 50}, id="one that is not there any more"),
    ],
)
def test_weights(out: list[str], weights: dict[str, int]) -> None:
    narrowed = narrow(route(v3=20, v2=30, v1=50), dict.fromkeys(out, trip()))

    assert narrowed.weights == weights


def test_a_trip_of_another_guard_says_nothing() -> None:
    before = route(v2=30, v1=70)

    assert narrow(before, {"2": trip("older")}) == before
    assert narrow(dataclasses.replace(before, guard=None), {"2": trip()}).weights["2"] == 30
    assert still_tripped(dataclasses.replace(before, guard=None), {"2": trip()}) == {}


@pytest.mark.parametrize(("mirrored", "kept"), [("2", False), ("3", True)])
def test_a_mirror_to_what_has_tripped_ends(mirrored: str, *, kept: bool) -> None:
    mirror = Mirror(version=mirrored, percent=10)
    before = dataclasses.replace(route(v3=0, v2=30, v1=70), mirror=mirror)

    assert (narrow(before, {"2": trip()}).mirror is not None) is kept


def test_a_trip_survives_its_document() -> None:
    assert from_document(trip().to_document()) == trip()


@given(
    cuts=st.lists(st.integers(0, TOTAL_WEIGHT), min_size=2, max_size=2).map(sorted),
    out=st.dictionaries(
        st.sampled_from(["1", "2", "3", "4"]), st.sampled_from(["g", "x"]).map(trip)
    ),
)
def test_a_route_only_ever_gets_narrower(cuts: list[int], out: dict[str, Any]) -> None:
    before = route(v3=cuts[0], v2=cuts[1] - cuts[0], v1=TOTAL_WEIGHT - cuts[1])

    after = narrow(before, out)

    assert sum(after.weights.values()) == TOTAL_WEIGHT
    assert all(after.weights[name] in (0, before.weights[name]) for name in ("2", "3"))
    assert list(after.weights) == list(before.weights)  # the order is part of the assignment
    assert narrow(after, out) == after


@pytest.mark.parametrize(
    ("ready", "weights"),
    [
        pytest.param({"v1", "v2", "v3"}, {"3": 20, "2": 30, "1": 50}, id="all are ready"),
        pytest.param({"v1", "v2"}, {"3": 0, "2": 30, "1": 70}, id="one of two is not"),
        pytest.param({"v1"}, {"3": 0, "2": 0, "1": 100}, id="the fallback alone is"),
        pytest.param({"v2"}, {"3": 20, "2": 30, "1": 50}, id="the fallback is not"),
        pytest.param(set(), {"3": 20, "2": 30, "1": 50}, id="none is"),
    ],
)
def test_the_fallback_stands_in(ready: set[str], weights: dict[str, int]) -> None:
    before = route(v3=20, v2=30, v1=50)

    assert stand_in(before, ready).weights == weights
    assert stand_in(dataclasses.replace(before, guard=None), ready).weights == before.weights


def test_a_route_without_an_absence_is_the_same() -> None:
    before = route(v3=0, v2=30, v1=70)

    assert stand_in(before, {"v1", "v2"}) is before


@given(
    cuts=st.lists(st.integers(0, TOTAL_WEIGHT), min_size=2, max_size=2).map(sorted),
    ready=st.sets(st.sampled_from(["v1", "v2", "v3"])),
)
def test_standing_in_never_widens(cuts: list[int], ready: set[str]) -> None:
    before = route(v3=cuts[0], v2=cuts[1] - cuts[0], v1=TOTAL_WEIGHT - cuts[1])

    after = stand_in(before, ready)

    assert sum(after.weights.values()) == TOTAL_WEIGHT
    assert all(after.weights[name] in (0, before.weights[name]) for name in ("2", "3"))
    assert stand_in(after, ready) == after
