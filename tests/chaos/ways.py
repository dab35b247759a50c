"""Every strategy as the lives use it: quick enough to be lived often.  Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

Strategy = Literal["canary", "blueGreen", "shadow", "abTest", "bandit", "recreate"]
Moment = Literal["starting", "first step", "last step", "guard"]

MOMENTS: Final[tuple[Moment, ...]] = ("starting", "first step", "last step", "guard")

_HOLD: Final = "4s"
_CHECK: Final = {
    "name": "success", "builtin": "success-rate", "atLeast": 0.99, "window": "5s", "minSamples": 5,
}  # fmt: skip
# All answers count, and those of the version that is liked are good.
_COUNTED: Final = (
    'sum(increase(envoy_cluster_upstream_rq_completed{{model_namespace="{{{{namespace}}}}",'
    'model="{{{{model}}}}",version="{{{{version}}}}",role=""{liked}}}[{{{{window}}}}]))'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """What is asked for, and the weights that may come of it."""

    policy: Mapping[str, Any]
    weights: tuple[int, ...]  # of the steps
    has_downtime: bool = False
    follows_reward: bool = False


def way(strategy: Strategy, *, liked: str) -> Way:
    """Return a rollout that ends well; a trial is won by the version that is liked."""
    match strategy:
        case "canary":
            steps = [{"weight": 10, "hold": _HOLD}, {"weight": 50, "hold": _HOLD}]
            return Way(policy=_policy(strategy, steps=steps), weights=(10, 50))
        case "blueGreen":
            return Way(policy=_policy(strategy, blueGreen={"hold": "6s"}), weights=(0,))
        case "shadow":
            steps = [{"weight": 20, "hold": _HOLD}]
            policy = _policy(strategy, shadow={"hold": "6s"}, steps=steps)
            return Way(policy=policy, weights=(0, 20))
        case "abTest":
            policy = _policy(strategy, abTest={**_trial(liked), "weight": 30})
            return Way(policy=policy, weights=(30,))
        case "bandit":
            bandit = {**_trial(liked), "maxChangePerMinute": 100}
            return Way(policy=_policy(strategy, bandit=bandit), weights=(50,), follows_reward=True)
        case "recreate":
            return Way(policy=_policy(strategy), weights=(0,), has_downtime=True)


def has_come(moment: Moment, status: Mapping[str, Any], *, way: Way) -> bool:
    """Tell whether a Rollout is in that moment, or past it."""
    return _reached(status, len(way.weights)) >= MOMENTS.index(moment)


def _reached(status: Mapping[str, Any], steps: int) -> int:
    match status.get("phase"):
        case None:
            return -1
        case "Pending" | "Replacing":
            return 0
        case "Progressing" | "Paused":
            return 2 if status.get("step") == steps - 1 else 1
        case _:
            return 3


def _policy(strategy: Strategy, **own: Any) -> dict[str, Any]:
    """Return a merge patch, which must take away what the strategy before had."""
    return {
        "strategy": strategy,
        **dict.fromkeys(("steps", "blueGreen", "shadow", "abTest", "bandit", "fastGuard")),
        "analysis": {"interval": "1s", "checks": [_CHECK]},
        "guard": {"duration": _HOLD},
        "startDeadline": "3m",
        **own,
    }


def _trial(liked: str) -> dict[str, Any]:
    good = _COUNTED.format(liked=f',version="{liked}"')
    goal = {"query": f"{good} or vector(0)", "total": _COUNTED.format(liked="")}
    return {"goal": goal, "minSamples": 100, "maxDuration": "10m"}
