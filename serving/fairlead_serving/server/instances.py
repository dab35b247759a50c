"""What a client may send: rows that fit the model's columns, or a refusal that says where not.

Two readers.  `read_rows` looks at every cell and explains the first that does not fit.
`read_matrix` answers in microseconds when everything fits at first sight, and asks
`read_rows` whenever it does not; it never refuses by itself.
"""

import math
import reprlib
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from fairlead_contract.graph import spell
from fairlead_serving.server.signature import Column, Kind

MAX_INSTANCES = 10_000
FLOAT32_MAX = float(np.finfo(np.float32).max)

Cell: TypeAlias = float | bool | str | None  # int is meant by float
Row: TypeAlias = tuple[Cell, ...]
Matrix: TypeAlias = npt.NDArray[np.float64]

_LIMITS = {"integer": 2**31 - 1, "long": 2**63 - 1, "float": FLOAT32_MAX}
_FORMATS = {"integer": "int32", "long": "int64", "float": "float", "double": "double"}
_JSON_TYPES: Mapping[Kind, str | list[str]] = {
    Kind.NUMBER: "number",
    Kind.WHOLE: "integer",
    Kind.BOOLEAN: "boolean",
    Kind.TEXT: "string",
    Kind.CATEGORY: ["string", "number", "boolean"],
    Kind.TIME: ["string", "number"],
}
_TIME = "2026-01-31T12:00:00Z"
_TIME_FORMS = f"A time such as {_TIME}, or seconds since 1970, both in UTC if they do not say."
_SHOWN = 40  # characters of a refused value that are repeated to the client


class BadInputError(Exception):
    """The client's mistake; the message names the row and the column."""


class TooLargeError(BadInputError):
    """More than one request may hold."""


class InstanceReader:
    """Reads instances for one model.

    Args:
        columns: in the order the model takes them.
        null_is_missing: whether null may stand in any column, because the model knows missing
            values.  Otherwise only in floating-point columns and optional ones.
        limit: the largest number the model can hold; None asks the column's type.
    """

    def __init__(
        self,
        columns: Sequence[Column],
        *,
        null_is_missing: bool,
        limit: float | None = None,
    ) -> None:
        self.columns = tuple(columns)
        self._columns = {column.name: column for column in columns}
        self._null_is_missing = null_is_missing
        self._limits = {column.name: limit or _limit_of_type(column) for column in columns}
        self._limit_row = np.array([float(value) for value in self._limits.values()])
        self._whole = [at for at, column in enumerate(columns) if column.kind is Kind.WHOLE]
        self._flags = [at for at, column in enumerate(columns) if column.kind is Kind.BOOLEAN]
        self._plain: set[type] = set()
        if all(column.kind in {Kind.NUMBER, Kind.WHOLE} for column in columns):
            self._plain = {int, float, bool} | ({type(None)} if null_is_missing else set())
        self._pick = picker(list(self._columns))

    def read_matrix(self, instances: object) -> Matrix:
        """Read instances of numbers as one array; a missing value is NaN.

        Raises:
            BadInputError: as `read_rows`.
        """
        _check_number_of(instances)
        matrix = self._read_plain(instances)
        if matrix is None:
            matrix = np.array(self.read_rows(instances), dtype=np.float64)
        return matrix

    def read_rows(self, instances: object) -> list[Row]:
        """Read instances of any kind, cell by cell, in the order of the columns.

        Raises:
            BadInputError: they do not fit the columns.
        """
        return [
            self._read_row(f"instances[{at}]", instance)
            for at, instance in enumerate(_check_number_of(instances))
        ]

    def schema(self) -> dict[str, Any]:
        """Return a JSON schema of an instance: all that it allows is read, and a little more."""
        return {
            "type": "object",
            "properties": {column.name: self._cell_schema(column) for column in self.columns},
            "required": [column.name for column in self.columns if column.required],
            "additionalProperties": False,
        }

    def _cell_schema(self, column: Column) -> dict[str, Any]:
        kinds = _JSON_TYPES[column.kind]
        if self._takes_null(column):
            kinds = [*([kinds] if isinstance(kinds, str) else kinds), "null"]
        schema: dict[str, Any] = {"type": kinds}
        if column.kind is Kind.TIME:
            schema["description"] = _TIME_FORMS
        if column.kind in {Kind.NUMBER, Kind.WHOLE}:
            most = min(self._limits[column.name], _limit_of_type(column))
            schema |= {"minimum": -most, "maximum": most, "format": _FORMATS[column.mlflow_type]}
        return schema

    def _takes_null(self, column: Column) -> bool:
        return self._null_is_missing or not column.required or column.kind is Kind.NUMBER

    def _read_plain(self, instances: Any) -> Matrix | None:
        """Read what certainly fits; None where a closer look is needed."""
        names, plain, pick = self._columns.keys(), self._plain, self._pick
        rows = []
        for instance in instances:
            if type(instance) is not dict or instance.keys() != names:
                return None
            row = pick(instance)
            if not plain.issuperset(map(type, row)):
                return None
            rows.append(row)
        try:
            matrix = np.array(rows, dtype=np.float64)
        except OverflowError:
            return None
        return matrix if self.holds(matrix) else None

    def holds(self, matrix: Matrix) -> bool:
        """Tell whether the columns can hold these numbers, of which NaN is a missing one."""
        if (np.abs(matrix) > self._limit_row).any():
            return False
        if self._whole:
            whole = matrix[:, self._whole]
            if not ((np.floor(whole) == whole) | np.isnan(whole)).all():
                return False
        if self._flags:
            flags = matrix[:, self._flags]
            return bool(((flags == 0) | (flags == 1) | np.isnan(flags)).all())
        return True

    def _read_row(self, where: str, instance: object) -> Row:
        if not isinstance(instance, dict):
            raise BadInputError(f"{where} is {show(instance)}; give an object of column: value")
        for name in instance:
            if name not in self._columns:
                raise BadInputError(
                    f"{where} has the unknown column {show(name)}; the model takes "
                    f"{', '.join(self._columns)}"
                )
        return tuple(self._read_cell(where, column, instance) for column in self._columns.values())

    def _read_cell(self, where: str, column: Column, instance: dict[str, object]) -> Cell:
        if column.name not in instance:
            if column.required:
                raise BadInputError(f"{where} has no column {column.name!r}")
            return None
        value = instance[column.name]
        if value is None or (isinstance(value, float) and math.isnan(value)):
            if self._takes_null(column):
                return None
            raise BadInputError(f"{where}, column {column.name!r}: null; give a {column.kind}")
        problem = _find_problem(column.kind, value, self._limits[column.name])
        if problem:
            raise BadInputError(f"{where}, column {column.name!r}: {show(value)} {problem}")
        return _read_value(column.kind, value)


