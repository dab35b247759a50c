"""What a version takes and gives, and what a new one changes of that for its callers.  Pure.

A signature is read from the ``MLmodel`` file that MLflow keeps with every version.  Callers name
the columns they send, so the order is nothing to them.
"""

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from fairlead_contract.classes import InvalidClassesError, read_classes, spell
from fairlead_contract.mlmodel import InvalidMlmodelError, read_mlmodel
from fairlead_operator.text import printable

_UNREADABLE: Final = (
    InvalidMlmodelError, InvalidClassesError, json.JSONDecodeError, TypeError, AttributeError,
    RecursionError,
)  # fmt: skip
_LONGEST: Final = 60  # characters of a name or type that are shown
_SHOWN: Final = 8  # columns that are named of each kind of change
# What a caller may go on sending where a column takes the second and took the first.
_WIDER: Final = frozenset(
    {
        ("integer", "long"),
        ("integer", "float"),
        ("integer", "double"),
        ("long", "float"),
        ("long", "double"),
        ("float", "double"),
    }
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One input or output."""

    name: str  # empty where the signature has none
    type: str  # as MLflow writes it
    required: bool = True


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """What a version takes, and what it gives; empty where the version does not say."""

    inputs: tuple[Column, ...] = ()
    outputs: tuple[Column, ...] = ()
    classes: tuple[str, ...] = ()  # as answers call them, where they do


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is another in a new signature."""

    words: str  # for people; empty where nothing is
    refuses: bool  # whether callers who send what they always sent are refused


def read_signature(mlmodel: str) -> Signature:
    """Read the signature in the text of an ``MLmodel`` file.

    Raises:
        ValueError: there is none, or it cannot be read.
    """
    try:
        document = read_mlmodel(mlmodel)
        signature = document.get("signature") if isinstance(document, dict) else None
        if not isinstance(signature, dict) or not signature.get("inputs"):
            raise ValueError("it was logged without a signature of its inputs")
        return Signature(
            inputs=_columns(signature["inputs"]),
            outputs=_columns(signature.get("outputs")),
            classes=tuple(map(spell, read_classes(document.get("metadata")))),
        )
    except _UNREADABLE as error:
        raise ValueError(
            f"its MLmodel file cannot be read: {printable(error, limit=200)}"
        ) from error


def find_change(stable: Signature, candidate: Signature) -> Change:
    """Say what a candidate's callers have to send that the stable version's have not."""
    before = {column.name: column for column in stable.inputs}
    now = {column.name: column for column in candidate.inputs}
    added = [column for name, column in now.items() if name not in before]
    dropped = [column for name, column in before.items() if name not in now]
    both = [(before[name], column) for name, column in now.items() if name in before]
    retyped = [(old, new) for old, new in both if old.type != new.type]
    required = [new for old, new in both if new.required and not old.required]
    optional = [new for old, new in both if old.required and not new.required]
    parts = [
        *_listed("adds ", [_with_type(column) for column in added]),
        *_listed("drops ", [_name(column) for column in dropped]),
        *_listed(
            "", [f"{_name(new)} was {_type(old)} and is {_type(new)}" for old, new in retyped]
        ),
        *_listed("now requires ", [_name(column) for column in required]),
        *_listed("no longer requires ", [_name(column) for column in optional]),
    ]
    if stable.outputs and candidate.outputs and stable.outputs != candidate.outputs:
        given, gives = (_shape(one.outputs) for one in (stable, candidate))
        parts.append(f"its predictions were {given} and are {gives}")
    narrower = any((old.type, new.type) not in _WIDER for old, new in retyped)
    if stable.classes != candidate.classes:
        given, gives = (_answers(one.classes) for one in (stable, candidate))
        parts.append(f"its answers were {given} and are {gives}")
    missed = any(column.required for column in added)
    return Change(words=", ".join(parts), refuses=bool(dropped or required or narrower or missed))


def describe_change(change: Change, *, stable: str, candidate: str) -> str:
    """Say it in a sentence."""
    if not change.words:
        return f"{candidate} takes and gives what {stable} does"
    callers = f"callers who send what {stable} takes are"
    outcome = "refused" if change.refuses else "still answered"
    return f"{candidate} against {stable}: {change.words}; {callers} {outcome}"


def _columns(text: Any) -> tuple[Column, ...]:
    # JSON in a string, as MLflow writes it: YAML's own lists could share what they hold, and
    # written out be larger than any memory.
    if text is None:
        return ()
    if not isinstance(text, str):
        raise TypeError("its inputs and outputs are no JSON text")
    return tuple(_column(entry) for entry in json.loads(text) or [])


def _column(entry: Mapping[str, Any]) -> Column:
    return Column(
        name=str(entry.get("name") or ""),
        type=_type_of(entry),
        required=entry.get("required", True) is not False,
    )


def _type_of(entry: Mapping[str, Any]) -> str:
    """Return a plain type by its name, and another as it is written."""
    if entry.get("type") == "tensor":
        spec = entry.get("tensor-spec") or {}
        return f"tensor of {spec.get('dtype')} {spec.get('shape')}"
    more = {key: value for key, value in entry.items() if key not in {"name", "required"}}
    return str(entry.get("type")) if more.keys() <= {"type"} else json.dumps(more, sort_keys=True)


def _listed(verb: str, items: Sequence[str]) -> Iterator[str]:
    """Put a verb before the first few, and count the others."""
    if items:
        more = f" and {len(items) - _SHOWN} more" if len(items) > _SHOWN else ""
        yield f"{verb}{', '.join(items[:_SHOWN])}{more}"


def _with_type(column: Column) -> str:
    return f"{_name(column)} ({_type(column)}{'' if column.required else ', optional'})"


def _name(column: Column) -> str:
    return printable(column.name or "an input without a name", limit=_LONGEST)


def _type(column: Column) -> str:
    return printable(column.type, limit=_LONGEST)


def _answers(classes: Sequence[str]) -> str:
    if not classes:
        return "numbers"
    return next(_listed("labels of ", [printable(name, limit=_LONGEST) for name in classes]))


def _shape(outputs: Sequence[Column]) -> str:
    shown = [
        f"{printable(column.name, limit=_LONGEST)} ({_type(column)})"
        if column.name
        else _type(column)
        for column in outputs
    ]
    return next(_listed("", shown))
