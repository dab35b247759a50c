"""What must be true of a Model's traffic at every instant, whatever goes wrong.

``Invariants`` looks after each write of the operator, so that nothing between
two reconciles stays unseen, and once more when the world has come to rest.  It
knows what the life it watches has done to the candidate, and nothing of how the
operator decides.
"""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any, Final

from support.world import GATEWAY_POD, NAMESPACE, World

_ENDED: Final = frozenset({"RolledBack", "Succeeded"})
_BACK: Final = frozenset({"RollingBack", "RolledBack"})
_BEFORE_TRAFFIC: Final = frozenset({"", "Pending"})


@dataclasses.dataclass(slots=True, kw_only=True)
class Expectation:
    """What the life that is watched may lead to; it changes as the life goes on."""

    weights: tuple[int, ...]  # of the candidate's, in the order of the plan, 100 last
    may_roll_back: bool = False  # a cause was given: bad answers, an alert, a crash, a person
    has_evidence: bool = True  # what is measured now allows more traffic
    has_downtime: bool = False  # the strategy stops the stable version first
    follows_reward: bool = False  # a bandit: after its first weight any is right, on evidence


class Invariants:
    """One checker for all lives."""

    def __init__(self, world: World, expected: Expectation, *, model: str = "nsw-price") -> None:
        self._world = world
        self._model = model
        self._weight = self._candidate_weight(self._route())
        self._steps: dict[str, int] = {}
        self._ended: dict[str, str] = {}
        self.expected = expected

    def after_write(self) -> None:
        """Hold the present state against every invariant."""
        route = self._route()
        self._weights_sum_to_hundred(route)
        self._only_known_versions_have_traffic(route)
        self._weight_follows_the_plan(route)
        self._what_serves_is_kept(route)
        for rollout in self._rollouts():
            self._steps_are_taken_one_by_one(rollout)
            self._what_ended_stays_ended(rollout)
            self._going_back_has_a_cause(rollout)
        self._a_version_rolled_back_is_not_tried_again()

    def at_rest(self) -> None:
        """What is said is what Envoy does."""
        self.after_write()
        rollout = self._world.rollout(self._model)
        report = self._world.kube.objects["ConfigMap", NAMESPACE, "fairlead-gateway"]["data"]
        real = json.loads(report[f"{self._model}.{GATEWAY_POD}"])["weights"]
        status = rollout["status"]
        said = status["weight"], status.get("observedWeight")
        candidates = _candidates(rollout)
        assert said == (sum(real.get(version, 0) for version in candidates),) * 2, (said, real)

    def _route(self) -> dict[str, int]:
        return self._world.weights(self._model)

    def _rollouts(self) -> list[dict[str, Any]]:
        objects = self._world.kube.objects
        found = [item for key, item in objects.items() if key[0] == "Rollout"]
        return [item for item in found if item["spec"]["model"] == self._model]

    def _stable(self) -> str | None:
        return (self._world.model(self._model).get("status") or {}).get("stable", {}).get("version")

    def _candidate_weight(self, route: Mapping[str, int]) -> int:
        return sum(weight for version, weight in route.items() if version != self._stable())

    def _weights_sum_to_hundred(self, route: Mapping[str, int]) -> None:
        assert not route or sum(route.values()) == 100, f"weights do not sum to 100: {route}"
        assert all(0 <= weight <= 100 for weight in route.values()), route

    def _only_known_versions_have_traffic(self, route: Mapping[str, int]) -> None:
        """An unverified version has none: it is stable, or a ready candidate of the current one."""
        current = (self._world.model(self._model).get("status") or {}).get("rollout")
        allowed = {self._stable()}
        for rollout in self._rollouts():
            if rollout["metadata"]["name"] == current:
                allowed |= set(_candidates(rollout))
                allowed.add((rollout.get("status") or {}).get("stable", {}).get("version"))
        for version, weight in route.items():
            if weight:
                assert version in allowed, f"{version} has {weight} % and is not on trial"
                assert version not in self._world.broken, f"{version} cannot answer: {weight} %"

    def _weight_follows_the_plan(self, route: Mapping[str, int]) -> None:
        """More traffic only along the plan, one step at a time, and only on evidence."""
        weight = self._candidate_weight(route)
        before, self._weight = self._weight, weight
        if weight <= before or (before == 0 and not self._in_flight()):
            return
        plan = self.expected.weights
        first = before == 0 and weight == plan[0]
        if first or not self.expected.follows_reward:
            assert weight in plan, f"{weight} % is in no step of {plan}"
            following = min((step for step in plan if step > before), default=100)
            assert weight == following, f"from {before} % to {weight} %, past {following} %"
        assert first or self.expected.has_evidence, f"{before} % became {weight} % in doubt"

    def _in_flight(self) -> bool:
        phases = [(rollout.get("status") or {}).get("phase", "") for rollout in self._rollouts()]
        return any(phase not in _ENDED for phase in phases)

    def _what_serves_is_kept(self, route: Mapping[str, int]) -> None:
        """Whatever has traffic has servers, and so has the way back until the end."""
        if self.expected.has_downtime:
            return
        needed = {version for version, weight in route.items() if weight}
        for rollout in self._rollouts():
            status = rollout.get("status") or {}
            if status.get("stable") and status.get("phase", "") not in _ENDED | _BEFORE_TRAFFIC:
                needed.add(status["stable"]["version"])
        for version in needed:
            name = f"{self._model}-{version.replace('.', '-')}"
            kept = ("Deployment", NAMESPACE, name) in self._world.kube.objects
            assert kept, f"the servers of {version} are gone: {route}"

    def _steps_are_taken_one_by_one(self, rollout: Mapping[str, Any]) -> None:
        name, status = rollout["metadata"]["name"], rollout.get("status") or {}
        if status.get("phase", "") in _BEFORE_TRAFFIC | _BACK:
            return
        before, step = self._steps.get(name, -1), status.get("step", 0)
        assert before <= step <= before + 1 or not status.get("stable"), (
            f"{name} went from step {before} to {step}"
        )
        self._steps[name] = step

    def _what_ended_stays_ended(self, rollout: Mapping[str, Any]) -> None:
        name, phase = rollout["metadata"]["name"], (rollout.get("status") or {}).get("phase", "")
        ended = self._ended.get(name)
        assert ended in {None, phase}, f"{name} was {ended} and is {phase}"
        if phase in _ENDED:
            self._ended[name] = phase

    def _going_back_has_a_cause(self, rollout: Mapping[str, Any]) -> None:
        status = rollout.get("status") or {}
        if status.get("phase") in _BACK:
            assert self.expected.may_roll_back, f"rolled back by mistake: {status}"

    def _a_version_rolled_back_is_not_tried_again(self) -> None:
        back = [
            rollout["spec"]["version"]
            for rollout in self._rollouts()
            if (rollout.get("status") or {}).get("phase") == "RolledBack"
        ]
        assert len(back) == len(set(back)), f"tried again by itself: {back}"


def _candidates(rollout: Mapping[str, Any]) -> tuple[str, ...]:
    spec = rollout["spec"]
    return (spec["version"], *spec.get("alternatives", ()))
