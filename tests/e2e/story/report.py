"""build/demo-report.json: its shape, and how it is written."""

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jsonschema

from e2e.story.answers import Requests
from e2e.story.measured import Promoted, Rollback, Trained

_SECONDS = ("cluster", "images", "install", "story")
_MEMORY = ("operator", "gateway", "serving")
_TEXT = {"type": "string", "minLength": 1}
_NUMBER = {"type": "number"}
_LENGTH = {"type": "number", "minimum": 0}
_COUNT = {"type": "integer", "minimum": 0}


def _object(properties: Mapping[str, Any], *, more: Any = False) -> dict[str, Any]:
    """Build the schema of an object with all of these, and more only of the kind ``more`` says."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": more,
    }


_TRAINED = {
    "version": _TEXT,
    "metric": _TEXT,
    "value": _NUMBER,
    "trials": {"type": "integer", "minimum": 20},
    "seconds": _LENGTH,
}
_PROMOTED = _TRAINED | {
    "champion_value": _NUMBER,
    "gain": _NUMBER,
    "gain_low": _NUMBER,
    "gain_high": _NUMBER,
    "rollout_seconds": _LENGTH,
}
_ROLLBACK = {
    "version": _TEXT,
    "trigger": {"enum": ["analysis", "alert", "startup"]},
    "reason": _TEXT,
    "detection_seconds": _LENGTH,
    "reaction_seconds": _LENGTH,
    "candidate_requests": _COUNT,
    "candidate_errors": _COUNT,
}
_REQUESTS = {field.name: _COUNT for field in dataclasses.fields(Requests)}

SCHEMA = _object(
    {
        "trained": _object(_TRAINED),
        "promoted": _object(_PROMOTED),
        "rollbacks": {"type": "array", "items": _object(_ROLLBACK), "minItems": 3, "maxItems": 3},
        "requests": _object(_REQUESTS),
        "seconds": _object(dict.fromkeys(_SECONDS, _LENGTH)),
        "memory_mib": _object(dict.fromkeys(_MEMORY, _NUMBER), more=_NUMBER),
    }
)

Report = Mapping[str, Any]


def build_report(
    *,
    trained: Trained,
    promoted: Promoted,
    rollbacks: Sequence[Rollback],
    requests: Requests,
    seconds: Mapping[str, float],
    memory_mib: Mapping[str, float],
) -> Report:
    """Put the measurements together.

    Raises:
        jsonschema.ValidationError: one is missing or makes no sense.
    """
    report = {
        "trained": dataclasses.asdict(trained),
        "promoted": dataclasses.asdict(promoted),
        "rollbacks": [dataclasses.asdict(rollback) for rollback in rollbacks],
        "requests": dataclasses.asdict(requests),
        "seconds": dict(seconds),
        "memory_mib": dict(memory_mib),
    }
    jsonschema.validate(report, SCHEMA)
    return report


def write_report(report: Report, path: Path) -> None:
    """Write it whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(report, indent=2) + "\n")
    os.replace(partial, path)
