"""A policy into one plan: the steps that the one state machine walks through.  Pure.

    canary      the policy's steps; when it names none, weights that double, each
                held long enough to be measured by its own traffic
    blueGreen   no traffic but a preview address and copies of live requests, then all
    shadow      no traffic but copies of live requests, then the policy's steps, if any
    recreate    one exclusive step: the stable version is stopped before the candidate starts
    abTest      one trial: a fixed split that ends by a sequential test, or at its longest
    bandit      one trial: shares that follow the reward, until a version is best

After the last step all traffic follows, and the guard window.
"""

import dataclasses
from collections.abc import Sequence
from datetime import timedelta
from typing import Final, Literal, assert_never

from fairlead_operator.api import strategy as api
from fairlead_operator.api.checks import DEFAULT_CHECKS, AnalysisSpec, Check
from fairlead_operator.api.policy import RolloutPolicy
from fairlead_operator.errors import InvalidSpecError

_WEIGHTS: Final = (5, 10, 20, 40, 80)
_SHORTEST: Final = timedelta(minutes=1)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One stretch of a rollout, and what must hold in it."""

    weight: int  # percent of traffic each candidate takes
    hold: timedelta  # how long the step must stay healthy before the next
    pause: bool = False  # wait for approval after the hold
    mirror: int = 0  # percent of live requests that the candidate gets as copies
    preview: bool = False  # the candidate can be reached at the preview address
    exclusive: bool = False  # the stable version is gone before the candidate starts
    trial: Literal["abTest", "bandit"] | None = None  # the hold is its longest duration
    undecided_goes_back: bool = False  # a trial without a decision: back instead of a pause
    checks: tuple[Check, ...] = ()  # beside those of the analysis


def compile_plan(policy: RolloutPolicy, *, candidates: int = 1) -> tuple[Step, ...]:
    """The steps of a rollout of so many candidates under this policy; never empty."""
    match policy.strategy:
        case "canary":
            return _steps(policy.steps) if policy.steps else automatic_steps(policy.analysis)
        case "blueGreen":
            preview = policy.blue_green or api.BlueGreen.model_validate({})
            return (
                Step(
                    weight=0,
                    hold=preview.hold,
                    pause=preview.pause,
                    mirror=preview.mirror,
                    preview=True,
                ),
            )
        case "shadow":
            shadow = policy.shadow or api.Shadow.model_validate({})
            first = Step(weight=0, hold=shadow.hold, pause=shadow.pause, mirror=shadow.mirror)
            return (first, *_steps(policy.steps or ()))
        case "recreate":
            return (Step(weight=0, hold=timedelta(0), exclusive=True),)
        case "abTest" | "bandit":
            return (_trial(policy, candidates),)
    assert_never(policy.strategy)


def automatic_steps(analysis: AnalysisSpec) -> tuple[Step, ...]:
    """Weights that double, so that few requests meet a bad version and a good one is soon through.

    A measurement looks back over its window: only when the longest window and two
    intervals have passed, two measurements have seen nothing but the step's own traffic.
    """
    longest = max(check.look_back for check in analysis.checks or DEFAULT_CHECKS)
    hold = max(_SHORTEST, longest + 2 * analysis.interval)
    return tuple(Step(weight=weight, hold=hold) for weight in _WEIGHTS)


def _trial(policy: RolloutPolicy, candidates: int) -> Step:
    """All versions at once; equal shares for all of them unless the policy says otherwise."""
    design = policy.ab_test if policy.strategy == "abTest" else policy.bandit
    if design is None:  # the API server refuses such a policy
        raise InvalidSpecError(f"{policy.strategy}: missing; it names the goal that decides")
    weight = design.weight if isinstance(design, api.AbTest) else None
    return Step(
        weight=weight or 100 // (candidates + 1),
        hold=design.max_duration,
        trial="abTest" if policy.strategy == "abTest" else "bandit",
        undecided_goes_back=design.on_undecided == "rollBack",
    )


def _steps(steps: Sequence[api.Step]) -> tuple[Step, ...]:
    return tuple(
        Step(weight=step.weight, hold=step.hold, pause=step.pause, checks=step.checks)
        for step in steps
    )
