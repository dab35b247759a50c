"""One rollout on a real cluster under load, with one fault in it, and what must be true of it."""

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from bench.installed import CANDIDATE, NAMESPACE, STABLE, Place, is_serving
from chaos.troubles import Moment, Trouble, inflict
from e2e.story.answers import Answer, failed
from e2e.story.errors import expect
from e2e.story.following import describe_rollout
from e2e.story.good_versions import describe_model
from e2e.story.objects import Object, status_of
from e2e.story.traffic import Traffic
from e2e.story.waiting import wait_for

WEIGHTS: Final = (0, 10, 50, 100)
_STEP: Final = "4s"
_MOMENTS: Final[Mapping[Moment, tuple[str, int]]] = {
    "starting": ("Pending", 0),
    "first step": ("Progressing", 10),
    "second step": ("Progressing", 50),
    "guard": ("Guarding", 100),
}
_TIMEOUT: Final = 240.0
_LOOK: Final = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Lived:
    """How a life went."""

    trouble: str
    seconds: float
    phase: str
    reason: str
    weights: tuple[int, ...]  # the candidate's, in the order they were seen
    answers: int
    failures: tuple[Answer, ...]


class Subject:
    """The Model that is rolled out again and again, and the clients of it."""

    def __init__(self, place: Place, traffic: Traffic, model: str) -> None:
        self.place = place
        self._traffic = traffic
        self._model = model

    def live(self, trouble: Trouble) -> Lived:
        """Roll a good version out with the trouble in it, and go back to the stable one.

        Raises:
            StoryError: something that must hold did not.
        """
        before = len(self._traffic.answers())
        known = status_of(self._read()).get("rollout")
        begin = time.monotonic()
        self._pin(CANDIDATE)
        with Witness(self._look) as witness:
            rollout = self._wait_for_moment(trouble.moment, other_than=known)
            time.sleep(trouble.delay)  # where in the moment it happens is the point
            inflict(trouble, self.place)
            end = self._wait_for_end(rollout)
        seconds = time.monotonic() - begin
        self._rest(CANDIDATE)
        self._pin(STABLE)
        self._rest(STABLE)
        answers = self._traffic.answers()[before:]
        status = status_of(end)
        lived = Lived(
            trouble=str(trouble),
            seconds=round(seconds, 1),
            phase=status["phase"],
            reason=status["reason"],
            weights=witness.weights,
            answers=len(answers),
            failures=tuple(failed(answers)),
        )
        _expect_no_harm(lived, witness)
        return lived

    def _read(self) -> Object:
        return self.place.objects.model(self._model)

    def _look(self) -> tuple[int, int | None]:
        """Percent of the candidate in the route, and in Envoy by the gateways' report."""
        found = self.place.cluster.kubectl(
            "get", "configmap", f"{self._model}-route", "fairlead-gateway",
            f"--namespace={NAMESPACE}", "--output=json", "--request-timeout=5s",
        )  # fmt: skip
        route, reports = (item.get("data") or {} for item in json.loads(found.stdout)["items"])
        return read_weights(route, reports, self._model)

    def _pin(self, version: str) -> None:
        patch = json.dumps({"spec": {"version": version}})
        self.place.cluster.kubectl(
            "patch", "model", self._model, f"--namespace={NAMESPACE}", "--type=merge",
            f"--patch={patch}",
        )  # fmt: skip

    def _wait_for_moment(self, moment: Moment, *, other_than: str | None) -> str:
        phase, weight = _MOMENTS[moment]

        def current() -> Object:
            name = status_of(self._read()).get("rollout")
            return self.place.objects.rollout(name) if name and name != other_than else {}

        def has_come(rollout: Object) -> bool:
            status = status_of(rollout)
            seen = status.get("phase"), status.get("weight")
            expect(seen[0] != "RolledBack", "a good version to go on", status)
            past = seen[1] is not None and seen[1] > weight
            return seen == (phase, weight) or past

        found = self._wait(f"the {moment}", current, has_come, describe_rollout)
        return str(found["metadata"]["name"])

    def _wait_for_end(self, rollout: str) -> Object:
        return self._wait(
            f"{rollout} to end",
            lambda: self.place.objects.rollout(rollout),
            lambda found: status_of(found).get("phase") in {"Succeeded", "RolledBack"},
            describe_rollout,
        )

    def _rest(self, version: str) -> None:
        self._wait(
            f"{version} in charge",
            self._read,
            lambda model: is_serving(model, version),
            describe_model,
        )

    def _wait(
        self,
        expected: str,
        look: Callable[[], Object],
        done: Callable[[Object], bool],
        describe: Callable[[Object], str],
    ) -> Object:
        return wait_for(
            expected,
            look,
            done,
            describe=describe,
            say=lambda _: None,  # a life is one line, said at its end
            timeout=_TIMEOUT,
            pause=_LOOK,
        )


