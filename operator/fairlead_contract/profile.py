"""The profile of the rows that a version learned from: what each column looked like then.  Pure.

The trainer writes it as ``profile.json`` into the version's run in MLflow; whoever watches a
version compares live rows with it, by ``place``, which counts a value as the trainer counted it.
No value of a text is in it, and of categories only the most frequent.

Columns of numbers, truths (1 and 0) and times (seconds since 1970 in UTC) are counted in bins
between ``edges``, their own deciles; texts by their length in characters; categories by value.
"""

import dataclasses
import json
import math
from bisect import bisect_right
from collections.abc import Mapping
from typing import Any, Final

from fairlead_contract.graph import ColumnType

FILE: Final = "profile.json"
FORMAT: Final = 1
MOST_BINS: Final = 10
MOST_VALUES: Final = 50  # of a category that are counted each by itself
LONGEST_VALUE: Final = 100  # characters; longer ones are counted together with the rare ones


class InvalidProfileError(ValueError):
    """A document that this contract did not write."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """How the numbers of a column are spread, or the lengths of its texts."""

    missing: int  # rows without a value
    low: float | None = None  # None where every row lacks a value
    high: float | None = None
    mean: float | None = None
    deviation: float | None = None  # standard deviation of the rows
    edges: tuple[float, ...] = ()  # ascending; a value on an edge counts above it
    counts: tuple[int, ...] = ()  # of the bins, one more than edges

    def place(self, value: float | None) -> int | None:
        """Return the number of the bin of a value; None of a missing one."""
        if value is None or math.isnan(value):
            return None
        return bisect_right(self.edges, value)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Values:
    """How often a category has each of its most frequent values."""

    missing: int
    counts: Mapping[str, int]  # most frequent first
    others: int = 0  # rows with any other value
    different: int = 0  # values in all

    def place(self, value: str | None) -> str | None:
        """Return the value if it is counted by itself, the empty text if it is one of the others.

        None of a missing one.
        """
        if not value:
            return None
        return value if value in self.counts else ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    type: ColumnType
    seen: Spread | Values


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What a version learned from, and what it answered on the hold-out."""

    rows: int  # that it learned from
    columns: Mapping[str, Column]  # of the features, by raw name
    target: Spread | Values  # Values of a classification, by class name
    answered: int  # rows of the hold-out
    answers: Spread | Values  # probability of the positive class, class, or value


def write_profile(profile: Profile) -> str:
    """Write the document."""
    return json.dumps(
        {
            "format": FORMAT,
            "rows": profile.rows,
            "columns": {
                name: {"type": str(column.type), **_write(column.seen)}
                for name, column in profile.columns.items()
            },
            "target": _write(profile.target),
            "holdoutRows": profile.answered,
            "answers": _write(profile.answers),
        },
        ensure_ascii=False,
        allow_nan=False,
    )


def read_profile(text: str) -> Profile:
    """Read the document.

    Raises:
        InvalidProfileError: it is none, or of another format.
    """
    try:
        document = json.loads(text)
        if document["format"] != FORMAT:
            raise InvalidProfileError(
                f"the profile is of format {document['format']}; this release reads {FORMAT}"
            )
        return Profile(
            rows=int(document["rows"]),
            columns={
                name: Column(type=ColumnType(told["type"]), seen=_read(told))
                for name, told in document["columns"].items()
            },
            target=_read(document["target"]),
            answered=int(document["holdoutRows"]),
            answers=_read(document["answers"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, InvalidProfileError):
            raise
        raise InvalidProfileError(f"this is no profile of a version: {error!r}") from error


def _write(seen: Spread | Values) -> dict[str, Any]:
    document = dataclasses.asdict(seen)
    if isinstance(seen, Values):
        document["values"] = dict(document.pop("counts"))
    return {name: value for name, value in document.items() if value is not None}


def _read(told: Mapping[str, Any]) -> Spread | Values:
    if "values" in told:
        return Values(
            missing=int(told["missing"]),
            counts={str(value): int(count) for value, count in told["values"].items()},
            others=int(told["others"]),
            different=int(told["different"]),
        )
    edges, counts = tuple(map(float, told["edges"])), tuple(map(int, told["counts"]))
    if list(edges) != sorted(set(edges)) or len(counts) != (len(edges) + 1 if counts else 0):
        raise InvalidProfileError("the bins of the profile do not fit their edges")
    numbers = {
        name: None if told.get(name) is None else float(told[name])
        for name in ("low", "high", "mean", "deviation")
    }
    return Spread(missing=int(told["missing"]), edges=edges, counts=counts, **numbers)
