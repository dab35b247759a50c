"""A decision into status, conditions and events.  Pure."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from fairlead_operator.api.common import VersionReference
from fairlead_operator.api.conditions import (
    ANSWERING,
    CODE_ALLOWED,
    QUERIES_READABLE,
    Condition,
    find_condition,
    merge,
)
from fairlead_operator.api.events import Event
from fairlead_operator.api.gateway import GatewayKind, GatewaySpec
from fairlead_operator.api.model import ModelStatus
from fairlead_operator.api.phases.common import CommonReason
from fairlead_operator.api.phases.model import (
    AnsweringReason,
    CodeReason,
    EventReason,
    Phase,
    QueriesReason,
    Reason,
    RegistrationReason,
)
from fairlead_operator.api.phases.rollout import PodsReason, Trigger
from fairlead_operator.api.phases.training_run import Reason as TrainingReason
from fairlead_operator.api.promql import find_queries
from fairlead_operator.attempts import Failure, describe
from fairlead_operator.model.manifests import rollout_name, training_run_name
from fairlead_operator.model.seen import Seen
from fairlead_operator.model.states import Decision, RunState
from fairlead_operator.report import Report, announce_pods, name_refusal
from fairlead_operator.requests import announce_refusals, record
from fairlead_operator.text import shorten
from fairlead_operator.versions import remember

_WARNING: Final = frozenset({Phase.BLOCKED, Phase.FAILED})
_NOT_AS_ASKED: Final = frozenset({Reason.TARGET_REFUSED, Reason.VERSION_CHANGED})
_CAUSE: Final = 500  # characters of another message, so that a refusal still fits behind it
_ASK_AGAIN: Final = timedelta(seconds=30)  # a Prometheus that is silent, or refuses a query


def report(
    body: Mapping[str, Any],
    seen: Seen,
    decision: Decision,
    *,
    failures: tuple[Failure, ...] = (),
    kept_code: str | None = None,
) -> Report:
    """Say of the object what is true after this reconcile.

    Args:
        failures: what could not be written for the Model.
        kept_code: that the version in charge now runs code it may not; empty when it does not,
            None: unknown.
    """
    old, meta, now = seen.status, body["metadata"], seen.observed.now
    name = meta["name"]
    conditions = (
        *_conditions(meta, decision, seen, failures),
        *_code_kept(meta, seen, decision, kept_code),
    )
    training_number = old.training_number + (decision.start_training is not None)
    rollout_number = old.rollout_number + (decision.start_rollout is not None)
    started_run = decision.start_training is not None
    status = ModelStatus(
        phase=decision.phase,
        observed_generation=meta.get("generation"),
        url=_url(meta, seen.routed or seen.spec.serving.gateway),
        gateway=_gateway(seen),
        stable=decision.stable,
        candidate=decision.candidate,
        recipe=_recipe(seen, decision),
        training_run=training_run_name(name, training_number) if started_run else old.training_run,
        training_number=training_number,
        schedule=decision.schedule,
        next_training=decision.next_training,
        requests=record(old.requests, decision.answers, seen.annotations, now=now),
        folded_training_run=_folded_training_run(seen),
        rollout=_rollout(seen, decision, name, rollout_number),
        folded_rollout=_folded_rollout(seen),
        rollout_number=rollout_number,
        weight=decision.weight,
        gate=decision.gate,
        blocked=decision.blocked,
        refused=decision.refused,
        versions=_versions(seen, decision),
        conditions=merge(old.conditions, conditions, now=now),
    )
    return Report(
        status=status.to_manifest(),
        events=(
            *_announce_past(seen, decision),
            *_announce_training(seen, decision),
            *_events(old, status, decision),
        ),
        look_again=_look_again(meta, seen, decision),
    )


def _versions(seen: Seen, decision: Decision) -> tuple[VersionReference, ...]:
    """Return which artifacts versions are; the one in charge above all."""
    past = seen.observed.past
    now = (decision.candidate, decision.stable)
    return remember(
        seen.known,
        before=past.known if past is not None else (),
        now=(one for one in now if one is not None),
    )


def _url(meta: Mapping[str, Any], gateway: GatewaySpec) -> str:
    """Say where clients find the Model; the scheme and port of another's Gateway are not known."""
    if gateway.hostnames:
        return f"http://{gateway.hostnames[0]}"
    return f"http://{meta['name']}.{meta['namespace']}"