class Witness:
    """Looks at the weights all the time, beside what else goes on."""

    def __init__(self, look: Callable[[], tuple[int, int | None]]) -> None:
        self._look = look
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._seen: list[tuple[int, int | None]] = []

    def __enter__(self) -> "Witness":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def weights(self) -> tuple[int, ...]:
        """Each weight the route had, once for each change."""
        asked = [weight for weight, _ in self._seen]
        return tuple(now for last, now in zip([None, *asked], asked, strict=False) if now != last)

    @property
    def real(self) -> tuple[int, ...]:
        """Each weight that every gateway pod reported."""
        return tuple({weight for _, weight in self._seen if weight is not None})

    def _watch(self) -> None:
        while not self._stop.wait(_LOOK):
            try:
                self._seen.append(self._look())
            except Exception:
                continue


def read_weights(
    route: Mapping[str, str], reports: Mapping[str, str], model: str
) -> tuple[int, int | None]:
    """Percent of the candidate in the route, and in force in every gateway pod.  Pure.

    Raises:
        StoryError: the weights do not sum to 100.
    """
    versions = json.loads(route["route.json"])["versions"]
    weights = {entry["version"]: entry["weight"] for entry in versions}
    expect(sum(weights.values()) == 100, "weights that sum to 100", weights)
    real = {
        json.loads(text)["weights"].get(CANDIDATE, 0)
        for key, text in reports.items()
        if key.startswith(f"{model}.")
    }
    return weights.get(CANDIDATE, 0), real.pop() if len(real) == 1 else None


def _expect_no_harm(lived: Lived, witness: Witness) -> None:
    """What must be true of every life of a good version."""
    expect(lived.phase == "Succeeded", "a good version to be promoted", lived)
    expect(not lived.failures, "no failed request", lived.failures[:3])
    rising = tuple(sorted(set(lived.weights)))
    expect(lived.weights == rising, "weights that only grow", lived.weights)
    expect(set(lived.weights) <= set(WEIGHTS), f"weights of the plan {WEIGHTS}", lived.weights)
    expect(set(witness.real) <= set(WEIGHTS), f"weights of the plan {WEIGHTS}", witness.real)


def build_model(name: str) -> dict[str, Any]:
    """A Model whose rollout is quick enough to be lived often.  Pure."""
    source = {"uri": "https://data.invalid/never-read.csv"}
    check = {
        "name": "success", "builtin": "success-rate", "atLeast": 0.99,
        "window": "5s", "minSamples": 5,
    }  # fmt: skip
    return {
        "apiVersion": "fairlead.dev/v1alpha1",
        "kind": "Model",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "task": "binary-classification",
            "version": STABLE,
            "data": {"source": source, "timestampColumn": "timestamp", "target": "price_up"},
            "serving": {
                "replicas": 2,
                "resources": {"requests": {"cpu": "20m", "memory": "192Mi"}},
            },
            "rollout": {
                "steps": [{"weight": 10, "hold": _STEP}, {"weight": 50, "hold": _STEP}],
                "analysis": {"interval": "1s", "checks": [check]},
                "guard": {"duration": _STEP},
            },
        },
    }
