"""A Model on the cluster whose versions are rolled out again and again."""

import contextlib
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from bench import registry
from bench.installed import CANDIDATE, NAMESPACE, STABLE, Place, build_model, is_serving
from chaos.troubles import Trouble, inflict
from e2e.story import energy, installation
from e2e.story.answers import of_version
from e2e.story.errors import expect
from e2e.story.following import describe_rollout
from e2e.story.good_versions import describe_model
from e2e.story.objects import Object, status_of
from e2e.story.traffic import Traffic
from e2e.story.waiting import wait_for

T = TypeVar("T")

LOOK = 0.1  # seconds between two looks
ENDS = frozenset({"Succeeded", "RolledBack"})

_MARKER = "transfer=-1"
_MARKED = Path(__file__).resolve().with_name("versions") / "marked.py"
_ROWS = 2000
_TIMEOUT = 120.0
_SERVING = {"replicas": 1, "resources": {"requests": {"cpu": "20m", "memory": "192Mi"}}}


class Rolling:
    """The Model, and the clients of it."""

    def __init__(self, place: Place, traffic: Traffic, model: str) -> None:
        self.place = place
        self.traffic = traffic
        self.model = model
        self._edits = 0

    def read(self) -> Object:
        return self.place.objects.model(self.model)

    @property
    def stable(self) -> str:
        """The version in charge."""
        return str(status_of(self.read())["stable"]["version"])

    def begin(self, version: str, rollout: Mapping[str, Any]) -> str:
        """Ask for a version by a policy; return the name of its Rollout."""
        known = status_of(self.read()).get("rollout")
        self.pin(version, rollout)

        def has_begun(model: Object) -> bool:
            return status_of(model).get("rollout") not in {None, known}

        model = self._wait(f"a Rollout to {version}", self.read, has_begun, describe_model)
        return str(status_of(model)["rollout"])

    def pin(self, version: str, rollout: Mapping[str, Any]) -> None:
        patch = json.dumps({"spec": {"version": version, "rollout": rollout}})
        self.place.cluster.kubectl(
            "patch", "model", self.model, f"--namespace={NAMESPACE}", "--type=merge",
            f"--patch={patch}",
        )  # fmt: skip

    def edit_in_passing(self) -> None:
        """Change something of the Model that asks for no other version."""
        self._edits += 1
        limit = {"serving": {"requestTimeout": f"{20 + self._edits % 9}s"}}
        self.place.cluster.kubectl(
            "patch", "model", self.model, f"--namespace={NAMESPACE}", "--type=merge",
            f"--patch={json.dumps({'spec': limit})}",
        )  # fmt: skip

    def follow(
        self,
        rollout: str,
        expected: str,
        done: Callable[[Mapping[str, Any]], bool],
        *,
        timeout: float = _TIMEOUT,
    ) -> Mapping[str, Any]:
        """Look at a Rollout's status until something is so of it."""
        found = self._wait(
            f"{rollout} {expected}",
            lambda: self.place.objects.rollout(rollout),
            lambda seen: done(status_of(seen)),
            describe_rollout,
            timeout=timeout,
        )
        return status_of(found)

    def rest(self, version: str, *, timeout: float = _TIMEOUT) -> None:
        """Wait until a version is in charge and nothing moves."""
        self._wait(
            f"{version} in charge",
            self.read,
            lambda model: is_serving(model, version),
            describe_model,
            timeout=timeout,
        )

    def wait_for_answers(self, version: str, count: int) -> None:
        """Wait until clients got so many answers of a version from now on."""
        begin = time.time()

        def look() -> int:
            fresh = [a for a in self.traffic.answers()[-2000:] if a.sent > begin]
            return len(of_version(fresh, version))

        self._wait(f"{count} answers of {version}", look, lambda seen: seen >= count, str)

    def _wait(
        self,
        expected: str,
        look: Callable[[], T],
        done: Callable[[T], bool],
        describe: Callable[[T], str],
        *,
        timeout: float = _TIMEOUT,
    ) -> T:
        return wait_for(
            expected,
            look,
            done,
            describe=describe,
            say=lambda _: None,  # a run is one line, said at its end
            timeout=timeout,
            pause=LOOK,
        )


