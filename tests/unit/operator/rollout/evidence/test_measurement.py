"""One check asked of fakes: what is asked of whom, and that no answer stops the reconcile."""

import dataclasses
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from fairlead_contract.statistics.sequential import Counts, Losses
from fairlead_operator.api.base import parse_duration
from fairlead_operator.api.builtins import BUILTINS, Builtin
from fairlead_operator.api.checks import DEFAULT_CHECKS, Check
from fairlead_operator.ports import Moments, Tally
from fairlead_operator.rollout.evidence.measurement import measure, with_window
from fairlead_operator.rollout.evidence.scene import Pairing, Scene
from fairlead_operator.rollout.statistics.verdict import Measurement, Pair
from support.fakes import START
from support.world import World

MINUTE = timedelta(minutes=1)
SCENE = Scene(
    pairing=Pairing(
        namespace="energy",
        model="nsw-price",
        stable="1.0.0",
        now=START + 10 * MINUTE,
    ),
    version="1.1.0",
    since=START,
)


def check(**fields: Any) -> Check:
    return Check.model_validate({"name": "c", **fields})


@pytest.fixture
def world() -> World:
    """Both versions are healthy, and the record knows a lot of them."""
    world = World()
    world.prometheus.healthy()
    world.prometheus.counts = {
        "candidate-total": 1000.0,
        "candidate-bad": 300.0,
        "candidate-good": 500.0,
        "stable-total": 3000.0,
        "stable-bad": 3.0,
        "stable-good": 2900.0,
    }
    record = world.record
    record.ratings["accuracy", "1.1.0"] = Tally(successes=9000, trials=10000)
    record.ratings["accuracy", "1.0.0"] = Tally(successes=8800, trials=10000)
    for loss in ("absolute", "squared", "log-loss"):
        record.losses_of[loss, "1.1.0"] = Moments(count=500, total=2000, squares=9000)
        record.losses_of[loss, "1.0.0"] = Moments(count=500, total=500, squares=1000)
    record.counts["1.1.0"] = ((9000, 1000), (5000, 5000))
    record.agreements["1.1.0"] = Tally(successes=450, trials=500)
    return world


async def measured(
    world: World, one: Check, *, bound: float | None = None, **scene: Any
) -> Measurement:
    return await measure(one, dataclasses.replace(SCENE, **scene), bound=bound, ports=world.ports)


ACCURACY = Pair(candidate=Counts(good=9000, total=10000), stable=Counts(good=8800, total=10000))


def losses(*, root: bool = False) -> Pair:
    return Pair(
        candidate=Losses(total=500, sum=2000, squares=9000, root=root),
        stable=Losses(total=500, sum=500, squares=1000, root=root),
    )


MEASURED: Mapping[str, tuple[Any, float, Pair | None]] = {
    "success-rate": (1.0, 500, None),
    "acceptance-rate": (1.0, 500, None),
    "latency-p50": (20.0, 500, None),
    "latency-p95": (20.0, 500, None),
    "latency-p99": (20.0, 500, None),
    "saturation": (0.5, 500, None),
    "live-accuracy": (0.9, 10000, ACCURACY),
    "live-log-loss": (4.0, 500, losses()),
    "live-mae": (4.0, 500, losses()),
    "live-rmse": (2.0, 500, losses(root=True)),
    "prediction-drift": (pytest.approx(0.878, abs=0.01), 10000, None),
    "prediction-agreement": (0.9, 500, None),
}


@pytest.mark.parametrize("name", BUILTINS)
async def test_a_builtin_is_measured(world: World, name: str) -> None:
    value, samples, pair = MEASURED[name]
    one = check(builtin=name, **{BUILTINS[name].direction: 0.5})

    assert await measured(world, one) == Measurement(
        name="c", value=value, samples=samples, pair=pair
    )


@pytest.mark.parametrize("builtin", BUILTINS.values(), ids=lambda row: row.name)
async def test_a_builtin_that_can_be_compared_is(world: World, builtin: Builtin) -> None:
    one = check(builtin=builtin.name, relative={"margin": 0.01})

    measurement = await measured(world, one)

    assert (measurement.pair is not None) == (builtin.comparison is not None)


async def test_nothing_is_measured_for_a_check_that_is_not_known(world: World) -> None:
    unknown = dataclasses.replace(BUILTINS["success-rate"], name="uptime", query="uptime")
    one = check(builtin="success-rate", atLeast=0.5).model_copy(update={"builtin": unknown})

    with pytest.raises(AssertionError):
        await measured(world, one)


@pytest.mark.parametrize("missing", ["candidate-total", "stable-total"])
async def test_a_silent_version_is_compared_with_nothing(world: World, missing: str) -> None:
    del world.prometheus.counts[missing]

    measurement = await measured(world, check(builtin="success-rate", relative={"margin": 0.01}))

    assert measurement == Measurement(name="c")


