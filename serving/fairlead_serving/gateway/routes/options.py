"""What a route may say beside its weights: mirror, stickiness, preview and guard.  Pure.

Each is an optional object of the route document; `names` are the versions that document lists.
"""

import dataclasses
import re
from collections.abc import Collection, Mapping
from typing import Any

from fairlead_contract.http import OWN_PREFIX
from fairlead_serving.gateway.routes import fields
from fairlead_serving.gateway.routes.fields import InvalidRouteError

_HEADER = re.compile(r"[A-Za-z0-9][-_A-Za-z0-9]{0,127}")
_YEAR_SECONDS = 366 * 24 * 3600


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Mirror:
    """A share of the live requests is copied to a version; its answers are thrown away."""

    version: str
    percent: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ByHeader:
    """The same value of a header gets the same version; requests without it get any."""

    header: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ByCookie:
    """The first answer sets a cookie that stands for the version, which later requests go to."""

    max_age_seconds: int
    trial: str | None = None  # the id of the rollout that deals; another one deals anew


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """Hosts whose requests all go to one version."""

    version: str
    hosts: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """The limits at which a version loses its traffic to `fallback`, by what Envoy counts.

    `guard_id` names the rollout: a version that tripped stays out for as long as the id is there.
    """

    guard_id: str
    versions: tuple[str, ...]
    fallback: str
    min_requests: int
    max_failure_ratio: float
    window_seconds: float
    max_refusal_ratio: float = 1  # beyond that of `fallback`; 1: whatever is refused
    slow_milliseconds: float | None = None
    max_slow_ratio: float | None = None  # with slow_milliseconds, or neither


def read_mirror(document: Mapping[str, Any], names: Collection[str]) -> Mirror | None:
    """Read the field `mirror`."""
    if (given := fields.optional(document, "mirror")) is None:
        return None
    return Mirror(
        version=_listed(given, "mirror.version", names),
        percent=fields.number(given, "mirror.percent", 0, 100),
    )


def read_sticky(document: Mapping[str, Any]) -> ByHeader | ByCookie | None:
    """Read the field `sticky`."""
    if (given := fields.optional(document, "sticky")) is None:
        return None
    match given.get("by"):
        case "header":
            header = fields.text(given, "header", name="sticky.header").lower()
            if not _HEADER.fullmatch(header) or header.startswith(OWN_PREFIX):
                raise InvalidRouteError(
                    f"sticky.header {header!r} is not a header name, or begins with {OWN_PREFIX}"
                )
            return ByHeader(header=header)
        case "cookie":
            seconds = fields.integer(given, "sticky.maxAgeSeconds", 1, _YEAR_SECONDS)
            # An operator of before this id does not write it.
            trial = fields.text(given, "id", name="sticky.id") if "id" in given else None
            return ByCookie(max_age_seconds=seconds, trial=trial)
        case by:
            raise InvalidRouteError(f"sticky.by is {by!r}; give 'header' or 'cookie'")


def read_preview(
    document: Mapping[str, Any], names: Collection[str], hosts: Collection[str]
) -> Preview | None:
    """Read the field `preview`; `hosts` are those of the live traffic."""
    if (given := fields.optional(document, "preview")) is None:
        return None
    preview = Preview(
        version=_listed(given, "preview.version", names),
        hosts=fields.hosts(given, "preview.hosts"),
    )
    if twice := [host for host in preview.hosts if host in hosts]:
        raise InvalidRouteError(f"preview.hosts and hosts both have {', '.join(twice)}")
    return preview


def read_guard(document: Mapping[str, Any], names: Collection[str]) -> Guard | None:
    """Read the field `guard`."""
    if (given := fields.optional(document, "guard")) is None:
        return None
    versions = given.get("versions")
    if not isinstance(versions, list) or not versions:
        raise InvalidRouteError("guard.versions is missing or empty")
    if strange := [version for version in versions if version not in names]:
        raise InvalidRouteError(f"guard.versions has {strange[0]!r}, which is not in versions")
    fallback = _listed(given, "guard.fallback", names)
    if fallback in versions:
        raise InvalidRouteError(
            f"guard.fallback {fallback!r} is in guard.versions; give another version"
        )
    slow, ratio = given.get("slowMilliseconds"), given.get("maxSlowRatio")
    if (slow is None) != (ratio is None):
        raise InvalidRouteError(
            "guard.slowMilliseconds and guard.maxSlowRatio go together; give both or neither"
        )
    if slow is not None:
        slow = fields.number(given, "guard.slowMilliseconds", 1, 60_000)
        ratio = fields.number(given, "guard.maxSlowRatio", 0, 1)
    return Guard(
        guard_id=fields.text(given, "id", name="guard.id"),
        versions=tuple(dict.fromkeys(versions)),
        fallback=fallback,
        min_requests=fields.integer(given, "guard.minRequests", 1, 1_000_000),
        max_failure_ratio=fields.number(given, "guard.maxFailureRatio", 0, 1),
        window_seconds=fields.number(given, "guard.windowSeconds", 0.5, 60),
        # An operator of before this limit does not write it.
        max_refusal_ratio=(
            fields.number(given, "guard.maxRefusalRatio", 0, 1) if "maxRefusalRatio" in given else 1
        ),
        slow_milliseconds=slow,
        max_slow_ratio=ratio,
    )


def sticky_document(sticky: ByHeader | ByCookie) -> dict[str, Any]:
    """Write stickiness as `read_sticky` reads it."""
    match sticky:
        case ByHeader(header=header):
            return {"by": "header", "header": header}
        case ByCookie(max_age_seconds=seconds, trial=trial):
            named = {} if trial is None else {"id": trial}
            return {"by": "cookie", "maxAgeSeconds": seconds, **named}


def guard_document(guard: Guard) -> dict[str, Any]:
    """Write a guard as `read_guard` reads it."""
    return {
        "id": guard.guard_id,
        "versions": list(guard.versions),
        "fallback": guard.fallback,
        "minRequests": guard.min_requests,
        "maxFailureRatio": guard.max_failure_ratio,
        "windowSeconds": guard.window_seconds,
        "maxRefusalRatio": guard.max_refusal_ratio,
        "slowMilliseconds": guard.slow_milliseconds,
        "maxSlowRatio": guard.max_slow_ratio,
    }


def _listed(given: Mapping[str, Any], name: str, names: Collection[str]) -> str:
    version = fields.text(given, name.rpartition(".")[2], name=name)
    if version not in names:
        raise InvalidRouteError(f"{name} {version!r} is not in versions")
    return version
