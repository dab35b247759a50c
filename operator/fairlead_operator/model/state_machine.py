"""The Model's state machine: which version is in charge, and what to start next.

A decision is taken in this order, each part a function below:

    1. an ended Rollout       succeeded: its version becomes stable
                              rolled back: its version is blocked, as ``blocks`` says
                              a candidate that was compared with another is none any more,
                              unless a person went back
    2. an ended TrainingRun   the gate passes it: it becomes the candidate
    3. people's requests      accepted, or refused with the reason
    4. the target             the pinned version, else the candidate
    5. a Rollout              to what was in charge of an earlier Model of this name, first;
                              started when the target is not stable, not blocked and
                              none is in flight; one in flight to another target is
                              taken back first, or waited for, or the target is refused;
                              a target that is not tried takes nothing back; what a look that was
                              cut off has started is taken up, and then goes on or makes way
                              suspended: only what gives the version in charge its traffic back
    6. a TrainingRun          started when one of ``triggers`` says so
    7. the phase              computed from the rest

Pure.  ``stable`` and ``candidate`` are pointers to versions; moving one deploys
nothing.  Nothing here moves traffic: only a Rollout does.
"""

import dataclasses
from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Final, assert_never

from fairlead_operator.api.common import VersionReference, digest_field
from fairlead_operator.api.model import BlockedVersion, GateStatus, RefusedTarget
from fairlead_operator.api.phases.model import GateReason, Phase, Reason
from fairlead_operator.api.phases.rollout import BY_HAND, UNRESOLVED, Trigger
from fairlead_operator.api.phases.rollout import Reason as RolloutReason
from fairlead_operator.api.phases.training_run import STUCK
from fairlead_operator.api.phases.training_run import Reason as TrainingReason
from fairlead_operator.model.blocks import (
    UNNAMED,
    renew_blocks,
    renew_refusal,
    where_asked,
)
from fairlead_operator.model.gate import judge_candidate, refuse_old_recipe, refuse_outdated
from fairlead_operator.model.schedule import read_clock
from fairlead_operator.model.states import (
    CurrentRollout,
    Decision,
    Observed,
    RunState,
    Target,
)
from fairlead_operator.model.triggers import RULES, Rule, find_start
from fairlead_operator.requests import Action, Answer, Request
from fairlead_operator.text import shorten
from fairlead_operator.versions import exchanged

_BLOCKED_KEPT: Final = 10
_ASK_AGAIN: Final = timedelta(seconds=10)  # a history that does not answer
_WAITING: Final = frozenset({
    *STUCK, TrainingReason.WAITING_FOR_TRACKING, TrainingReason.SUSPENDED,
})  # fmt: skip
_CAUSE: Final = 800  # characters of another's message, so that what to do still fits behind it


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Next:
    """What becomes of Rollouts now; at most one of these."""

    start: Target | None = None
    adopt: str | None = None
    supersede_by: str | None = None  # the version for which the one in flight makes way
    refuse: RefusedTarget | None = None


def decide(observed: Observed, rules: Sequence[Rule] = RULES) -> Decision:
    """Choose what should be true.  Total.  ``rules`` say what starts a training."""
    observed = _renew(_fold_training(_fold_rollout(_without_what_cannot_start(observed))))
    answers = tuple(_answer(request, observed) for request in observed.requests)
    # What is under way already is accepted, and is not begun again.
    observed = dataclasses.replace(
        observed,
        requests=tuple(
            answer.request
            for answer in answers
            if answer.accepted and not _is_under_way(answer.request, observed)
        ),
    )
    training, again = None, None
    rollout = _next_rollout(observed)
    if observed.suspend:
        rollout = _back_only(observed, rollout)
    else:
        training, again = find_start(observed, rules)
    if "Rollout" in observed.cannot_start:
        rollout = dataclasses.replace(rollout, start=None)
    if "TrainingRun" in observed.cannot_start:
        training = None
    clock = read_clock(observed, starts=training is not None)
    blocked, start = observed.blocked, rollout.start
    if start is not None:  # tried again, so no longer blocked
        blocked = tuple(entry for entry in blocked if entry.version not in start.versions)
    blocked = tuple(entry for entry in blocked if not _in_charge(observed, entry.version))
    observed = dataclasses.replace(observed, refused=_refusal(observed, rollout))
    if start is not None and observed.takes_up is None:
        # The next look would say the same, and need not be written.
        observed = dataclasses.replace(observed, rollout=_begin(observed, start))
    starting = start is not None or rollout.adopt is not None
    phase, reason, message = _phase(observed, starting=starting, training=training is not None)
    return Decision(
        phase=phase,
        reason=reason,
        message=message + _doubt(observed),
        stable=observed.stable,
        # What was trained meanwhile was not compared with what is taken up.
        candidate=observed.candidate if observed.takes_up is None else None,
        blocked=blocked,
        refused=observed.refused,
        gate=observed.gate,
        weight=_weight(observed),
        start_rollout=start,
        adopt_rollout=rollout.adopt,
        supersede_by=rollout.supersede_by,
        start_training=training,
        schedule=clock.to_status() if clock is not None else None,
        next_training=clock.next if clock is not None and not observed.suspend else None,
        answers=answers,
        look_again=min(
            (wait for wait in (again, _ask_past_again(observed)) if wait is not None), default=None
        ),
    )


