"""The route, and the weight read back: not knowing is None, never a number."""

import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_operator.api.phases.rollout import Phase, Reason
from fairlead_operator.api.policy import RolloutPolicy
from fairlead_operator.kube.metadata import Owner
from fairlead_operator.rollout.decision.plan import compile_plan
from fairlead_operator.rollout.decision.states import Decision
from fairlead_operator.rollout.traffic.route import (
    build_config_map,
    build_route,
    options,
    read_trip,
    read_weight,
    split,
)

OWNER = Owner(kind="Model", namespace="energy", name="nsw-price", uid="1")
ROUTE = build_route((("1.1.0", 10), ("1.0.0", 90)), owner=OWNER, timeout=timedelta(seconds=10))
REVISION = ROUTE["revision"]
CONFIG_MAP = build_config_map(ROUTE, owner=OWNER)


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
        pytest.param({"nsw-price.a": "[" * 9999}, ["a"], None, id="brackets without end"),
    ],
)  # fmt: skip
def test_read_weight(applied: dict[str, str], pods: list[str], weight: int | None) -> None:
    found = read_weight(CONFIG_MAP, applied, model="nsw-price", version="1.1.0", gateway_pods=pods)

    assert found == weight


def test_a_version_that_is_not_in_the_route_has_no_traffic() -> None:
    found = read_weight(
        CONFIG_MAP,
        {"nsw-price.a": report(10)},
        model="nsw-price",
        version="9.9.9",
        gateway_pods=["a"],
    )

    assert found == 0


def test_no_route_is_not_known() -> None:
    assert read_weight(None, {}, model="m", version="1.0.0", gateway_pods=["a"]) is None


def decision(phase: Phase, *shares: tuple[str, int], mirror: int = 0) -> Decision:
    return Decision(
        phase=phase, step=0, reason=Reason.STEP_HOLDING, message="", shares=shares, mirror=mirror
    )


stables = st.sampled_from(["1.0.0", "1.1.0", None])


@given(st.sampled_from(Phase), st.integers(0, 50), st.integers(0, 50), stables)
def test_weights_sum_to_one_hundred_or_nobody_is_served(
    phase: Phase, first: int, second: int, stable: str | None
) -> None:
    ends = phase is Phase.SUCCEEDED
    decided = decision(phase, ("1.1.0", 100 if ends else first), ("1.2.0", 0 if ends else second))

    found = split(decided, stable=stable)

    assert not found or sum(share for _, share in found) == 100
    assert all(0 <= share <= 100 for _, share in found)
    assert stable is None or found
    assert len({version for version, _ in found}) == len(found)


@given(st.sampled_from(Phase))
def test_an_unverified_first_version_has_no_traffic(phase: Phase) -> None:
    weight = 100 if phase is Phase.SUCCEEDED else 0

    found = split(decision(phase, ("1.0.0", weight)), stable=None)

    assert bool(found) == (phase is Phase.SUCCEEDED)


def extra(
    decided: Decision, *, stable: str | None = "1.0.0", **policy: object
) -> dict[str, object]:
    plan = compile_plan(RolloutPolicy.model_validate(policy))
    step = plan.steps[0] if decided.phase is Phase.PROGRESSING else None
    return options(decided, step, plan, stable=stable, owner=OWNER, rollout_uid="u1")


def test_a_guard_names_the_rollout_and_what_it_falls_back_to() -> None:
    limits = {"slowMilliseconds": 200, "maxSlowRatio": 0.3, "window": "5s"}

    found = extra(decision(Phase.GUARDING, ("1.1.0", 100)), fastGuard=limits)

    assert found == {
        "guard": {
            "id": "u1",
            "versions": ["1.1.0"],
            "fallback": "1.0.0",
            "minRequests": 10,
            "maxFailureRatio": 0.5,
            "maxRefusalRatio": 0.5,
            "windowSeconds": 5,
            "slowMilliseconds": 200,
            "maxSlowRatio": 0.3,
        }
    }


@pytest.mark.parametrize(
    ("decided", "policy"),
    [
        pytest.param(decision(Phase.PROGRESSING, ("1.1.0", 5)), {"fastGuard": {"enabled": False}},
                     id="switched off"),
        pytest.param(decision(Phase.GUARDING, ("1.1.0", 100)), {"strategy": "recreate"},
                     id="recreate: nothing to fall back to"),
        pytest.param(decision(Phase.SUCCEEDED, ("1.1.0", 100)), {}, id="ended well"),
        pytest.param(decision(Phase.ROLLED_BACK, ("1.1.0", 0)), {}, id="ended badly"),
        pytest.param(decision(Phase.PROGRESSING, ("1.0.0", 5)), {}, id="the stable version itself"),
    ],
)  # fmt: skip
def test_no_guard_where_it_could_not_narrow(decided: Decision, policy: dict[str, object]) -> None:
    assert extra(decided, **policy) == {}


