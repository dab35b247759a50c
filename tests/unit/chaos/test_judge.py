"""A life is held against what could be expected at each of its moments."""

import dataclasses
from typing import Any

import pytest

from chaos.judge import States, expect_back_in_time, expect_end, hold, sum_up
from chaos.life import Course, Life
from chaos.troubles import Trouble
from chaos.ways import Strategy, way
from e2e.story.answers import Answer
from e2e.story.errors import StoryError
from support.invariants import Snapshot


def course(strategy: Strategy = "canary", cause: Any = "") -> Course:
    trouble = Trouble(part="prometheus", how="frozen", seconds=30)
    return Course(
        life=Life(strategy=strategy, troubles=(trouble,), cause=cause),
        way=way(strategy, liked="1.1.0"),
        stable="1.0.0",
        candidate="1.1.0",
    )


def state(weight: int, phase: str = "Progressing", *, step: int = 0) -> Snapshot:
    weights = {"1.1.0": weight, "1.0.0": 100 - weight}
    status = {
        "phase": phase, "step": step, "weight": weight, "observedWeight": weight,
        "stable": {"version": "1.0.0"},
    }  # fmt: skip
    rollout = {
        "metadata": {"name": "second"},
        "spec": {"model": "chaos", "version": "1.1.0"},
        "status": status,
    }
    return Snapshot(
        model={"status": {"stable": {"version": "1.0.0"}, "rollout": "second"}},
        rollouts=(rollout,),
        route=weights,
        reports={"gateway-0": weights},
        servers=frozenset({"1.0.0", "1.1.0"}),
    )


BEGIN = dataclasses.replace(state(0), rollouts=())
END = state(100, "Succeeded", step=2)
STATES: States = [
    (10.0, BEGIN),
    (20.0, state(10)),
    (30.0, state(50, step=1)),
    (40.0, state(100, "Guarding", step=2)),
    (50.0, END),
]


def answer(sent: float, *, version: str | None = "1.0.0", status: int = 500) -> Answer:
    return Answer(sent=sent, seconds=0.1, status=status, version=version, failure=None)


def test_a_good_life_goes_by() -> None:
    hold(STATES, course(), END)


def test_what_may_be_expected_has_its_time() -> None:
    doubtful = course()
    doubtful.expect("has_evidence", value=False, at=21.0)
    doubtful.expect("has_evidence", value=True, at=29.0)
    hold(STATES, doubtful, END)

    doubtful.expect("has_evidence", value=False, at=29.5)
    with pytest.raises(StoryError, match="in doubt"):
        hold(STATES, doubtful, END)


def test_at_rest_what_may_be_expected_last_counts() -> None:
    silent = course()
    silent.expect("hears_of_pods", value=False, at=21.0)
    silent.expect("hears_of_pods", value=True, at=51.0)
    deaf = [
        *STATES[:2],
        *((seen, dataclasses.replace(s, servers=frozenset())) for seen, s in STATES[2:]),
    ]
    hold(deaf, silent, END)

    with pytest.raises(StoryError, match="must serve"):
        hold(deaf, silent, deaf[-1][1])


def test_going_back_needs_a_cause_that_came_before() -> None:
    back = [*STATES[:2], (25.0, state(0, "RolledBack"))]
    caused = course(cause="alert")
    caused.expect("may_roll_back", value=True, at=24.0)
    hold(back, caused, back[-1][1])

    late = course(cause="alert")
    late.expect("may_roll_back", value=True, at=26.0)
    with pytest.raises(StoryError, match="by mistake"):
        hold(back, late, back[-1][1])


def test_a_refusal_keeps_no_traffic_from_going_back() -> None:
    refused = course(cause="abort")
    back: States = [*STATES[:2], (25.0, state(0, "RollingBack"))]
    expect_back_in_time(back, refused)
    refused.back_by = 26.0
    expect_back_in_time(back, refused)

    refused.back_by = 24.0
    with pytest.raises(StoryError, match="while its servers are refused"):
        expect_back_in_time(back, refused)


def test_a_bad_version_may_fail_and_no_other() -> None:
    status = {"phase": "RolledBack", "reason": "GuardTripped"}
    answers = [answer(21, version="1.1.0"), answer(22, status=200)]
    bad = course(cause="bad answers")

    lived = sum_up(bad, status, STATES, answers, seconds=40)

    assert (lived.answers, lived.bad, lived.failures) == (2, 1, ())
    with pytest.raises(StoryError, match="no failed request"):
        sum_up(bad, status, STATES, [*answers, answer(23, version=None)], seconds=40)
    with pytest.raises(StoryError, match="no failed request"):
        sum_up(course(cause="abort"), {**status, "reason": "Aborted"}, STATES, answers, seconds=40)


def test_a_downtime_excuses_only_what_falls_into_it() -> None:
    status = {"phase": "Succeeded", "reason": "Promoted"}
    recreate = course("recreate")

    assert sum_up(recreate, status, STATES, [answer(30)], seconds=40).without == 1
    for outside in (19.0, 42.0):
        with pytest.raises(StoryError, match="no failed request"):
            sum_up(recreate, status, STATES, [answer(outside)], seconds=40)


def test_another_end_is_no_end() -> None:
    with pytest.raises(StoryError, match="expected one of"):
        expect_end(course(), {"phase": "RolledBack", "reason": "AlertFired"})