def _begin(observed: Observed, start: Target) -> CurrentRollout:
    """Return how a Rollout stands that starts now."""
    return CurrentRollout(
        name=observed.next_rollout,
        reference=VersionReference.model_validate({"version": start.version}),
        versions=start.versions,
        lost=(),
        trigger=start.trigger,
        state=RunState.ACTIVE,
        reason="",
        message="",
        asked_back=False,
    )


def _ask_past_again(observed: Observed) -> timedelta | None:
    """Return when to ask a history again that does not answer; None where it did."""
    unknown = observed.past is not None and observed.past.reason is Reason.HISTORY_UNAVAILABLE
    return _ASK_AGAIN if unknown else None


def _weight(observed: Observed) -> int | None:
    """Return the percent of the traffic that the candidates of a rollout in flight have."""
    rollout = observed.rollout
    return rollout.weight if rollout is not None and rollout.state is RunState.ACTIVE else None


def _without_what_cannot_start(observed: Observed) -> Observed:
    """Leave unanswered who asks for what the cluster refuses, so that it is tried again."""
    kinds = {Action.RETRY: "Rollout", Action.RETRAIN: "TrainingRun"}
    left = tuple(
        request
        for request in observed.requests
        if kinds.get(request.action) not in observed.cannot_start
    )
    return dataclasses.replace(observed, requests=left)


def _answer(request: Request, observed: Observed) -> Answer:
    """Accept a request, or refuse it with the reason; one that waited would surprise later."""
    if observed.suspend:
        refusal: str | None = "the Model is suspended; set spec.suspend to false"
    elif request.action is Action.RETRAIN:
        refusal = _refuse_retrain(observed)
    elif request.action is Action.RETRY:
        refusal = _refuse_retry(observed)
    else:
        refusal = f"{request.action} is asked of a Rollout, not of a Model"
    done = "a training starts" if request.action is Action.RETRAIN else "a rollout starts"
    if observed.rollout is not None and _is_under_way(request, observed):
        rollout = observed.rollout
        done = f"{rollout.name} to {rollout.reference.version} is under way; nothing else starts"
    return Answer(request=request, accepted=refusal is None, message=refusal or done)


def _refuse_retrain(observed: Observed) -> str | None:
    """Return why no training can start now, or None."""
    training = observed.training
    if training is not None and training.state is RunState.ACTIVE:
        return f"{training.name} is under way; ask again when it has ended{_corrected(observed)}"
    if observed.takes_up is not None:
        return f"{observed.takes_up} is taken up first; ask again when it is in charge"
    return None


