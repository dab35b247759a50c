"""Read the fields of a JSON object with a refusal that names the field.  Pure."""

import re
from collections.abc import Mapping
from typing import Any, TypeVar

_Number = TypeVar("_Number", int, float)
_LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})*")


class InvalidRouteError(ValueError):
    """A route document that must not reach Envoy; the message is for the operator's user."""


def text(document: Mapping[str, Any], field: str, *, name: str = "") -> str:
    """Read a string that is not empty; `name` is what the refusal calls it."""
    value = document.get(field)
    if not isinstance(value, str) or not value:
        raise InvalidRouteError(f"{name or field} is missing or not a string")
    return value


def label(document: Mapping[str, Any], field: str) -> str:
    """Read a DNS label."""
    value = text(document, field)
    if not re.fullmatch(_LABEL, value):
        raise InvalidRouteError(
            f"{field} {value!r} is not a DNS label; give small letters, digits and dashes"
        )
    return value


def number(document: Mapping[str, Any], field: str, least: float, most: float) -> float:
    """Read a number between two bounds.  The last part of `field` is its name in the document."""
    value = document.get(field.rpartition(".")[2])
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidRouteError(f"{field} is missing or not a number")
    return _bounded(value, field, least, most)


def integer(document: Mapping[str, Any], field: str, least: int, most: int) -> int:
    """Read a whole number between two bounds; `field` as for `number`."""
    value = document.get(field.rpartition(".")[2])
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidRouteError(f"{field} is missing or not a whole number")
    return _bounded(value, field, least, most)


def _bounded(value: _Number, field: str, least: float, most: float) -> _Number:
    if not least <= value <= most:  # NaN is in no bounds
        raise InvalidRouteError(f"{field} is {value}; give {least:g} to {most:g}")
    return value


def flag(document: Mapping[str, Any], field: str) -> bool:
    """Read true or false; false where it is left out."""
    value = document.get(field, False)
    if not isinstance(value, bool):
        raise InvalidRouteError(f"{field} is {value!r}; give true or false")
    return value


def optional(document: Mapping[str, Any], field: str) -> Mapping[str, Any] | None:
    """Read an object that may be left out."""
    value = document.get(field)
    if value is not None and not isinstance(value, dict):
        raise InvalidRouteError(f"{field} is not an object")
    return value


def hosts(document: Mapping[str, Any], field: str = "hosts") -> tuple[str, ...]:
    """Read host names without a port, each once."""
    values = document.get("hosts")
    if not isinstance(values, list) or not values:
        raise InvalidRouteError(f"{field} is missing or empty")
    for host in values:
        if not isinstance(host, str) or not _HOST.fullmatch(host):
            raise InvalidRouteError(
                f"{field}: host {host!r} is not a DNS name in lower case without a port"
            )
    return tuple(dict.fromkeys(values))
