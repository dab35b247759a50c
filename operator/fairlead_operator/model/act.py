"""A decision into the cluster: gateway, address, and the children that are to start."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from fairlead_operator.api.group import ANNOTATION_ABORT
from fairlead_operator.kube.database_secret import build_database_secret
from fairlead_operator.kube.metadata import Owner
from fairlead_operator.model.gateway import build_gateway
from fairlead_operator.model.manifests import build_address, build_rollout, build_training_run
from fairlead_operator.model.observe import Seen
from fairlead_operator.model.state_machine import Decision
from fairlead_operator.ports import Kube, Ports
from fairlead_operator.settings import Settings

_HISTORY: Final = 10
_ENDED: Final = frozenset({"Succeeded", "Failed", "RolledBack"})


async def act(
    body: Mapping[str, Any], decision: Decision, seen: Seen, ports: Ports, settings: Settings
) -> None:
    """Make the decision true; twice is the same as once."""
    owner = Owner.of(body)
    for manifest in build_gateway(
        owner.namespace, images=settings.images, replicas=settings.gateway_replicas
    ):
        await ports.kube.apply(manifest)
    await ports.kube.apply(build_address(owner))
    if seen.spec.serving.prediction_log.enabled:
        await ports.kube.apply(build_database_secret(owner.namespace, settings.database_url))
    if decision.start_training is not None:
        await ports.kube.apply(
            build_training_run(
                owner, number=seen.status.training_number + 1, trigger=decision.start_training
            )
        )
    if decision.start_rollout is not None:
        number = seen.status.rollout_number + 1
        await ports.kube.apply(
            build_rollout(owner, seen.spec, decision.start_rollout, number=number)
        )
    if decision.abort_rollout is not None and seen.status.rollout is not None:
        await ports.kube.annotate(
            "Rollout",
            owner.namespace,
            seen.status.rollout,
            {ANNOTATION_ABORT: decision.abort_rollout},
        )
    await _forget(seen, ports.kube)


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
