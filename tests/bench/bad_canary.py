"""From the first bad answer a client sees to the last, on a real cluster.

50 requests a second, each over a new connection, 25 % of them to a candidate that answers 500
from some moment on.  What takes it back is the gateway's fast guard, or the operator's analysis
where the guard is off; in some runs the operator is killed in the moment in which it turns bad.
"""

import dataclasses
import enum
import time
from collections.abc import Mapping, Sequence
from typing import Any

from bench.installed import CANDIDATE, STABLE, Place
from bench.numbers import Summary, summarize
from bench.result import Goal, Result
from bench.rolling import (
    Rolling,
    build_policy,
    has_ended,
    has_weight,
    kill_operator,
    renew_operator,
    rolling,
)
from e2e.story.answers import Answer, failed, of_version
from e2e.story.errors import expect

NAME = "bad-canary"
RUNS = 5  # of each case
RATE = 50.0  # requests a second
WEIGHT = 25
INTERVAL = 2  # seconds between two measurements
GOAL_SECONDS = 1.5

_BUDGET = 420.0  # seconds; no run is begun after them
_GOOD = 6.0  # longer than the windows of guard and analysis, so that they are full of good answers
_AFTERWARDS = 1.5  # how long clients are watched once the Rollout has ended
_LONGEST = 180.0


class Case(enum.StrEnum):
    """What differs between the rows."""

    GUARD_FROM_START = "fast guard, bad from its first request"
    GUARD = "fast guard, turns bad"
    GUARD_KILLED = "fast guard, turns bad as the operator is killed"
    ANALYSIS = f"analysis alone each {INTERVAL} s, turns bad"
    ANALYSIS_KILLED = f"analysis alone each {INTERVAL} s, turns bad as the operator is killed"

    @property
    def is_guarded(self) -> bool:
        return self in {Case.GUARD_FROM_START, Case.GUARD, Case.GUARD_KILLED}

    @property
    def is_killed(self) -> bool:
        return self in {Case.GUARD_KILLED, Case.ANALYSIS_KILLED}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One bad candidate, in seconds from the first bad answer a client got."""

    last: float  # until the last one
    rolled_back: float  # until the Rollout was seen to have ended
    bad: int
    lost: int  # any other failure
    requests: int
    reason: str


def run(place: Place) -> Result:
    """Let candidates go bad, case by case and each in turn, or until the time is over.

    Raises:
        StoryError: a rollout went another way.
    """
    begin = time.monotonic()
    found: dict[Case, list[Run]] = {case: [] for case in Case}
    with rolling(place, NAME, rate=RATE, marked=True) as subject:
        for number in range(1, RUNS + 1):
            for case in Case:
                if time.monotonic() - begin > _BUDGET:
                    place.say(f"the time is over before run {number}/{RUNS} of {case}")
                    return to_result(found)
                one = _run_once(subject, case)
                found[case].append(one)
                place.say(
                    f"{case}, run {number}/{RUNS}: {one.bad} bad answers in {one.last:.2f} s, "
                    f"{one.lost} others failed, rolled back ({one.reason}) after "
                    f"{one.rolled_back:.1f} s"
                )
    return to_result(found)


def _run_once(subject: Rolling, case: Case) -> Run:
    if case.is_killed:
        renew_operator(subject.place)
    before = len(subject.traffic.answers())
    policy = build_policy([(WEIGHT, "1h")], interval=f"{INTERVAL}s", fast_guard=case.is_guarded)
    if case is Case.GUARD_FROM_START:
        subject.traffic.mark(marked=True)
    rollout = subject.begin(CANDIDATE, policy)
    if case is not Case.GUARD_FROM_START:
        subject.follow(rollout, f"to have {WEIGHT} %", has_weight(WEIGHT))
        time.sleep(_GOOD)  # its length is the point
        if case.is_killed:
            kill_operator(subject.place)
        subject.traffic.mark(marked=True)
    end = subject.follow(rollout, "to end", has_ended, timeout=_LONGEST)
    ended = time.time()
    expect(end["phase"] == "RolledBack", "the bad candidate to be taken back", end)
    time.sleep(_AFTERWARDS)
    subject.traffic.mark(marked=False)
    one = judge(subject.traffic.answers()[before:], ended=ended, reason=str(end["reason"]))
    subject.pin(STABLE, policy)
    subject.rest(STABLE)
    return one


def judge(answers: Sequence[Answer], *, ended: float, reason: str) -> Run:
    """What clients saw of a candidate.  Pure.

    Raises:
        StoryError: it never gave a bad answer.
    """
    failures = failed(answers)
    bad = sorted(answer.received for answer in of_version(failures, CANDIDATE))
    expect(bool(bad), "a bad answer of the candidate", f"{len(answers)} answers")
    return Run(
        last=bad[-1] - bad[0],
        rolled_back=ended - bad[0],
        bad=len(bad),
        lost=len(failures) - len(bad),
        requests=len(answers),
        reason=reason,
    )


def to_result(found: Mapping[Case, Sequence[Run]]) -> Result:
    """Sum up.  Pure."""
    done = {case: runs for case, runs in found.items() if runs}
    every = [run for runs in done.values() for run in runs]
    guarded = [run.last for case, runs in done.items() if case.is_guarded for run in runs]
    lost = sum(run.lost for run in every)
    return Result(
        name=NAME,
        headers=("The candidate", "runs", "min", "median", "max", "bad answers", "rolled back"),
        rows=tuple(_row(case, runs) for case, runs in done.items()),
        goals=(
            Goal(
                wanted=f"fast guard: p95 from first to last bad answer below {GOAL_SECONDS:g} s",
                is_met=bool(guarded) and summarize(guarded).p95 < GOAL_SECONDS,
            ),
            Goal(
                wanted=f"no other failed request ({lost} of "
                f"{sum(run.requests for run in every):,} failed)",
                is_met=not lost,
            ),
        ),
        numbers={case: [dataclasses.asdict(run) for run in runs] for case, runs in done.items()},
    )


def _row(case: Case, runs: Sequence[Run]) -> tuple[str, ...]:
    last = summarize([run.last for run in runs])
    bad = _span(summarize([float(run.bad) for run in runs]), digits=0)
    rolled_back = _span(summarize([run.rolled_back for run in runs]), digits=1)
    values = (last.minimum, last.median, last.maximum)
    return (case, str(last.count), *(f"{value:.2f}" for value in values), bad, rolled_back)


def _span(summary: Summary, *, digits: int) -> str:
    values: tuple[Any, ...] = (summary.minimum, summary.median, summary.maximum)
    return " / ".join(f"{value:.{digits}f}" for value in values)
