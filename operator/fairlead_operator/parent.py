"""The Model that a TrainingRun or a Rollout belongs to, read and parsed."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from fairlead_operator.api.model import ModelSpec, ModelStatus
from fairlead_operator.api.phases.common import CommonReason
from fairlead_operator.errors import InvalidSpecError, ParentMissingError
from fairlead_operator.ports import Kube


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Parent:
    body: Mapping[str, Any]
    spec: ModelSpec
    status: ModelStatus


def without_wait(status: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Return the status without the wait for a Model: who only waited for one has not begun."""
    said = status or {}
    if said.get("reason") != CommonReason.WAITING_FOR_MODEL:
        return said
    return {
        name: value for name, value in said.items() if name not in {"phase", "reason", "message"}
    }


async def read_parent(name: str, namespace: str, kube: Kube) -> Parent:
    """Read the Model that ``spec.model`` names.

    Raises:
        ParentMissingError: it is missing.
        InvalidSpecError: it cannot be read.
        TransientError: the cluster did not answer.
    """
    body = await kube.get("Model", namespace, name)
    if body is None:
        raise ParentMissingError(
            f"spec.model: there is no Model {name} in namespace {namespace}; create the Model, or "
            "delete this object"
        )
    try:
        spec = ModelSpec.model_validate(body["spec"])
        status = ModelStatus.model_validate(body.get("status") or {})
    except ValidationError as error:
        raise InvalidSpecError(f"Model {name}: {error}") from error
    return Parent(body=body, spec=spec, status=status)
