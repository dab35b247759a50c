"""The checker of lives finds each thing that must not be, in one changed state of a good life."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from support.invariants import Expectation, Invariants, Snapshot


def status_of_rollout(**status: Any) -> dict[str, Any]:
    return {
        "phase": "Progressing",
        "step": 0,
        "weight": 10,
        "observedWeight": 10,
        "stable": {"version": "1.0.0"},
        **status,
    }


def rollout(name: str = "second", **status: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name},
        "spec": {"model": "prices", "version": "1.1.0"},
        "status": status_of_rollout(**status),
    }


def seen(weight: int = 10, **status: Any) -> Snapshot:
    """A canary at a weight that its gateway reports."""
    weights = {"1.1.0": weight, "1.0.0": 100 - weight}
    said = {"weight": weight, "observedWeight": weight, **status}
    return Snapshot(
        model={"status": {"stable": {"version": "1.0.0"}, "rollout": "second"}},
        rollouts=(rollout(**said),),
        route=weights,
        reports={"gateway-0": weights},
        servers=frozenset({"1.0.0", "1.1.0"}),
        artifacts=frozenset({"1.0.0", "1.1.0"}),
    )


BEGIN = dataclasses.replace(
    seen(0), rollouts=(), model={"status": {"stable": {"version": "1.0.0"}}}
)


def checker(**expected: Any) -> Invariants:
    return Invariants(BEGIN, Expectation(weights=(10, 50, 100), **expected))


def change(**fields: Any) -> Callable[[Snapshot], Snapshot]:
    return lambda state: dataclasses.replace(state, **fields)


def test_a_good_life_is_let_through() -> None:
    held = checker()
    for state in (BEGIN, seen(10), seen(50, step=1), seen(100, step=2, phase="Guarding")):
        held.hold(state)

    held.at_rest(seen(100, step=2, phase="Guarding"))
    assert held.held == 5


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        (change(route={"1.1.0": 10, "1.0.0": 80}), "not 100 in sum"),
        (change(reports={"gateway-0": {"1.1.0": 10, "1.0.0": 80}}), "not 100 in sum"),
        (change(route={"2.0.0": 10, "1.0.0": 90}), "not on trial"),
        (change(broken=frozenset({"1.1.0"})), "cannot answer"),
        (change(servers=frozenset({"1.1.0"})), "must serve"),
        (change(artifacts=frozenset({"1.1.0"})), "artifacts are gone"),
        (lambda _: seen(20), "in no step"),
        (lambda _: seen(50), "past 10 %"),
        (lambda _: seen(10, step=1), "went from step -1 to 1"),
        (lambda _: seen(0, phase="RollingBack"), "rolled back by mistake"),
        (lambda _: seen(10, observedWeight=50), "50 % observed"),
    ],
)
def test_what_must_not_be_is_found(changed: Callable[[Snapshot], Snapshot], complaint: str) -> None:
    with pytest.raises(AssertionError, match=complaint):
        checker().hold(changed(seen(10)))


def test_traffic_does_not_grow_in_doubt() -> None:
    held = checker()
    held.hold(seen(10))
    held.expected.has_evidence = False

    with pytest.raises(AssertionError, match="in doubt"):
        held.hold(seen(50, step=1))


def test_pods_of_a_silent_node_serve_whatever_is_said_of_them() -> None:
    held = checker(hears_of_pods=False)
    held.hold(dataclasses.replace(seen(10), servers=frozenset()))
    held.expected.hears_of_pods = True

    with pytest.raises(AssertionError, match="must serve"):
        held.hold(dataclasses.replace(seen(10), servers=frozenset()))


def test_the_way_back_serves_while_a_candidate_has_no_pod() -> None:
    held = checker(is_emptied=True)
    held.hold(dataclasses.replace(seen(10), servers=frozenset({"1.0.0"})))

    with pytest.raises(AssertionError, match="must serve"):
        held.hold(dataclasses.replace(seen(10), servers=frozenset({"1.1.0"})))


def test_an_end_is_an_end() -> None:
    held = checker(may_roll_back=True)
    held.hold(seen(10))
    held.hold(seen(0, phase="RolledBack"))

    with pytest.raises(AssertionError, match="was RolledBack and is Progressing"):
        held.hold(seen(0))


def test_a_version_that_was_taken_back_is_not_tried_again() -> None:
    held = checker(may_roll_back=True)
    back = rollout(phase="RolledBack", weight=0, observedWeight=0)
    again = rollout("third", phase="RolledBack", weight=0, observedWeight=0)

    with pytest.raises(AssertionError, match="tried again"):
        held.hold(dataclasses.replace(seen(0), rollouts=(back, again)))


def test_a_version_that_was_taken_back_has_no_traffic_again() -> None:
    held = checker(may_roll_back=True)
    held.hold(seen(10))
    held.hold(seen(0, phase="RolledBack"))
    back = rollout(phase="RolledBack", weight=0, observedWeight=0)
    again = dataclasses.replace(seen(10), rollouts=(back, rollout("third", weight=10)))

    with pytest.raises(AssertionError, match=r"1.1.0 was taken back and has 10 % again"):
        held.hold(again)


@pytest.mark.parametrize(
    "reports", [{}, {"gateway-0": {"1.1.0": 100}, "gateway-1": {"1.1.0": 50, "1.0.0": 50}}]
)
def test_at_rest_every_gateway_does_what_the_status_says(
    reports: Mapping[str, Mapping[str, int]],
) -> None:
    held = checker()
    for state in (seen(10), seen(50, step=1), seen(100, step=2, phase="Guarding")):
        held.hold(state)

    with pytest.raises(AssertionError):
        held.at_rest(dataclasses.replace(seen(100, step=2, phase="Succeeded"), reports=reports))