def _refuse_retry(observed: Observed) -> str | None:
    """Return why there is nothing to retry now, or None."""
    rollout = observed.rollout
    if rollout is not None and rollout.state is RunState.ACTIVE:
        if _tries(rollout, observed):
            return None
        return _refuse_in_flight(rollout, observed)
    if observed.rollout_lost:
        return "the Rollout that was deleted is restored first; ask again after that"
    if observed.waiting:
        return f"{observed.waiting[0]} goes first; ask again when it has ended"
    begun = observed.unnamed_rollout
    if begun is not None and _block(observed, begun.version) is None:  # else this request began it
        return f"the rollout of {begun.version} goes first; ask again when it has ended"
    if observed.pinned is not None:
        pinned = Target(version=observed.pinned, trigger=Trigger.PINNED)
        wanted = (observed.pinned, *observed.alternatives)
        blocked = any(_block(observed, version) is not None for version in wanted)
        is_blocked = blocked or _is_refused(observed, pinned)
        return None if is_blocked else f"spec.version pins {observed.pinned}, which is not blocked"
    if _is_refused(observed, observed.candidate):
        return None
    if observed.candidate is not None and not _in_charge(observed, observed.candidate.version):
        return f"{observed.candidate.version} is not blocked and goes next"
    if not observed.blocked:
        return "no version was rolled back; there is nothing to retry"
    return None


def _refuse_in_flight(rollout: CurrentRollout, observed: Observed) -> str:
    """Say what is in flight in place of a retry, and whether it will be worth while to ask."""
    version = rollout.reference.version
    if rollout.asked_back:
        return f"{rollout.name} goes back from {version}; ask again when it has ended"
    in_flight = f"{rollout.name} to {version} is in flight"
    if observed.blocked or observed.refused is not None:
        return f"{in_flight}; ask again when it has ended"
    return f"{in_flight}, and no version was rolled back before it; there is nothing to retry"


def _is_under_way(request: Request, observed: Observed) -> bool:
    """Tell whether what is asked for has begun: who asks twice has asked once."""
    rollout = observed.rollout
    return (
        request.action is Action.RETRY
        and rollout is not None
        and rollout.state is RunState.ACTIVE
        and _tries(rollout, observed)
    )


def _tries(rollout: CurrentRollout, observed: Observed) -> bool:
    """Tell whether a rollout in flight tries what a retry would try.

    That is the version that the spec pins; else the one that was rolled back last, which is
    blocked no longer while it is tried again.  A candidate that the gate passed goes by itself.
    """
    if rollout.asked_back or rollout.trigger not in {Trigger.PINNED, Trigger.TRAINED}:
        return False
    if observed.pinned is not None:
        wanted = {observed.pinned, *observed.alternatives}
        tried = {version for version in wanted if not _in_charge(observed, version)}
        return bool(tried) and tried <= set(rollout.in_play)
    candidate = observed.candidate.version if observed.candidate is not None else None
    is_again = not observed.blocked or candidate not in rollout.versions
    return rollout.trigger == Trigger.TRAINED and observed.refused is None and is_again


def _fold_rollout(observed: Observed) -> Observed:
    """Act once on the end of the current Rollout."""
    rollout = observed.rollout
    if rollout is None or observed.rollout_folded or rollout.state is RunState.ACTIVE:
        return observed
    stable, candidate, lost = observed.stable, observed.candidate, _lost(observed, rollout)
    over = {entry.version for entry in lost}
    if rollout.state is RunState.SUCCEEDED:
        stable = rollout.reference
        lost += _left_by_hand(observed, rollout)
        over.add(stable.version)
    # Who went elsewhere by hand wants to stay there until the next training.
    left = {entry.version for entry in lost}
    if rollout.state is RunState.SUCCEEDED and rollout.trigger in BY_HAND and observed.stable:
        left.add(observed.stable.version)
    if candidate is not None and candidate.version in left:
        candidate = None
    gate = observed.gate
    if (
        candidate is not None
        and stable is not None
        and rollout.trigger != Trigger.ROLLBACK  # what it was compared with came after this one
        and _is_outdated(observed, candidate, stable.version)
    ):
        if not _in_charge(observed, candidate.version):  # else it was shipped, and left since
            gate = refuse_outdated(gate, candidate.version, in_charge=stable.version)
        candidate = None
    others = tuple(entry for entry in observed.blocked if entry.version not in over)
    asked = {observed.pinned, *observed.alternatives, candidate.version if candidate else None}
    blocked = _forget_oldest((*others, *lost), asked)
    return dataclasses.replace(
        observed, stable=stable, candidate=candidate, blocked=blocked, gate=gate
    )