def _gateway(seen: Seen) -> GatewayKind | None:
    """Return what alone carries the traffic: as it is known, or was and nobody asks for another."""
    kind = seen.spec.serving.gateway.kind
    last = seen.status.gateway if seen.settled is None else seen.settled
    return kind if last == kind else None


def _recipe(seen: Seen, decision: Decision) -> str | None:
    """Return the recipe of the last training; without any, of the version that is taken up."""
    if decision.start_training is not None:
        return seen.observed.recipe
    past = seen.observed.past
    if seen.status.recipe is None and _takes_up(decision) and past is not None:
        return past.recipe or seen.observed.recipe
    return seen.status.recipe


def _takes_up(decision: Decision) -> bool:
    """Tell whether a version of an earlier Model is taken up now."""
    start = decision.start_rollout
    return start is not None and start.trigger == Trigger.RESTORED and decision.stable is None


def _folded_training_run(seen: Seen) -> str | None:
    """Name the latest TrainingRun whose end was acted on."""
    training = seen.observed.training
    if training is not None and training.state is not RunState.ACTIVE:
        return training.name
    return seen.status.folded_training_run


def _folded_rollout(seen: Seen) -> str | None:
    """Name the latest Rollout whose end was acted on."""
    rollout = seen.observed.rollout
    if rollout is not None and rollout.state is not RunState.ACTIVE:
        return rollout.name
    return seen.status.folded_rollout


def _rollout(seen: Seen, decision: Decision, name: str, number: int) -> str | None:
    """Name the current Rollout."""
    if decision.start_rollout is not None:
        return rollout_name(name, number)
    return decision.adopt_rollout or seen.status.rollout


def _conditions(
    meta: Mapping[str, Any], decision: Decision, seen: Seen, failures: tuple[Failure, ...]
) -> tuple[Condition, ...]:
    """Say Ready: a version answers; UpToDate: the one asked for; Progressing: something moves.

    What the cluster refuses keeps what serves as it was, which is not what was asked for.
    """
    serving = decision.stable is not None
    training = seen.observed.training
    moving = (
        decision.phase is Phase.ROLLING_OUT
        or decision.start_training is not None
        or (training is not None and training.state is RunState.ACTIVE)
    )
    settled = decision.phase in {Phase.SERVING, Phase.SUSPENDED}
    current = serving and settled and decision.reason not in _NOT_AS_ASKED
    refused = tuple(failure for failure in failures if failure.refused)
    reason, message = decision.reason, decision.message
    if refused:
        refuses, words = name_refusal(refused), describe(refused)
        who = "database" if refuses is CommonReason.LOGIN_NOT_ALLOWED else "cluster"
        if current:
            current, reason = False, refuses
            message = f"{message}; as it was, for the {who} refuses a change: {words}"
        elif words not in message:
            message = f"{shorten(message, _CAUSE)}; the {who} refuses a change: {words}"
    taken = tuple(failure for failure in failures if failure.taken)
    if taken and not serving:
        reason, message = CommonReason.NAME_TAKEN, describe(taken)

    def condition(kind: str, holds: bool, reason: str, message: str) -> Condition:
        return Condition(
            type=kind,
            status="True" if holds else "False",
            reason=reason,
            message=shorten(message),
            observed_generation=meta.get("generation"),
        )

    pods = seen.pods if serving else None
    silent = pods is not None and pods.reason == PodsReason.NOT_ANSWERING
    ready_reason, ready_message = (
        (pods.reason, pods.message) if pods and silent else (reason, message)
    )
    told = (
        condition(each.type, each.status == "True", each.reason, each.message)
        for each in (pods, seen.scaled if serving else None)
        if each is not None
    )
    return (
        condition("Ready", serving and not silent, ready_reason, ready_message),
        condition("UpToDate", current, reason, message),
        condition("Progressing", moving, decision.reason, decision.message),
        *_registered(meta, seen),
        *_answering(meta, seen, decision),
        *_queries_readable(meta, seen),
        *told,
    )


