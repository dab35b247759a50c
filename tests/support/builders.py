"""Values that the tests of several modules begin with; each names only what differs."""

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

from fairlead_operator.api.common import VersionReference
from fairlead_operator.api.model import ModelSpec
from fairlead_operator.api.phases.rollout import Phase, Reason, Verdict
from fairlead_operator.api.policy import RolloutPolicy
from fairlead_operator.api.rollout import RolloutSpec, RolloutStatus
from fairlead_operator.kube.metadata import Owner
from fairlead_operator.requests import Action, Request, Word
from fairlead_operator.rollout.case import Case
from fairlead_operator.rollout.decision.plan import Plan, Step, TrialDesign, compile_plan
from fairlead_operator.rollout.decision.states import (
    Arm,
    Gateway,
    Health,
    Observed,
    Resolution,
    Stable,
)
from fairlead_operator.rollout.presence import Pods
from fairlead_operator.rollout.seen import Seen
from fairlead_operator.rollout.statistics.ab_test import Outcome, Trial
from support.world import NAMESPACE, model_manifest

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
STEPS = (Step(weight=10, hold=MINUTE), Step(weight=50, hold=MINUTE))
GOOD = Arm(version="1.1.0", health=Health.READY, weight=10, asked=10, verdict=Verdict.SUCCESSFUL)
STABLE = Stable(version="1.0.0")
ARM_FIELDS = {field.name for field in dataclasses.fields(Arm)}


def plain_rollout(**status: Any) -> dict[str, Any]:
    """Build a Rollout as the API server has it, with this status."""
    return {
        "apiVersion": "fairlead.dev/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": "r", "namespace": "energy", "uid": "u"},
        "spec": {},
        "status": status,
    }


def design(strategy: str, **rules: Any) -> TrialDesign:
    """Build what decides a trial by a reward, under the strategy of this name."""
    policy = {"strategy": strategy, strategy: {"goal": {"metric": "reward"}} | rules}
    plan = compile_plan(RolloutPolicy.model_validate(policy))
    assert plan.trial is not None
    return plan.trial


APPROVAL = (Step(weight=10, hold=MINUTE, pause=True), Step(weight=50, hold=MINUTE))
ALONE = (Step(weight=0, hold=timedelta(0), exclusive=True),)
PREVIEW = (Step(weight=0, hold=MINUTE, mirror=100, preview=True),)
GONE = Stable(version="1.0.0", health=Health.UNKNOWN, gone=True)
STOPPING = Stable(version="1.0.0", health=Health.UNKNOWN)
AB_TEST = design("abTest")
AB = (Step(weight=20, hold=HOUR, trial=AB_TEST),)
AB_AFTER_COPIES = (
    Step(weight=0, hold=MINUTE, mirror=40),
    Step(weight=20, hold=HOUR, mirror=30, trial=AB_TEST),
)
BACK_AB = (Step(weight=20, hold=HOUR, trial=AB_TEST, undecided_goes_back=True),)
BANDIT = (Step(weight=33, hold=HOUR, trial=design("bandit"), follows_reward=True),)
TWO = (
    dataclasses.replace(GOOD, weight=20, asked=20, verdict=Verdict.INCONCLUSIVE),
    dataclasses.replace(GOOD, version="1.2.0", weight=20, asked=20, verdict=Verdict.INCONCLUSIVE),
)


