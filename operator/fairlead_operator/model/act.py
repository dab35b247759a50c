"""A decision into the cluster: gateway, address, and the children that are to start."""

import asyncio
import contextlib
import dataclasses
import logging
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from fairlead_contract.cluster import ROUTE, route_name
from fairlead_operator.api.conditions import OWN_LOGIN
from fairlead_operator.api.group import GATEWAY_NAME
from fairlead_operator.api.phases import rollout, training_run
from fairlead_operator.attempts import Attempts, Failure
from fairlead_operator.errors import TakenError, TransientError, UnknownKindError
from fairlead_operator.kube.database_secret import name_database_secret
from fairlead_operator.kube.hosts import find_taken
from fairlead_operator.kube.metadata import Owner, component_labels, preview_name
from fairlead_operator.kube.mlflow_secret import build_mlflow_secret
from fairlead_operator.kube.owned import (
    check_names,
    create_once,
    is_left_behind,
    is_ours,
    name_route,
)
from fairlead_operator.kube.pods import read_refusal
from fairlead_operator.kube.refused_pods import have_pods_tried
from fairlead_operator.model.manifests import build_address, build_rollout, build_training_run
from fairlead_operator.model.seen import Seen
from fairlead_operator.model.states import Decision, RunState, Start
from fairlead_operator.namespace.gateway import bind_to_account, build_gateway
from fairlead_operator.namespace.login import BY_VALUE, Provided, provide_login
from fairlead_operator.namespace.tidy import tidy_gateway
from fairlead_operator.ports import Kube, Ports
from fairlead_operator.report import read_condition, read_failures
from fairlead_operator.requests import Action
from fairlead_operator.settings import MlflowSecrets, Settings
from fairlead_operator.text import write_list
from fairlead_operator.upgrades import mark

