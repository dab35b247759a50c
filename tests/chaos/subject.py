"""The Model that lives, on a real cluster and under load."""

import dataclasses
import json
import time
from functools import partial
from typing import Final

from bench import registry
from bench.alerts import Alerts
from bench.installed import CANDIDATE, NAMESPACE, STABLE
from bench.rolling import Rolling, has_ended, is_in_force, renew_operator
from chaos.chronicle import Chronicle
from chaos.judge import expect_back_in_time, expect_end, hold, sum_up
from chaos.life import Course, Life, Lived
from chaos.troubles import Trouble, inflict, refusing_servers
from chaos.ways import has_come, way
from e2e.story.errors import StoryError, expect
from support.invariants import Snapshot

_TIMEOUT: Final = 240.0
_TRIED_AGAIN: Final = 3.0  # seconds within which a blocked version would be
_STALE: Final = 8.0  # seconds after which what was measured before is no evidence any more
_AT_REST: Final = 100  # answers that tell what the gateways do


class Subject:
    """Is rolled out again and again, to and fro between two versions."""

    def __init__(self, rolling: Rolling) -> None:
        self._rolling = rolling
        self._place = rolling.place
        self._alerts = Alerts(rolling.place)

    def live(self, life: Life) -> Lived:
        """Roll a version out with the troubles in it; one that goes back is taken away again.

        Raises:
            StoryError: something that must hold did not; the Model has come to rest again.
        """
        course = self._prepare(life)
        with Chronicle(self._place) as chronicle:
            try:
                return self._live(course, chronicle)
            except StoryError as error:
                history = chronicle.keep()
                self._come_to_rest(course)
                raise StoryError(f"{error}; all that was written is in {history}") from error

    def _live(self, course: Course, chronicle: Chronicle) -> Lived:
        before, begin = len(self._rolling.traffic.answers()), time.monotonic()
        rollout = self._rolling.begin(course.candidate, course.way.policy)
        self._undergo(course, rollout)
        end = self._rolling.follow(rollout, "to end", has_ended, timeout=_TIMEOUT)
        seconds = time.monotonic() - begin
        expect_end(course, end)
        self._rolling.traffic.mark(marked=False)
        if course.life.cause:
            self._rolling.edit_in_passing()
            time.sleep(_TRIED_AGAIN)  # nothing happens: that is seen by its time only
        else:
            self._rolling.rest(course.candidate, timeout=_TIMEOUT)
        self._rolling.follow(rollout, "to be in force", is_in_force, timeout=_TIMEOUT)
        course.expect("hears_of_pods", value=True)
        course.expect("is_emptied", value=False)
        self._expect_only(course.serving)
        chronicle.catch_up()
        states = list(chronicle.snapshots(self._rolling.model))
        hold(states, course, self._complete(states[-1][1]))
        expect_back_in_time(states, course)
        if course.life.cause:
            self._rolling.pin(course.stable, course.way.policy)
            self._rolling.rest(course.stable, timeout=_TIMEOUT)
        answers = self._rolling.traffic.answers()[before:]
        return sum_up(course, end, states, answers, seconds=seconds)

    def _come_to_rest(self, course: Course) -> None:
        """Go back to the version before, by a strategy that asks for no victory."""
        self._rolling.traffic.mark(marked=False)
        self._rolling.pin(course.stable, way("canary", liked=course.stable).policy)
        self._rolling.rest(course.stable, timeout=_TIMEOUT)

    def _prepare(self, life: Life) -> Course:
        """Have an operator that is started at once when it is killed, and the right way to go."""
        stable = self._rolling.stable
        if life.cause == "bad answers" and stable != STABLE:  # only the other one can be bad
            rollout = self._rolling.begin(STABLE, way("canary", liked=STABLE).policy)
            self._rolling.follow(rollout, "to end", has_ended)
            self._rolling.rest(STABLE)
            stable = STABLE
        if life.kills:
            renew_operator(self._place)
        candidate = CANDIDATE if stable == STABLE else STABLE
        chosen = way(life.strategy, liked=candidate)
        return Course(life=life, way=chosen, stable=stable, candidate=candidate)

    def _undergo(self, course: Course, rollout: str) -> None:
        versions = {"stable": course.stable, "candidate": course.candidate}
        for number, trouble in enumerate(course.life.troubles):
            come = partial(has_come, trouble.moment, way=course.way)
            self._rolling.follow(rollout, f"to come to {trouble.moment}", come, timeout=_TIMEOUT)
            cause_first = number == 0 and course.life.cause
            if cause_first and trouble.how == "refusing":
                self._go_back_refused(course, rollout, trouble)
                continue
            if cause_first:
                course.expect("may_roll_back", value=True)
                self._give_cause(course, rollout)
            time.sleep(trouble.delay)  # where in the moment it happens is the point
            if trouble.what == "prometheus frozen":
                course.expect("has_evidence", value=False, at=time.time() + _STALE)
            if trouble.silences_nodes:
                course.expect("hears_of_pods", value=False)
            if trouble.what == "candidate emptied":
                course.expect("is_emptied", value=True)
            inflict(trouble, self._place, versions)
            course.expect("has_evidence", value=True)

    def _go_back_refused(self, course: Course, rollout: str, trouble: Trouble) -> None:
        """Give the cause while no server may change: traffic must be back before one may."""
        with refusing_servers(self._place):
            course.expect("may_roll_back", value=True)
            self._give_cause(course, rollout)
            time.sleep(trouble.seconds)  # the fault is its length
            course.back_by = time.time()

    def _give_cause(self, course: Course, rollout: str) -> None:
        match course.life.cause:
            case "bad answers":
                self._rolling.traffic.mark(marked=True)
            case "alert":
                self._alerts.fire(self._rolling.model, course.candidate, "one of the troubles")
            case "abort":
                self._place.cluster.kubectl(
                    "annotate", "rollout", rollout, f"--namespace={NAMESPACE}",
                    "fairlead.dev/abort=Ada: wrong data",
                )  # fmt: skip

    def _expect_only(self, version: str) -> None:
        """Expect clients to get every answer from that version: so Envoy really does it."""
        begin = time.time()
        self._rolling.wait_for_answers(version, _AT_REST)
        others = [
            answer
            for answer in self._rolling.traffic.answers()
            if answer.sent > begin and answer.version != version
        ]
        expect(not others, f"answers of {version} alone", others[:3])

    def _complete(self, last: Snapshot) -> Snapshot:
        """Complete the last state: with reports of living pods alone, and with the artifacts."""
        found = self._place.cluster.kubectl(
            "get", "pods", f"--namespace={NAMESPACE}", "--output=json",
            "--selector=fairlead.dev/component=gateway", "--field-selector=status.phase=Running",
        )  # fmt: skip
        pods = [item["metadata"]["name"] for item in json.loads(found.stdout)["items"]]
        registered = f"{NAMESPACE}.{self._rolling.model}"
        return dataclasses.replace(
            last,
            reports={pod: last.reports[pod] for pod in pods if pod in last.reports},
            artifacts=registry.versions(self._place.mlflow_url, registered),
        )
