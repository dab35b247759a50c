"""Tell what kind of values a raw column holds.  Pure.

What the Model declares goes before.  Otherwise the first rule that fits:

    boolean    truths, or the texts true and false, whatever their case
    time       dates and times; texts of which nearly all are such in ISO 8601, as 2026-01-31
    number     numbers; texts of which nearly all are numbers, also with separators or a unit, which
               reading refuses, unless one begins with a zero, as postal codes do
    text       texts of several words that seldom come twice
    category   all other texts; UUIDs, addresses and times of the day

A column that a few values keep from being numbers or times is one all the same: reading it names
them.  Whole numbers are numbers, too: one gap more or less would make them others, and with them
what callers may send.  Only a declared integer is held to whole ones.
"""

import datetime
import numbers
import re
from collections.abc import Mapping
from decimal import Decimal
from ipaddress import IPv4Address, IPv6Address
from typing import Any, Final
from uuid import UUID

import numpy.typing as npt
import pandas as pd

from fairlead_contract.graph import MISSING_TEXT, ColumnType
from fairlead_training.columns import is_gap, show_names

_DATE: Final = re.compile(r"\s*[+-]?\d{4,6}-\d{1,2}-\d{1,2}(?=$|[\sT])")
# 1,234.50 and 1.234,50 and 0,5, a price and a share: a number to people, and to no server.
_SEPARATED: Final = re.compile(
    r"\s*[-+]?[$€£¥]?\s*(\d{1,3}(,\d{3})+(\.\d+)?|\d{1,3}(\.\d{3})+,\d+|\d+([.,]\d+)?)\s*[%$€£¥]?\s*"
)
# What databases have beside texts, and what is written as one.
_NAMES: Final = (UUID, IPv4Address, IPv6Address, datetime.time)
_LEADING_ZERO: Final = re.compile(r"\s*[+-]?0\d")
_TRUTHS: Final = frozenset({"true", "false"})
_NEARLY_ALL: Final = 0.9  # of the texts
_WORDS: Final = 3  # a text, at the median
_OFTEN: Final = 0.5  # share of texts that differ from all before them
_FEW: Final = 50  # different texts that are categories, however long
_DIFFERENT: Final = 0.95  # share of texts that differ, where they name their rows
_LEAST_ROWS: Final = 20  # that can tell names from words
_SHOWN: Final = 6  # columns of a type that are named in a line
_TELLING_FIRST: Final = (
    ColumnType.CATEGORY,
    ColumnType.TEXT,
    ColumnType.TIME,
    ColumnType.BOOLEAN,
    ColumnType.INTEGER,
    ColumnType.NUMBER,
)


def infer_type(column: "pd.Series[Any]") -> ColumnType:
    """Return the type of a column as the source gives it.

    A column of what no type has, such as lists or lengths of time, is called a number: reading it
    says what it holds.
    """
    if pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_bool_dtype(column.dtype):
        return ColumnType.NUMBER  # at once: there may be many
    present = column.dropna()
    if isinstance(present.dtype, pd.CategoricalDtype):
        present = present.astype(present.dtype.categories.dtype)
    present = present.infer_objects()
    if pd.api.types.is_bool_dtype(present.dtype) and len(present):
        return ColumnType.BOOLEAN
    if pd.api.types.is_datetime64_any_dtype(present.dtype):
        return ColumnType.TIME
    if pd.api.types.is_numeric_dtype(present.dtype):
        return ColumnType.NUMBER
    values = present.astype(object)
    texts = values[values.map(lambda value: isinstance(value, str))]
    if len(texts) < len(values):
        return _infer_from_objects(values)
    return _infer_from_texts(texts)


def describe_types(types: Mapping[str, ColumnType]) -> str | None:
    """Say in one line which columns are of which type; None where all are numbers."""
    if set(types.values()) <= {ColumnType.NUMBER}:
        return None
    named = {kind: [name for name in types if types[name] is kind] for kind in ColumnType}
    parts = []
    for kind in _TELLING_FIRST:
        names = named[kind]
        if len(names) > _SHOWN:
            parts.append(f"{kind}: {len(names)} columns")
        elif names:
            parts.append(f"{kind}: {show_names(names)}")
    return "; ".join(parts)


def names_rows(texts: npt.NDArray[Any]) -> bool:
    """Tell whether categories name their rows: hardly one of them would come again."""
    present = texts[texts != MISSING_TEXT]
    if len(present) < _LEAST_ROWS:
        return False
    return len(pd.unique(present)) >= _DIFFERENT * len(present)


def _infer_from_objects(values: "pd.Series[Any]") -> ColumnType:
    kinds = set(values.map(type))
    if all(issubclass(kind, datetime.date) for kind in kinds):
        return ColumnType.TIME
    if all(issubclass(kind, _NAMES) for kind in kinds):
        return ColumnType.CATEGORY
    if all(issubclass(kind, numbers.Real | Decimal) for kind in kinds):
        return ColumnType.NUMBER
    if all(issubclass(kind, str | numbers.Real | Decimal) for kind in kinds):
        return _infer_from_texts(values.map(str))
    return ColumnType.NUMBER


def _infer_from_texts(texts: "pd.Series[Any]") -> ColumnType:
    texts = texts[~texts.map(is_gap).astype(bool)]
    different = pd.Series(texts.unique(), dtype=object)
    if not len(different):
        return ColumnType.NUMBER
    if set(different.str.strip().str.lower()) <= _TRUTHS:
        return ColumnType.BOOLEAN
    if texts.str.match(_DATE).mean() >= _NEARLY_ALL and _are_times(texts):
        return ColumnType.TIME
    are_numbers = pd.to_numeric(texts, errors="coerce").notna()
    if are_numbers.mean() >= _NEARLY_ALL:
        is_code = different.str.match(_LEADING_ZERO).any()
        return ColumnType.CATEGORY if is_code else ColumnType.NUMBER
    if (are_numbers | texts.str.fullmatch(_SEPARATED)).mean() >= _NEARLY_ALL:
        return ColumnType.NUMBER
    words = different.str.count(r"\S+")
    if len(different) > max(_FEW, _OFTEN * len(texts)) and words.median() >= _WORDS:
        return ColumnType.TEXT
    return ColumnType.CATEGORY


def _are_times(texts: "pd.Series[Any]") -> bool:
    times = pd.to_datetime(texts, utc=True, format="ISO8601", errors="coerce")
    return bool(times.notna().mean() >= _NEARLY_ALL)
