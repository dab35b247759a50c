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

import json
import statistics
import tempfile
import time
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

from bench import registry
from bench.installed import CANDIDATE, NAMESPACE, STABLE, Place, is_serving, model_names
from bench.numbers import Summary, summarize
from bench.result import Goal, Result
from e2e.story import energy
from e2e.story.answers import Answer, failed, of_version
from e2e.story.errors import StoryError, expect
from e2e.story.following import describe_rollout
from e2e.story.good_versions import describe_model
from e2e.story.objects import Object, name_of, status_of
from e2e.story.traffic import Traffic
from e2e.story.waiting import wait_for

T = TypeVar("T")

NAME = "alert-reaction"
RUNS = 30
RATE = 100.0  # requests a second
GOAL_SECONDS = 2.0

_BUDGET = 330.0  # seconds; no run is begun after them
_ROWS = 2000
_SEEN = 5  # answers of the candidate before it may be called to be in traffic
_AFTERWARDS = 1.0  # how long clients are watched once the Rollout has ended
_START_TIMEOUT = 120
_END_TIMEOUT = 30


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
    (model,) = model_names(1)
    registered = f"{NAMESPACE}.{model}"
    registry.forget(place.mlflow_url, NAMESPACE)
    registry.register(place.mlflow_url, [(registered, STABLE), (registered, CANDIDATE)])
    place.serve([model])
    with tempfile.TemporaryDirectory() as folder:
        traffic = Traffic(Path(folder))
        traffic.start(
            url=place.expose_gateway(model),
            host=f"{model}.{NAMESPACE}",
            rate=RATE,
            first=energy.ALL_ROWS,
            count=_ROWS,
        )
        try:
            reactions = _repeat(_Subject(place, traffic, model), runs)
        finally:
            answers = traffic.stop()
    return to_result(reactions, answers)


def _repeat(subject: "_Subject", runs: int) -> Sequence[Reaction]:
    begin = time.monotonic()
    reactions: list[Reaction] = []
    for number in range(1, runs + 1):
        if time.monotonic() - begin > _BUDGET:
            subject.place.say(f"the time is over after {len(reactions)} of {runs} runs")
            break
        reaction = subject.react(number)
        reactions.append(reaction)
        subject.place.say(
            f"run {number}/{runs}: round trip {reaction.round_trip * 1000:.0f} ms, zero weight "
            f"after {reaction.zero_weight:.2f} s, last answer after {reaction.last_answer:.2f} s"
        )
    return reactions


class _Subject:
    """The Model whose candidate is taken back again and again."""

    def __init__(self, place: Place, traffic: Traffic, model: str) -> None:
        self.place = place
        self._traffic = traffic
        self._model = model
        self._url = f"{place.expose_webhook()}/alerts"
        self._token = place.webhook_token()

    def react(self, number: int) -> Reaction:
        """Bring the candidate in, post the alert, watch it go."""
        before = status_of(self._read()).get("rollout")
        self._pin(CANDIDATE)
        rollout = self._wait_for_traffic(before)
        self._wait_until_clients_see_it(since=time.time())
        sent = time.time()
        round_trip = self._post_alert(number)
        end = self._wait_for_end(rollout)
        time.sleep(_AFTERWARDS)
        seen = [a for a in self._traffic.answers() if a.sent > sent - 10]
        self._pin(STABLE)
        self._wait("the Model to rest", self._read, is_serving, describe_model, _END_TIMEOUT)
        return Reaction(
            round_trip=round_trip,
            zero_weight=status_of(end)["reactionSeconds"],
            last_answer=seconds_to_last_answer(seen, CANDIDATE, since=sent),
        )

    def _read(self) -> Object:
        return self.place.objects.model(self._model)

    def _pin(self, version: str) -> None:
        patch = json.dumps({"spec": {"version": version}})
        self.place.cluster.kubectl(
            "patch", "model", self._model, f"--namespace={NAMESPACE}", "--type=merge",
            f"--patch={patch}",
        )  # fmt: skip

    def _wait_for_traffic(self, before: str | None) -> str:
        """Wait until a new Rollout has ten percent in every gateway pod; return its name."""

        def current() -> Object:
            name = status_of(self._read()).get("rollout")
            return self.place.objects.rollout(name) if name and name != before else {}

        def has_traffic(rollout: Object) -> bool:
            status = status_of(rollout)
            expect(status.get("phase") != "RolledBack", "a candidate in traffic", status)
            return bool(status.get("phase") == "Progressing" and status.get("observedWeight") == 10)

        expected = f"{CANDIDATE} to take 10 %"
        found = self._wait(expected, current, has_traffic, describe_rollout, _START_TIMEOUT)
        return name_of(found)

    def _wait_until_clients_see_it(self, *, since: float) -> None:
        def look() -> int:
            fresh = [a for a in self._traffic.answers()[-2000:] if a.received > since]
            return len(of_version(fresh, CANDIDATE))

        self._wait(f"answers of {CANDIDATE}", look, lambda count: count >= _SEEN, str, _END_TIMEOUT)

    def _wait_for_end(self, rollout: str) -> Object:
        end = self._wait(
            f"Rollout {rollout} to end",
            lambda: self.place.objects.rollout(rollout),
            lambda found: status_of(found).get("phase") == "RolledBack",
            describe_rollout,
            _END_TIMEOUT,
        )
        reason = status_of(end).get("reason")
        expect(reason == "AlertFired", "reason AlertFired", reason)
        return end

    def _wait(
        self,
        expected: str,
        look: Callable[[], T],
        done: Callable[[T], bool],
        describe: Callable[[T], str],
        timeout: float,
    ) -> T:
        return wait_for(
            expected, look, done, describe=describe, say=_say_nothing, timeout=timeout, pause=0.1
        )

    def _post_alert(self, number: int) -> float:
        """Do as Alertmanager does; return the seconds until the answer.

        Raises:
            StoryError: the operator did not take it as a reason to roll back.
        """
        body = build_alert(self._model, CANDIDATE, number)
        request = urllib.request.Request(
            self._url,
            data=json.dumps(body).encode(),
            headers={
                "Content-Type": "application/json",
                "Authorization": f"Bearer {self._token}",
            },
        )
        begin = time.perf_counter()
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                answer = json.load(response)
        except OSError as error:
            raise StoryError(f"the webhook refused the alert: {error}") from error
        seconds = time.perf_counter() - begin
        outcomes = [alert["outcome"] for alert in answer["alerts"]]
        expect(outcomes == ["rollback"], "the webhook to answer rollback", answer)
        return seconds


def build_alert(model: str, version: str, number: int) -> dict[str, object]:
    """What Alertmanager posts, as docs/contracts.md §5 has it.  Pure."""
    labels = {
        "alertname": "BenchAlert",
        "fairlead_action": "rollback",
        "model_namespace": NAMESPACE,
        "model": model,
        "version": version,
    }
    alert = {
        "status": "firing",
        "labels": labels,
        "annotations": {"summary": f"run {number} of the benchmark"},
    }
    return {"version": "4", "status": "firing", "receiver": "fairlead", "alerts": [alert]}


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


def _say_nothing(line: str) -> None:
    """Each run is one line, said at its end."""