def _is_outdated(observed: Observed, candidate: VersionReference, next_stable: str) -> bool:
    """Tell whether another version comes in charge than the one that it was compared with."""
    if _in_charge(observed, next_stable) or candidate.version == next_stable:
        return False
    gate = observed.gate
    return (
        gate is None
        or (gate.version, gate.champion) != (candidate.version, next_stable)
        or not gate.passed
    )


def _forget_oldest(
    blocked: tuple[BlockedVersion, ...], asked: Collection[str | None]
) -> tuple[BlockedVersion, ...]:
    """Keep no more than ``_BLOCKED_KEPT``, and of these what is asked for: it would come again."""
    spare = [entry for entry in blocked if entry.version not in asked]
    surplus = max(0, len(blocked) - _BLOCKED_KEPT)
    gone = {entry.version for entry in spare[:surplus]}
    return tuple(entry for entry in blocked if entry.version not in gone)[-_BLOCKED_KEPT:]


def _lost(observed: Observed, rollout: CurrentRollout) -> tuple[BlockedVersion, ...]:
    """List what is blocked now.

    Not so what a person named that is no version, or not one; and what made way for another
    artifact of its version, which the spec names by now.
    """
    by_hand = rollout.trigger in BY_HAND
    return tuple(
        entry
        for entry in rollout.lost
        if not (by_hand and entry.reason in UNRESOLVED and not entry.asked)
        and not _is_repinned(observed, entry)
    )


def _is_repinned(observed: Observed, entry: BlockedVersion) -> bool:
    named = observed.digest_of(entry.version)
    changed = entry.reason == RolloutReason.VERSION_CHANGED
    return changed and bool(entry.digest) and named not in {None, entry.digest}


def _left_by_hand(observed: Observed, rollout: CurrentRollout) -> tuple[BlockedVersion, ...]:
    """Block the version that a person went back from, though the spec still asks for it."""
    left = observed.stable
    back = rollout.trigger == Trigger.ROLLBACK
    if not back or left is None or left.version == rollout.reference.version:
        return ()
    asked = _where_asked(observed, left.version)
    if asked == UNNAMED:
        return ()
    entry = BlockedVersion(
        version=left.version,
        reason=Reason.LEFT_BY_HAND,
        message=f"a person went back to {rollout.reference.version} with {rollout.name}",
        asked=asked,
        digest=left.digest,
        generation=observed.generation,
    )
    return (entry,)


def _renew(observed: Observed) -> Observed:
    """Keep the blocks and the refusal that last."""
    trained = observed.candidate.version if observed.candidate else None
    return dataclasses.replace(
        observed,
        blocked=renew_blocks(
            observed.blocked,
            pinned=observed.pinned,
            alternatives=observed.alternatives,
            artifacts=observed.artifacts,
            allows_code=observed.allows_code,
        ),
        refused=renew_refusal(
            observed.refused,
            target=observed.pinned or trained,
            pinned=observed.pinned,
            alternatives=observed.alternatives,
        ),
    )


def _where_asked(observed: Observed, version: str) -> str:
    return where_asked(version, pinned=observed.pinned, alternatives=observed.alternatives)


def _fold_training(observed: Observed) -> Observed:
    """Let the gate judge, once, what a training registered."""
    training = observed.training
    if training is None or observed.training_folded or training.state is not RunState.SUCCEEDED:
        return observed
    stable = observed.stable.version if observed.stable else observed.takes_up
    gate = judge_candidate(
        training.comparison, observed.demand, stable=stable, change=training.change
    )
    if observed.trained_recipe not in {None, observed.recipe}:
        gate = refuse_old_recipe(gate)
    gate = _with_doubt(gate, observed)
    candidate = observed.candidate
    if gate.passed and training.comparison is not None:
        candidate = VersionReference(
            version=training.comparison.version,
            registry_version=training.comparison.registry_version,
            digest=training.comparison.digest,
        )
    return dataclasses.replace(observed, gate=gate, candidate=candidate)


