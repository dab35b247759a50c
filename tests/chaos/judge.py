"""Whether a life went as it must.  Pure."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from chaos.life import ENDS, Course, Lived
from e2e.story.answers import Answer, failed
from e2e.story.errors import StoryError, expect
from support.invariants import Expectation, Invariants, Snapshot

States = Sequence[tuple[float, Snapshot]]  # with the moment at which we heard of each

_SETTLED: Final = 1.0  # seconds until the last answer under way is there


def hold(states: States, course: Course, last: Snapshot) -> None:
    """Hold each state against the invariants, with what was to be expected at its time.

    Raises:
        StoryError: one does not hold.
    """
    expected = Expectation(
        weights=(*course.way.weights, 100),
        has_downtime=course.way.has_downtime,
        follows_reward=course.way.follows_reward,
    )
    checker = Invariants(states[0][1], expected)
    changes = sorted(course.changes)

    def expect_as_of(moment: float) -> None:
        while changes and changes[0][0] <= moment:
            _, name, value = changes.pop(0)
            setattr(expected, name, value)

    try:
        for seen, state in states:
            expect_as_of(seen)
            checker.hold(state)
        expect_as_of(math.inf)
        checker.at_rest(last)
    except AssertionError as error:
        raise StoryError(str(error)) from error


def expect_end(course: Course, status: Mapping[str, Any]) -> None:
    """Expect the reason with which such a life ends.

    Raises:
        StoryError: it ended otherwise.
    """
    wanted = ENDS[course.life.cause]
    expect(status["reason"] in wanted, f"one of {sorted(wanted)}", status)


def expect_back_in_time(states: States, course: Course) -> None:
    """Expect that what the API server refused did not keep the traffic from going back.

    Raises:
        StoryError: the route still gave the candidate traffic at the end of the refusal.
    """
    if course.back_by is None:
        return
    before = [state for seen, state in states if seen <= course.back_by]
    weight = before[-1].route.get(course.candidate, 0)
    expect(weight == 0, f"no traffic for {course.candidate} while its servers are refused", weight)


def sum_up(
    course: Course,
    status: Mapping[str, Any],
    states: States,
    answers: Sequence[Answer],
    *,
    seconds: float,
) -> Lived:
    """Count, and expect no failure that nothing excuses.

    Raises:
        StoryError: a request failed.
    """
    life, lost = course.life, failed(answers)
    bad = [a for a in lost if life.cause == "bad answers" and a.version == course.candidate]
    begin, end = _downtime(states, course) if course.way.has_downtime else (0.0, 0.0)
    without = [answer for answer in lost if answer.received >= begin and answer.sent <= end]
    lived = Lived(
        life=str(life),
        strategy=life.strategy,
        what=life.troubles[0].what,
        away=sum(trouble.seconds for trouble in life.troubles),
        kills=life.kills,
        seconds=round(seconds, 1),
        phase=status["phase"],
        reason=status["reason"],
        states=len(states),
        answers=len(answers),
        bad=len(bad),
        without=len(without),
        failures=tuple(a for a in lost if a not in bad and a not in without),
    )
    expect(not lived.failures, "no failed request", lived.failures[:3])
    return lived


def _downtime(states: States, course: Course) -> tuple[float, float]:
    """Return when the downtime may begin and end: from the rollout's start to its last weight."""
    known = len(states[0][1].rollouts)
    begun = min(seen for seen, state in states if len(state.rollouts) > known)
    given = min(
        seen
        for seen, state in states
        if state.reports
        and all(weights.get(course.candidate) == 100 for weights in state.reports.values())
    )
    return begun, given + _SETTLED
