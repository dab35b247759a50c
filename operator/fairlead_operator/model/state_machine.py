"""The Model's state machine: which version is in charge, and what to start next.

A decision is taken in this order, each part a function below:

    1. an ended Rollout       succeeded: its version becomes stable
                              rolled back: its version is blocked
    2. an ended TrainingRun   the gate passes it: it becomes the candidate
    3. people's requests      accepted, or refused with the reason
    4. the target             the pinned version, else the candidate
    5. a Rollout              started when the target is not stable, not blocked and
                              none is in flight; one in flight to another target is
                              taken back first, or waited for, or the target is refused
    6. a TrainingRun          started for a first version, a changed recipe or a
                              person's request, when none is in flight
    7. the phase              computed from the rest

Pure.  ``stable`` and ``candidate`` are pointers to versions; moving one deploys
nothing.  Nothing here moves traffic: only a Rollout does.
"""

import dataclasses
from typing import Final, assert_never

from fairlead_operator.api.common import VersionReference
from fairlead_operator.api.phases.model import Phase, Reason
from fairlead_operator.api.phases.rollout import Reason as RolloutReason
from fairlead_operator.api.rollout import BY_HAND
from fairlead_operator.model.gate import judge_candidate
from fairlead_operator.model.states import (
    Blocked,
    Decision,
    Observed,
    Refused,
    RolloutSeen,
    RunState,
    Target,
)
from fairlead_operator.requests import Action, Answer, Request

_BLOCKED_KEPT: Final = 10


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Next:
    """What becomes of Rollouts now; at most one of these."""

    start: Target | None = None
    adopt: str | None = None
    supersede_by: str | None = None  # the version for which the one in flight makes way
    refuse: Refused | None = None


def decide(seen: Observed) -> Decision:
    """Choose what should be true.  Total."""
    seen = _fold_training(_fold_rollout(seen))
    answers = tuple(_answer(request, seen) for request in seen.requests)
    seen = dataclasses.replace(
        seen, requests=tuple(answer.request for answer in answers if answer.accepted)
    )
    rollout, training = _Next(), None
    if not seen.suspend:
        rollout, training = _next_rollout(seen), _next_training(seen)
    blocked, start = seen.blocked, rollout.start
    if start is not None:  # tried again, so no longer blocked
        blocked = tuple(entry for entry in blocked if entry.version not in start.versions)
    seen = dataclasses.replace(seen, refused=_refusal(seen, rollout))
    starting = start is not None or rollout.adopt is not None
    phase, reason, message = _phase(seen, starting=starting, training=training is not None)
    return Decision(
        phase=phase,
        reason=reason,
        message=message,
        stable=seen.stable,
        candidate=seen.candidate,
        blocked=blocked,
        refused=seen.refused,
        gate=seen.gate,
        start_rollout=start,
        adopt_rollout=rollout.adopt,
        supersede_by=rollout.supersede_by,
        start_training=training,
        answers=answers,
    )


def _answer(request: Request, seen: Observed) -> Answer:
    """Accept a request, or refuse it with the reason; one that waited would surprise later."""
    if seen.suspend:
        refusal: str | None = "the Model is suspended; set spec.suspend to false"
    elif request.action is Action.RETRAIN:
        refusal = _refuse_retrain(seen)
    elif request.action is Action.RETRY:
        refusal = _refuse_retry(seen)
    else:
        refusal = f"{request.action} is asked of a Rollout, not of a Model"
    done = "a training starts" if request.action is Action.RETRAIN else "a rollout starts"
    return Answer(request=request, accepted=refusal is None, message=refusal or done)


def _refuse_retrain(seen: Observed) -> str | None:
    training = seen.training
    if training is not None and training.state is RunState.ACTIVE:
        return f"{training.name} is under way; ask again when it has ended"
    return None


def _refuse_retry(seen: Observed) -> str | None:
    rollout = seen.rollout
    if rollout is not None and rollout.state is RunState.ACTIVE:
        return f"{rollout.name} to {rollout.reference.version} is in flight"
    if seen.rollout_lost:
        return "the Rollout that was deleted is restored first"
    if seen.waiting:
        return f"{seen.waiting[0]} goes first"
    if seen.pinned is not None:
        pinned = Target(version=seen.pinned, trigger="pinned")
        wanted = (seen.pinned, *seen.alternatives)
        blocked = any(_block(seen, version) is not None for version in wanted)
        is_blocked = blocked or _is_refused(seen, pinned)
        return None if is_blocked else f"spec.version pins {seen.pinned}, which is not blocked"
    if _is_refused(seen, seen.candidate):
        return None
    if seen.candidate is not None and not _in_charge(seen, seen.candidate.version):
        return f"{seen.candidate.version} is not blocked and goes next"
    if not seen.blocked:
        return "no version was rolled back; there is nothing to try again"
    return None


