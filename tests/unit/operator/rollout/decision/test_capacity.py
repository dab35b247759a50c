"""How many pods each version must have."""

import dataclasses

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from fairlead_operator.api.autoscaling import Autoscaling
from fairlead_operator.rollout.decision.capacity import Bounds, Capacity, Load, full_capacity

WIDE = Bounds(least=1, most=100)


def capacity(full: int, bounds: Bounds = WIDE, **ready: int) -> Capacity:
    return Capacity(full=full, bounds=bounds, ready=ready)


def test_bounds() -> None:
    scaling = Autoscaling(min_replicas=2, max_replicas=9)

    assert Bounds.of(scaling) == Bounds(least=2, most=9)


@pytest.mark.parametrize(
    ("full", "percent", "bounds", "pods"),
    [
        pytest.param(10, 25, WIDE, 3, id="a share is rounded up"),
        pytest.param(10, 20, WIDE, 2, id="an even share is not"),
        pytest.param(10, 0, WIDE, 1, id="no traffic: the fewest, to prove that it starts"),
        pytest.param(10, 100, WIDE, 10, id="all of it: full capacity"),
        pytest.param(4, 5, Bounds(least=2, most=9), 2, id="never fewer than asked for"),
        pytest.param(20, 100, Bounds(least=2, most=9), 9, id="never more than allowed"),
    ],
)
def test_share(full: int, percent: int, bounds: Bounds, pods: int) -> None:
    assert capacity(full, bounds).share(percent) == pods


@pytest.mark.parametrize(
    ("known", "stable", "candidates", "pods"),
    [
        pytest.param(0, 6, [], 6, id="what the stable version has"),
        pytest.param(8, 6, [], 8, id="the most it has had: it never falls in a rollout"),
        pytest.param(6, 9, [], 9, id="a stable version that grew"),
        pytest.param(6, 6, [Load(percent=50, replicas=3)], 6, id="a candidate within its share"),
        pytest.param(6, 6, [Load(percent=50, replicas=5)], 9, id="a candidate that needs more"),
        pytest.param(6, 6, [Load(percent=100, replicas=8)], 8, id="a candidate with all traffic"),
        pytest.param(6, 6, [Load(percent=24, replicas=8)], 6, id="a small share tells little"),
        pytest.param(1, 1, [Load(percent=0, replicas=4)], 1, id="a candidate without traffic"),
        pytest.param(0, 0, [Load(percent=0, replicas=0)], 1, id="a first version: the fewest"),
        pytest.param(90, 90, [Load(percent=50, replicas=60)], 100, id="never more than allowed"),
    ],
)
def test_full_capacity(known: int, stable: int, candidates: list[Load], pods: int) -> None:
    assert full_capacity(known, stable, candidates, WIDE) == pods


def test_a_version_that_lacks_pods_says_why_nothing_scales_it() -> None:
    stopped = {"1.1.0": "ScaledObject s: Paused is True", "1.0.0": "of another"}
    lacking = dataclasses.replace(capacity(8, **{"1.1.0": 1}), stopped=stopped)

    assert lacking.shortages({"1.1.0": 50}) == {
        "1.1.0": "1 of 4 pods of 1.1.0 ready for 50 % (ScaledObject s: Paused is True)"
    }


def test_the_fewest_pods_of_a_share_say_nothing_of_the_whole() -> None:
    bounds = Bounds(least=4, most=100)

    assert full_capacity(5, 5, [Load(percent=30, replicas=4)], bounds) == 5


@pytest.mark.parametrize(
    ("wanted", "ready", "said"),
    [
        pytest.param({"b": 50}, {"b": 4}, [], id="enough"),
        pytest.param({"b": 50}, {"b": 3}, ["3 of 4 pods of b ready for 50 %"], id="one too few"),
        pytest.param({"b": 10}, {}, ["0 of 1 pods of b ready for 10 %"], id="none at all"),
        pytest.param({}, {"b": 0}, [], id="nothing wanted"),
        pytest.param(
            {"c": 20, "b": 30},
            {"b": 1, "c": 1},
            ["1 of 3 pods of b ready for 30 %", "1 of 2 pods of c ready for 20 %"],
            id="several candidates",
        ),
    ],
)
def test_shortages(wanted: dict[str, int], ready: dict[str, int], said: list[str]) -> None:
    assert list(capacity(8, **ready).shortages(wanted).values()) == said


bounds_of_any_kind = st.tuples(st.integers(1, 50), st.integers(0, 50)).map(
    lambda pair: Bounds(least=pair[0], most=pair[0] + pair[1])
)
percents = st.integers(0, 100)


@given(st.integers(1, 100), percents, percents, bounds_of_any_kind)
def test_more_traffic_never_needs_fewer_pods(
    full: int, one: int, other: int, bounds: Bounds
) -> None:
    less, more = sorted((one, other))
    known = capacity(full, bounds)

    assert bounds.least <= known.share(less) <= known.share(more) <= bounds.most


@given(st.integers(1, 100), percents)
def test_a_share_bears_its_part(full: int, percent: int) -> None:
    """Pods of the candidate times what a pod bears is at least its part of the traffic."""
    assert capacity(full).share(percent) * 100 >= full * percent


@given(st.integers(1, 100), percents, st.integers(1, 100))
def test_what_a_candidate_says_of_the_whole_asks_for_no_more_than_it_has(
    replicas: int, percent: int, stable: int
) -> None:
    """Or each look would raise the candidate's own floor, and so itself."""
    full = full_capacity(0, stable, [Load(percent=percent, replicas=replicas)], WIDE)

    assert capacity(full).share(percent) <= max(replicas, capacity(stable).share(percent))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What the load does between two looks."""

    demand: int  # pods that all of the traffic needs now
    percent: int  # what the candidate is to get next


moments = st.lists(
    st.builds(Moment, demand=st.integers(1, 40), percent=percents), min_size=1, max_size=20
)


@given(moments, bounds_of_any_kind)
def test_going_back_always_finds_the_pods_that_were_seen_to_be_needed(
    life: list[Moment], bounds: Bounds
) -> None:
    """Both autoscalers follow their own load above their floors; the weight follows the pods.

    Up to what a candidate's small share cannot tell, and the most pods that are allowed.
    """
    full = stable = candidate = bounds.least
    weight = prepared = reached = 0
    for moment in life:
        # The autoscalers: each sees its own version's part, and its floor.
        demand = capacity(moment.demand, bounds)
        stable = max(stable, demand.share(100 - weight))
        candidate = max(demand.share(weight), capacity(full, bounds).share(weight), candidate)
        # The operator looks, raises the floors, and moves the weight only onto ready pods.
        full = full_capacity(full, stable, [Load(percent=prepared, replicas=candidate)], bounds)
        stable = max(stable, full)
        known = capacity(full, bounds, candidate=candidate)

        assert full == bounds.most or weight < 25 or known.share(prepared) >= demand.share(weight)
        assert weight >= 25 or full * 100 >= bounds.within(moment.demand) * 74
        prepared = max(prepared, moment.percent)
        if not known.shortages({"candidate": moment.percent}):
            weight = moment.percent
            reached = max(reached, weight)
            assert candidate >= known.share(weight)
    event(f"reached {'25 % or more' if reached >= 25 else 'less than 25 %'}")