def test_a_preview_has_an_address_and_copies() -> None:
    decided = decision(Phase.PROGRESSING, ("1.1.0", 0), mirror=100)

    found = extra(decided, strategy="blueGreen", fastGuard={"enabled": False})

    host = "nsw-price-preview"
    assert found == {
        "mirror": {"version": "1.1.0", "percent": 100},
        "preview": {
            "version": "1.1.0",
            "hosts": [host, f"{host}.energy", f"{host}.energy.svc",
                      f"{host}.energy.svc.cluster.local"],
        },
    }  # fmt: skip


@pytest.mark.parametrize(
    ("sticky", "document"),
    [
        pytest.param({}, {"by": "cookie", "maxAgeSeconds": 86400, "id": "u1"},
                     id="a cookie for a day"),
        pytest.param({"maxAge": "1h"}, {"by": "cookie", "maxAgeSeconds": 3600, "id": "u1"},
                     id="for an hour"),
        pytest.param({"by": "header", "header": "x-user-id"},
                     {"by": "header", "header": "x-user-id"}, id="a header"),
    ],
)  # fmt: skip
def test_users_keep_their_version_during_a_trial_alone(
    sticky: dict[str, object], document: dict[str, object]
) -> None:
    policy: dict[str, object] = {
        "strategy": "abTest",
        "abTest": {"goal": {"metric": "reward"}, "sticky": sticky},
    }

    during = extra(decision(Phase.PROGRESSING, ("1.1.0", 30), ("1.2.0", 30)), **policy)
    after = extra(decision(Phase.GUARDING, ("1.1.0", 0), ("1.2.0", 100)), **policy)

    assert during["sticky"] == document
    assert "sticky" not in after


def tripped(guard: str = "u1", at: str = "2026-01-01T00:00:00Z", **more: object) -> str:
    trip = {"guard": guard, "at": at, "message": "12 of 14 answers failed", **more}
    return json.dumps({"revision": "old", "weights": {}, "tripped": {"1.1.0": trip}})


@pytest.mark.parametrize(
    ("applied", "message"),
    [
        pytest.param({"nsw-price.a": tripped()}, "12 of 14 answers failed", id="a pod tripped"),
        pytest.param({"nsw-price.a": report(10), "nsw-price.b": tripped()},
                     "12 of 14 answers failed", id="one of two pods tripped"),
        pytest.param({"nsw-price.a": tripped(at="2026-01-01T00:00:09Z", message="late"),
                      "nsw-price.b": tripped()}, "12 of 14 answers failed", id="the first counts"),
        pytest.param({"nsw-price.a": tripped(guard="u0")}, None, id="of an earlier rollout"),
        pytest.param({"nsw-price.a": report(10)}, None, id="no trip"),
        pytest.param({"nsw-price.a": tripped(at="yesterday")}, None, id="unreadable moment"),
        pytest.param({"nsw-price.a": tripped(at="2026-01-01T00:00:00"), "nsw-price.b": tripped()},
                     "12 of 14 answers failed", id="a moment of no zone beside a readable one"),
        pytest.param({"nsw-price.a": tripped(at="0001-01-01T00:00:00+01:00")}, None,
                     id="a moment of no year"),
        pytest.param({"nsw-price.a": "[]"}, None, id="another form"),
        pytest.param({"nsw-price.a": "[" * 9999, "nsw-price.b": tripped()},
                     "12 of 14 answers failed", id="brackets without end"),
    ],
)  # fmt: skip
def test_read_trip(applied: dict[str, str], message: str | None) -> None:
    found = read_trip(
        applied, model="nsw-price", version="1.1.0", guard="u1", gateway_pods=["a", "b"]
    )

    assert (found[0] if found else None) == message


def test_a_model_and_its_preview_have_hosts_in_the_domain_of_the_cluster() -> None:
    plan = compile_plan(RolloutPolicy.model_validate({"strategy": "blueGreen"}))
    decided = decision(Phase.PROGRESSING, ("1.1.0", 0), mirror=100)

    preview = options(
        decided,
        plan.steps[0],
        plan,
        stable="1.0.0",
        owner=OWNER,
        rollout_uid="u1",
        cluster_domain="k8s.example.com",
    )["preview"]
    route = build_route(
        (("1.0.0", 100),),
        owner=OWNER,
        timeout=timedelta(seconds=10),
        cluster_domain="k8s.example.com",
    )

    assert preview["hosts"][-1] == "nsw-price-preview.energy.svc.k8s.example.com"
    assert route["hosts"][-1] == "nsw-price.energy.svc.k8s.example.com"
    assert not any("cluster.local" in host for host in (*preview["hosts"], *route["hosts"]))


def test_the_revision_follows_the_content() -> None:
    same = build_route((("1.1.0", 10), ("1.0.0", 90)), owner=OWNER, timeout=timedelta(seconds=10))
    other = build_route((("1.1.0", 11), ("1.0.0", 89)), owner=OWNER, timeout=timedelta(seconds=10))

    assert same == ROUTE
    assert other["revision"] != REVISION
