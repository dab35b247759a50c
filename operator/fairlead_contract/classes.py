"""The classes that a version tells apart, in the words of its labels.  Pure.

The trainer writes them into the metadata of the ``MLmodel`` file, so that the artifact's digest
holds them, and model servers, champions' scorers and the operator read them there.  A version
whose labels are 0, 1, 2, … says nothing: it answers with probabilities alone, as does one that
was registered by hand.

A class is named in two ways, which differ for truths alone.  People read true and false; the
record has 1 and 0, so that a label joins its prediction however clients and versions write it.
"""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Final

KEY: Final = "fairlead.classes"  # JSON: the labels, in the order of the probabilities
MOST: Final = 1000
LONGEST: Final = 200  # characters of a label

Label = str | int | float | bool

_EXACT: Final = 2.0**53  # up to it, a double is one whole number


class InvalidClassesError(ValueError):
    """Metadata that was not written by this contract."""


def write_classes(classes: Sequence[Label]) -> dict[str, str]:
    """Return the metadata of a version; of plain classes none."""
    return {KEY: json.dumps(list(classes), ensure_ascii=False)} if classes else {}


def read_classes(metadata: object) -> tuple[Label, ...]:
    """Read the classes from the metadata of an artifact; none where it does not name them.

    Raises:
        InvalidClassesError: what it names cannot be the classes.
    """
    text = metadata.get(KEY) if isinstance(metadata, Mapping) else None
    if text is None:
        return ()
    try:
        labels = json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidClassesError(f"{KEY} in its metadata is not JSON") from error
    if not isinstance(labels, list) or not all(map(_is_label, labels)):
        raise InvalidClassesError(f"{KEY} in its metadata is not a list of labels")
    names = {name_in_record(label) for label in labels}
    if not 1 < len(labels) <= MOST or len(names) < len(labels):
        raise InvalidClassesError(
            f"{KEY} in its metadata does not name 2 to {MOST} classes, each once"
        )
    return tuple(labels)


def spell(label: Label) -> str:
    """Return a label as people read it."""
    if isinstance(label, bool):
        return "true" if label else "false"
    return name_in_record(label)


def name_in_record(label: Label) -> str:
    """Name a class in one way, however it was written: 1, 1.0 and true are the same."""
    if isinstance(label, str):
        return label.replace("\x00", "")  # which PostgreSQL's text cannot hold
    if isinstance(label, int) or (abs(label) < _EXACT and label == int(label)):
        return str(int(label))
    return repr(label)


def _is_label(value: object) -> bool:
    if isinstance(value, str):
        return 0 < len(value) <= LONGEST
    return isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))
