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
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final, assert_never

from fairlead_operator.api import strategy as api
from fairlead_operator.api.checks import DEFAULT_CHECKS, AnalysisSpec, Check
from fairlead_operator.api.policy import RolloutPolicy
from fairlead_operator.errors import InvalidSpecError
from fairlead_operator.rollout.statistics.ab_test import ArmCounts, Trial, judge_trial
from fairlead_operator.rollout.statistics.bandit import judge_bandit

_WEIGHTS: Final = (5, 10, 20, 40, 80)
_ALL: Final = 100  # percent
_STANDING: Final = timedelta(days=365)  # in name only: nothing goes on meanwhile
_SHORTEST: Final = timedelta(minutes=1)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TrialDesign:
    """What a trial compares, and the statistics that decide it."""

    name: str  # as people know it
    rules: api.AbTest | api.Bandit

    @property
    def goal(self) -> api.Goal:
        """Return what counts as a good outcome."""
        return self.rules.goal

    def judge(
        self,
        tallies: Sequence[ArmCounts],
        *,
        stable: str,
        began: int,
        shares: Mapping[str, int],
        elapsed: timedelta,
        since_change: timedelta,
    ) -> Trial:
        """Say where the trial stands.

        Args:
            tallies: of every version in it, the stable one's too, since it began.
            began: how many candidates it began with.
            shares: percent of every version now.
            elapsed: since it began; ``since_change``: since the shares were last moved.
        """
        match self.rules:
            case api.AbTest() as rules:
                return judge_trial(rules, tallies, stable=stable, began=began, elapsed=elapsed)
            case api.Bandit() as rules:
                return judge_bandit(
                    rules,
                    tallies,
                    stable=stable,
                    shares=shares,
                    elapsed=elapsed,
                    since_change=since_change,
                )
        assert_never(self.rules)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One stretch of a rollout, and what must hold in it."""

    weight: int  # percent of traffic each candidate takes
    hold: timedelta  # how long the step must stay healthy before the next
    pause: bool = False  # wait for approval after the hold
    mirror: int = 0  # percent of live requests that the candidate gets as copies
    preview: bool = False  # the candidate can be reached at the preview address
    exclusive: bool = False  # the stable version is gone before the candidate starts
    sticky: api.Sticky | None = None  # how a user keeps the version that was drawn
    trial: TrialDesign | None = None  # what ends the step; the hold is its longest duration
    follows_reward: bool = False  # the trial moves the shares; the weight is the first one
    undecided_goes_back: bool = False  # a trial without a decision: back instead of a pause
    checks: tuple[Check, ...] = ()  # beside those of the analysis
    stands: bool = False  # of a plan that is not known any more: the hold is no length of time


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A whole rollout: its steps, and what is asked of all of them together."""

    steps: tuple[Step, ...]
    fast_guard: api.FastGuard | None = None  # limits at which the gateway goes back by itself

    @property
    def copies(self) -> bool:
        """Tell whether the candidate gets copies of live requests."""
        return any(step.mirror for step in self.steps)

    @property
    def compares(self) -> bool:
        """Tell whether the stable version runs beside the candidate."""
        return not any(step.exclusive for step in self.steps)

    @property
    def preview(self) -> bool:
        """Tell whether the candidate has an address of its own for a while."""
        return any(step.preview for step in self.steps)

    @property
    def trial(self) -> TrialDesign | None:
        """Return what decides between several versions; None where one is judged by its checks."""
        return next((step.trial for step in self.steps if step.trial is not None), None)

    @property
    def takes_alternatives(self) -> bool:
        """Tell whether there may be more than one candidate."""
        return self.trial is not None


def compile_plan(policy: RolloutPolicy, *, candidates: int = 1) -> Plan:
    """Compile the plan of a rollout of so many candidates; it has at least one step."""
    plan = Plan(steps=_compile_steps(policy, candidates))
    limits = policy.fast_guard or api.FastGuard.model_validate({})
    if not limits.enabled or not plan.compares:  # without another version nothing takes over
        return plan
    return dataclasses.replace(plan, fast_guard=limits)


def goes_on(policy: RolloutPolicy, began: str | None) -> bool:
    """Tell whether a rollout that began under this strategy can go on under the policy."""
    return began is None or began == policy.strategy


def standing_plan(
    policy: RolloutPolicy,
    *,
    strategy: str | None,
    steps: int,
    candidates: int,
    mirror: int,
    preview: bool,
    sticky: api.Sticky | None,
) -> Plan:
    """Build the plan of a rollout whose own is not known any more: all stays as it was given.

    Args:
        strategy: that it began with.
        steps: how many there must be for the step it is in.
        mirror: percent that the candidate gets as copies now.
        preview: whether it has a preview address now.
        sticky: how users keep their version now.
    """
    alone = strategy == "recreate"
    step = Step(
        weight=0 if alone else max(1, 100 // (candidates + 1)),
        hold=_STANDING,
        stands=True,
        mirror=mirror,
        preview=preview,
        exclusive=alone,
        sticky=sticky,
        follows_reward=not alone,  # so that the shares are what they have become
    )
    limits = policy.fast_guard or api.FastGuard.model_validate({})
    guard = limits if limits.enabled and not alone else None
    return Plan(steps=(step,) * max(1, steps), fast_guard=guard)


def _compile_steps(policy: RolloutPolicy, candidates: int) -> tuple[Step, ...]:
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
        case "abTest":
            return (_trial(policy.strategy, policy.ab_test, candidates),)
        case "bandit":
            moving = _trial(policy.strategy, policy.bandit, candidates)
            return (dataclasses.replace(moving, follows_reward=True),)
    assert_never(policy.strategy)


def automatic_steps(analysis: AnalysisSpec) -> tuple[Step, ...]:
    """Double the weights: few requests meet a bad version, and a good one is soon through.

    A measurement looks back over its window, and, but for saturation and a query without total,
    never beyond its step: only when the longest window and two intervals have passed, two
    measurements have had a whole window of the step.
    """
    longest = max(check.look_back for check in analysis.checks or DEFAULT_CHECKS)
    hold = max(_SHORTEST, longest + 2 * analysis.interval)
    return tuple(Step(weight=weight, hold=hold) for weight in _WEIGHTS)


def _trial(name: str, rules: api.AbTest | api.Bandit | None, candidates: int) -> Step:
    """Put all versions into one step, with equal shares unless the policy says otherwise."""
    if rules is None:  # the API server refuses such a policy
        raise InvalidSpecError(f"{name}: missing; it names the goal that decides")
    weight = rules.weight if isinstance(rules, api.AbTest) else None
    if weight is not None and weight * candidates >= _ALL:
        raise InvalidSpecError(
            f"{name}.weight: {candidates} candidates with {weight} % each leave no traffic for the "
            f"stable version; at most {(_ALL - 1) // candidates} leaves some"
        )
    return Step(
        weight=weight or 100 // (candidates + 1),
        hold=rules.max_duration,
        sticky=rules.sticky,
        trial=TrialDesign(name=name, rules=rules),
        undecided_goes_back=rules.on_undecided == "rollBack",
    )


def _steps(steps: Sequence[api.Step]) -> tuple[Step, ...]:
    return tuple(
        Step(weight=step.weight, hold=step.hold, pause=step.pause, checks=step.checks)
        for step in steps
    )