def _registered(meta: Mapping[str, Any], seen: Seen) -> tuple[Condition, ...]:
    """Say whether the stable version is in the registry as it was; unknown, what was said last."""
    if seen.unregistered is None:
        return tuple(last for last in seen.status.conditions if last.type == "Registered")
    stable = seen.status.stable.version if seen.status.stable else ""
    condition = {
        "type": "Registered",
        "status": "False" if seen.unregistered else "True",
        "reason": (
            RegistrationReason.CHANGED if seen.unregistered else RegistrationReason.REGISTERED
        ),
        "message": seen.unregistered or f"{stable} is registered as it was verified",
        "observedGeneration": meta.get("generation"),
    }
    return (Condition.model_validate(condition),)


def _code_kept(
    meta: Mapping[str, Any], seen: Seen, decision: Decision, kept_code: str | None
) -> tuple[Condition, ...]:
    """Say that the stable version runs code it may not; unknown, what was said of it last."""
    if kept_code is None:
        last = find_condition(seen.status.conditions, CODE_ALLOWED)
        speaks_of_it = decision.stable == seen.status.stable
        return (last,) if last is not None and speaks_of_it else ()
    if not kept_code:
        return ()
    condition = {
        "type": CODE_ALLOWED,
        "status": "False",
        "reason": CodeReason.NOT_ALLOWED,
        "message": kept_code,
        "observedGeneration": meta.get("generation"),
    }
    return (Condition.model_validate(condition),)


def _answering(meta: Mapping[str, Any], seen: Seen, decision: Decision) -> tuple[Condition, ...]:
    """Say whether the stable version only fails; where it never did, nothing.

    Unknown, what was said of this version last; the numbers are those of the first time.
    """
    if decision.stable is None or decision.stable != seen.status.stable:
        return ()
    last = find_condition(seen.status.conditions, ANSWERING)
    failing = last is not None and last.status == "False"
    if last is None and not seen.failing:
        return ()
    if last is not None and (seen.failing is None or bool(seen.failing) == failing):
        return (last,)
    condition = {
        "type": ANSWERING,
        "status": "False" if seen.failing else "True",
        "reason": (AnsweringReason.ONLY_FAILURES if seen.failing else AnsweringReason.ANSWERING),
        "message": seen.failing or f"{decision.stable.version} answers again",
        "observedGeneration": meta.get("generation"),
    }
    return (Condition.model_validate(condition),)


def _queries_readable(meta: Mapping[str, Any], seen: Seen) -> tuple[Condition, ...]:
    """Say whether Prometheus can read the policy's PromQL; unknown, what was said of this spec."""
    if not any(find_queries(seen.spec.rollout)):
        return ()
    if seen.mistakes is None:
        last = _readable_before(meta, seen)
        return () if last is None else (last,)
    ways = "a rollout that needs it waits before any traffic; correct spec.rollout"
    readable = "Prometheus can read every query in spec.rollout"
    condition = {
        "type": QUERIES_READABLE,
        "status": "False" if seen.mistakes else "True",
        "reason": QueriesReason.REFUSED if seen.mistakes else QueriesReason.READABLE,
        "message": f"{shorten(seen.mistakes, 900)}; {ways}" if seen.mistakes else readable,
        "observedGeneration": meta.get("generation"),
    }
    return (Condition.model_validate(condition),)


def _readable_before(meta: Mapping[str, Any], seen: Seen) -> Condition | None:
    """Return what was said of the queries of the present spec; None: nothing yet."""
    last = find_condition(seen.status.conditions, QUERIES_READABLE)
    is_present = last is not None and last.observed_generation == meta.get("generation")
    return last if is_present else None


def _look_again(meta: Mapping[str, Any], seen: Seen, decision: Decision) -> timedelta | None:
    """Return the time until the next look; Prometheus does not tell when it answers otherwise."""
    said = _readable_before(meta, seen)
    silent = seen.mistakes is None and (said is None or said.status == "False")
    if not (silent or seen.mistakes) or not any(find_queries(seen.spec.rollout)):
        return decision.look_again
    return min(decision.look_again or _ASK_AGAIN, _ASK_AGAIN)


