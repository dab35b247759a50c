"""Cluster and registry into one frozen ``Seen``."""

import asyncio
import contextlib
import dataclasses
import itertools
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from pydantic import ValidationError

from fairlead_operator.api.common import VersionReference
from fairlead_operator.api.conditions import (
    AUTOSCALED,
    PODS_READY,
    QUERIES_READABLE,
    UPGRADED,
    Condition,
    find_condition,
)
from fairlead_operator.api.gateway import GatewayKind, GatewaySpec
from fairlead_operator.api.group import ANNOTATION_TOLD, name_registered_model
from fairlead_operator.api.history import ENTRIES
from fairlead_operator.api.model import BlockedVersion, ModelSpec, ModelStatus
from fairlead_operator.api.phases.common import CommonReason, RequestOutcome
from fairlead_operator.api.phases.rollout import BEFORE_TRAFFIC, BY_HAND, Trigger
from fairlead_operator.api.phases.rollout import Phase as RolloutPhase
from fairlead_operator.api.phases.rollout import Reason as RolloutReason
from fairlead_operator.api.phases.training_run import Phase as TrainingRunPhase
from fairlead_operator.api.phases.training_run import Trigger as TrainingTrigger
from fairlead_operator.api.promql import fill_names, find_queries
from fairlead_operator.api.recipe import recipe_digest, renew_digest, task_digest
from fairlead_operator.api.rollout import RolloutStatus
from fairlead_operator.api.schedule import Schedule, ScheduleStatus
from fairlead_operator.artifact_code import explain_kept
from fairlead_operator.errors import InvalidSpecError, TransientError
from fairlead_operator.kube.owned import owners
from fairlead_operator.model.blocks import may_have_changed, where_asked
from fairlead_operator.model.contenders import find_leader, find_losses, find_out
from fairlead_operator.model.gate import Demand, parse_comparison
from fairlead_operator.model.gates import list_demands
from fairlead_operator.model.known import newest_first, read_trained, read_tried
from fairlead_operator.model.manifests import rollout_name, training_run_name
from fairlead_operator.model.past import Past, last_promotion, recall, unknown_past
from fairlead_operator.model.seen import Seen
from fairlead_operator.model.states import (
    CurrentRollout,
    Observed,
    RunState,
    Start,
    Target,
    Training,
)
from fairlead_operator.ports import Ports, Prometheus
from fairlead_operator.prometheus.mistakes import find_mistakes
from fairlead_operator.report import read_condition, read_failures
from fairlead_operator.requests import Action, Request, read_requests, unanswered
from fairlead_operator.signature import describe_change, find_change
from fairlead_operator.text import write_list
from fairlead_operator.versions import choose, find_known, remember

_STATES: Final[Mapping[str | None, RunState]] = {
    TrainingRunPhase.SUCCEEDED: RunState.SUCCEEDED,
    TrainingRunPhase.FAILED: RunState.FAILED,
    RolloutPhase.SUCCEEDED: RunState.SUCCEEDED,
    RolloutPhase.ROLLED_BACK: RunState.FAILED,
}

# Whatever takes the place of a name, it stands within a label's quotes or a range's brackets.
_SOME_VERSION: Final = "1.0.0"
_SOME_WINDOW: Final = "5m"


async def observe(
    body: Mapping[str, Any], ports: Ports, *, now: datetime, allows_code: bool = False
) -> Seen:
    """Read everything once.

    Args:
        allows_code: whether the operator's values let a version bring code.

    Raises:
        InvalidSpecError: the spec cannot be read.
        TransientError: the cluster did not answer.
    """
    meta = body["metadata"]
    try:
        spec = ModelSpec.model_validate(body["spec"])
    except ValidationError as error:
        raise InvalidSpecError(_describe(error)) from error
    status = ModelStatus.model_validate(body.get("status") or {})
    runs, rollouts = await asyncio.gather(
        ports.kube.children("TrainingRun", meta["namespace"], meta["name"]),
        ports.kube.children("Rollout", meta["namespace"], meta["name"]),
    )
    run, rollout = _named(runs, status.training_run), _named(rollouts, status.rollout)
    # What an ended training was told is in the status, and may be written anew there.
    told = None if _folded(status) else _read_recipe(run)
    recipe = told or status.recipe
    status = status.model_copy(update={"recipe": renew_digest(recipe, spec)})
    known = _read_known(status, runs, rollouts)
    annotations = meta.get("annotations") or {}
    observed = _to_observed(
        meta,
        spec,
        status,
        runs,
        rollouts,
        requests=unanswered(annotations, status.requests),
        artifacts=await _check_artifacts(spec, status, known, meta, ports),
        now=now,
    )
    observed = dataclasses.replace(
        observed,
        past=await _read_past(observed, meta, ports),
        allows_code=allows_code and spec.serving.allow_artifact_code,
    )
    return Seen(
        observed=await _with_change(observed, meta, ports),
        spec=spec,
        status=status,
        unregistered=await _check_registration(status, meta, ports),
        failing=_check_answers(spec, status, meta, ports),
        mistakes=await _check_queries(spec, status, meta, ports.prometheus),
        annotations=annotations,
        settled=_settled(rollout),
        routed=_read_gateway(rollout),
        held=_read_held(rollout),
        pods=_read_told(rollout, PODS_READY, status),
        scaled=_read_told(rollout, AUTOSCALED, status),
        failures=tuple(
            failure
            for child in (rollout, run)
            if child is not None
            for failure in read_failures(child.get("status") or {})
        ),
        known=known,
        training_runs=runs,
        rollouts=rollouts,
    )