async def test_what_a_version_refuses_beside_what_its_share_would_be(world: World) -> None:
    world.prometheus.counts = {
        "candidate-total": 1000.0, "candidate-refused": 400.0,
        "stable-total": 3000.0, "stable-refused": 3.0,
    }  # fmt: skip
    veto = check(builtin="acceptance-rate", relative={"margin": 0.05})

    assert await measured(world, veto, portion=0.5) == Measurement(
        name="c",
        value=0.6,
        samples=1000,
        pair=Pair(candidate=Counts(good=600, total=1000), stable=Counts(good=2997, total=3000)),
        expected=2997 / 2,
    )


async def test_a_veto_has_its_numbers_also_where_the_stable_version_has_none(
    world: World,
) -> None:
    world.prometheus.counts = {"candidate-total": 1000.0, "candidate-refused": 400.0}
    veto = check(builtin="acceptance-rate", relative={"margin": 0.05})

    assert await measured(world, veto) == Measurement(name="c", value=0.6, samples=1000)


async def test_success_beside_the_stable_version(world: World) -> None:
    measurement = await measured(world, check(builtin="success-rate", relative={"margin": 0.01}))

    assert measurement.pair == Pair(
        candidate=Counts(good=700, total=1000), stable=Counts(good=2997, total=3000)
    )


async def test_latency_is_divided_where_the_stable_version_was_before_the_step(
    world: World,
) -> None:
    world.prometheus.latency = 30.0

    measurement = await measured(world, check(builtin="latency-p95", relative={"margin": 0.02}))

    assert measurement.bound == 50
    assert measurement.pair == Pair(
        candidate=Counts(good=500, total=1000), stable=Counts(good=2900, total=3000)
    )
    before = world.prometheus.asked[0]
    assert 'version="1.0.0"' in before
    assert "offset 600s" in before
    assert "offset 900s" in before


async def test_a_bound_that_was_found_is_not_looked_for_again(world: World) -> None:
    slow = check(builtin="latency-p95", relative={"margin": 0.02})

    measurement = await measured(world, slow, bound=250)

    assert measurement.bound == 250
    assert len(world.prometheus.asked) == 1


async def test_without_a_quantile_of_the_stable_version_nothing_is_divided(world: World) -> None:
    world.prometheus.latency = None

    measurement = await measured(world, check(builtin="latency-p95", relative={"margin": 0.02}))

    assert measurement == Measurement(name="c")
    assert len(world.prometheus.asked) == 2  # the minutes before the step, then all there are


async def test_at_all_traffic_the_stable_versions_last_minutes_are_compared(world: World) -> None:
    beside = check(builtin="success-rate", relative={"margin": 0.01})

    await measured(world, beside, reference=5 * MINUTE)

    candidate, stable = world.prometheus.asked[0].split('"candidate-bad"')
    assert "offset 600s" in candidate
    assert "offset 900s" not in candidate
    assert "offset 900s" in stable


async def test_at_all_traffic_labels_count_from_the_stable_versions_last_minutes(
    world: World,
) -> None:
    right = check(builtin="live-accuracy", relative={"margin": 0.01})

    await measured(world, right, reference=5 * MINUTE)

    assert {one.version: one.since for one in world.record.asked} == {
        "1.1.0": START,
        "1.0.0": START - 5 * MINUTE,
    }


async def test_copies_are_judged_by_their_own_series(world: World) -> None:
    await measured(world, DEFAULT_CHECKS[0], mirrored=True)

    assert all('role="shadow"' in question for question in world.prometheus.asked)


@pytest.mark.parametrize(
    ("fields", "answer", "value", "samples"),
    [
        pytest.param({}, 1.0, 1.0, None, id="one number"),
        pytest.param({}, None, None, None, id="nothing"),
        pytest.param({"total": "q"}, 40.0, 1.0, 40, id="a share"),
        pytest.param({"total": "q"}, 0.0, None, 0, id="none of none"),
        pytest.param({"total": "q"}, -1.0, None, -1, id="less than none"),
        pytest.param({"total": "q"}, None, None, None, id="a share of nothing"),
    ],
)
async def test_a_users_query(
    world: World, fields: Any, answer: float | None, value: float | None, samples: float | None
) -> None:
    world.prometheus.own["q"] = answer

    measurement = await measured(world, check(query="q", atLeast=0.5, **fields))

    assert measurement == Measurement(name="c", value=value, samples=samples)


PAID = check(
    query="paid{v='{{version}}'}[{{window}}]",
    total="all{v='{{version}}'}[{{window}}]",
    relative={"margin": 0.02},
)
EVENTS = {
    "paid{v='1.1.0'}[600s]": 4000.0,
    "all{v='1.1.0'}[600s]": 5000.0,
    "paid{v='1.0.0'}[600s]": 70.0,
    "all{v='1.0.0'}[600s]": 60.0,
}


