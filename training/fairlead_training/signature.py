"""The signature of a model of raw columns, and rows as a caller would give them."""

from collections.abc import Collection, Mapping
from typing import Any

import pandas as pd
from mlflow.types import ColSpec, Schema

from fairlead_contract.graph import MISSING_TEXT, SIGNATURE_TYPES, TEXTUAL, ColumnType


def build_inputs(types: Mapping[str, ColumnType], gaps: Collection[str]) -> Schema:
    """Build the inputs of a signature that gives each column its type."""
    return Schema(
        [
            ColSpec(SIGNATURE_TYPES[kind], name, required=name not in gaps)
            for name, kind in types.items()
        ]
    )


def show_raw(rows: pd.DataFrame, types: Mapping[str, ColumnType]) -> pd.DataFrame:
    """Return rows that were read as a caller would give them."""
    return pd.DataFrame({name: _show_raw(rows[name], kind) for name, kind in types.items()})


def _show_raw(values: "pd.Series[Any]", kind: ColumnType) -> "pd.Series[Any]":
    if kind is ColumnType.TIME:
        return pd.to_datetime(values, unit="s")
    if kind is ColumnType.INTEGER:
        return values.astype("Int64")
    if kind is ColumnType.BOOLEAN:
        return values.astype("boolean")
    if kind in TEXTUAL:
        words = values.astype(object)
        return words.where(words != MISSING_TEXT, None)
    return values