async def _with_change(observed: Observed, meta: Mapping[str, Any], ports: Ports) -> Observed:
    """Add what the version of a training that has just ended changes for callers, if that is known.

    Where it is not, its Rollout says so.
    """
    training, stable = observed.training, observed.stable
    if training is None or observed.training_folded or stable is None:
        return observed
    trained = training.comparison
    if training.state is not RunState.SUCCEEDED or trained is None:
        return observed
    name = name_registered_model(meta["namespace"], meta["name"])
    try:
        before, after = await asyncio.gather(
            *(
                ports.registry.signature(name, number)
                for number in (stable.registry_version, trained.registry_version)
            )
        )
    except (TransientError, ValueError):
        return observed
    change = find_change(before, after)
    if not change.words:
        return observed
    words = describe_change(change, stable=stable.version, candidate=trained.version)
    return dataclasses.replace(observed, training=dataclasses.replace(training, change=words))


async def _read_past(observed: Observed, meta: Mapping[str, Any], ports: Ports) -> Past | None:
    """Ask what earlier Models of this name left, until something is rolled out."""
    rolled_out = observed.rollout is not None and not observed.rollout_lost
    if observed.stable is not None or rolled_out:
        return None
    model = f"{meta['namespace']}/{meta['name']}"
    try:
        history = await ports.record.history(meta["namespace"], meta["name"], ENTRIES)
        promoted = last_promotion(history)
        if promoted is None:
            return Past()
        name = name_registered_model(meta["namespace"], meta["name"])
        registered = await ports.registry.find_versions(name, promoted.version)
    except TransientError as error:
        return unknown_past(str(error), model=model)
    return recall(history, registered, model=model, registered_model=name)


async def _check_registration(
    status: ModelStatus, meta: Mapping[str, Any], ports: Ports
) -> str | None:
    """Return what is wrong with the stable version's registration: empty when nothing is.

    None: not known.  The list may be older than the version, so before anything is said MLflow
    is asked.
    """
    stable = status.stable
    if stable is None or not stable.registry_version:
        return None
    name = name_registered_model(meta["namespace"], meta["name"])
    problem = ports.registrations.problem(name, stable)
    if not problem:
        return problem
    try:
        registered = await ports.registry.find_versions(name, stable.version)
    except TransientError:
        return None
    for one in registered:
        if one.registry_version == stable.registry_version:
            ports.registrations.note(name, one)
            return ports.registrations.problem(name, stable)
    return problem


def check_code(
    spec: ModelSpec,
    stable: VersionReference | None,
    meta: Mapping[str, Any],
    ports: Ports,
    *,
    by_operator: bool,
) -> str | None:
    """Return that the stable version runs code which it may not: empty when not, None: unknown."""
    by_model = spec.serving.allow_artifact_code
    if stable is None or not stable.registry_version or (by_model and by_operator):
        return ""
    name = name_registered_model(meta["namespace"], meta["name"])
    code = ports.registrations.code(name, stable)
    if not code:
        return code
    return explain_kept(stable.version, code, by_model=by_model, by_operator=by_operator)


def _check_answers(
    spec: ModelSpec, status: ModelStatus, meta: Mapping[str, Any], ports: Ports
) -> str | None:
    """Return that the stable version only fails: empty when it does not, None: not known."""
    if status.stable is None:
        return None
    return ports.answers.problem(
        spec.serving.gateway.kind, meta["namespace"], meta["name"], status.stable.version
    )


