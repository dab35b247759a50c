"""The ONNX graph that answers from raw columns: how the trainer writes it, how servers read it.

Each raw column is one input of shape [None, 1], named as the column; its type says the tensor and
how a missing value is written there.  The outputs, by name:

    fairlead.probabilities   [None, classes] float32, for a classification (two columns if binary)
    fairlead.value           [None, 1] float32, for a regression
    fairlead.features        [None, n] float32, what the learner sees; explanations start from it

A graph with ``fairlead.features`` alone prepares the columns, and the native model beside it
answers.  Every other name in the graph begins with RESERVED as well, so no column may.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

FLAVOR: Final = "onnx"  # MLflow's name for the form
FILE: Final = "model.onnx"
# In the metadata of the MLmodel file, which says it before anything is opened: any other graph
# takes its inputs in a way of its own, and is left to MLflow.
MARK: Final[Mapping[str, str]] = {"fairlead.graph": "columns"}
OPSET: Final = 18
ML_OPSET: Final = 3  # of ai.onnx.ml

RESERVED: Final = "fairlead."
PROBABILITIES: Final = "fairlead.probabilities"
VALUE: Final = "fairlead.value"
FEATURES: Final = "fairlead.features"

# Keys of the graph's own metadata_props.
TASK: Final = "fairlead.task"
CLASSES: Final = "fairlead.classes"  # JSON: the labels, in the order of the probabilities
COLUMNS: Final = "fairlead.columns"  # JSON: column -> type, in the order of the signature
SOURCES: Final = "fairlead.sources"  # JSON: for each feature, the column it is made of

MISSING_NUMBER: Final = math.nan
MISSING_TEXT: Final = ""

Label = str | int | float | bool

_EXACT: Final = 2.0**53  # up to it, a double is one whole number


class ColumnType(StrEnum):
    """What a raw column holds."""

    NUMBER = "number"
    INTEGER = "integer"
    BOOLEAN = "boolean"  # 1 and 0
    CATEGORY = "category"
    TEXT = "text"
    TIME = "time"  # seconds since 1970 in UTC


# Given as tensor(string); all others are tensor(double).
TEXTUAL: Final = frozenset({ColumnType.CATEGORY, ColumnType.TEXT})

# MLflow's types, for the signature.
SIGNATURE_TYPES: Final[Mapping[ColumnType, str]] = {
    ColumnType.NUMBER: "double",
    ColumnType.INTEGER: "long",
    ColumnType.BOOLEAN: "boolean",
    ColumnType.CATEGORY: "string",
    ColumnType.TEXT: "string",
    ColumnType.TIME: "datetime",
}


class InvalidGraphError(ValueError):
    """Metadata of a graph that was not written by this contract."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What a graph says of itself."""

    task: str
    classes: tuple[Label, ...] | None  # in the user's own words; None for a regression
    columns: Mapping[str, ColumnType]
    sources: tuple[str, ...]

    @property
    def answer(self) -> str:
        """Return the name of the output that answers."""
        return VALUE if self.classes is None else PROBABILITIES


def is_marked(metadata: object) -> bool:
    """Tell whether the metadata of an ``MLmodel`` file says that its graph is of this contract."""
    return isinstance(metadata, Mapping) and all(
        metadata.get(key) == value for key, value in MARK.items()
    )


def write_metadata(description: Description) -> dict[str, str]:
    """Return the metadata_props of a graph."""
    written = {
        TASK: description.task,
        COLUMNS: json.dumps(description.columns),
        SOURCES: json.dumps(description.sources),
    }
    if description.classes is not None:
        written[CLASSES] = json.dumps(description.classes)
    return written


def read_metadata(metadata: Mapping[str, str]) -> Description:
    """Read the metadata_props of a graph.

    Raises:
        InvalidGraphError: naming the key that is missing or wrong.
    """
    classes = None
    if CLASSES in metadata:
        classes = tuple(_read(metadata, CLASSES, list))
        if not classes or not all(isinstance(label, str | int | float) for label in classes):
            raise InvalidGraphError(f"{CLASSES} is not a list of labels")
    columns = _read(metadata, COLUMNS, dict)
    known = {str(kind) for kind in ColumnType}
    for name, kind in columns.items():
        if not isinstance(kind, str) or kind not in known:
            raise InvalidGraphError(f"{COLUMNS} gives the column {name} a type that is not known")
    sources = tuple(_read(metadata, SOURCES, list))
    if not all(isinstance(source, str) and source in columns for source in sources):
        raise InvalidGraphError(f"{SOURCES} names what {COLUMNS} does not")
    if not metadata.get(TASK):
        raise InvalidGraphError(f"{TASK} is missing")
    return Description(
        task=metadata[TASK],
        classes=classes,
        columns={name: ColumnType(kind) for name, kind in columns.items()},
        sources=sources,
    )


def spell(value: Label | None) -> str:
    """Return the text of a category, however a table or a request holds it.

    A whole number reads the same as an integer and as a float, into which a gap turns it.
    """
    match value:
        case None:
            return MISSING_TEXT
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
    if math.isnan(value):
        return MISSING_TEXT
    if abs(value) < _EXACT and value == int(value):
        return str(int(value))
    return repr(value)


def _read(metadata: Mapping[str, str], key: str, kind: type) -> Any:
    try:
        value = json.loads(metadata[key])
    except KeyError as error:
        raise InvalidGraphError(f"{key} is missing") from error
    except ValueError as error:
        raise InvalidGraphError(f"{key} is not JSON") from error
    if not isinstance(value, kind):
        raise InvalidGraphError(f"{key} is not a JSON {'object' if kind is dict else 'array'}")
    return value
