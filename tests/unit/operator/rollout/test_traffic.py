"""The route, and the weight read back: not knowing is None, never a number."""

import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_operator.kube.metadata import Owner
from fairlead_operator.rollout.state_machine import Phase
from fairlead_operator.rollout.traffic import build_route, read_weight, split

OWNER = Owner(kind="Model", namespace="energy", name="nsw-price", uid="1")
ROUTE = build_route((("1.1.0", 10), ("1.0.0", 90)), owner=OWNER, timeout=timedelta(seconds=10))
REVISION = json.loads(ROUTE["data"]["route.json"])["revision"]


def report(weight: int, **more: object) -> str:
    return json.dumps({"revision": REVISION, "weights": {"1.1.0": weight}, **more})


@pytest.mark.parametrize(
    ("applied", "pods", "weight"),
    [
        pytest.param({"nsw-price.a": report(10)}, ["a"], 10, id="one pod reports"),
        pytest.param({"nsw-price.a": report(10), "nsw-price.b": report(10)}, ["a", "b"], 10,
                     id="all pods agree"),
        pytest.param({"nsw-price.a": report(10)}, ["a", "b"], None, id="one pod is behind"),
        pytest.param({"nsw-price.a": report(10), "nsw-price.b": report(0)}, ["a", "b"], None,
                     id="the pods disagree"),
        pytest.param({"nsw-price.a": report(10)}, [], None, id="no gateway pod"),
        pytest.param({"nsw-price.a": json.dumps({"revision": "old", "weights": {"1.1.0": 10}})},
                     ["a"], None, id="an older route"),
        pytest.param({"nsw-price.a": report(10, error="a host is taken")}, ["a"], 10,
            id="in force, but for a host"),
        pytest.param({"nsw-price.a": "not json"}, ["a"], None, id="unreadable"),
        pytest.param({"nsw-price.a": "[]"}, ["a"], None, id="another form"),
    ],
)  # fmt: skip
def test_read_weight(applied: dict[str, str], pods: list[str], weight: int | None) -> None:
    found = read_weight(ROUTE, applied, model="nsw-price", version="1.1.0", gateway_pods=pods)

    assert found == weight


def test_a_version_that_is_not_in_the_route_has_no_traffic() -> None:
    found = read_weight(
        ROUTE, {"nsw-price.a": report(10)}, model="nsw-price", version="9.9.9", gateway_pods=["a"]
    )

    assert found == 0


def test_no_route_is_not_known() -> None:
    assert read_weight(None, {}, model="m", version="1.0.0", gateway_pods=["a"]) is None


versions = st.sampled_from(["1.0.0", "1.1.0", None])


@given(st.sampled_from(Phase), st.integers(0, 100), versions, versions)
def test_weights_sum_to_one_hundred_or_nobody_is_served(
    phase: Phase, weight: int, candidate: str | None, stable: str | None
) -> None:
    found = split(phase, weight, candidate=candidate, stable=stable)

    assert not found or sum(share for _, share in found) == 100
    assert all(0 <= share <= 100 for _, share in found)
    assert stable is None or found
    assert len({version for version, _ in found}) == len(found)


@given(st.sampled_from(Phase), st.integers(0, 100))
def test_an_unverified_first_version_has_no_traffic(phase: Phase, weight: int) -> None:
    found = split(phase, weight, candidate="1.0.0", stable=None)

    assert bool(found) == (phase is Phase.SUCCEEDED)


def test_the_revision_follows_the_content() -> None:
    same = build_route((("1.1.0", 10), ("1.0.0", 90)), owner=OWNER, timeout=timedelta(seconds=10))
    other = build_route((("1.1.0", 11), ("1.0.0", 89)), owner=OWNER, timeout=timedelta(seconds=10))

    assert same == ROUTE
    assert json.loads(other["data"]["route.json"])["revision"] != REVISION
