"""When a version loses its traffic on what Envoy has counted, and above all when not."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_serving.gateway.guard.burst import (
    Burst,
    Counts,
    Look,
    Rate,
    Standard,
    find_burst,
    remember,
    renew,
)
from fairlead_serving.gateway.routes.options import Guard

GUARD = Guard(
    guard_id="g",
    versions=("2",),
    fallback="1",
    min_requests=10,
    max_failure_ratio=0.5,
    window_seconds=2,
)
REFUSING = dataclasses.replace(GUARD, max_refusal_ratio=0.5)
SLOW = dataclasses.replace(GUARD, slow_milliseconds=1000, max_slow_ratio=0.5)


def look(at: float, finished: int = 0, failed: int = 0, **more: Any) -> Look:
    return Look(at=at, counts=Counts(finished=finished, failed=failed, **more))


def timed(at: float, fast: int, slow: int, **more: Any) -> Look:
    """Answers within and over a second."""
    within = {500: fast, 1000: fast, 60_000: fast + slow}
    return look(at, finished=fast + slow, within=within, **more)


def asked(at: float, begun: int, waiting: int, **more: Any) -> Look:
    """So many requests were begun in all, and so many wait for an answer."""
    return look(at, begun=begun, asked=waiting, **more)


def burst(looks: Sequence[Look], guard: Guard = GUARD) -> Burst | None:
    """The last decision of all looks taken one after the other."""
    seen: tuple[Look, ...] = ()
    found = None
    for each in looks:
        seen = remember(seen, each, guard)
        found = find_burst(seen, guard)
    return found


@pytest.mark.parametrize(
    ("looks", "trips"),
    [
        pytest.param([], False, id="nothing was seen"),
        pytest.param([look(0, 100, 100)], False, id="what was before the first look is unknown"),
        pytest.param([look(0), look(1, 10, 10)], True, id="all of ten fail"),
        pytest.param([look(0), look(1, 10, 6)], True, id="six of ten fail"),
        pytest.param([look(0), look(1, 10, 5)], False, id="half is allowed"),
        pytest.param([look(0), look(1, 9, 9)], False, id="nine are too few"),
        pytest.param([look(0), look(2, 10, 10)], True, id="just within the window"),
        pytest.param([look(0), look(2.1, 10, 10)], False, id="spread over more than the window"),
        pytest.param(
            [look(0), look(0.9, 100), look(1.9, 110, 10)],
            True,
            id="good answers just before do not hide the bad ones",
        ),
        pytest.param(
            [look(0), look(1, 10, 10), look(2, 100, 10)], False, id="a burst that is over"
        ),
        pytest.param([look(0, 50), look(1, 20, 20)], False, id="a counter that went back"),
        pytest.param(
            [look(0, 50), look(1, 20, 20), look(2, 30, 30)], True, id="a burst after a new start"
        ),
        pytest.param([look(0), look(1, 10, 30)], False, id="more failures than answers"),
        pytest.param([look(0), look(1, 0, 0)], False, id="no traffic"),
        pytest.param(
            [look(0), look(1, 20, 20, unavailable=20, unreached=20)],
            False,
            id="no pod was reached",
        ),
        pytest.param(
            [look(0), look(1, 20, 20, unavailable=20, unreached=60)],
            False,
            id="nor at the second or third attempt",
        ),
        pytest.param(
            [look(0), look(1, 25, 20, unavailable=15, unreached=15)],
            False,
            id="half of those that reached one failed",
        ),
        pytest.param(
            [look(0), look(1, 25, 21, unavailable=15, unreached=15)],
            True,
            id="more than half of those that reached one failed",
        ),
        pytest.param(
            [look(0), look(1, 10, 10, unreached=30)],
            True,
            id="attempts that a retry made good excuse no failure",
        ),
        pytest.param(
            [look(0, 30, 0, unreached=30), look(1, 40, 10, unavailable=10, unreached=30)],
            True,
            id="nor do earlier ones",
        ),
        pytest.param(
            [look(0), look(1, 20, 20, unavailable=20, unreached=10)],
            True,
            id="the version's own 503s",
        ),
    ],
)
def test_failures(looks: list[Look], *, trips: bool) -> None:
    assert (burst(looks) is not None) is trips


@pytest.mark.parametrize(
    ("looks", "trips"),
    [
        pytest.param([timed(0, 0, 0), timed(1, 4, 6)], True, id="six of ten over a second"),
        pytest.param([timed(0, 0, 0), timed(1, 5, 5)], False, id="half is allowed"),
        pytest.param([timed(0, 0, 0), timed(1, 3, 6)], False, id="nine are too few"),
        pytest.param([timed(0, 50, 0), timed(1, 0, 20)], False, id="a histogram that went back"),
        pytest.param([look(0), look(1, 20)], False, id="no histogram yet"),
        pytest.param(
            [asked(0, 12, 12), asked(1, 14, 14)], True, id="twelve without answer for a second"
        ),
        pytest.param([asked(0, 12, 12), asked(0.9, 30, 30)], False, id="not yet for a second"),
        pytest.param([asked(0, 9, 9), asked(1, 30, 30)], False, id="nine wait: too few"),
        pytest.param(
            [asked(0, 12, 12), asked(1, 42, 30, finished=12)],
            False,
            id="others wait: these are done",
        ),
        pytest.param(
            [asked(0, 12, 12), asked(1, 14, 2)], False, id="gone without an answer: clients"
        ),
        pytest.param(
            [asked(0, 12, 12), asked(1, 60, 12)],
            False,
            id="none waits for long: callers hang up and others come",
        ),
        pytest.param(
            [asked(0, 12, 0), asked(1, 14, 0)], False, id="their bodies are not whole: senders"
        ),
        pytest.param(
            [asked(0, 50, 12), asked(1, 12, 12), asked(1.5, 12, 12)],
            False,
            id="a count of requests that began anew",
        ),
    ],
)
def test_slowness(looks: list[Look], *, trips: bool) -> None:
    assert (burst(looks, SLOW) is not None) is trips
    assert burst(looks, GUARD) is None  # not asked for


def refusing(at: float, accepted: int, refused: int) -> Look:
    return look(at, finished=accepted + refused, refused=refused)


QUIET = Rate(
    answers=90, refused=0, seconds=1, share=90
)  # the fallback accepts 1 a second a percent
WRONG = dataclasses.replace(QUIET, refused=81)  # callers are wrong, whoever they ask


@pytest.mark.parametrize(
    ("accepted", "refused", "rate", "trips"),
    [
        pytest.param(0, 10, QUIET, True, id="all of ten refused"),
        pytest.param(4, 6, QUIET, True, id="six of ten refused, which the fallback accepts"),
        pytest.param(5, 5, QUIET, False, id="half more is allowed"),
        pytest.param(0, 9, QUIET, False, id="nine are too few"),
        pytest.param(0, 10, None, False, id="nothing is known of the fallback"),
        pytest.param(0, 10, WRONG, False, id="callers who are wrong with both versions"),
        pytest.param(10, 500, QUIET, False, id="its share is accepted: one caller is wrong"),
        pytest.param(6, 500, QUIET, False, id="more than half of its share is accepted"),
        pytest.param(4, 500, QUIET, True, id="less than half of its share is accepted"),
        pytest.param(
            0,
            10,
            dataclasses.replace(QUIET, share=100, answers=5, refused=0),
            True,
            id="few before",
        ),
    ],
)
def test_refusals(accepted: int, refused: int, rate: Rate | None, *, trips: bool) -> None:
    looks = [refusing(0, 0, 0), refusing(1, accepted, refused)]

    assert (find_burst(looks, REFUSING, share=10, rate=rate) is not None) is trips
    assert find_burst(looks, GUARD, share=10, rate=rate) is None  # the limit is turned off


def test_a_burst_of_refusals_says_what_the_fallback_did() -> None:
    looks = [refusing(0, 0, 0), refusing(1, 1, 12)]

    assert find_burst(looks, REFUSING, share=10, rate=QUIET) == Burst(
        message="12 of 13 answers refused the request with a 4xx in 1.0 s, 1 refused 0 of 90, "
        "allowed 50% more",
        requests=13,
        failures=12,
    )


def standard(*looks: Look, share: int = 90) -> Standard:
    known = Standard()
    for each in looks:
        known = renew(known, each, share, REFUSING)
    return known


@pytest.mark.parametrize(
    ("looks", "rate"),
    [
        pytest.param([refusing(0, 50, 50)], None, id="before the first look nothing is known"),
        pytest.param([refusing(0, 0, 0), refusing(2, 9, 0)], None, id="nine answers are too few"),
        pytest.param([refusing(0, 0, 0), refusing(0.4, 90, 0)], None, id="too short"),
        pytest.param(
            [refusing(0, 0, 0), refusing(0.5, 9, 1)], (10, 1, 0.5), id="half a second will do"
        ),
        pytest.param(
            [refusing(0, 0, 0), refusing(1, 10, 0), refusing(2, 20, 0), refusing(3, 30, 0)],
            (20, 0, 2.0),
            id="the whole window where there is one",
        ),
        pytest.param(
            [refusing(0, 0, 0), refusing(2, 8, 2)], (10, 2, 2.0), id="ten within the window"
        ),
        pytest.param(
            [refusing(0, 0, 0), refusing(60, 5, 0), refusing(100, 8, 2)],
            (10, 2, 100.0),
            id="few answers need more time",
        ),
        pytest.param(
            [refusing(0, 0, 0), refusing(2, 8, 2), refusing(3, 0, 0)],
            (10, 2, 2.0),
            id="counters that went back leave what is known",
        ),
        pytest.param(
            [refusing(0, 0, 0), refusing(2, 0, 20), refusing(4, 20, 20)],
            (20, 0, 2.0),
            id="the latest count",
        ),
    ],
)
def test_what_is_known_of_the_fallback(
    looks: list[Look], rate: tuple[int, int, float] | None
) -> None:
    known = standard(*looks).rate

    assert (known and (known.answers, known.refused, known.seconds)) == rate


def test_without_traffic_the_last_that_was_known_of_the_fallback_stands() -> None:
    known = standard(refusing(0, 0, 0), refusing(2, 10, 0))

    gone = renew(known, refusing(3, 10, 0), 0, REFUSING)
    back = renew(gone, refusing(900, 10, 0), 50, REFUSING)

    assert gone == Standard(rate=known.rate)
    assert back.rate == known.rate


def test_few_looks_at_the_fallback_are_kept() -> None:
    known = standard(*(refusing(number / 10, number, 0) for number in range(10_000)))

    assert len(known.looks) < 500
    assert known.rate is not None
    assert known.rate.seconds == pytest.approx(2, abs=0.6)


def test_the_bound_is_rounded_up_to_what_envoy_counts_by() -> None:
    counts = Counts(within={500: 5, 1000: 7, 60_000: 10})

    assert counts.slower_than(1000) == 3
    assert counts.slower_than(600) == 3
    assert counts.slower_than(500) == 5
    assert counts.slower_than(70_000) == 0
    assert Counts().slower_than(1) == 0


def test_a_burst_says_what_was_seen() -> None:
    assert burst([look(0), look(1, 14, 12)]) == Burst(
        message="12 of 14 answers failed in 1.0 s, allowed 50%", requests=14, failures=12
    )
    exact = burst([look(0), look(1, 20, 10)], dataclasses.replace(GUARD, max_failure_ratio=0.495))
    assert exact is not None
    assert exact.message == "10 of 20 answers failed in 1.0 s, allowed 49.5%"
    slow = burst([timed(0, 0, 0), timed(1, 4, 8)], SLOW)
    assert slow is not None
    assert slow.message == "8 of 12 answers took over 1000 ms in 1.0 s, allowed 50%"
    hanging = burst([asked(0, 12, 12), asked(1, 12, 12)], SLOW)
    assert hanging is not None
    assert hanging.message == (
        "12 of 12 requests have waited over 1000 ms for an answer, allowed 50%"
    )


def test_only_what_is_needed_is_remembered() -> None:
    looks: tuple[Look, ...] = ()
    for number in range(1000):
        looks = remember(looks, look(number / 10, number), SLOW)

    assert len(looks) == 21


_steps = st.lists(
    st.tuples(
        st.floats(0.05, 1.0),  # seconds on
        st.integers(0, 30),  # good answers
        st.integers(0, 30),  # failed ones
        st.booleans(),  # whether everything begins anew before
    ),
    max_size=30,
)


@given(_steps)
def test_a_burst_is_always_a_true_one(steps: list[tuple[float, int, int, bool]]) -> None:
    """Whatever is reported did happen within one window and one life of the counters."""
    looks: tuple[Look, ...] = ()
    at, finished, failed = 0.0, 0, 0
    truth: list[tuple[float, int, int]] = []  # when, answers, failures; of this life
    for seconds, good, bad, begins_anew in steps:
        at += seconds
        if begins_anew:
            finished, failed, truth = 0, 0, []
        finished, failed = finished + good + bad, failed + bad
        truth.append((at, good + bad, bad))
        looks = remember(looks, look(at, finished, failed), GUARD)
        if (found := find_burst(looks, GUARD)) is None:
            continue
        answers = sum(each[1] for each in truth if each[0] > at - GUARD.window_seconds)
        failures = sum(each[2] for each in truth if each[0] > at - GUARD.window_seconds)
        assert GUARD.min_requests <= found.requests <= answers
        assert found.failures <= failures
        assert found.failures / found.requests > GUARD.max_failure_ratio


_counts = st.builds(
    Counts,
    finished=st.integers(0, 100),
    failed=st.integers(0, 100),
    begun=st.integers(0, 100),
    asked=st.integers(0, 100),
    within=st.dictionaries(st.sampled_from([500, 1000, 60_000]), st.integers(0, 100)),
)


@given(st.lists(_counts, max_size=20))
def test_counters_that_make_no_sense_never_take_a_version_out_below_the_minimum(
    counted: list[Counts],
) -> None:
    looks: tuple[Look, ...] = ()
    for number, counts in enumerate(counted):
        looks = remember(looks, Look(at=number * 0.3, counts=counts), SLOW)
        found = find_burst(looks, SLOW)
        assert found is None or 0 < found.failures <= found.requests >= SLOW.min_requests
