"""A decision into the cluster: gateway, address, and the children that are to start."""

import contextlib
import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final

from fairlead_contract.cluster import ROUTE
from fairlead_operator.api.phases import rollout, training_run
from fairlead_operator.errors import UnknownKindError
from fairlead_operator.kube.database_secret import build_database_secret
from fairlead_operator.kube.metadata import Owner, component_labels
from fairlead_operator.model.manifests import build_address, build_rollout, build_training_run
from fairlead_operator.model.seen import Seen
from fairlead_operator.model.states import Decision, Start
from fairlead_operator.namespace.gateway import build_gateway
from fairlead_operator.namespace.tidy import tidy_gateway
from fairlead_operator.ports import Kube, Ports
from fairlead_operator.requests import Action
from fairlead_operator.settings import Settings

_LOGGER = logging.getLogger(__name__)
_HISTORY: Final = 10
_ENDED: Final[frozenset[str]] = rollout.ENDED | training_run.ENDED


async def act(
    body: Mapping[str, Any], decision: Decision, seen: Seen, ports: Ports, settings: Settings
) -> None:
    """Make the decision true; twice is the same as once."""
    owner = Owner.of(body)
    await _act_on_gateway(owner, seen, ports.kube, settings)
    if seen.spec.serving.prediction_log.enabled:
        await ports.kube.apply(build_database_secret(owner.namespace, settings.database_url))
    if decision.start_training is not None:
        await _start_training(owner, decision.start_training, seen, ports.kube)
    if decision.start_rollout is not None:
        number = seen.status.rollout_number + 1
        await ports.kube.apply(
            build_rollout(owner, seen.spec, decision.start_rollout, number=number)
        )
    if decision.supersede_by is not None and seen.status.rollout is not None:
        await ports.kube.annotate(
            "Rollout",
            owner.namespace,
            seen.status.rollout,
            {Action.SUPERSEDE.annotation: decision.supersede_by},
        )
    await _forget(seen, ports.kube)


async def _start_training(owner: Owner, start: Start, seen: Seen, kube: Kube) -> None:
    number = seen.status.training_number + 1
    await kube.apply(
        build_training_run(owner, number=number, trigger=start.trigger, task=seen.observed.task)
    )
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


async def _act_on_gateway(owner: Owner, seen: Seen, kube: Kube, settings: Settings) -> None:
    """Bring the built-in gateway and the Model's address at it, or take them away.

    Whoever carried the traffic before goes on until the other has confirmed the route.
    """
    kind = seen.spec.serving.gateway.kind
    if kind == "BuiltIn":
        for manifest in build_gateway(
            owner.namespace, images=settings.images, replicas=settings.gateway_replicas
        ):
            await kube.apply(manifest)
        await kube.apply(build_address(owner))
    if kind != seen.settled or kind == seen.status.gateway:
        return
    if kind == "BuiltIn":
        with contextlib.suppress(UnknownKindError):  # then there is none
            await _remove("HTTPRoute", owner, ROUTE, kube)
    else:
        await _remove("ConfigMap", owner, ROUTE, kube)
        await _remove("Service", owner, "address", kube)
        await tidy_gateway(owner.namespace, kube)


async def _remove(kind: str, owner: Owner, component: str, kube: Kube) -> None:
    """Delete what we made of this kind for the Model, and nothing of others."""
    for item in await kube.list(kind, owner.namespace, component_labels(component, owner.name)):
        await kube.delete(kind, owner.namespace, item["metadata"]["name"])


async def _forget(seen: Seen, kube: Kube) -> None:
    """Keep the latest ended children only, and always the ones status names."""
    named = {seen.status.training_run, seen.status.rollout}
    for items in (seen.training_runs, seen.rollouts):
        for item in _oldest(items, keep=_HISTORY):
            meta = item["metadata"]
            if meta["name"] not in named:
                await kube.delete(item["kind"], meta["namespace"], meta["name"])


def _oldest(items: Sequence[Mapping[str, Any]], *, keep: int) -> Sequence[Mapping[str, Any]]:
    ended = [item for item in items if (item.get("status") or {}).get("phase") in _ENDED]
    ended.sort(key=lambda item: item["metadata"].get("creationTimestamp", ""))
    return ended[: max(0, len(ended) - keep)]
