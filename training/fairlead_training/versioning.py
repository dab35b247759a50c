"""The rule for version numbers (docs/contracts.md, section 1).  Pure."""

import dataclasses
import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from fairlead_contract.classes import Label

_FORM: Final = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")
_LONGEST: Final = 30  # characters: the next one has 32 at most, and fits a status
FIRST: Final = "1.0.0"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Existing:
    """A version in the registry; a digest is None where the version has none."""

    version: str
    signature: str | None
    recipe: str | None


def next_version(
    existing: Iterable[Existing], *, signature: str, recipe: str, after: str | None = None
) -> str:
    """Return the number after the highest existing one.

    Major when the signature differs from that version's, minor when the recipe does, else patch.
    An unknown digest counts as different.  Versions without a semantic number are passed over.

    Args:
        after: a version that the next one is above though the registry may have lost it: a number
            is never given to a second artifact.
    """
    highest, floor = find_highest(existing), _parse(after or "")
    if highest is None:
        return FIRST if floor is None else f"{floor[0] + 1}.0.0"
    major, minor, patch = max(_parse(highest.version) or (0, 0, 0), floor or (0, 0, 0))
    if highest.signature != signature:
        return f"{major + 1}.0.0"
    if highest.recipe != recipe:
        return f"{major}.{minor + 1}.0"
    return f"{major}.{minor}.{patch + 1}"


def find_highest(existing: Iterable[Existing]) -> Existing | None:
    """Return the version with the highest number; None when none has a semantic number."""
    numbered = [(number, item) for item in existing if (number := _parse(item.version)) is not None]
    return max(numbered, key=lambda pair: pair[0])[1] if numbered else None


def signature_digest(signature: Mapping[str, Any], classes: Sequence[Label] = ()) -> str:
    """Compute the digest of an MLflow signature, given as a dictionary of its three parts.

    MLflow keeps each part as JSON text; the digest is over what the texts mean.  What answers are
    about is part of it, where the version names its classes.
    """
    parts = {name: _decode(signature.get(name)) for name in ("inputs", "outputs", "params")}
    if classes:
        parts["classes"] = list(classes)
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def _decode(part: object) -> object:
    return json.loads(part) if isinstance(part, str) else part


def _parse(version: str) -> tuple[int, int, int] | None:
    match = _FORM.fullmatch(version)
    if match is None or len(version) > _LONGEST:
        return None
    major, minor, patch = (int(number) for number in match.groups())
    return major, minor, patch