def _with_doubt(gate: GateStatus, observed: Observed) -> GateStatus:
    """Add to the gate of a first version what is not known of an earlier one."""
    if gate.reason != GateReason.FIRST_VERSION:
        return gate
    return gate.model_copy(update={"message": shorten(gate.message + _doubt(observed))})


def _doubt(observed: Observed) -> str:
    """Say, to the end of another sentence, why nothing of an earlier Model is taken up."""
    past = observed.past
    return f"; {past.message}" if past is not None and past.message else ""


def _next_rollout(observed: Observed) -> _Next:
    """Choose what to start or adopt, and what becomes of the one in flight."""
    target = _target(observed)
    rollout = observed.rollout
    if rollout is not None and rollout.state is RunState.ACTIVE:
        if _is_unpinned(observed, rollout, target) and observed.stable is not None:
            target = Target(version=observed.stable.version, trigger=Trigger.PINNED)
        if (
            target is None
            or observed.takes_up is not None
            or set(rollout.in_play) <= set(target.versions)
        ):
            return _Next()
        if _asks_nothing_new(observed, rollout, target) or rollout.asked_back:
            return _Next()
        return _instead_of(observed, rollout, target)
    if observed.takes_up is not None:
        return _Next(start=Target(version=observed.takes_up, trigger=Trigger.RESTORED))
    if observed.rollout_lost and observed.stable is not None:
        return _Next(start=Target(version=observed.stable.version, trigger=Trigger.RESTORED))
    if observed.waiting:
        return _Next(adopt=observed.waiting[0])
    start = None if target is None else _open(observed, target)
    return _Next(start=start or observed.unnamed_rollout)


def _back_only(observed: Observed, rollout: _Next) -> _Next:
    """Leave of it what gives the version in charge its traffic back: that is never suspended."""
    start, back = rollout.start, rollout.supersede_by
    return _Next(
        start=start if start is not None and start.trigger == Trigger.RESTORED else None,
        supersede_by=back if back is not None and _in_charge(observed, back) else None,
    )


def _is_unpinned(observed: Observed, rollout: CurrentRollout, target: Target | None) -> bool:
    """Tell whether the pin of a rollout was taken out, and nothing is asked for in its place."""
    if rollout.trigger != Trigger.PINNED or observed.pinned is not None:
        return False
    return target is None or (
        not _in_charge(observed, target.version) and _open(observed, target) is None
    )


def _open(observed: Observed, target: Target) -> Target | None:
    """Keep of the target what is still to be tried: not in charge, and not blocked."""
    retry = observed.request(Action.RETRY) is not None
    versions = [
        version
        for version in target.versions
        if not _in_charge(observed, version) and (retry or _block(observed, version) is None)
    ]
    if not versions:
        return None
    return dataclasses.replace(target, version=versions[0], alternatives=tuple(versions[1:]))


def _instead_of(observed: Observed, rollout: CurrentRollout, target: Target) -> _Next:
    """Do with a new target, while a rollout is in flight, what the policy says."""
    back = _in_charge(observed, target.version)
    match observed.on_new_target:
        # Going back is no new target; who goes elsewhere by hand is left to it.
        case "queue" if not back or rollout.trigger in BY_HAND:
            return _Next()
        case "reject" if not back:
            message = (
                f"{target.version} was refused: it came while {rollout.name} to "
                f"{rollout.reference.version} was in flight (onNewTarget: reject); "
                "`fairlead retry MODEL` tries it once that has ended, or set another spec.version"
            )
            refused = RefusedTarget(
                version=target.version,
                message=message,
                asked=_where_asked(observed, target.version),
                generation=observed.generation,
            )
            return _Next(refuse=refused)
        case "queue" | "reject" | "supersede":
            tried = None if back else _open(observed, target)
            return _Next(supersede_by=(tried or target).version)
    assert_never(observed.on_new_target)


def _refusal(observed: Observed, rollout: _Next) -> RefusedTarget | None:
    """Return the refusal in force: until another is asked for, or it is tried after all."""
    if rollout.refuse is not None:
        return rollout.refuse
    refused = observed.refused
    if refused is None:
        return None
    tried = rollout.start is not None and rollout.start.version == refused.version
    return None if tried or _in_charge(observed, refused.version) else refused