async def test_a_users_counts_are_asked_once_for_each_version(world: World) -> None:
    world.prometheus.own |= EVENTS

    measurement = await measured(world, PAID)

    assert sorted(world.prometheus.asked) == sorted(EVENTS)
    assert measurement.pair == Pair(
        candidate=Counts(good=4000, total=5000), stable=Counts(good=60, total=60)
    )


async def test_a_version_without_an_answer_is_compared_with_nothing(world: World) -> None:
    world.prometheus.own |= EVENTS | {"paid{v='1.0.0'}[600s]": None}

    assert (await measured(world, PAID)).pair is None


@pytest.mark.parametrize(
    "one",
    [
        *(
            pytest.param(check(builtin=row.name, **{row.direction: 0.5}), id=row.name)
            for row in BUILTINS.values()
        ),
        pytest.param(check(builtin="success-rate", relative={"margin": 0.01}), id="comparison"),
        pytest.param(check(builtin="latency-p95", relative={"margin": 0.01}), id="latency beside"),
        pytest.param(check(query="q", atMost=1), id="query"),
    ],
)
async def test_who_does_not_answer_is_an_error(world: World, one: Check) -> None:
    world.prometheus.down = world.record.down = True

    measurement = await measured(world, one)

    assert measurement == Measurement(name="c", error=measurement.error)
    assert measurement.error


async def test_a_refused_query_is_an_error_that_says_why(world: World) -> None:
    world.prometheus.refusal = "Prometheus refused the query: parse error"

    measurement = await measured(world, check(query="sum(", atMost=1))

    assert measurement.error == "Prometheus refused the query: parse error"


SECONDS = timedelta(seconds=1)
COUNTED = {"query": "good[{{window}}]", "total": "all[{{window}}]", "atLeast": 0.5}


@pytest.mark.parametrize(
    ("fields", "lasted", "span"),
    [
        pytest.param({"builtin": "success-rate", "atLeast": 0.9}, 10 * MINUTE, "offset 30s",
                     id="the whole window, once the step is as old"),
        pytest.param({"builtin": "success-rate", "atLeast": 0.9}, 12 * SECONDS, "offset 12s",
                     id="a young step: since it began"),
        pytest.param({"builtin": "latency-p95", "atMost": 9, "window": "1h"}, 10 * MINUTE,
                     "offset 600s", id="a window longer than any hold: since the step began"),
        pytest.param(COUNTED, 12 * SECONDS, "[12s]", id="counts of a user"),
        pytest.param(COUNTED, 10 * MINUTE, "[30s]", id="counts of a user: the whole window"),
        pytest.param({"query": "good[{{window}}]", "atLeast": 0.5}, 12 * SECONDS, "[30s]",
                     id="what a query adds up by itself is not cut"),
        pytest.param({"builtin": "saturation", "atMost": 9}, 12 * SECONDS, "[30s]",
                     id="saturation, which a burst would fail"),
    ],
)  # fmt: skip
async def test_a_window_does_not_reach_back_before_its_step(
    world: World, fields: Any, lasted: timedelta, span: str
) -> None:
    """A step was passed on the requests of the one before, or of an earlier attempt."""
    world.prometheus.own = {f"{word}[{n}s]": 1.0 for word in ("good", "all") for n in (12, 30)}
    pairing = dataclasses.replace(SCENE.pairing, now=START + lasted)

    await measured(world, check(**fields), pairing=pairing)

    asked = world.prometheus.asked[0]
    assert span in asked
    assert set(re.findall(r"offset \d+s", asked)) <= {span}


@pytest.mark.parametrize(
    ("fields", "window"),
    [
        pytest.param({"builtin": "success-rate", "atLeast": 0.9}, "30s", id="counted: the usual"),
        pytest.param(
            {"builtin": "latency-p95", "atMost": 9, "window": "2m"}, "2m", id="one of its own"
        ),
        pytest.param({"query": "q", "total": "q", "atLeast": 0.5}, "30s", id="of a user"),
        pytest.param(
            {"builtin": "success-rate", "relative": {"margin": 0.1}}, None, id="a comparison"
        ),
        pytest.param({"builtin": "live-accuracy", "atLeast": 0.9}, None, id="from the record"),
    ],
)
def test_the_minutes_of_a_bound(fields: Any, window: str | None) -> None:
    plain = Measurement(name="c")

    told = with_window(plain, check(**fields), SCENE)

    if window is None:
        assert told == plain
    else:
        minutes = parse_duration(window)
        assert told == dataclasses.replace(plain, window=minutes, lasted=10 * MINUTE)
