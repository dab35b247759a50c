"""What the command shows as a document for scripts: JSON or YAML.  Pure."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from fairlead_operator.command.refusals import Object


def render(document: Any, output: str) -> str:
    """Write a document as ``json`` or ``yaml``."""
    if output == "yaml":
        return yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def describe_status(model: Object, rollout: Object | None) -> Mapping[str, Any]:
    """Return both objects as the API server has them; ``rollout`` is null when there is none."""
    return {"model": _shown(model), "rollout": None if rollout is None else _shown(rollout)}


def describe_models(models: Sequence[Object]) -> Mapping[str, Any]:
    """Return a list as kubectl writes one."""
    return {"apiVersion": "v1", "kind": "List", "items": [_shown(model) for model in models]}


def _shown(body: Object) -> dict[str, Any]:
    """Leave out who wrote which field, as kubectl does."""
    meta = {key: value for key, value in body["metadata"].items() if key != "managedFields"}
    return {**body, "metadata": meta}