def _events(old: ModelStatus, new: ModelStatus, decision: Decision) -> tuple[Event, ...]:
    """Announce each transition once: of phase, stable version, gate."""
    events = [*announce_refusals(decision.answers)]
    if (training := decision.start_training) is not None:
        message = f"{new.training_run} starts ({training.trigger}): {training.why}"
        events.append(Event(reason=EventReason.TRAINING_STARTED, message=message))
    if new.gate is not None and new.gate != old.gate:
        word = "passed" if new.gate.passed else "refused"
        message = f"{new.gate.version} {word} by the gate: {new.gate.message}"
        reason = EventReason.GATE_PASSED if new.gate.passed else Reason.GATE_NOT_PASSED
        events.append(Event(reason=reason, message=message, warning=not new.gate.passed))
    if new.stable is not None and new.stable != old.stable:
        before = f", before {old.stable.version}" if old.stable else ""
        message = f"{new.stable.version} is in charge{before}"
        events.append(Event(reason=EventReason.PROMOTED, message=message))
    if new.refused is not None and new.refused != old.refused:
        events.append(
            Event(reason=Reason.TARGET_REFUSED, message=new.refused.message, warning=True)
        )
    if decision.reason == Reason.VERSION_CHANGED and _up_to_date(old) != Reason.VERSION_CHANGED:
        events.append(Event(reason=Reason.VERSION_CHANGED, message=decision.message, warning=True))
    events += announce_pods(old.conditions, new.conditions)
    events += _announce_answers(old, new)
    events += _announce_mistakes(old, new)
    kept = find_condition(new.conditions, CODE_ALLOWED)
    was_kept = old.stable == new.stable and find_condition(old.conditions, CODE_ALLOWED)
    if kept is not None and not was_kept:
        events.append(Event(reason=kept.reason, message=kept.message, warning=True))
    lost = _unregistered(new)
    if lost is not None and _unregistered(old) is None:
        events.append(Event(reason=lost.reason, message=lost.message, warning=True))
    if new.phase != old.phase:
        warning = decision.phase in _WARNING
        message = f"{decision.phase}: {decision.message}"
        events.append(Event(reason=decision.reason, message=message, warning=warning))
    return tuple(events)


def _up_to_date(status: ModelStatus) -> str:
    """Return why the version asked for is in charge or not, as it was said last."""
    said = find_condition(status.conditions, "UpToDate")
    return said.reason if said is not None else ""


def _announce_past(seen: Seen, decision: Decision) -> tuple[Event, ...]:
    """Announce what is taken up of an earlier Model; at the first look also that it is gone.

    A history that does not answer is told in the conditions: it is asked again.
    """
    if _takes_up(decision):
        return (Event(reason=Reason.RESTORED, message=decision.message),)
    past = seen.observed.past
    is_gone = past is not None and past.reason is Reason.STABLE_VERSION_GONE
    if past is None or not is_gone or seen.status.phase is not None:
        return ()
    return (Event(reason=Reason.STABLE_VERSION_GONE, message=past.message, warning=True),)


def _announce_training(seen: Seen, decision: Decision) -> tuple[Event, ...]:
    """Announce once that a training failed, where the phase does not say it."""
    training = seen.observed.training
    if training is None or training.state is not RunState.FAILED:
        return ()
    if seen.observed.training_folded or decision.phase is Phase.FAILED:
        return ()
    if training.reason == TrainingReason.SUPERSEDED:
        return ()
    message = f"{training.name} failed ({training.reason}): {training.message}"
    return (Event(reason=EventReason.TRAINING_FAILED, message=message, warning=True),)


def _announce_answers(old: ModelStatus, new: ModelStatus) -> list[Event]:
    """Announce once that a version only fails, and that it does not any more."""
    before = find_condition(old.conditions, ANSWERING)
    told = find_condition(new.conditions, ANSWERING)
    if told is None or (before is not None and before.status == told.status):
        return []
    return [Event(reason=told.reason, message=told.message, warning=told.status == "False")]


def _announce_mistakes(old: ModelStatus, new: ModelStatus) -> list[Event]:
    """Announce once what Prometheus cannot read."""
    before = find_condition(old.conditions, QUERIES_READABLE)
    told = find_condition(new.conditions, QUERIES_READABLE)
    if told is None or told.status == "True":
        return []
    if before is not None and (before.status, before.message) == (told.status, told.message):
        return []
    return [Event(reason=QueriesReason.REFUSED, message=told.message, warning=True)]


def _unregistered(status: ModelStatus) -> Condition | None:
    """Return the condition that the stable version's registration is not as it was, if it holds."""
    said = find_condition(status.conditions, "Registered")
    return said if said is not None and said.status == "False" else None
