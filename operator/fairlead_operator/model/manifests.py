"""What a Model makes in the cluster: its address and its children.  Pure."""

from typing import Any

from fairlead_operator.api.group import (
    ANNOTATION_TOLD,
    API_VERSION,
    LABEL_COMPONENT,
    LABEL_MANAGED_BY,
    MANAGED_BY,
)
from fairlead_operator.api.model import ModelSpec
from fairlead_operator.api.phases.rollout import Trigger as RolloutTrigger
from fairlead_operator.api.phases.training_run import Trigger
from fairlead_operator.kube.metadata import Owner, child_name, component_labels
from fairlead_operator.model.states import Target


def build_address(owner: Owner) -> dict[str, Any]:
    """Build the Service whose name clients know: it points at the gateway, whatever is behind."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": owner.metadata(owner.name, component_labels("address", owner.name)),
        "spec": {
            "selector": {LABEL_MANAGED_BY: MANAGED_BY, LABEL_COMPONENT: "gateway"},
            "ports": [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}],
        },
    }


def training_run_name(model: str, number: int) -> str:
    """Return the name of the Model's TrainingRun of this number."""
    return child_name(model, "training", str(number))


def build_training_run(owner: Owner, *, number: int, trigger: Trigger, task: str) -> dict[str, Any]:
    """Build the TrainingRun that the Model starts; ``task`` is the digest of what it is told."""
    meta = owner.metadata(
        training_run_name(owner.name, number), component_labels("training-run", owner.name)
    )
    return {
        "apiVersion": API_VERSION,
        "kind": "TrainingRun",
        "metadata": meta | {"annotations": {ANNOTATION_TOLD: task}},
        "spec": {"model": owner.name, "trigger": str(trigger)},
    }


def rollout_name(model: str, number: int) -> str:
    """Return the name of the Model's Rollout of this number."""
    return child_name(model, "rollout", str(number))


def build_rollout(owner: Owner, spec: ModelSpec, target: Target, *, number: int) -> dict[str, Any]:
    """Build the Rollout that the Model starts; the policy in force now is its own to the end."""
    policy = spec.rollout.model_dump(mode="json", by_alias=True, exclude_none=True)
    is_pinned = target.trigger is RolloutTrigger.PINNED
    digest = spec.digest_of(target.version) if is_pinned else None
    digests = [
        {"version": version, "digest": digest_of_it}
        for version in target.alternatives
        if is_pinned and (digest_of_it := spec.digest_of(version))
    ]
    return {
        "apiVersion": API_VERSION,
        "kind": "Rollout",
        "metadata": owner.metadata(
            rollout_name(owner.name, number), component_labels("rollout", owner.name)
        ),
        "spec": {
            "model": owner.name,
            "version": target.version,
            **({"versionDigest": digest} if digest else {}),
            **({"alternatives": list(target.alternatives)} if target.alternatives else {}),
            **({"alternativeDigests": digests} if digests else {}),
            "trigger": str(target.trigger),
            "policy": policy,
        },
    }
