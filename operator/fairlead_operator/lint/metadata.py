"""What the API server refuses of an object's metadata."""

import dataclasses
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from fairlead_operator.lint.problem import Problem, invalid, required, shown
from fairlead_operator.lint.structure import unknown_field

_FIELDS: Final = (
    "annotations", "creationTimestamp", "deletionGracePeriodSeconds", "deletionTimestamp",
    "finalizers", "generateName", "generation", "labels", "managedFields", "name", "namespace",
    "ownerReferences", "resourceVersion", "selfLink", "uid",
)  # fmt: skip
_NAME: Final = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
_LONGEST_NAME: Final = 253
_GENERATED: Final = "x" * 5  # as many letters as the API server adds to generateName
_NAME_WORDS: Final = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
    "'.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used "
    f"for validation is '{_NAME}')"
)


def unknown_metadata(metadata: Mapping[str, Any]) -> list[Problem]:
    """Return the fields of metadata that there are not."""
    return [
        unknown_field(f"metadata.{name}", name, _FIELDS) for name in metadata if name not in _FIELDS
    ]


def name_of(metadata: Mapping[str, Any]) -> str:
    """Return the name; of one that is to be generated, what may come out."""
    prefix = metadata.get("generateName")
    return str(metadata.get("name") or (f"{prefix}{_GENERATED}" if prefix else ""))


def find_metadata_problems(metadata: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield what is no text, and what is wrong with the name."""
    for path, value in _texts(metadata):
        if not isinstance(value, str):
            scalar = not isinstance(value, list | dict)
            words = f'must be text; write "{shown(value)}"' if scalar else "must be text"
            yield dataclasses.replace(invalid(path, value, words), blocking=True)
    name = name_of(metadata)
    if not name:
        yield required("metadata.name", "name or generateName is required")
    elif isinstance(metadata.get("name"), str | None):
        yield from _of_name(name)


def _of_name(name: str) -> Iterator[Problem]:
    if len(name) > _LONGEST_NAME:
        yield invalid("metadata.name", name, f"must be no more than {_LONGEST_NAME} characters")
    if not re.fullmatch(_NAME, name):
        yield invalid("metadata.name", name, _NAME_WORDS)


def _texts(metadata: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield what must be text, by its path."""
    for field in ("name", "generateName", "namespace"):
        if metadata.get(field) is not None:
            yield f"metadata.{field}", metadata[field]
    for field in ("labels", "annotations"):
        texts = metadata.get(field)
        for key, value in texts.items() if isinstance(texts, Mapping) else ():
            yield f"metadata.{field}.{key}", value