def _asks_nothing_new(observed: Observed, rollout: CurrentRollout, target: Target) -> bool:
    """Tell whether the target is blocked, or is what a person leaves by hand or by a retry.

    That is the version in charge.  A pin that was taken out of the spec is another thing: that
    takes its rollout back.  So does a pin what goes elsewhere by hand, unless it goes back.
    """
    if not _in_charge(observed, target.version):
        return _open(observed, target) is None
    unpinned = observed.pinned is None and rollout.trigger != Trigger.PINNED
    return unpinned or rollout.trigger == Trigger.ROLLBACK


def _in_charge(observed: Observed, version: str) -> bool:
    return observed.stable is not None and observed.stable.version == version


def _target(observed: Observed) -> Target | None:
    """Return the version that should be in charge, or None to leave it."""
    target, retry = None, observed.request(Action.RETRY) is not None
    if observed.pinned is not None:
        target = Target(
            version=observed.pinned, trigger=Trigger.PINNED, alternatives=observed.alternatives
        )
    elif retry and not _is_refused(observed, observed.candidate):
        target = Target(version=observed.blocked[-1].version, trigger=Trigger.TRAINED)
    elif observed.candidate is not None:
        target = Target(version=observed.candidate.version, trigger=Trigger.TRAINED)
    refused = target is not None and _is_refused(observed, target)
    return None if refused and not retry else target


def _is_refused(observed: Observed, target: Target | VersionReference | None) -> bool:
    """Tell whether the target came at a wrong time, and is asked for as it was then."""
    refused = observed.refused
    return refused is not None and target is not None and refused.version == target.version


def _block(observed: Observed, version: str) -> BlockedVersion | None:
    """Return why the version is not tried again by itself."""
    return next((entry for entry in observed.blocked if entry.version == version), None)


