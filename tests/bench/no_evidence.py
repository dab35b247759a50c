"""What becomes of a good candidate while Prometheus is away, or has nothing to say.

A real cluster; a candidate is given 50 % while Prometheus refuses connections, hangs, answers
HTTP 503, or answers a check with nothing or NaN.  It is watched for 45 s, in which a peer has
gone back or on.  Then Prometheus comes back; where it only had no answer, another target ends the
rollout.
"""

import contextlib
import dataclasses
import enum
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bench.installed import CANDIDATE, STABLE, Place
from bench.result import Goal, Result
from bench.rolling import Rolling, build_policy, has_ended, has_weight, rolling
from chaos.troubles import frozen
from e2e.story import installation
from e2e.story.answers import failed

NAME = "no-evidence"
RATE = 50.0  # requests a second
WEIGHT = 50

_WATCHED = 45.0  # seconds from the first weight on
_PATIENCE = "10s"
_COMES_BACK = 90.0
_PROMETHEUS = "app.kubernetes.io/component=prometheus"
_UNAVAILABLE = """
import http.server

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_error(503)

    do_POST = do_GET

http.server.ThreadingHTTPServer(("", 9090), Handler).serve_forever()
"""


class Case(enum.StrEnum):
    """What Prometheus does."""

    REFUSED = "refuses connections"
    FROZEN = "hangs"
    UNAVAILABLE = "answers HTTP 503"
    EMPTY = "answers with no series"
    NAN = "answers NaN"

    @property
    def query(self) -> str | None:
        """The check's, where it is the answer that is wrong."""
        return {Case.EMPTY: "fairlead_bench_no_such_series", Case.NAN: "vector(NaN)"}.get(self)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One look at the Rollout, in seconds from the change of the Model's spec."""

    second: float
    phase: str
    weight: int
    verdict: str
    message: str  # of the check, or else of the Rollout


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One case."""

    seen: tuple[Seen, ...]  # while there was no evidence; each change once
    afterwards: str  # the phase in which it ended
    back: float | None  # seconds from Prometheus's return to the end; None where it was there
    failed: int
    requests: int


def run(place: Place) -> Result:
    """Try each case once.

    Raises:
        StoryError: the candidate did not come to its weight, or the end did not come.
    """
    found: dict[Case, Run] = {}
    with rolling(place, NAME, rate=RATE) as subject:
        stable, candidate = STABLE, CANDIDATE
        for case in Case:
            one = found[case] = _run_once(subject, case, stable=stable, candidate=candidate)
            place.say(f"Prometheus {case}: {describe(one)}")
            if one.afterwards == "Succeeded":
                stable, candidate = candidate, stable
    return to_result(found)


def _run_once(subject: Rolling, case: Case, *, stable: str, candidate: str) -> Run:
    before = len(subject.traffic.answers())
    policy = build_policy([(WEIGHT, "5s")], interval="5s", patience=_PATIENCE, query=case.query)
    with _trouble(case, subject.place):
        begin = time.monotonic()
        rollout = subject.begin(candidate, policy)
        subject.follow(rollout, f"to have {WEIGHT} %", has_weight(WEIGHT))
        deadline = time.monotonic() + _WATCHED
        looks: list[Seen] = []

        def note(status: Mapping[str, Any]) -> bool:
            looks.append(_look(status, time.monotonic() - begin))
            return has_ended(status) or time.monotonic() > deadline

        subject.follow(rollout, "to be watched", note)
    came_back = time.monotonic()
    if case.query is not None:
        subject.pin(stable, policy)
    end = subject.follow(rollout, "to end", has_ended, timeout=_COMES_BACK)
    back = None if case.query else time.monotonic() - came_back
    subject.rest(candidate if end["phase"] == "Succeeded" else stable)
    answers = subject.traffic.answers()[before:]
    return Run(
        seen=changes(looks),
        afterwards=str(end["phase"]),
        back=back,
        failed=len(failed(answers)),
        requests=len(answers),
    )


@contextlib.contextmanager
def _trouble(case: Case, place: Place) -> Iterator[None]:
    """Prometheus in trouble for the length of the block."""
    with contextlib.ExitStack() as stack:
        if case in {Case.REFUSED, Case.UNAVAILABLE}:
            stack.callback(_scale, place, 1)
            _scale(place, 0)
        if case is Case.UNAVAILABLE:
            stack.enter_context(_stand_in(place))
        if case is Case.FROZEN:
            stack.enter_context(frozen("prometheus", place))
        yield


@contextlib.contextmanager
def _stand_in(place: Place) -> Iterator[None]:
    """A pod in Prometheus's place behind its Service that answers 503 to everything."""
    kubectl, namespace = place.cluster.kubectl, f"--namespace={installation.NAMESPACE}"

    def template(component: str) -> Mapping[str, Any]:
        selector = f"--selector=app.kubernetes.io/component={component}"
        found = kubectl("get", "deployments", namespace, selector, "--output=json")
        (deployment,) = json.loads(found.stdout)["items"]
        return deployment["spec"]["template"]  # type: ignore[no-any-return]

    prometheus, operator = template("prometheus"), template("operator")
    pod = build_stand_in(prometheus, image=operator["spec"]["containers"][0]["image"])
    kubectl("apply", namespace, "--filename=-", input=json.dumps(pod))
    name = f"pod/{pod['metadata']['name']}"
    try:
        kubectl("wait", name, namespace, "--for=condition=Ready", "--timeout=90s")
        yield
    finally:
        kubectl("delete", name, namespace, "--wait", "--timeout=90s")