def _read_value(kind: Kind, value: Any) -> Cell:
    """Write a value that fits as the model takes it."""
    match kind:
        case Kind.NUMBER | Kind.WHOLE if isinstance(value, bool):
            return int(value)  # as the training read a column of booleans
        case Kind.BOOLEAN:
            return bool(value)
        case Kind.CATEGORY:
            return spell(value)
        case Kind.TIME:
            return _read_time(value)
    return value  # type: ignore[no-any-return]  # one of a cell's


def _read_time(value: object) -> float | None:
    """Read a time as seconds since 1970 in UTC, which it is in where it does not say; or None."""
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
        moment = datetime.fromisoformat(value)  # type: ignore[arg-type]  # no text: TypeError
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None


def picker(names: Sequence[str]) -> Callable[[dict[str, Any]], tuple[Any, ...]]:
    """Return what takes the cells of these columns out of a row."""
    if len(names) > 1:
        return itemgetter(*names)
    return lambda row: tuple(row[name] for name in names)


def _limit_of_type(column: Column) -> float:
    return _LIMITS.get(column.mlflow_type, sys.float_info.max)


def _find_problem(kind: Kind, value: object, limit: float) -> str | None:
    """Say what is wrong with a value for a column of this kind."""
    if kind is Kind.TEXT:
        return None if isinstance(value, str) else "is not a string"
    if kind is Kind.CATEGORY:
        return None if isinstance(value, str | int | float) else "is not a string or a number"
    if kind is Kind.TIME:
        seconds = _read_time(value)
        is_time = seconds is not None and abs(seconds) <= limit
        return None if is_time else f"is neither a time such as {_TIME} nor seconds since 1970"
    if kind is Kind.BOOLEAN:
        is_boolean = isinstance(value, int | float) and value in {0, 1}  # 1.0 too, as for numbers
        return None if is_boolean else "is not true or false"
    if not isinstance(value, int | float):
        return "is not a number"
    if abs(value) > limit:
        return "is too large for the model"
    if kind is Kind.WHOLE and value != math.floor(value):
        return "is not a whole number"
    return None


def _check_number_of(instances: object) -> list[object]:
    if not isinstance(instances, list):
        raise BadInputError(f"instances is {show(instances)}; give a list of objects")
    if not instances:
        raise BadInputError("instances is empty; give at least one object")
    if len(instances) > MAX_INSTANCES:
        raise TooLargeError(
            f"{len(instances)} instances in one request; send at most {MAX_INSTANCES}"
        )
    return instances


def show(value: object) -> str:
    """Repeat a client's value, cut where it is long."""
    if value is None:
        return "null"
    if isinstance(value, str):
        value = value[: _SHOWN + 1]
    # Lists and objects may nest deeper than Python's own `repr` goes.
    text = reprlib.repr(value) if isinstance(value, list | dict) else repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