def _phase(observed: Observed, *, starting: bool, training: bool) -> tuple[Phase, str, str]:
    """Choose one word for people, why, and the numbers."""
    if starting or (observed.rollout is not None and observed.rollout.state is RunState.ACTIVE):
        paused = observed.rollout is not None and observed.rollout.paused
        reason = Reason.PAUSED if paused else Reason.ROLLING_OUT
        return Phase.ROLLING_OUT, reason, _rolling_out(observed)
    in_training = training or (
        observed.training is not None and observed.training.state is RunState.ACTIVE
    )
    also = "".join(f"; {part}" for part in _say_training(observed, training=in_training))
    block = _block(observed, observed.pinned) if observed.pinned is not None else None
    chosen = observed.stable is not None and observed.stable.version in observed.alternatives
    if block is not None and not chosen:
        ways = "`fairlead retry MODEL` tries it again, or set another spec.version"
        blocked = _rolled_back(block, most=_CAUSE // 2 if also else _CAUSE)
        return Phase.BLOCKED, Reason.VERSION_BLOCKED, f"{blocked}; {ways}{also}"
    if observed.stable is not None and observed.refused is not None:
        return Phase.SERVING, Reason.TARGET_REFUSED, observed.refused.message + also
    in_charge = observed.stable.version if observed.stable is not None else ""
    changed = exchanged(
        observed.stable,
        version=in_charge,
        pinned=observed.digest_of(in_charge),
        field=digest_field(in_charge, observed.alternatives),
    )
    if changed:
        return Phase.SERVING, Reason.VERSION_CHANGED, changed + also
    if observed.stable is not None:
        return Phase.SERVING, Reason.SERVING, f"{in_charge} is in charge{also}"
    if in_training:
        message = f"the first version is being trained{_waiting(observed)}"
        return Phase.TRAINING, Reason.TRAINING, message
    if observed.suspend:
        return Phase.SUSPENDED, Reason.SUSPENDED, "suspended; set spec.suspend to false to go on"
    return _not_serving(observed)


def _not_serving(observed: Observed) -> tuple[Phase, str, str]:
    """Say why nothing serves, though nothing is under way."""
    training = observed.training
    if training is not None and training.state is RunState.FAILED:
        again = "a change of spec.data or spec.training, or `fairlead retrain MODEL`, trains again"
        message = f"{training.name} failed: {shorten(training.message, _CAUSE)}; {again}"
        return Phase.FAILED, training.reason, message
    if observed.blocked:
        message = f"{_rolled_back(observed.blocked[-1])}; `fairlead retry MODEL` tries it again"
        return Phase.FAILED, Reason.VERSION_BLOCKED, message
    if observed.gate is not None and not observed.gate.passed:
        again = "`fairlead retrain MODEL` trains again, with more data or another spec.promotion"
        message = f"{shorten(observed.gate.message, _CAUSE)}; {again}"
        return Phase.FAILED, Reason.GATE_NOT_PASSED, message
    if observed.cannot_start:
        return Phase.PENDING, Reason.WAITING, _cannot_start(observed)
    return Phase.PENDING, Reason.WAITING, "nothing is trained yet"


def _cannot_start(observed: Observed) -> str:
    """Say what is to begin, and why it does not."""
    target = _target(observed)
    begins = "the first training"
    if "Rollout" in observed.cannot_start:
        version = observed.takes_up or (target.version if target is not None else "the version")
        begins = f"the rollout of {version}"
    return f"{begins} is not started, and is tried again: {shorten(observed.refusal, _CAUSE)}"


def _rolled_back(block: BlockedVersion, *, most: int = _CAUSE) -> str:
    return f"{block.version} was rolled back ({block.reason}: {shorten(block.message, most)})"


def _rolling_out(observed: Observed) -> str:
    rollout = observed.rollout
    if rollout is None or rollout.state is not RunState.ACTIVE:
        if observed.takes_up is not None:
            return (
                f"{observed.takes_up} was in charge of an earlier Model of this name, and is again"
            )
        return "a rollout starts"
    moves = f"to {rollout.reference.version}"
    if rollout.leader is not None:
        moves = f"tries {' and '.join(rollout.versions)}, {rollout.leader} leads"
    if rollout.paused:
        moves = f"{moves} is paused: {shorten(rollout.message, _CAUSE)}"
    elif rollout.starts:
        moves = f"{moves}: {shorten(rollout.message, _CAUSE)}"
    parts = [f"{rollout.name} {moves}", *_next_in_line(observed, rollout)]
    if observed.training is not None and observed.training.state is RunState.FAILED:
        parts += _say_training(observed, training=False)
    if observed.refused is not None:
        parts.append(observed.refused.message)
    return "; ".join(parts)


def _next_in_line(observed: Observed, rollout: CurrentRollout) -> list[str]:
    """Say what is to come after the rollout in flight."""
    target = _target(observed)
    tried = None if target is None else _open(observed, target)
    line = []
    if tried is not None and not set(tried.versions) <= set(rollout.versions):
        if rollout.trigger == Trigger.ROLLBACK and rollout.asked_back:
            line.append(f"{tried.version} follows")
        elif observed.on_new_target == "queue":
            line.append(f"{tried.version} waits until that has ended (onNewTarget: queue)")
    if observed.waiting:
        wait = "waits for its turn" if len(observed.waiting) == 1 else "wait for their turn"
        line.append(f"{' and '.join(observed.waiting[:3])} {wait}")
    return line


def _waiting(observed: Observed) -> str:
    """Say what a training under way waits for: pods, MLflow or a person."""
    training = observed.training
    if training is None or training.reason not in _WAITING:
        return ""
    return f"; {training.name}: {shorten(training.message, _CAUSE)}{_corrected(observed)}"


def _corrected(observed: Observed) -> str:
    """Say how what was corrected is used at once; the training goes on with what it was told."""
    training = observed.training
    if training is None or training.task in {None, observed.task}:
        return ""
    way = f"`kubectl delete trainingrun {training.name}` and then `fairlead retrain MODEL`"
    return f"; spec.data or spec.training has changed since it began: {way} train by it now"


def _say_training(observed: Observed, *, training: bool) -> list[str]:
    """Say what the last training came to, beside what else the Model says."""
    last = observed.training
    if training:
        return [f"a training is under way{_waiting(observed)}"]
    if last is not None and last.state is RunState.FAILED:
        return [f"the last training failed ({last.reason}: {last.message})"]
    if observed.gate is not None and not observed.gate.passed:
        return [f"the last training was not shipped: {observed.gate.message}"]
    return []