def _fold_rollout(seen: Observed) -> Observed:
    """Act once on the end of the current Rollout."""
    rollout = seen.rollout
    if rollout is None or seen.rollout_folded or rollout.state is RunState.ACTIVE:
        return seen
    candidate = seen.candidate
    if rollout.state is RunState.SUCCEEDED:
        # A person who went elsewhere by hand wants to stay there until the next training.
        candidate = None if rollout.trigger in BY_HAND else candidate
        seen = dataclasses.replace(seen, stable=rollout.reference, candidate=candidate)
    elif rollout.reason == RolloutReason.SUPERSEDED:
        return seen
    elif candidate is not None and candidate.version == rollout.reference.version:
        seen = dataclasses.replace(seen, candidate=None)
    lost = tuple(
        Blocked(version=version, reason=reason, message=message, generation=seen.generation)
        for version, reason, message in rollout.lost
    )
    names = {entry.version for entry in lost}
    others = tuple(known for known in seen.blocked if known.version not in names)
    return dataclasses.replace(seen, blocked=(*others, *lost)[-_BLOCKED_KEPT:])


def _fold_training(seen: Observed) -> Observed:
    """Let the gate judge, once, what a training registered."""
    training = seen.training
    if training is None or seen.training_folded or training.state is not RunState.SUCCEEDED:
        return seen
    stable = seen.stable.version if seen.stable else None
    gate = judge_candidate(training.comparison, seen.demand, stable=stable)
    candidate = seen.candidate
    if gate.passed and training.comparison is not None:
        candidate = VersionReference(
            version=training.comparison.version,
            registry_version=training.comparison.registry_version,
            digest=training.comparison.digest,
        )
    return dataclasses.replace(seen, gate=gate, candidate=candidate)


def _next_rollout(seen: Observed) -> _Next:
    """What to start or adopt, and what becomes of the one in flight."""
    target = _target(seen)
    rollout = seen.rollout
    if rollout is not None and rollout.state is RunState.ACTIVE:
        if target is None or set(rollout.versions) <= set(target.versions):
            return _Next()
        if _asks_nothing_new(seen, rollout, target) or rollout.asked_back:
            return _Next()
        return _instead_of(seen, rollout, target)
    if seen.rollout_lost and seen.stable is not None:
        return _Next(start=Target(version=seen.stable.version, trigger="restored"))
    if seen.waiting:
        return _Next(adopt=seen.waiting[0])
    return _Next(start=None if target is None else _open(seen, target))


def _open(seen: Observed, target: Target) -> Target | None:
    """What of the target is still to be tried: not in charge, and not blocked."""
    retry = seen.asks(Action.RETRY)
    versions = [
        version
        for version in target.versions
        if not _in_charge(seen, version) and (retry or _block(seen, version) is None)
    ]
    if not versions:
        return None
    return dataclasses.replace(target, version=versions[0], alternatives=tuple(versions[1:]))


def _instead_of(seen: Observed, rollout: RolloutSeen, target: Target) -> _Next:
    """A new target while a rollout is in flight: what the policy says."""
    back = _in_charge(seen, target.version)
    match seen.on_new_target:
        case "queue":
            return _Next()
        case "reject" if not back:  # going back is no new target
            message = (
                f"{target.version} was refused: it came while {rollout.name} to "
                f"{rollout.reference.version} was in flight (onNewTarget: reject); change the "
                "spec or ask for a retry once that has ended"
            )
            refused = Refused(version=target.version, message=message, generation=seen.generation)
            return _Next(refuse=refused)
        case "reject" | "supersede":
            return _Next(supersede_by=target.version)
    assert_never(seen.on_new_target)


def _refusal(seen: Observed, rollout: _Next) -> Refused | None:
    """The refusal in force: until the spec changes, or the version is tried after all."""
    if rollout.refuse is not None:
        return rollout.refuse
    refused = seen.refused
    if refused is None or refused.generation != seen.generation:
        return None
    tried = rollout.start is not None and rollout.start.version == refused.version
    return None if tried or _in_charge(seen, refused.version) else refused