@contextlib.contextmanager
def rolling(
    place: Place,
    model: str,
    *,
    rate: float,
    marked: bool = False,
    serving: Mapping[str, Any] = _SERVING,
    new_connections: bool = True,
) -> Iterator[Rolling]:
    """A Model that serves 1.0.0, a 1.1.0 to go to, and clients.

    Args:
        rate: requests a second.
        marked: 1.1.0 fails whatever row is marked.
        serving: ``spec.serving`` of the Model.
        new_connections: one for each request; else they are kept.
    """
    registered = f"{NAMESPACE}.{model}"
    registry.forget(place.mlflow_url, NAMESPACE)
    registry.register(place.mlflow_url, [(registered, STABLE)])
    registry.register(place.mlflow_url, [(registered, CANDIDATE)], code=_MARKED if marked else None)
    place.serve([model], lambda name: _build(name, {**serving, "allowArtifactCode": marked}))
    with tempfile.TemporaryDirectory() as folder:
        traffic = Traffic(Path(folder))
        traffic.start(
            url=place.expose_gateway(model),
            host=f"{model}.{NAMESPACE}",
            rate=rate,
            first=energy.ALL_ROWS,
            count=_ROWS,
            options=[f"--marker={_MARKER}", *(["--new-connections"] if new_connections else [])],
        )
        try:
            wait_for(
                "answers",
                traffic.answers,
                lambda answers: len(answers) > rate,
                describe=lambda answers: f"{len(answers)} answers",
                say=place.say,
                timeout=_TIMEOUT,
            )
            yield Rolling(place, traffic, model)
        finally:
            traffic.stop()
    place.remove([model])


def build_policy(
    steps: Sequence[tuple[int, str]],
    *,
    interval: str,
    patience: str = "10m",
    fast_guard: bool = True,
    query: str | None = None,
) -> dict[str, Any]:
    """A canary judged by its success rate, or by a query of ours.  Pure.

    Args:
        steps: weight and hold of each.
    """
    asked: dict[str, Any] = {"builtin": "success-rate", "window": "5s", "minSamples": 10}
    if query is not None:
        asked = {"query": query}
    return {
        "steps": [{"weight": weight, "hold": hold} for weight, hold in steps],
        "analysis": {
            "interval": interval,
            "checks": [{"name": "success", "atLeast": 0.95, **asked}],
        },
        "fastGuard": {"enabled": fast_guard},
        "guard": {"duration": "0s"},
        "patience": patience,
    }


def kill_operator(place: Place) -> float:
    """SIGKILL; return when it was gone, in seconds since the epoch."""
    inflict(Trouble(part="operator", how="killed", moment="first step"), place)
    return time.time()


def renew_operator(place: Place) -> None:
    """Another pod of it, so that the kubelet starts its container again at once when it ends.

    A container that has ended before waits 10 s, then 20 s, and so on.
    """
    kubectl, namespace = place.cluster.kubectl, f"--namespace={installation.NAMESPACE}"
    selector = "--selector=app.kubernetes.io/component=operator"
    kubectl("delete", "pods", namespace, selector, "--wait", "--timeout=60s")
    kubectl("rollout", "status", "deployment", namespace, selector, "--timeout=120s")


def has_weight(weight: int) -> Callable[[Mapping[str, Any]], bool]:
    """Whether every gateway pod reports this weight.  Pure."""

    def is_so(status: Mapping[str, Any]) -> bool:
        expect(status.get("phase") != "RolledBack", f"a candidate with {weight} %", status)
        return bool(status.get("observedWeight") == weight)

    return is_so


def has_ended(status: Mapping[str, Any]) -> bool:
    return status.get("phase") in ENDS


def is_in_force(status: Mapping[str, Any]) -> bool:
    """Tell whether every gateway does what the status says."""
    return status.get("observedWeight") == status["weight"]


def _build(name: str, serving: Mapping[str, Any]) -> dict[str, Any]:
    model = build_model(name)
    model["spec"]["serving"] = serving
    return model