async def _check_queries(
    spec: ModelSpec, status: ModelStatus, meta: Mapping[str, Any], prometheus: Prometheus
) -> str | None:
    """Return what Prometheus cannot read of the policy's PromQL: empty when it can, None: unknown.

    What it could read is not asked again until the spec changes.
    """
    told = find_condition(status.conditions, QUERIES_READABLE)
    if (
        told is not None
        and told.status == "True"
        and told.observed_generation == meta["generation"]
    ):
        return None

    def fill(text: str) -> str:
        return fill_names(
            text,
            namespace=meta["namespace"],
            model=meta["name"],
            version=_SOME_VERSION,
            stable=_SOME_VERSION,
            window=_SOME_WINDOW,
        )

    return await find_mistakes(find_queries(spec.rollout), fill, prometheus)


async def _check_artifacts(
    spec: ModelSpec,
    status: ModelStatus,
    known: Sequence[VersionReference],
    meta: Mapping[str, Any],
    ports: Ports,
) -> dict[str, str]:
    """Return the digests of blocked versions that the spec asks for and that may have changed.

    The list may be older than a digest that was noted, so MLflow is asked before it counts.
    """
    name, digests = name_registered_model(meta["namespace"], meta["name"]), {}
    for entry in status.blocked:
        if entry.version not in {spec.version, *spec.alternatives}:
            continue
        pinned = spec.digest_of(entry.version)
        reference = find_known(entry.version, known)
        expected = pinned or (reference.digest if reference is not None else "")
        listed = ports.registrations.digests(name, entry.version)
        if not may_have_changed(entry, listed, expected=expected):
            continue
        with contextlib.suppress(TransientError):
            registered = await ports.registry.find_versions(name, entry.version)
            found = choose(entry.version, registered, model=name, known=reference, pinned=pinned)
            if isinstance(found, VersionReference):
                digests[entry.version] = found.digest
    return digests


def _to_observed(
    meta: Mapping[str, Any],
    spec: ModelSpec,
    status: ModelStatus,
    runs: Sequence[Mapping[str, Any]],
    rollouts: Sequence[Mapping[str, Any]],
    *,
    requests: tuple[Request, ...],
    artifacts: Mapping[str, str],
    now: datetime,
) -> Observed:
    """Put together what a decision may depend on."""
    run = _named(runs, status.training_run)
    rollout = _named(rollouts, status.rollout)
    next_rollout = rollout_name(meta["name"], status.rollout_number + 1)
    promotion = spec.promotion
    return Observed(
        now=now,
        generation=meta["generation"],
        suspend=spec.suspend,
        pinned=spec.version,
        pinned_digest=spec.version_digest,
        alternative_digests={each.version: each.digest for each in spec.alternative_digests},
        alternatives=spec.alternatives,
        on_new_target=spec.rollout.on_new_target,
        demand=Demand(
            min_improvement=promotion.min_improvement,
            significance=promotion.significance,
            threshold=promotion.threshold,
            gates=list_demands(promotion.gates),
        ),
        recipe=recipe_digest(spec),
        task=task_digest(spec),
        schedule=spec.training.schedule,
        followed=_followed(spec.training.schedule, status.schedule),
        # A run that is gone before its end was seen is as good as not started.  Without any,
        # the recipe is that of the version that was taken up.
        trained_recipe=status.recipe
        if run or _folded(status) or status.training_run is None
        else None,
        requests=requests,
        stable=status.stable,
        candidate=status.candidate,
        blocked=status.blocked,
        refused=status.refused,
        gate=status.gate,
        training=_read_training(run) if run else None,
        training_folded=_folded(status),
        rollout=_read_rollout(rollout, spec, status, meta["generation"]) if rollout else None,
        rollout_lost=status.rollout is not None and rollout is None,
        rollout_folded=status.rollout is not None and status.folded_rollout == status.rollout,
        waiting=tuple(
            item["metadata"]["name"]
            for item in sorted(rollouts, key=_turn)
            if _read_trigger(item["spec"]) in BY_HAND
            and item["metadata"]["name"] != status.rollout
            and _state(item) is RunState.ACTIVE
            and not _is_invalid(item)
        ),
        next_rollout=next_rollout,
        artifacts=artifacts,
        unnamed_rollout=_read_target(_own(rollouts, next_rollout, meta["uid"])),
        unnamed_training=_read_start(
            _own(runs, training_run_name(meta["name"], status.training_number + 1), meta["uid"])
        ),
    )


def _followed(schedule: Schedule | None, said: ScheduleStatus | None) -> datetime | None:
    """Return how far the schedule in the spec was followed; None: it is new."""
    if schedule is None or said is None:
        return None
    is_it = (said.cron, said.time_zone) == (schedule.cron, schedule.time_zone)
    return said.since if is_it else None