def _asks_nothing_new(seen: Observed, rollout: RolloutSeen, target: Target) -> bool:
    """A person leaves the stable version, by hand or by a retry: it need not be trained again.

    A pin that was taken out of the spec is another thing: that takes its rollout back.
    """
    unpinned = seen.pinned is None and rollout.trigger != "pinned"
    return unpinned and _in_charge(seen, target.version)


def _in_charge(seen: Observed, version: str) -> bool:
    return seen.stable is not None and seen.stable.version == version


def _target(seen: Observed) -> Target | None:
    """The version that should be in charge, or None to leave it."""
    target, retry = None, seen.asks(Action.RETRY)
    if seen.pinned is not None:
        target = Target(version=seen.pinned, trigger="pinned", alternatives=seen.alternatives)
    elif retry and not _is_refused(seen, seen.candidate):
        target = Target(version=seen.blocked[-1].version, trigger="trained")
    elif seen.candidate is not None:
        target = Target(version=seen.candidate.version, trigger="trained")
    refused = target is not None and _is_refused(seen, target)
    return None if refused and not retry else target


def _is_refused(seen: Observed, target: Target | VersionReference | None) -> bool:
    """Whether the target came at a wrong time, and the spec has not changed since."""
    refused = seen.refused
    if refused is None or target is None:
        return False
    return (refused.version, refused.generation) == (target.version, seen.generation)


def _block(seen: Observed, version: str) -> Blocked | None:
    """Why the version is not tried again by itself: until the spec changes."""
    for entry in seen.blocked:
        if entry.version == version and entry.generation == seen.generation:
            return entry
    return None


def _next_training(seen: Observed) -> str | None:
    if seen.training is not None and seen.training.state is RunState.ACTIVE:
        return None
    if seen.asks(Action.RETRAIN):
        return "request"
    if seen.trained_recipe is None:
        # A Model that is pinned from the start serves what others registered.
        return "initial" if seen.pinned is None else None
    return "recipe" if seen.trained_recipe != seen.recipe else None


def _phase(seen: Observed, *, starting: bool, training: bool) -> tuple[Phase, str, str]:
    """One word for people, why, and the numbers."""
    if starting or (seen.rollout is not None and seen.rollout.state is RunState.ACTIVE):
        return Phase.ROLLING_OUT, Reason.ROLLING_OUT, _rolling_out(seen)
    block = _block(seen, seen.pinned) if seen.pinned is not None else None
    chosen = seen.stable is not None and seen.stable.version in seen.alternatives
    if block is not None and not chosen:
        message = f"{block.version} was rolled back ({block.reason}: {block.message})"
        return Phase.BLOCKED, Reason.VERSION_BLOCKED, message
    if seen.stable is not None and seen.refused is not None:
        return Phase.SERVING, Reason.TARGET_REFUSED, seen.refused.message
    in_training = training or (seen.training is not None and seen.training.state is RunState.ACTIVE)
    if seen.stable is not None:
        return Phase.SERVING, Reason.SERVING, _serving(seen, training=in_training)
    if in_training:
        return Phase.TRAINING, Reason.TRAINING, "the first version is in training"
    if seen.suspend:
        return Phase.SUSPENDED, Reason.SUSPENDED, "suspended; set spec.suspend to false to go on"
    return _not_serving(seen)


def _not_serving(seen: Observed) -> tuple[Phase, str, str]:
    training = seen.training
    if training is not None and training.state is RunState.FAILED:
        return Phase.FAILED, training.reason, training.message
    if seen.blocked:
        last = seen.blocked[-1]
        return Phase.FAILED, Reason.VERSION_BLOCKED, f"{last.version}: {last.message}"
    if seen.gate is not None and not seen.gate.passed:
        return Phase.FAILED, Reason.GATE_NOT_PASSED, seen.gate.message
    return Phase.PENDING, Reason.WAITING, "nothing trained yet"


def _rolling_out(seen: Observed) -> str:
    if seen.rollout is not None and seen.rollout.state is RunState.ACTIVE:
        refused = f"; {seen.refused.message}" if seen.refused is not None else ""
        return f"to {seen.rollout.reference.version}{refused}"
    return "starting"


def _serving(seen: Observed, *, training: bool) -> str:
    parts = [seen.stable.version if seen.stable else ""]
    if training:
        parts.append("a training is under way")
    elif seen.training is not None and seen.training.state is RunState.FAILED:
        parts.append(f"the last training failed ({seen.training.reason}: {seen.training.message})")
    elif seen.gate is not None and not seen.gate.passed:
        parts.append(f"the last training was not shipped: {seen.gate.message}")
    return "; ".join(parts)