_LOGGER = logging.getLogger(__name__)
_HISTORY: Final = 10
_PATIENCE: Final = 5.0  # seconds that a look waits for MLflow, however many calls it takes
_AT_ONCE: Final = timedelta(milliseconds=200)
_ENDED: Final[frozenset[str]] = rollout.ENDED | training_run.ENDED


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a decision."""

    failures: tuple[Failure, ...] = ()
    not_started: frozenset[str] = frozenset()  # kinds of children that were to start
    held: str | None = None  # why the gateway's pods are not upgraded yet
    refused: bool = False  # the cluster refuses pods of the gateway
    tidied: bool = True  # what carried the traffic before is gone, if it is time
    login: Provided = dataclasses.field(default_factory=Provided)  # to the database


async def act(
    body: Mapping[str, Any], decision: Decision, seen: Seen, ports: Ports, settings: Settings
) -> Outcome:
    """Make the decision true; twice is the same as once.  No write that fails stops another."""
    owner, attempts = Owner.of(body), Attempts()
    with attempts.attempt():
        await _check_names(owner, decision, seen, ports.kube, settings)
    if attempts.failures:
        return Outcome(failures=attempts.failures, not_started=_due(decision))
    if decision.supersede_by is not None and seen.status.rollout is not None:
        with attempts.attempt():
            await ports.kube.annotate(
                "Rollout",
                owner.namespace,
                seen.status.rollout,
                {Action.SUPERSEDE.annotation: decision.supersede_by},
            )
    held, refused = await _apply_gateway(owner, seen, ports, settings, attempts)
    tidied = await _act_on_gateway(seen, owner, ports.kube, attempts)
    logins = Attempts()
    if _goes_back(decision, seen):
        # It needs no login that it had not before, and its Rollout moves once status names it.
        login, unprovided = _read_logins(body)
    else:
        login = await _provide_logins(owner, decision, seen, ports, settings, attempts=logins)
        unprovided = logins.failures
    not_started = await _start(
        owner, decision, seen, ports.kube, attempts=attempts, unprovided=logins.failures
    )
    await _forget(owner, seen, ports.kube, attempts)
    return Outcome(
        failures=(*attempts.failures, *unprovided),
        not_started=not_started,
        held=held,
        refused=refused,
        tidied=tidied,
        login=login,
    )


async def _provide_logins(
    owner: Owner,
    decision: Decision,
    seen: Seen,
    ports: Ports,
    settings: Settings,
    *,
    attempts: Attempts,
) -> Provided:
    """Let the pods of the namespace sign in to the database and to MLflow."""
    # At every look, so that a new address of the database reaches every namespace when the operator
    # starts with it.
    login = Provided(shared=BY_VALUE if settings.logins.is_shared else None)
    if _needs_login(seen):
        with attempts.attempt():
            login = await provide_login(
                owner.namespace,
                ports,
                address=settings.database_url,
                logins=settings.logins,
                limits=settings.login_limits,
                age=settings.login_age,
            )
    renewed: str | None = None
    with attempts.attempt():
        begins = bool(_due(decision)) or decision.adopt_rollout is not None
        renewed = await _admit(owner, ports, model=owner.name if begins else None)
    return dataclasses.replace(login, renewed=login.renewed or renewed)


async def _admit(owner: Owner, ports: Ports, *, model: str | None) -> str | None:
    """Let the namespace sign in to MLflow, and the Model wait for that no longer than is said.

    Raises:
        TransientError: it takes longer.
    """
    try:
        async with asyncio.timeout(_PATIENCE):
            return await ports.logins.admit(owner.namespace, ports.kube, model=model)
    except TimeoutError as error:
        raise TransientError(
            f"MLflow has not let namespace {owner.namespace} sign in within {_PATIENCE:g} s: "
            "it is asked again"
        ) from error


def _read_logins(body: Mapping[str, Any]) -> tuple[Provided, tuple[Failure, ...]]:
    """Return what was said last of logins and failures; the next look follows at once."""
    status = body.get("status") or {}
    said = read_condition(status, OWN_LOGIN)
    shared = said.message if said is not None and said.status == "False" else None
    return Provided(shared=shared, look_again=_AT_ONCE), read_failures(status)


async def _start(
    owner: Owner,
    decision: Decision,
    seen: Seen,
    kube: Kube,
    *,
    attempts: Attempts,
    unprovided: Sequence[Failure],
) -> frozenset[str]:
    """Start the children that are due; return the kinds of those that could not be.

    ``unprovided`` is why pods cannot sign in.
    """
    left = set(_due(decision))
    if any(failure.taken for failure in (*attempts.failures, *unprovided)):
        return frozenset(left)  # it would be given what is not ours
    if decision.start_training is not None:
        with attempts.attempt():
            await _start_training(owner, decision.start_training, seen, kube)
            left.discard("TrainingRun")
    if decision.start_rollout is not None:
        number = seen.status.rollout_number + 1
        with attempts.attempt():
            child = build_rollout(owner, seen.spec, decision.start_rollout, number=number)
            await create_once(child, kube, beside=_find_left(owner, seen))
            left.discard("Rollout")
    return frozenset(left)


def _goes_back(decision: Decision, seen: Seen) -> bool:
    """Tell whether a version comes back that was in charge of this Model before."""
    start = decision.start_rollout
    if decision.stable is None:
        return False
    if start is None:
        adopted = (r for r in seen.rollouts if r["metadata"]["name"] == decision.adopt_rollout)
        return any(r["spec"].get("trigger") == rollout.Trigger.ROLLBACK for r in adopted)
    if start.trigger == rollout.Trigger.RESTORED:
        return True
    in_charge = set()
    for item in seen.rollouts:
        status = item.get("status") or {}
        in_charge.add((status.get("stable") or {}).get("version"))
        if status.get("phase") == rollout.Phase.SUCCEEDED:
            in_charge.add((status.get("candidate") or item["spec"])["version"])
    return set(start.versions) <= in_charge


def _needs_login(seen: Seen) -> bool:
    """Tell whether pods of the Model write to the database."""
    training = seen.observed.training
    is_training = training is not None and training.state is RunState.ACTIVE
    return is_training or seen.spec.serving.prediction_log.enabled


def _due(decision: Decision) -> frozenset[str]:
    """Return the kinds of children that are to start."""
    due = {"TrainingRun": decision.start_training, "Rollout": decision.start_rollout}
    return frozenset(kind for kind, start in due.items() if start is not None)


async def _check_names(
    owner: Owner, decision: Decision, seen: Seen, kube: Kube, settings: Settings
) -> None:
    """Check the names that a Model needs before it makes or starts the first thing.

    Raises:
        TakenError: another has one of them.
    """
    if decision.stable is not None or not _due(decision):
        return
    built_in = seen.spec.serving.gateway.kind == "BuiltIn"
    parts = _build_parts(owner, settings) if built_in else ()
    starts = decision.start_training is not None or _needs_login(seen)
    login = () if settings.logins.is_provided else (name_database_secret(owner.namespace),)
    is_given = settings.mlflow_secrets is MlflowSecrets.GIVEN
    mlflow = () if is_given else (build_mlflow_secret(owner.namespace, {}),)
    if taken := await find_taken(owner, seen.spec.serving.gateway, kube):
        raise TakenError(write_list(taken.values()))
    routes = name_route(owner, built_in=built_in)
    await check_names((*routes, *parts, *(login if starts else ()), *mlflow), kube)


def _build_parts(owner: Owner, settings: Settings) -> tuple[dict[str, Any], ...]:
    """Build the built-in gateway, after the address at it: the name that others want too."""
    return (
        build_address(owner),
        *build_gateway(owner.namespace, images=settings.images, replicas=settings.gateway_replicas),
    )


async def _start_training(owner: Owner, start: Start, seen: Seen, kube: Kube) -> None:
    number = seen.status.training_number + 1
    task = seen.observed.task
    child = build_training_run(owner, number=number, trigger=start.trigger, task=task)
    await create_once(child, kube, beside=_find_left(owner, seen))
    _LOGGER.info(
        "training started",
        extra={
            "kind": owner.kind,
            "namespace": owner.namespace,
            "object": owner.name,
            "trigger": start.trigger,
            "why": start.why,
        },
    )


def _find_left(owner: Owner, seen: Seen) -> list[Mapping[str, Any]]:
    """Find the children that an earlier Model of this name left, in whose way they are or will be.

    What a person applied has none of our labels, and goes with nobody.
    """
    parts = (("rollout", seen.rollouts), ("training-run", seen.training_runs))
    return [
        item
        for component, items in parts
        for item in items
        if is_left_behind({"metadata": owner.metadata("", component_labels(component, owner.name))},
                          item)
    ]  # fmt: skip


async def _apply_gateway(
    owner: Owner, seen: Seen, ports: Ports, settings: Settings, attempts: Attempts
) -> tuple[str | None, bool]:
    """Bring the built-in gateway and the Model's address at it.

    Return why it is not upgraded, and whether pods of it are refused.
    """
    if seen.spec.serving.gateway.kind != "BuiltIn":
        return None, False
    whose = f"the gateway of {owner.namespace}"
    turn = ports.upgrades.turn(whose, owner.namespace, seen.observed.now)
    held, refused = None, False
    for built in _build_parts(owner, settings):
        with attempts.attempt():
            if built["kind"] != "Deployment":
                await ports.kube.apply(built)
                continue
            account = await ports.kube.get("ServiceAccount", owner.namespace, GATEWAY_NAME)
            if account is None:
                continue  # the pods come once there is what they run as
            asked = {"account": account["metadata"]["uid"]}  # another one's token is refused
            manifest = mark(bind_to_account(built, account), asked=asked)
            live = await ports.kube.get("Deployment", owner.namespace, GATEWAY_NAME)
            held = turn.hold(live, manifest)
            refused = live is not None and read_refusal(live) is not None
            if refused:
                manifest = have_pods_tried(manifest, turn.now)
            if held is None:
                with turn.applying():
                    await ports.kube.apply(manifest)
    return held or turn.under_way(), refused


async def _act_on_gateway(seen: Seen, owner: Owner, kube: Kube, attempts: Attempts) -> bool:
    """Take away what carried the traffic before.

    Whoever carried the traffic before goes on until the other has confirmed the route.  Return
    whether nothing of it is left that should have gone.
    """
    kind = seen.spec.serving.gateway.kind
    if kind != seen.settled or kind == seen.status.gateway:
        return True
    with attempts.attempt():
        if kind == "BuiltIn":
            with contextlib.suppress(UnknownKindError):  # then there is none
                await _remove("HTTPRoute", owner, ROUTE, kube)
        else:
            await _remove("ConfigMap", owner, ROUTE, kube)
            await _remove("Service", owner, "address", kube)
            await tidy_gateway(owner.namespace, kube)
        return True
    return False


async def _remove(kind: str, owner: Owner, component: str, kube: Kube) -> None:
    """Delete what we made of this kind for the Model, and no copy that another made of it."""
    names = {owner.name, route_name(owner.name), preview_name(owner.name)}
    for item in await kube.list(kind, owner.namespace, component_labels(component, owner.name)):
        if item["metadata"]["name"] in names:
            await _delete(item, kube)


async def _forget(owner: Owner, seen: Seen, kube: Kube, attempts: Attempts) -> None:
    """Keep the latest ended children only, those status names, and those a person applied."""
    named = {seen.status.training_run, seen.status.rollout}
    parts = (("training-run", seen.training_runs), ("rollout", seen.rollouts))
    for component, items in parts:
        like = {"metadata": owner.metadata("", component_labels(component, owner.name))}
        ours = [item for item in items if is_ours(like, item)]
        for item in _oldest(ours, keep=_HISTORY):
            if item["metadata"]["name"] not in named:
                with attempts.attempt():
                    await _delete(item, kube)


async def _delete(item: Mapping[str, Any], kube: Kube) -> None:
    meta = item["metadata"]
    await kube.delete(item["kind"], meta["namespace"], meta["name"], uid=meta["uid"])


def _oldest(items: Sequence[Mapping[str, Any]], *, keep: int) -> Sequence[Mapping[str, Any]]:
    ended = [item for item in items if (item.get("status") or {}).get("phase") in _ENDED]
    ended.sort(key=lambda item: item["metadata"].get("creationTimestamp", ""))
    return ended[: max(0, len(ended) - keep)]