def build_stand_in(prometheus: Mapping[str, Any], *, image: str) -> Mapping[str, Any]:
    """The pod that says 503: with Prometheus's labels, port and security.  Pure.

    Args:
        prometheus: the pod template of its Deployment.
        image: one with Python.
    """
    (container,) = prometheus["spec"]["containers"]
    kept = ("name", "imagePullPolicy", "ports", "resources", "securityContext")
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "prometheus-unavailable",
            "labels": dict(prometheus["metadata"]["labels"]),
        },
        "spec": {
            "automountServiceAccountToken": False,
            "securityContext": prometheus["spec"]["securityContext"],
            "terminationGracePeriodSeconds": 1,
            "containers": [
                {key: container[key] for key in kept if key in container}
                | {
                    "image": image,
                    "command": ["python", "-c", _UNAVAILABLE],
                    "readinessProbe": {"tcpSocket": {"port": "http"}, "periodSeconds": 1},
                }
            ],
        },
    }


def _scale(place: Place, replicas: int) -> None:
    kubectl, namespace = place.cluster.kubectl, f"--namespace={installation.NAMESPACE}"
    selector = f"--selector={_PROMETHEUS}"
    kubectl("scale", "deployment", namespace, selector, f"--replicas={replicas}")
    if replicas:
        kubectl("rollout", "status", "deployment", namespace, selector, "--timeout=90s")
    else:
        kubectl("wait", "pods", namespace, selector, "--for=delete", "--timeout=90s")


def _look(status: Mapping[str, Any], second: float) -> Seen:
    measured = [check for check in status.get("checks") or [] if check.get("message")]
    return Seen(
        second=second,
        phase=str(status.get("phase")),
        weight=int(status.get("weight") or 0),
        verdict=str(measured[0]["verdict"]) if measured else "",
        message=str(measured[0]["message"] if measured else status.get("message") or ""),
    )


def changes(looks: Sequence[Seen]) -> tuple[Seen, ...]:
    """Each look that differs from the one before in phase, weight or verdict.  Pure."""
    kept: list[Seen] = []
    for look in looks:
        last = kept[-1] if kept else None
        if last is None or _essence(look) != _essence(last):
            kept.append(look)
    return tuple(kept)


def _essence(look: Seen) -> tuple[str, int, str]:
    return look.phase, look.weight, look.verdict


def describe(one: Run) -> str:
    """What happened, in a line.  Pure."""
    steps = "; ".join(
        f"{look.second:.0f} s {look.phase} {look.weight} % {look.verdict}" for look in one.seen
    )
    return f"{steps}; then {one.afterwards}; {one.failed} of {one.requests} failed"


def to_result(found: Mapping[Case, Run]) -> Result:
    """Sum up.  Pure."""
    lost, requests = (
        sum(one.failed for one in found.values()),
        sum(one.requests for one in found.values()),
    )
    held = sum(_is_held(one) for one in found.values())
    return Result(
        name=NAME,
        headers=(
            "Prometheus",
            "first verdict after",
            "paused after",
            f"at {_WATCHED:g} s",
            "afterwards",
            "what it says",
        ),
        rows=tuple(_row(case, one) for case, one in found.items()),
        goals=(
            Goal(
                wanted=f"neither promoted nor rolled back ({held} of {len(found)} held)",
                is_met=held == len(found),
            ),
            Goal(wanted=f"no failed request ({lost} of {requests:,} failed)", is_met=not lost),
        ),
        numbers={case: dataclasses.asdict(one) for case, one in found.items()},
    )


def _is_held(one: Run) -> bool:
    return all(
        look.weight == WEIGHT and look.phase in {"Progressing", "Paused"} for look in one.seen
    )


def _row(case: Case, one: Run) -> tuple[str, ...]:
    said = next((look for look in one.seen if look.verdict), None)
    paused = next((look for look in one.seen if look.phase == "Paused"), None)
    last = one.seen[-1]
    back = "" if one.back is None else f" {one.back:.0f} s after its return"
    message = (said or last).message.replace("|", "/")
    return (
        f"{case} ({said.verdict})" if said else str(case),
        f"{said.second:.1f} s" if said else "never",
        f"{paused.second:.1f} s" if paused else "never",
        f"{last.phase}, {last.weight} %",
        f"{one.afterwards}{back}",
        f"`{message}`",
    )
