"""The words of the rollout's state machine: what is observed, and what is decided.  Pure.

``observe.py`` builds ``Observed``, ``state_machine.decide`` makes a ``Decision``
of it, ``act.py`` makes that true.  A decision names a state to reach and never a
step to take, so carrying one out twice does no harm.
"""

import dataclasses
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from fairlead_operator.api.phases.rollout import Phase, Reason, Verdict
from fairlead_operator.requests import Answer, Request
from fairlead_operator.rollout.decision.capacity import Capacity
from fairlead_operator.rollout.decision.plan import Plan, Step
from fairlead_operator.rollout.statistics.ab_test import Trial


class Health(StrEnum):
    """What the cluster says of a version's pods."""

    UNKNOWN = "Unknown"  # not found in the registry yet, or not created yet
    STARTING = "Starting"
    READY = "Ready"
    FAILED = "Failed"  # cannot start, or crashes


class Resolution(StrEnum):
    """What the registry says of the candidates."""

    FOUND = "Found"
    MISSING = "Missing"
    AMBIGUOUS = "Ambiguous"  # two registrations of one version, and nothing tells which it is
    CHANGED = "Changed"  # another artifact is registered under a version that was known
    UNAVAILABLE = "Unavailable"


# A pause that a person must end: it waits for an answer, not for evidence.
ASKING: Final = frozenset(
    {Reason.AWAITING_APPROVAL, Reason.PAUSED_BY_REQUEST, Reason.TRIAL_UNDECIDED}
)
# Worst first: what holds for candidates together is what holds for the worst of them.
_WORST_HEALTH: Final = (Health.FAILED, Health.UNKNOWN, Health.STARTING, Health.READY)
_WORST_VERDICT: Final = (
    Verdict.FAILED,
    Verdict.ERROR,
    Verdict.INCONCLUSIVE,
    Verdict.SUCCESSFUL,
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why traffic is taken back."""

    reason: Reason
    message: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One candidate: most rollouts have one, a trial may have several."""

    version: str
    health: Health
    message: str = ""  # what the pods say, for people
    gone: bool = False  # no pod of it is left, not even one that ends
    weight: int | None = None  # what every gateway pod reports; None while one is behind
    asked: int = 0  # percent the last decision gave it
    prepared: int = 0  # the most its pods were ever counted for
    verdict: Verdict = Verdict.INCONCLUSIVE
    verdict_message: str = ""
    alert: str | None = None  # what Alertmanager said of it
    tripped: str | None = None  # what the gateway's fast guard said of it
    repinned: str | None = None  # the spec asks by now for another artifact of this version
    dropped: Cause | None = None  # it left the trial, and why
    refused: str | None = None  # why its server cannot be applied


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Stable:
    """The version in charge; looked at only where it must stop for the candidate."""

    version: str
    health: Health = Health.READY
    message: str = ""
    gone: bool = False
    refused: str | None = None  # why its server cannot be applied: stopped, it would stay away


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """What is to say of the gateway beside its weights; nothing of the built-in one."""

    missing: str | None = None  # why nothing in the cluster can carry the route
    taken: str | None = None  # whose the host names are that it needs to begin
    unsupported: str | None = None  # what it cannot do of the policy
    message: str = ""  # why the weights are what they are, for people


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """Everything a decision may depend on, read once per reconcile."""

    now: datetime
    phase: Phase
    step: int  # index; len(steps) means all traffic
    since: datetime  # when this phase and step were entered
    doubt_since: datetime | None  # since when there is no clear verdict
    reason: Reason  # the last decision's; a rollback keeps its cause to the end
    message: str
    has_turn: bool  # the Model names this Rollout as its current one
    alone: bool = False  # no Rollout of the Model is in flight, nor is this one
    suspended: bool  # the Model is: no traffic is added, going back works
    frozen: str | None  # the freeze window in force: the same
    frozen_until: datetime | None = None  # when it ends
    stable: Stable | None  # None for a first version: there is no way back
    resolution: Resolution
    resolution_message: str
    refused_code: str | None = None  # why a candidate may not run the code that it brings
    problem: str | None = None  # why the checks are not known
    invalid: str | None = None  # why the spec or the policy it began with does not hold any more
    arms: tuple[Arm, ...]  # the candidates, the Rollout's own version first
    winner: str | None  # of a trial
    trial: Trial | None  # what the present trial says now; None when it is not due
    leader: str | None  # the best candidate of the trial so far
    requests: tuple[Request, ...]  # of people, not answered yet, the strongest first
    plan: Plan
    guard: timedelta
    patience: timedelta  # longest doubt before a person is asked
    start_deadline: timedelta
    approval_deadline: timedelta
    capacity: Capacity | None = None  # None while the number of pods is fixed
    finished_at: datetime | None = None
    gateway: Gateway = Gateway()
    measured: bool = True  # at least one request of a candidate
    returned: bool = False  # a person went back to the candidate, which was in charge before
    goes_back: bool = False  # created to bring what was in charge before: no check must allow it

    @property
    def playing(self) -> tuple[Arm, ...]:
        """Return the candidates that are still in."""
        left = {arm.version for arm in self.arms if arm.dropped is not None}
        playing = in_play([arm.version for arm in self.arms], winner=self.winner, left=left)
        return tuple(arm for arm in self.arms if arm.version in playing)

    @property
    def candidate(self) -> Arm:
        """Return the candidates in play as one: the worst health, the worst verdict."""
        playing = self.playing
        sick = min(playing, key=lambda arm: _WORST_HEALTH.index(arm.health))
        judged = min(playing, key=lambda arm: _WORST_VERDICT.index(arm.verdict))
        return dataclasses.replace(
            playing[0],
            health=sick.health,
            message=sick.message,
            gone=all(arm.gone for arm in playing),
            verdict=judged.verdict,
            verdict_message=judged.verdict_message,
        )

    @property
    def steps(self) -> tuple[Step, ...]:
        return self.plan.steps

    @property
    def present(self) -> Step | None:
        """Return the step it is in; None before the first, after the last, on the way back."""
        return present_step(self.plan, self.phase, self.step)

    @property
    def exclusive(self) -> bool:
        """Tell whether only one version may run at a time."""
        return self.stable is not None and not self.plan.compares

    @property
    def waited(self) -> timedelta:
        return self.now - self.since


Shares = tuple[tuple[str, int], ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The state the rollout should be in after this reconcile."""

    phase: Phase
    step: int
    reason: Reason
    message: str
    shares: Shares  # percent of every candidate; the stable version has the rest
    mirror: int = 0  # percent of live requests that the candidate gets as copies
    prepare: Shares = ()  # what candidates get once they have the pods for it
    restart: bool = False  # the same phase and step begin anew: holds count from now
    doubtful: bool = False  # no clear verdict; the clock of patience runs
    winner: str | None = None
    dropped: tuple[tuple[str, Cause], ...] = ()
    answers: tuple[Answer, ...] = ()

    @property
    def weight(self) -> int:
        """Return the percent of all candidates together."""
        return sum(share for _, share in self.shares)


def in_play(
    versions: Sequence[str], *, winner: str | None, left: Collection[str]
) -> tuple[str, ...]:
    """Return the candidates that are still in: the winner, or all that did not leave the trial.

    Where all have left, the first stands for them until the rollout has gone back.
    """
    if winner is not None:
        playing = tuple(version for version in versions if version == winner)
    else:
        playing = tuple(version for version in versions if version not in left)
    return playing or tuple(versions[:1])


def present_step(plan: Plan, phase: Phase, step: int) -> Step | None:
    """Return the step a rollout is in; None before the first, after the last, on the way back."""
    in_steps = phase in {Phase.REPLACING, Phase.PROGRESSING, Phase.PAUSED}
    return plan.steps[step] if in_steps and step < len(plan.steps) else None


def within_steps(observed: Observed) -> Observed:
    """Cut the step to those there are: a policy edited in flight may have fewer than were taken.

    Who was paused with less than all traffic was paused in a step, not in the guard window.
    """
    paused_in_step = (
        observed.phase is Phase.PAUSED and sum(arm.asked for arm in observed.arms) < 100
    )
    last = len(observed.steps) - (observed.phase is Phase.PROGRESSING or paused_in_step)
    return dataclasses.replace(observed, step=min(observed.step, last))


def is_finished(phase: Phase) -> bool:
    """Tell whether nothing can move any more."""
    return phase in {Phase.ROLLED_BACK, Phase.SUCCEEDED}


def no_traffic(observed: Observed) -> Shares:
    return tuple((arm.version, 0) for arm in observed.arms)


def all_traffic(observed: Observed) -> Shares:
    """Give everything to the winner, or to the one candidate there is."""
    first = observed.playing[0].version
    return tuple((arm.version, 100 if arm.version == first else 0) for arm in observed.arms)


def step_shares(observed: Observed, step: Step) -> Shares:
    """Give each candidate the step's weight; that of a dropped one goes to the stable version."""
    playing = {arm.version for arm in observed.playing}
    return tuple(
        (arm.version, step.weight if arm.version in playing else 0) for arm in observed.arms
    )


def present_shares(observed: Observed) -> Shares:
    """Return what the present phase and step give each candidate."""
    match observed.phase:
        case Phase.PENDING | Phase.REPLACING | Phase.ROLLING_BACK | Phase.ROLLED_BACK:
            return no_traffic(observed)
        case Phase.SUCCEEDED | Phase.GUARDING:
            return all_traffic(observed)
        case Phase.PROGRESSING | Phase.PAUSED:
            step = observed.present
            return _as_asked(
                observed, all_traffic(observed) if step is None else _in_step(observed, step)
            )


def has_all_traffic(observed: Observed) -> bool:
    """Tell whether candidates have all of it, in the last step or after it, and can go back."""
    going = observed.phase in {Phase.PROGRESSING, Phase.PAUSED, Phase.GUARDING}
    return going and sum(share for _, share in present_shares(observed)) == 100


def _as_asked(observed: Observed, shares: Shares) -> Shares:
    """Give no more than the last decision did: a policy edited in flight widens nothing."""
    asked = {arm.version: arm.asked for arm in observed.arms}
    return tuple((version, min(share, asked[version])) for version, share in shares)


def _in_step(observed: Observed, step: Step) -> Shares:
    """Return a step's shares; those that follow the reward are what they have become."""
    shares = step_shares(observed, step)
    if not step.follows_reward:
        return shares
    asked = {arm.version: arm.asked for arm in observed.arms}
    return tuple((version, share and asked[version]) for version, share in shares)


def reported(observed: Observed, shares: Sequence[tuple[str, int]]) -> bool:
    """Tell whether every gateway pod reports these shares."""
    weights = {arm.version: arm.weight for arm in observed.arms}
    return all(weights[version] == share for version, share in shares)


def in_seconds(span: timedelta) -> str:
    return f"{span.total_seconds():g} s"