def _read_known(
    status: ModelStatus,
    runs: Sequence[Mapping[str, Any]],
    rollouts: Sequence[Mapping[str, Any]],
) -> tuple[VersionReference, ...]:
    """Read which artifacts versions are: as status has it, and as its children tell.

    A training says what it registered; a Rollout, once it has had traffic, what it was.  What the
    latest of both tells goes before what an earlier one of that version did.
    """
    last_run, last_rollout = _named(runs, status.training_run), _named(rollouts, status.rollout)
    return remember(
        status.versions,
        before=(
            *((status.stable,) if status.stable is not None else ()),
            *itertools.chain.from_iterable(map(read_trained, newest_first(runs))),
            *itertools.chain.from_iterable(map(read_tried, newest_first(rollouts))),
        ),
        now=(
            *(read_trained(last_run) if last_run is not None and not _folded(status) else ()),
            *(read_tried(last_rollout) if last_rollout is not None else ()),
        ),
    )


def _read_trigger(spec: Mapping[str, Any]) -> Trigger:
    """Return why a Rollout was created."""
    return Trigger(spec.get("trigger", Trigger.HAND))


def _settled(rollout: Mapping[str, Any] | None) -> GatewayKind | None:
    """Return the gateway of the last Rollout, ended, once every part has confirmed the route."""
    if rollout is None or _state(rollout) is RunState.ACTIVE:
        return None
    status = RolloutStatus.model_validate(rollout["status"])
    if status.gateway is None or status.observed_weight is None:
        return None
    return status.gateway.kind


def _read_gateway(rollout: Mapping[str, Any] | None) -> GatewaySpec | None:
    """Return what the Rollout's route is for: without host names that are another Model's."""
    said = ((rollout or {}).get("status") or {}).get("gateway")
    return None if said is None else GatewaySpec.model_validate(said)


def _read_told(
    rollout: Mapping[str, Any] | None, kind: str, model: ModelStatus
) -> Condition | None:
    """Return what the Rollout says in a condition of this type; None: nothing yet.

    Before its first look the Model goes on saying what the one before said.
    """
    status = (rollout or {}).get("status") or {}
    if rollout is not None and status.get("phase") is None:
        return find_condition(model.conditions, kind)
    return read_condition(status, kind)


def _read_held(rollout: Mapping[str, Any] | None) -> str | None:
    """Return why the Rollout leaves pods as they are; None when it does not."""
    said = read_condition((rollout or {}).get("status") or {}, UPGRADED)
    return said.message if said is not None and said.status == "False" else None


def _folded(status: ModelStatus) -> bool:
    """Tell whether the end of the latest TrainingRun was acted on."""
    return status.training_run is not None and status.folded_training_run == status.training_run


def _named(items: Sequence[Mapping[str, Any]], name: str | None) -> Mapping[str, Any] | None:
    """Return the item of this name, or None."""
    return next((item for item in items if item["metadata"]["name"] == name), None)


def _own(items: Sequence[Mapping[str, Any]], name: str, uid: str) -> Mapping[str, Any] | None:
    """Return the item of this name that the Model of this uid created, or None."""
    item = _named(items, name)
    return item if item is not None and uid in owners(item) else None


def _read_target(rollout: Mapping[str, Any] | None) -> Target | None:
    """Return what a Rollout moves to."""
    if rollout is None:
        return None
    spec = rollout["spec"]
    return Target(
        version=spec["version"],
        trigger=_read_trigger(spec),
        alternatives=tuple(spec.get("alternatives", ())),
    )


def _read_start(run: Mapping[str, Any] | None) -> Start | None:
    """Return what started a TrainingRun."""
    if run is None:
        return None
    why = f"the operator had started {run['metadata']['name']} when it was cut off"
    return Start(trigger=TrainingTrigger(run["spec"]["trigger"]), why=why)


def _read_recipe(run: Mapping[str, Any] | None) -> str | None:
    """Return the digest of the recipe that a trainer was told; None while it was told none.

    The spec may have changed between the look that started the training and its own first look.
    """
    config = ((run or {}).get("status") or {}).get("config")
    told = json.loads(config or "{}").get("recipeDigest")
    return None if told is None else str(told)


def _turn(rollout: Mapping[str, Any]) -> tuple[bool, str, str]:
    """Return what sorts Rollouts by their turn: what goes back, then the oldest; a total order."""
    meta = rollout["metadata"]
    goes_back = _read_trigger(rollout["spec"]) is Trigger.ROLLBACK
    return not goes_back, meta.get("creationTimestamp", ""), meta["name"]


