"""From Alertmanager's webhook to zero weight on the candidate, on a real cluster.

Each run: a good second version takes ten percent, a client sends through the gateway all the
time, an alert about the candidate is posted to the operator as Alertmanager posts it, and the
Rollout takes it back.  Three clocks look at the same thing:

    round trip     the webhook's answer, which comes once the alert is durable in the API server
    zero weight    status.reactionSeconds: from the operator's receipt of the alert until every
                   gateway pod has reported that Envoy gives the candidate nothing
    last answer    from before the alert is sent until a client got the last answer that came
                   from the candidate
"""

import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from bench.alerts import Alerts
from bench.installed import CANDIDATE, STABLE, Place
from bench.numbers import Summary, summarize
from bench.result import Goal, Result
from bench.rolling import Rolling, build_policy, has_ended, has_weight, rolling
from e2e.story.answers import Answer, failed, of_version
from e2e.story.errors import expect

NAME = "alert-reaction"
RUNS = 30
RATE = 100.0  # requests a second
GOAL_SECONDS = 2.0

_BUDGET = 330.0  # seconds; no run is begun after them
_SEEN = 5  # answers of the candidate before it may be called to be in traffic
_AFTERWARDS = 1.0  # how long clients are watched once the Rollout has ended
_POLICY = build_policy([(10, "1h")], interval="1h")  # nothing else happens meanwhile


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaction:
    """One candidate taken back, in seconds."""

    round_trip: float
    zero_weight: float
    last_answer: float


def run(place: Place, *, runs: int = RUNS) -> Result:
    """Measure as often as asked, or until the time is over.

    Raises:
        StoryError: a rollout went another way.
    """
    with rolling(place, NAME, rate=RATE, new_connections=False) as subject:
        before = len(subject.traffic.answers())
        reactions = _repeat(subject, runs)
        answers = subject.traffic.stop()[before:]
    return to_result(reactions, answers)


def _repeat(subject: Rolling, runs: int) -> Sequence[Reaction]:
    alerts = Alerts(subject.place)
    begin = time.monotonic()
    reactions: list[Reaction] = []
    for number in range(1, runs + 1):
        if time.monotonic() - begin > _BUDGET:
            subject.place.say(f"the time is over after {len(reactions)} of {runs} runs")
            break
        reaction = _react(subject, alerts, number)
        reactions.append(reaction)
        subject.place.say(
            f"run {number}/{runs}: round trip {reaction.round_trip * 1000:.0f} ms, zero weight "
            f"after {reaction.zero_weight:.2f} s, last answer after {reaction.last_answer:.2f} s"
        )
    return reactions


def _react(subject: Rolling, alerts: Alerts, number: int) -> Reaction:
    """Bring the candidate in, post the alert, watch it go."""
    rollout = subject.begin(CANDIDATE, _POLICY)
    subject.follow(rollout, "to have 10 %", has_weight(10))
    subject.wait_for_answers(CANDIDATE, _SEEN)
    sent = time.time()
    round_trip = alerts.fire(subject.model, CANDIDATE, f"run {number} of the benchmark")
    end = subject.follow(rollout, "to end", has_ended)
    expect(end["reason"] == "AlertFired", "reason AlertFired", end["reason"])
    time.sleep(_AFTERWARDS)
    seen = [a for a in subject.traffic.answers() if a.sent > sent - 10]
    subject.pin(STABLE, _POLICY)
    subject.rest(STABLE)
    return Reaction(
        round_trip=round_trip,
        zero_weight=end["reactionSeconds"],
        last_answer=seconds_to_last_answer(seen, CANDIDATE, since=sent),
    )


def seconds_to_last_answer(answers: Sequence[Answer], version: str, *, since: float) -> float:
    """Until a client got the last answer of a version; 0 when none came any more.  Pure."""
    last = max((answer.received for answer in of_version(answers, version)), default=since)
    return max(0.0, last - since)


def to_result(reactions: Sequence[Reaction], answers: Sequence[Answer]) -> Result:
    """Sum up.  Pure.

    Raises:
        ValueError: there was no run.
    """
    trips = summarize([reaction.round_trip for reaction in reactions])
    weights = summarize([reaction.zero_weight for reaction in reactions])
    lasts = summarize([reaction.last_answer for reaction in reactions])
    lost = failed(answers)
    return Result(
        name=NAME,
        headers=(f"{len(reactions)} runs, seconds", "min", "median", "p95", "max"),
        rows=(
            _row("alert sent → webhook has answered", trips, digits=3),
            _row("alert received → every gateway pod reports zero weight", weights),
            _row("alert sent → last answer of the candidate at a client", lasts),
        ),
        goals=(
            Goal(
                wanted=f"p95 to zero weight below {GOAL_SECONDS:g} s",
                is_met=weights.p95 < GOAL_SECONDS,
            ),
            Goal(
                wanted=f"p95 to the last answer below {GOAL_SECONDS:g} s",
                is_met=lasts.p95 < GOAL_SECONDS,
            ),
            Goal(
                wanted=f"no failed request ({len(lost)} of {len(answers):,} failed)",
                is_met=not lost,
            ),
        ),
        numbers={
            "runs": [asdict(reaction) for reaction in reactions],
            "round_trip_seconds": asdict(trips),
            "zero_weight_seconds": asdict(weights),
            "last_answer_seconds": asdict(lasts),
            "requests": len(answers),
            "failed": len(lost),
            "failures": [asdict(answer) for answer in lost[:5]],
            "median_answer_seconds": statistics.median(a.seconds for a in answers),
        },
    )


def _row(name: str, seconds: Summary, *, digits: int = 2) -> tuple[str, ...]:
    values = (seconds.minimum, seconds.median, seconds.p95, seconds.maximum)
    return (name, *(f"{value:.{digits}f}" for value in values))
