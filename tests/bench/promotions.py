"""Failed requests over promotions one after the other, on a real cluster.

200 requests a second, each over a new connection; two good versions take turns in charge, each
time over 25 % and 50 %, with pods that come and go.
"""

import dataclasses
import time
from collections import Counter
from collections.abc import Sequence

from bench.installed import CANDIDATE, STABLE, Place
from bench.numbers import summarize
from bench.result import Goal, Result
from bench.rolling import build_policy, has_ended, rolling
from e2e.story.answers import Answer, failed
from e2e.story.errors import expect

NAME = "promotions"
RUNS = 20
RATE = 200.0  # requests a second

_BUDGET = 300.0  # seconds; none is begun after them
_AFTERWARDS = 8.0  # the last old pods wait 5 s before they end
_POLICY = build_policy([(25, "2s"), (50, "2s")], interval="1s")


def run(place: Place) -> Result:
    """Promote as often as asked, or until the time is over.

    Raises:
        StoryError: a good version was not promoted.
    """
    begin = time.monotonic()
    taken: list[float] = []
    with rolling(place, NAME, rate=RATE) as subject:
        before = len(subject.traffic.answers())
        for number in range(1, RUNS + 1):
            if time.monotonic() - begin > _BUDGET:
                place.say(f"the time is over after {len(taken)} of {RUNS} promotions")
                break
            version = CANDIDATE if number % 2 else STABLE
            began = time.monotonic()
            rollout = subject.begin(version, _POLICY)
            end = subject.follow(rollout, "to end", has_ended)
            taken.append(time.monotonic() - began)
            expect(end["phase"] == "Succeeded", f"{version} to be promoted", end)
            subject.rest(version)
            lost = failed(subject.traffic.answers()[before:])
            place.say(
                f"promotion {number}/{RUNS} took {taken[-1]:.1f} s; {len(lost)} failed so far"
            )
        time.sleep(_AFTERWARDS)
        answers = subject.traffic.stop()[before:]
    return to_result(taken, answers)


def to_result(taken: Sequence[float], answers: Sequence[Answer]) -> Result:
    """Sum up.  Pure."""
    seconds, lost = summarize(taken), failed(answers)
    kinds = Counter(str(answer.status or answer.failure) for answer in lost)
    return Result(
        name=NAME,
        headers=("Promotions", "requests", "failed", "seconds min", "median", "max"),
        rows=(
            (
                str(seconds.count),
                f"{len(answers):,}",
                str(len(lost)),
                *(f"{each:.1f}" for each in (seconds.minimum, seconds.median, seconds.maximum)),
            ),
        ),
        goals=(Goal(wanted="no failed request", is_met=not lost),),
        numbers={
            "seconds": list(taken),
            "requests": len(answers),
            "failed": len(lost),
            "kinds": dict(kinds),
            "failures": [dataclasses.asdict(answer) for answer in lost[:5]],
        },
    )
