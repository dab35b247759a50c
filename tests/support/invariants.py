"""What must be true of a Model's traffic at every instant, whatever goes wrong.

``Invariants`` is the one checker: of the scenarios, which show it the world after each write of
the operator, and of ``python -m chaos``, which shows it each write that a real API server has
seen, in their order.  So nothing between two reconciles stays unseen.  It knows what the life it
watches has done to the candidate, and nothing of how the operator decides.
"""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any, Final

Object = Mapping[str, Any]
Key = tuple[str, str, str]  # kind, namespace, name
Weights = Mapping[str, int]  # percent by version

_ENDED: Final = frozenset({"RolledBack", "Succeeded"})
_BACK: Final = frozenset({"RollingBack", "RolledBack"})
_BEFORE_TRAFFIC: Final = frozenset({"", "Pending"})
_GATEWAY: Final = "fairlead-gateway"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A Model and its traffic at one instant."""

    model: Object
    rollouts: tuple[Object, ...]
    route: Weights  # what the gateway is told; empty where there is no route
    reports: Mapping[str, Weights]  # what is in force, by gateway pod
    servers: frozenset[str]  # versions with a pod that can answer
    artifacts: frozenset[str] | None = None  # versions in the registry; None: nobody looked
    broken: frozenset[str] = frozenset()  # versions that cannot answer

    @property
    def stable(self) -> str | None:
        return ((self.model.get("status") or {}).get("stable") or {}).get("version")

    @property
    def current(self) -> Object:
        """Return the Rollout the Model names; empty where there is none."""
        name = (self.model.get("status") or {}).get("rollout")
        return next((each for each in self.rollouts if each["metadata"]["name"] == name), {})


def read_snapshot(objects: Mapping[Key, Object], *, namespace: str, model: str) -> Snapshot:
    """Read what the cluster's objects say of a Model.  Pure."""
    route = objects.get(("ConfigMap", namespace, f"{model}-route"), {}).get("data") or {}
    versions = json.loads(route["route.json"])["versions"] if "route.json" in route else []
    reports = objects.get(("ConfigMap", namespace, _GATEWAY), {}).get("data") or {}
    return Snapshot(
        model=objects.get(("Model", namespace, model), {}),
        rollouts=tuple(
            item
            for key, item in objects.items()
            if key[0] == "Rollout" and item["spec"]["model"] == model
        ),
        route={entry["version"]: entry["weight"] for entry in versions},
        reports={
            pod: json.loads(text)["weights"]
            for known, pod, text in (
                (*key.partition(".")[::2], text) for key, text in reports.items()
            )
            if known == model
        },
        servers=frozenset(
            item["metadata"]["labels"]["fairlead.dev/version"]
            for key, item in objects.items()
            if key[0] == "Deployment" and _serves(item, model)
        ),
    )


def _serves(deployment: Object, model: str) -> bool:
    labels = deployment["metadata"].get("labels") or {}
    if labels.get("fairlead.dev/model") != model or "fairlead.dev/version" not in labels:
        return False
    return bool((deployment.get("status") or {}).get("availableReplicas"))


@dataclasses.dataclass(slots=True, kw_only=True)
class Expectation:
    """What the life that is watched may lead to; it changes as the life goes on."""

    weights: tuple[int, ...]  # of the candidate's, in the order of the plan, 100 last
    may_roll_back: bool = False  # a cause was given: bad answers, an alert, a crash, a person
    has_evidence: bool = True  # what is measured now allows more traffic
    hears_of_pods: bool = True  # else their node is silent, and they all count as not ready
    is_emptied: bool = (
        False  # all the candidate's pods were removed: the gateways ask stable instead
    )
    has_downtime: bool = False  # the strategy stops the stable version first
    follows_reward: bool = False  # a bandit: after its first weight any is right, on evidence


