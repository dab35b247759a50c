"""Rows as one array a column, which is how graphs take them (`fairlead_contract.graph`).

Like a matrix, they are read at once when everything fits at first sight, and cell by cell
whenever it does not.
"""

from collections.abc import Sequence
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from fairlead_contract.graph import MISSING_TEXT
from fairlead_serving.server.instances import (
    MAX_INSTANCES,
    InstanceReader,
    Matrix,
    picker,
)
from fairlead_serving.server.signature import Column, Kind

Texts: TypeAlias = npt.NDArray[np.object_]
ByName: TypeAlias = dict[str, Matrix | Texts]

_TEXTUAL: Final = frozenset({Kind.TEXT, Kind.CATEGORY})
_NUMBERS: Final = frozenset({int, float, type(None)})
_TEXT: Final = frozenset({str})


class ColumnsReader:
    """Reads instances into an array of shape [rows, 1] for each column."""

    def __init__(self, columns: Sequence[Column], *, limit: float) -> None:
        self.instances = InstanceReader(columns, null_is_missing=True, limit=limit)
        self._names = {column.name for column in columns}
        numbers = [column for column in columns if column.kind not in _TEXTUAL]
        self._numbers = [column.name for column in numbers]
        self._texts = [column.name for column in columns if column.kind in _TEXTUAL]
        self._pick_numbers, self._pick_texts = picker(self._numbers), picker(self._texts)
        self._holds = InstanceReader(numbers, null_is_missing=True, limit=limit).holds
        # True is 1 for every column but a time.
        has_time = any(column.kind is Kind.TIME for column in columns)
        self._plain = _NUMBERS if has_time else _NUMBERS | {bool}

    def read(self, instances: object) -> ByName:
        """Read instances; a missing number is NaN, a missing text is empty.

        Raises:
            BadInputError: they do not fit the columns.
        """
        parts = self._read_plain(instances) if isinstance(instances, list) else None
        if parts is None:
            rows = self.instances.read_rows(instances)
            names = [column.name for column in self.instances.columns]
            parts = self._split([dict(zip(names, row, strict=True)) for row in rows])
        numbers, texts = parts
        by_name: ByName = {name: numbers[:, at : at + 1] for at, name in enumerate(self._numbers)}
        for at, name in enumerate(self._texts):
            by_name[name] = texts[:, at : at + 1]
        return by_name

    def blank(self, rows: int = 1) -> ByName:
        """Return rows in which everything is missing."""
        missing = {name: np.full((rows, 1), np.nan) for name in self._numbers}
        return missing | {
            name: np.full((rows, 1), MISSING_TEXT, dtype=np.object_) for name in self._texts
        }

    def _read_plain(self, instances: list[Any]) -> tuple[Matrix, Texts] | None:
        """Read what certainly fits; None where a closer look is needed."""
        if not 0 < len(instances) <= MAX_INSTANCES:
            return None
        numbers, texts = [], []
        for instance in instances:
            if type(instance) is not dict or instance.keys() != self._names:
                return None
            numbers.append(self._pick_numbers(instance))
            texts.append(self._pick_texts(instance))
            if not self._plain.issuperset(map(type, numbers[-1])):
                return None
            if not _TEXT.issuperset(map(type, texts[-1])):
                return None
        try:
            parts = _to_arrays(numbers, texts)
        except OverflowError:
            return None
        return parts if self._holds(parts[0]) else None

    def _split(self, rows: list[dict[str, Any]]) -> tuple[Matrix, Texts]:
        numbers = [self._pick_numbers(row) for row in rows]
        texts = [
            tuple(MISSING_TEXT if cell is None else cell for cell in self._pick_texts(row))
            for row in rows
        ]
        return _to_arrays(numbers, texts)


def _to_arrays(
    numbers: Sequence[tuple[Any, ...]], texts: Sequence[tuple[str, ...]]
) -> tuple[Matrix, Texts]:
    """Lay each column out in one piece."""
    return (
        np.array(numbers, dtype=np.float64, order="F"),
        np.array(texts, dtype=np.object_, order="F"),
    )
