"""What a model predicts, and the columns it takes: MLflow's signature without MLflow or pandas."""

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Task(StrEnum):
    """What kind of prediction the model makes."""

    BINARY = "binary-classification"
    MULTICLASS = "multiclass-classification"
    REGRESSION = "regression"


class Kind(StrEnum):
    """What a cell of a column may hold."""

    NUMBER = "number"
    WHOLE = "whole number"
    BOOLEAN = "boolean"
    TEXT = "string"
    CATEGORY = "category"  # a string, or what is written as one
    TIME = "time"  # as text, or seconds since 1970 in UTC


_KINDS = {
    "double": Kind.NUMBER,
    "float": Kind.NUMBER,
    "long": Kind.WHOLE,
    "integer": Kind.WHOLE,
    "boolean": Kind.BOOLEAN,
    "string": Kind.TEXT,
    "datetime": Kind.TIME,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One input of the model."""

    name: str
    kind: Kind
    mlflow_type: str = "double"
    required: bool = True


def parse_columns(signature: object) -> tuple[Column, ...]:
    """Read the inputs of a signature as the `MLmodel` file has it.

    Raises:
        ValueError: there is no signature, or one without named columns of plain types.
    """
    if not isinstance(signature, dict) or not signature.get("inputs"):
        raise ValueError("the model has no signature; log it with one")
    inputs = json.loads(signature["inputs"])
    if not inputs:
        raise ValueError("the model's signature has no inputs; log it with an input example")
    return tuple(_column(entry) for entry in inputs)


def _column(entry: dict[str, Any]) -> Column:
    name, mlflow_type = entry.get("name", ""), entry.get("type")
    if not name:
        raise ValueError("the model's signature has inputs without names; log it with a DataFrame")
    kind = _KINDS.get(str(mlflow_type))
    if kind is None:
        types = ", ".join(_KINDS)
        raise ValueError(f"column {name!r} has type {mlflow_type}; the server takes {types}")
    return Column(
        name=name, kind=kind, mlflow_type=str(mlflow_type), required=entry.get("required", True)
    )
