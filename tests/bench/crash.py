"""The operator killed in the middle of a good canary, and how it goes on, on a real cluster.

A step of 25 % holds for ten seconds; three seconds into it the operator gets SIGKILL, and the
kubelet starts its container again.
"""

import dataclasses
import json
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any

from bench.installed import CANDIDATE, STABLE, Place
from bench.numbers import summarize
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
from e2e.story import installation
from e2e.story.answers import failed
from e2e.story.errors import expect
from e2e.story.waiting import wait_for

NAME = "crash"
RUNS = 5
RATE = 50.0  # requests a second
WEIGHTS = (25, 50, 100)

_BUDGET = 200.0  # seconds; no run is begun after them
_INTO = 3.0  # seconds into the step
_POLICY = build_policy([(25, "10s"), (50, "1s")], interval="2s")
_LEASE = "fairlead-operator"
_TIMEOUT = 60.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One canary, in seconds from the kill but where it says otherwise."""

    leads: float  # until the operator holds its Lease again
    late: float  # from the end of the hold until the next step began
    promoted: float
    steps: tuple[int, ...]  # weights as the status had them, once for each change
    failed: int
    requests: int


def run(place: Place) -> Result:
    """Kill it as often as asked, or until the time is over.

    Raises:
        StoryError: a good version was not promoted.
    """
    begin = time.monotonic()
    runs: list[Run] = []
    with rolling(place, NAME, rate=RATE) as subject:
        for number in range(1, RUNS + 1):
            if time.monotonic() - begin > _BUDGET:
                place.say(f"the time is over after {len(runs)} of {RUNS} runs")
                break
            one = _run_once(subject, CANDIDATE if number % 2 else STABLE)
            runs.append(one)
            place.say(
                f"run {number}/{RUNS}: leads again after {one.leads:.1f} s, next step "
                f"{one.late:.1f} s late, promoted after {one.promoted:.1f} s, steps {one.steps}, "
                f"{one.failed} of {one.requests} failed"
            )
    return to_result(runs)


def _run_once(subject: Rolling, version: str) -> Run:
    renew_operator(subject.place)
    before = len(subject.traffic.answers())
    rollout = subject.begin(version, _POLICY)
    held = subject.follow(rollout, "to hold 25 %", _is_held)
    time.sleep(_INTO)  # where in the step is the point
    killed = kill_operator(subject.place)
    leads = _wait_for_lease(subject.place, since=killed)
    seen: list[tuple[float, int]] = []

    def note(status: Mapping[str, Any]) -> bool:
        seen.append((time.time(), int(status.get("weight") or 0)))
        return has_ended(status)

    end = subject.follow(rollout, "to end", note)
    promoted = time.time()
    expect(end["phase"] == "Succeeded", f"{version} to be promoted", end)
    subject.rest(version)
    answers = subject.traffic.answers()[before:]
    due = datetime.fromisoformat(held["holdsUntil"]).timestamp()
    went_on = next(moment for moment, weight in seen if weight > WEIGHTS[0])
    return Run(
        leads=leads - killed,
        late=went_on - due,
        promoted=promoted - killed,
        steps=without_repeats([held["weight"], *(weight for _, weight in seen)]),
        failed=len(failed(answers)),
        requests=len(answers),
    )


def _is_held(status: Mapping[str, Any]) -> bool:
    return has_weight(WEIGHTS[0])(status) and bool(status.get("holdsUntil"))


def _wait_for_lease(place: Place, *, since: float) -> float:
    """When the operator that runs now took or renewed its Lease first; the other one is dead."""

    def look() -> float:
        found = place.cluster.kubectl(
            "get", "lease", _LEASE, f"--namespace={installation.NAMESPACE}", "--output=json"
        )
        return datetime.fromisoformat(json.loads(found.stdout)["spec"]["renewTime"]).timestamp()

    return wait_for(
        "the operator to lead again",
        look,
        lambda renewed: renewed > since,
        describe=str,
        say=lambda _: None,
        timeout=_TIMEOUT,
        pause=0.1,
    )


def without_repeats(weights: Sequence[int]) -> tuple[int, ...]:
    """Each weight once for each change to it.  Pure."""
    return (*weights[:1], *(now for last, now in pairwise(weights) if now != last))


def to_result(runs: Sequence[Run]) -> Result:
    """Sum up.  Pure."""
    lost, requests = sum(run.failed for run in runs), sum(run.requests for run in runs)
    orderly = sum(run.steps == WEIGHTS for run in runs)
    return Result(
        name=NAME,
        headers=("Seconds", "runs", "min", "median", "max"),
        rows=(
            _row("SIGKILL → holds its Lease again", [run.leads for run in runs]),
            _row("hold was over → next step", [run.late for run in runs]),
            _row("SIGKILL → promoted", [run.promoted for run in runs]),
        ),
        goals=(
            Goal(
                wanted=f"every step once and in order ({orderly} of {len(runs)} runs)",
                is_met=orderly == len(runs),
            ),
            Goal(wanted=f"no failed request ({lost} of {requests:,} failed)", is_met=not lost),
        ),
        numbers={"runs": [dataclasses.asdict(run) for run in runs]},
    )


def _row(name: str, seconds: Sequence[float]) -> tuple[str, ...]:
    summary = summarize(seconds)
    values = (summary.minimum, summary.median, summary.maximum)
    return (name, str(summary.count), *(f"{value:.1f}" for value in values))
