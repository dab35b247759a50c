"""Which artifact a semantic version is.  Pure and total.

The cluster is the truth: number and digest are what the training's own Job reported, or what was
seen when a version first took traffic, or what the spec says.  A tag in MLflow can be written by
whoever may write to the registry, so it is believed once, where nothing else is known of a
version, and only if it leaves no choice:

    a digest is known       the registration with that number, or else the oldest that says to have
                            that digest; the model server compares the files, whatever a tag says
    none is known           the only registration of the version, with the digest of its tag
    two registrations       refused, and both are named
    none with that digest   refused: another artifact was put under the version

A version is one artifact.  What is in charge, or was, is never exchanged under its name.
"""

import dataclasses
import re
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Final

from fairlead_contract import tags
from fairlead_operator.api.base import VERSION_PATTERN
from fairlead_operator.api.common import VersionReference
from fairlead_operator.api.model import MOST_KNOWN, ModelStatus
from fairlead_operator.api.registered import RegisteredVersion
from fairlead_operator.text import printable

_LONGEST_DIGEST: Final = 71  # characters
_SHOWN: Final = 4  # registrations in a message
_NUMBER: Final = 12  # characters of one's number


class Problem(StrEnum):
    """Why a version is not taken."""

    MISSING = "Missing"  # or says of no artifact that it is the one
    AMBIGUOUS = "Ambiguous"
    CHANGED = "Changed"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a version is not taken, and in a sentence what to do."""

    problem: Problem
    message: str


def choose(
    version: str,
    registered: Iterable[RegisteredVersion],
    *,
    model: str,
    known: VersionReference | None = None,
    pinned: str | None = None,
    field: str = "versionDigest",
) -> VersionReference | Refusal:
    """Choose the registration that a semantic version means, or say why there is none.

    Args:
        registered: what MLflow has under this version, or more.
        model: the name of the registered model, for the words.
        known: what the cluster knows of the version.
        pinned: the digest that the spec names.
        field: where the spec names it, or can.
    """
    found = sorted((one for one in registered if one.version == version), key=_age)
    named = f"{model} {version}"
    if not found:
        return Refusal(
            problem=Problem.MISSING,
            message=f"MLflow has no version of {model} with the tag {tags.VERSION}={version}; "
            "register it or choose another",
        )
    digest = pinned or (known.digest if known is not None else "")
    if digest:
        asks = field if pinned else None
        return _with_digest(digest, found, named=named, known=known, asks=asks)
    if len(found) > 1:
        return Refusal(
            problem=Problem.AMBIGUOUS,
            message=f"MLflow has {len(found)} registrations of {named}: {_list(found)}; delete "
            f"all but one there, or say by {field}, beside the version in the spec, which it is",
        )
    return _only(found[0], named=named)


def _with_digest(
    digest: str,
    found: Sequence[RegisteredVersion],
    *,
    named: str,
    known: VersionReference | None,
    asks: str | None,
) -> VersionReference | Refusal:
    """Choose by digest; of several that say to have it the oldest, as any of them has its files."""
    version = found[0].version
    if known is not None and known.digest == digest:
        for one in found:
            if one.registry_version == known.registry_version:
                return known
    same = [one for one in found if one.digest == digest]
    if not same and asks and len(found) == 1 and not _digest_of(found[0]):
        same = [found[0]]  # the spec says what no tag says
    if same:
        return VersionReference(
            version=version, registry_version=same[0].registry_version, digest=digest
        )
    whose = f"{asks} asks for" if asks else "its digest has been"
    what_to_do = (
        f"correct {asks}, or register that artifact"
        if asks
        else "register the other artifact under another version, or restore this one's tags"
    )
    return Refusal(
        problem=Problem.CHANGED,
        message=f"{whose} {digest}, and MLflow has for {named} {_list(found)}; {what_to_do}",
    )


def _only(one: RegisteredVersion, *, named: str) -> VersionReference | Refusal:
    """Take the tag of the only registration, as nothing else says what its artifact is."""
    digest = _digest_of(one)
    if not digest:
        return Refusal(
            problem=Problem.MISSING,
            message=f"{named} (registry version {one.registry_version}) has no tag {tags.DIGEST}; "
            "set it to the artifact's digest",
        )
    return VersionReference(
        version=one.version, registry_version=one.registry_version, digest=digest
    )


def exchanged(
    stable: VersionReference | None,
    *,
    version: str | None,
    pinned: str | None,
    field: str = "versionDigest",
) -> str:
    """Say that the spec asks for another artifact under the version in charge; empty: it does not.

    Traffic stays where it is: the same name cannot mean two artifacts.
    """
    if stable is None or not pinned or not stable.digest:
        return ""
    if stable.version != version or stable.digest == pinned:
        return ""
    return (
        f"{version} is in charge with digest {stable.digest}, and spec.{field} asks for "
        f"{pinned}: what serves goes on; correct spec.{field}, or register that artifact under "
        "another version"
    )


def remember(
    known: Sequence[VersionReference],
    *,
    before: Iterable[VersionReference] = (),
    now: Iterable[VersionReference] = (),
) -> tuple[VersionReference, ...]:
    """Return what is known of versions, the latest last.

    Args:
        before: what children told earlier: it fills gaps, as after an upgrade.
        now: what holds by now, and goes before what was known.
    """
    kept: dict[str, VersionReference] = {}
    for reference in (*known, *before):
        if reference.digest:
            kept.setdefault(reference.version, reference)
    for reference in now:
        if reference.digest and kept.get(reference.version) != reference:
            kept.pop(reference.version, None)
            kept[reference.version] = reference
    return tuple(kept.values())[-MOST_KNOWN:]


def told_by(status: ModelStatus) -> tuple[VersionReference, ...]:
    """Return what a Model's status says of versions: the one in charge comes first."""
    told = (status.stable, status.candidate, *status.versions)
    return tuple(one for one in told if one is not None)


def find_known(version: str, known: Iterable[VersionReference | None]) -> VersionReference | None:
    """Return the first that says what this version is."""
    told = (one for one in known if one is not None and one.version == version and one.digest)
    return next(told, None)


def highest(versions: Iterable[str]) -> str | None:
    """Return the highest semantic version; None of none."""
    numbered = {
        tuple(int(part) for part in version.split(".")): version
        for version in versions
        if re.fullmatch(VERSION_PATTERN, version)
    }
    return numbered[max(numbered)] if numbered else None


def _digest_of(one: RegisteredVersion) -> str:
    """Return the digest of a tag; empty where it is too long to be one."""
    return one.digest if len(one.digest) <= _LONGEST_DIGEST else ""


def _age(one: RegisteredVersion) -> tuple[bool, int, str]:
    """Return what sorts registrations by their numbers, the oldest first."""
    number = one.registry_version
    is_number = number.isdecimal()
    return not is_number, int(number) if is_number else 0, number


def _list(found: Sequence[RegisteredVersion]) -> str:
    """Name registrations by number and digest."""
    shown = [
        f"registry version {printable(one.registry_version, limit=_NUMBER)} with "
        + (f"digest {printable(digest, limit=_LONGEST_DIGEST)}" if (digest := _digest_of(one))
           else "no digest")
        for one in found[:_SHOWN]
    ]  # fmt: skip
    more = len(found) - len(shown)
    return ", ".join([*shown, *([f"and {more} more"] if more else [])])