def _read_training(run: Mapping[str, Any]) -> Training:
    """Read how the Model's latest TrainingRun stands."""
    status = run.get("status") or {}
    return Training(
        name=run["metadata"]["name"],
        state=_state(run),
        reason=status.get("reason", ""),
        message=status.get("message", ""),
        comparison=parse_comparison(status.get("result")),
        started_at=datetime.fromisoformat(began) if (began := status.get("startedAt")) else None,
        task=(run["metadata"].get("annotations") or {}).get(ANNOTATION_TOLD),
    )


def _read_rollout(
    rollout: Mapping[str, Any], model: ModelSpec, last: ModelStatus, generation: int
) -> CurrentRollout:
    """Read how the Model's current Rollout stands; ``last`` is what the Model said before."""
    spec, status = rollout["spec"], rollout.get("status") or {}
    candidate = status.get("candidate") or {"version": spec["version"]}
    annotations = rollout["metadata"].get("annotations") or {}
    state = _state(rollout)
    versions = (spec["version"], *spec.get("alternatives", ()))
    losses = find_losses(versions, status, succeeded=state is RunState.SUCCEEDED)
    return CurrentRollout(
        name=rollout["metadata"]["name"],
        reference=VersionReference.model_validate(candidate),
        versions=versions,
        lost=tuple(
            BlockedVersion(
                version=loss.version,
                reason=loss.reason,
                message=loss.message,
                asked=where_asked(
                    loss.version, pinned=model.version, alternatives=model.alternatives
                ),
                digest=_digest(loss.version, status),
                generation=generation,
            )
            for loss in (() if state is RunState.ACTIVE else losses)
        ),
        trigger=_read_trigger(spec),
        state=state,
        reason=status.get("reason", ""),
        message=status.get("message", ""),
        asked_back=_asked_back(annotations, status),
        leader=find_leader(status),
        paused=status.get("phase") == RolloutPhase.PAUSED,
        weight=_read_weight(status, last.weight),
        out=find_out(versions, status),
        starts=_starts(status),
    )


def _read_weight(status: Mapping[str, Any], last: int | None) -> int:
    """Return the percent that candidates really have: not what is asked for, which may be refused.

    While a gateway does not report, it is what it was.
    """
    observed = status.get("observedWeight")
    if observed is not None:
        return int(observed)
    return (status.get("weight") or 0) if last is None else last


def _starts(status: Mapping[str, Any]) -> bool:
    """Tell whether a Rollout waits, at its turn, for what it needs before it has traffic."""
    before = status.get("phase") in BEFORE_TRAFFIC
    return before and status.get("reason") != RolloutReason.WAITING_FOR_TURN


def _digest(version: str, status: Mapping[str, Any]) -> str:
    """Return the digest that a candidate was resolved to; empty when it never was."""
    candidates = (*status.get("arms", ()), status.get("candidate") or {})
    digests = (entry.get("digest", "") for entry in candidates if entry.get("version") == version)
    return next((digest for digest in digests if digest), "")


def _asked_back(annotations: Mapping[str, str], status: Mapping[str, Any]) -> bool:
    """Tell whether the Rollout was asked to go back, and did not refuse."""
    refused = {
        (answer["action"], answer["text"])
        for answer in status.get("requests", ())
        if answer["outcome"] == RequestOutcome.REFUSED and not answer.get("withdrawn")
    }
    return status.get("phase") == RolloutPhase.ROLLING_BACK or any(
        request.action in {Action.ABORT, Action.SUPERSEDE}
        and (request.action, request.text) not in refused
        for request in read_requests(annotations)
    )


def _is_invalid(rollout: Mapping[str, Any]) -> bool:
    """Tell whether a Rollout that has not begun cannot: it would keep its turn for ever."""
    status = rollout.get("status") or {}
    said = read_condition(status, "Progressing")
    is_new = status.get("phase") in {None, RolloutPhase.PENDING}
    return is_new and said is not None and said.reason == CommonReason.INVALID_SPEC


def _state(item: Mapping[str, Any]) -> RunState:
    """Tell how a child stands, whatever its kind calls it."""
    return _STATES.get((item.get("status") or {}).get("phase"), RunState.ACTIVE)


def _describe(error: ValidationError) -> str:
    """Say in one line which fields are wrong, and how."""
    parts = (
        f"spec.{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}"
        for problem in error.errors()
    )
    return write_list(parts, limit=1000)