def observed(*, waited: timedelta = timedelta(0), **changes: Any) -> Observed:
    """Observe a healthy rollout at its first step; each test names only what differs.

    A field of the candidate is given by its own name, the steps of the plan as ``steps``.
    """
    healthy = Observed(
        now=NOW,
        phase=Phase.PROGRESSING,
        step=0,
        since=NOW - waited,
        doubt_since=None,
        reason=Reason.STEP_HOLDING,
        message="",
        has_turn=True,
        suspended=False,
        frozen=None,
        stable=STABLE,
        resolution=Resolution.FOUND,
        resolution_message="",
        arms=(GOOD,),
        winner=None,
        trial=None,
        leader=None,
        gateway=Gateway(),
        requests=(),
        plan=Plan(steps=STEPS),
        guard=MINUTE,
        patience=10 * MINUTE,
        start_deadline=5 * MINUTE,
        approval_deadline=24 * HOUR,
    )
    arm = {name: value for name, value in changes.items() if name in ARM_FIELDS}
    rest = {name: value for name, value in changes.items() if name not in ARM_FIELDS}
    if "steps" in rest:
        rest["plan"] = Plan(steps=rest.pop("steps"))
    rest.setdefault("arms", (dataclasses.replace(GOOD, **arm),))
    return dataclasses.replace(healthy, **rest)


def asks(*actions: Action) -> tuple[Request, ...]:
    return tuple(Request(action=action, text="Ada: why", by="Ada", why="why") for action in actions)


def promotes(*words: Word) -> tuple[Request, ...]:
    """Ask for a promotion, with what must be said besides."""
    (asked,) = asks(Action.PROMOTE)
    return (dataclasses.replace(asked, words=frozenset(words)),)


def supersedes(version: str) -> tuple[Request, ...]:
    return (Request(action=Action.SUPERSEDE, text=version, why=version),)


def pending(**changes: Any) -> Observed:
    return observed(**{"phase": Phase.PENDING, "weight": None} | changes)


def guarding(**changes: Any) -> Observed:
    return observed(**{"phase": Phase.GUARDING, "step": 2, "weight": 100} | changes)


def paused(**changes: Any) -> Observed:
    return observed(**{"phase": Phase.PAUSED, "reason": Reason.ANALYSIS_INCONCLUSIVE} | changes)


def replacing(**changes: Any) -> Observed:
    """Observe a recreate in its downtime."""
    defaults = {
        "phase": Phase.REPLACING,
        "reason": Reason.WAITING_FOR_CANDIDATE,
        "stable": GONE,
        "weight": 0,
        "steps": ALONE,
    }
    return observed(**defaults | changes)


def trial(outcome: Outcome, **more: Any) -> Trial:
    return Trial(**{"outcome": outcome, "message": "numbers", "leader": "1.2.0"} | more)


def trying(**changes: Any) -> Observed:
    """Observe an A/B test of two candidates against the stable version."""
    return observed(**{"steps": AB, "arms": TWO} | changes)


def case(*, status: dict[str, Any] | None = None, **changes: Any) -> Case:
    """Build the case of a Rollout from 1.0.0 to 1.1.0 under a canary, with this status."""
    model = ModelSpec.model_validate(model_manifest()["spec"])
    usual = Case(
        now=NOW,
        namespace=NAMESPACE,
        uid="u1",
        annotations={},
        spec=RolloutSpec.model_validate({"model": "nsw-price", "version": "1.1.0"}),
        status=RolloutStatus.model_validate(status or {}),
        owner=Owner(kind="Model", namespace=NAMESPACE, name="nsw-price", uid="m1"),
        model=model,
        has_turn=True,
        policy=model.rollout,
        plan=compile_plan(model.rollout),
        gateway=model.serving.gateway,
        stable=VersionReference(version="1.0.0", registry_version="1", digest="sha256:0"),
    )
    return dataclasses.replace(usual, **changes)


def seen(observed: Observed, *, status: dict[str, Any] | None = None, **changes: Any) -> Seen:
    """Return what was seen when the status was this and ``observed`` is decided upon."""
    candidate = VersionReference(version="1.1.0", registry_version="2", digest="sha256:1")
    usual = Seen(
        case=case(status=status),
        observed=observed,
        candidates=(candidate,),
        signatures=None,
        servers={},
        routed=None,
        pods={"1.0.0": Pods(available=1), "1.1.0": Pods(available=1)},
        gateway=Pods(available=1),
        limited={},
        judgments=(),
        measured_at=None,
        next_measurement=MINUTE,
        known_since=None,
    )
    return dataclasses.replace(usual, **changes)
