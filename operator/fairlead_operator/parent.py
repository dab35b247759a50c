"""The Model that a TrainingRun or a Rollout belongs to, read and parsed."""

import copy
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from fairlead_operator.api.base import Spec
from fairlead_operator.api.model import ModelSpec, ModelStatus
from fairlead_operator.api.phases.common import CommonReason
from fairlead_operator.errors import InvalidSpecError, ParentMissingError
from fairlead_operator.ports import Kube

_S = TypeVar("_S", bound=Spec)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Parent:
    body: Mapping[str, Any]
    spec: ModelSpec
    status: ModelStatus
    unread: str | None = None  # what of the spec could not be read, and is as if it were not there


# In place of what every Model has, where that cannot be read: nobody is served or trained by it.
LEAST_MODEL: Final[Mapping[str, Any]] = {
    "task": "regression",
    "data": {"source": {"uri": "https://invalid/rows.csv"}, "target": "y", "timestampColumn": "t"},
}
_MOST_FAULTS: Final = 100


def without_wait(status: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Return the status without a wait of who has not begun: for a Model, or for a correction."""
    said = status or {}
    is_new = said.get("reason") == CommonReason.INVALID_SPEC and said.get("startedAt") is None
    if said.get("reason") != CommonReason.WAITING_FOR_MODEL and not is_new:
        return said
    return {
        name: value for name, value in said.items() if name not in {"phase", "reason", "message"}
    }


async def read_parent(name: str, namespace: str, kube: Kube, *, in_part: bool = False) -> Parent:
    """Read the Model that ``spec.model`` names; ``in_part`` leaves out what cannot be read.

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
    unread = None
    try:
        status = ModelStatus.model_validate(body.get("status") or {})
        try:
            spec = ModelSpec.model_validate(body["spec"])
        except ValidationError as error:
            if not in_part:
                raise
            spec = read_in_part(ModelSpec, body["spec"], least=LEAST_MODEL)
            unread = f"Model {name}: {error}"
    except ValidationError as error:
        raise InvalidSpecError(f"Model {name}: {error}") from error
    return Parent(body=body, spec=spec, status=status, unread=unread)


def read_in_part(kind: type[_S], spec: Mapping[str, Any], *, least: Mapping[str, Any]) -> _S:
    """Read a spec without the fields that cannot be read, as if nobody had set them.

    ``least`` has what must be there, and is taken where that cannot be read.
    """
    left = copy.deepcopy(dict(spec))
    for _ in range(_MOST_FAULTS):
        try:
            return kind.model_validate(left)
        except ValidationError as error:
            for fault in error.errors(include_url=False, include_context=False):
                _leave_out(left, fault["loc"], least)
    return kind.model_validate(least)


def _leave_out(
    spec: dict[str, Any], location: Sequence[int | str], least: Mapping[str, Any]
) -> None:
    """Remove the innermost field on the way to a fault; what every Model has is replaced."""
    holder, key, inner = spec, str(location[0]), spec.get(str(location[0]))
    for part in location[1:]:
        if not isinstance(inner, dict) or part not in inner:
            break
        holder, key, inner = inner, str(part), inner[part]
    holder.pop(key, None)
    if holder is spec and key in least:
        spec[key] = copy.deepcopy(least[key])