class Invariants:
    """One checker for all lives."""

    def __init__(self, begin: Snapshot, expected: Expectation) -> None:
        self._weight = _candidate_weight(begin)
        self._before = {rollout["metadata"]["name"] for rollout in begin.rollouts}
        self._reported: list[Weights] = []
        self._steps: dict[str, int] = {}
        self._ended: dict[str, str] = {}
        self._left: set[str] = set()  # versions that were taken back
        self.expected = expected
        self.held = 0  # snapshots

    def hold(self, seen: Snapshot) -> None:
        """Hold what is seen now against every invariant."""
        self.held += 1
        self._reported += [each for each in seen.reports.values() if each not in self._reported]
        self._weights_sum_to_hundred(seen)
        self._only_known_versions_have_traffic(seen)
        self._weight_follows_the_plan(seen)
        self._what_serves_is_kept(seen)
        self._what_was_left_stays_left(seen)
        for rollout in seen.rollouts:
            self._steps_are_taken_one_by_one(rollout)
            self._what_ended_stays_ended(rollout)
        for rollout in self._of_this_life(seen):
            self._going_back_has_a_cause(rollout)
            self._what_is_said_was_so(rollout)
        self._a_version_rolled_back_is_not_tried_again(seen)

    def at_rest(self, seen: Snapshot) -> None:
        """Check that what is said is what every Envoy does."""
        self.hold(seen)
        status = seen.current["status"]
        said = status["weight"], status.get("observedWeight")
        assert seen.reports, "no gateway reports"
        for pod, real in seen.reports.items():
            assert said == (_share(real, seen.current),) * 2, (said, pod, real)

    def _weights_sum_to_hundred(self, seen: Snapshot) -> None:
        for weights in (seen.route, *seen.reports.values()):
            assert not weights or sum(weights.values()) == 100, f"not 100 in sum: {weights}"
            assert all(0 <= weight <= 100 for weight in weights.values()), weights

    def _only_known_versions_have_traffic(self, seen: Snapshot) -> None:
        """An unverified version has none: it is stable, or a ready candidate of the current one."""
        allowed = {seen.stable}
        if seen.current:
            allowed |= set(_candidates(seen.current))
            status = seen.current.get("status") or {}
            allowed.add((status.get("stable") or {}).get("version"))
        for version, weight in seen.route.items():
            if weight:
                assert version in allowed, f"{version} has {weight} % and is not on trial"
                assert version not in seen.broken, f"{version} cannot answer: {weight} %"

    def _weight_follows_the_plan(self, seen: Snapshot) -> None:
        """More traffic only along the plan, one step at a time, and only on evidence."""
        weight = _candidate_weight(seen)
        before, self._weight = self._weight, weight
        if weight <= before or (before == 0 and not _in_flight(seen)):
            return
        plan = self.expected.weights
        first = before == 0 and weight == plan[0]
        if first or not self.expected.follows_reward:
            assert weight in plan, f"{weight} % is in no step of {plan}"
            following = min((step for step in plan if step > before), default=100)
            assert weight == following, f"from {before} % to {weight} %, past {following} %"
        assert first or self.expected.has_evidence, f"{before} % became {weight} % in doubt"

    def _what_serves_is_kept(self, seen: Snapshot) -> None:
        """Whatever has traffic has servers, and so has the way back until the end."""
        needed = {version for version, weight in seen.route.items() if weight}
        if self.expected.is_emptied and seen.current:
            needed -= set(_candidates(seen.current))
        for rollout in seen.rollouts:
            status = rollout.get("status") or {}
            if status.get("stable") and status.get("phase", "") not in _ENDED | _BEFORE_TRAFFIC:
                needed.add(status["stable"]["version"])
        if not self.expected.has_downtime and self.expected.hears_of_pods:
            assert needed <= seen.servers, f"{needed} must serve; {seen.servers} do: {seen.route}"
        if seen.artifacts is not None:
            assert needed <= seen.artifacts, f"artifacts are gone of {needed - seen.artifacts}"

    def _steps_are_taken_one_by_one(self, rollout: Object) -> None:
        name, status = rollout["metadata"]["name"], rollout.get("status") or {}
        if name in self._before or status.get("phase", "") in _BEFORE_TRAFFIC | _BACK:
            return
        before, step = self._steps.get(name, -1), status.get("step", 0)
        assert before <= step <= before + 1 or not status.get("stable"), (
            f"{name} went from step {before} to {step}"
        )
        self._steps[name] = step

    def _what_ended_stays_ended(self, rollout: Object) -> None:
        name, phase = rollout["metadata"]["name"], (rollout.get("status") or {}).get("phase", "")
        ended = self._ended.get(name)
        assert ended in {None, phase}, f"{name} was {ended} and is {phase}"
        if phase in _ENDED:
            self._ended[name] = phase

    def _going_back_has_a_cause(self, rollout: Object) -> None:
        status = rollout.get("status") or {}
        if status.get("phase") in _BACK:
            assert self.expected.may_roll_back, f"rolled back by mistake: {status}"

    def _what_was_left_stays_left(self, seen: Snapshot) -> None:
        """What a verdict or a person took back has no traffic again by itself."""
        for rollout in self._of_this_life(seen):
            if (rollout.get("status") or {}).get("phase") == "RolledBack":
                self._left |= set(_candidates(rollout))
        for version, weight in seen.route.items():
            left = version in self._left and version != seen.stable
            assert not (left and weight), f"{version} was taken back and has {weight} % again"

    def _of_this_life(self, seen: Snapshot) -> tuple[Object, ...]:
        return tuple(each for each in seen.rollouts if each["metadata"]["name"] not in self._before)

    def _what_is_said_was_so(self, rollout: Object) -> None:
        """A weight that the status calls observed was in force in some gateway."""
        said = (rollout.get("status") or {}).get("observedWeight")
        real = {_share(each, rollout) for each in self._reported}
        assert said is None or said in real, f"{said} % observed; in force were {real}"

    def _a_version_rolled_back_is_not_tried_again(self, seen: Snapshot) -> None:
        back = [
            rollout["spec"]["version"]
            for rollout in self._of_this_life(seen)
            if (rollout.get("status") or {}).get("phase") == "RolledBack"
        ]
        assert len(back) == len(set(back)), f"tried again by itself: {back}"


def _candidates(rollout: Object) -> tuple[str, ...]:
    spec = rollout["spec"]
    return (spec["version"], *spec.get("alternatives", ()))


def _share(weights: Weights, rollout: Object) -> int:
    """Percent of a Rollout's candidates."""
    return sum(weights.get(version, 0) for version in _candidates(rollout))


def _candidate_weight(seen: Snapshot) -> int:
    return sum(weight for version, weight in seen.route.items() if version != seen.stable)


def _in_flight(seen: Snapshot) -> bool:
    phases = [(rollout.get("status") or {}).get("phase", "") for rollout in seen.rollouts]
    return any(phase not in _ENDED for phase in phases)
