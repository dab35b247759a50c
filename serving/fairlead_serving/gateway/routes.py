"""The routes the operator wants: `route.json` of each Model's ConfigMap as a value.

Pure.  Whatever Envoy would refuse is refused here first, with a message that names the field,
because Envoy takes or refuses the routes of all Models together.
"""

import dataclasses
import functools
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

TOTAL_WEIGHT = 100  # percent; constant, so that a growing candidate only ever gains users

_MAX_TIMEOUT_SECONDS = 24 * 3600
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_VERSION = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9._]{0,61}[A-Za-z0-9])?")
_HOST = re.compile(rf"(?=.{{1,253}}$){_LABEL.pattern}(\.{_LABEL.pattern})*")


class InvalidRouteError(ValueError):
    """A route document that must not reach Envoy; the message is for the operator's user."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version of a Model: its share of the traffic and the Service that finds its pods."""

    version: str
    weight: int  # percent
    service: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """How the requests of one Model are shared out."""

    namespace: str
    model: str
    revision: str
    hosts: tuple[str, ...]
    timeout_seconds: float
    versions: tuple[Version, ...]  # candidate first

    @property
    def weights(self) -> dict[str, int]:
        """Percent by version, in the order of the document."""
        return {version.version: version.weight for version in self.versions}


@functools.lru_cache(maxsize=4096)
def parse_route(text: str, *, namespace: str, model: str) -> Route:
    """Read the document of one Model.

    Raises:
        InvalidRouteError: the document is not one that can be served.
    """
    try:
        document = json.loads(text)
    except ValueError as error:
        raise InvalidRouteError(f"route.json is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise InvalidRouteError("route.json is not an object")
    for field, wanted in (("namespace", namespace), ("model", model)):
        if (found := _text(document, field)) != wanted:
            raise InvalidRouteError(f"{field} is {found!r}, expected {wanted!r}")
    return from_document(document)


def from_document(document: Mapping[str, Any]) -> Route:
    """Check every field.

    Raises:
        InvalidRouteError: a field is missing or out of bounds.
    """
    return Route(
        namespace=_label(document, "namespace"),
        model=_label(document, "model"),
        revision=_text(document, "revision"),
        hosts=_hosts(document),
        timeout_seconds=_timeout(document),
        versions=_versions(document),
    )


def to_document(route: Route) -> dict[str, Any]:
    """The route as `parse_route` reads it."""
    return {
        "model": route.model,
        "namespace": route.namespace,
        "revision": route.revision,
        "hosts": list(route.hosts),
        "timeoutSeconds": route.timeout_seconds,
        "versions": [dataclasses.asdict(version) for version in route.versions],
    }


def settle_hosts(routes: Iterable[Route]) -> tuple[tuple[Route, ...], dict[str, str]]:
    """Give each host to the first Model by name; the rest lose that host and nothing else.

    A dispute must not hold back the weights of a Model, or a rollback could be blocked by a
    stranger's host name.  Returns the routes that are left with a host, by name, and the error of
    each Model that lost one.
    """
    owners: dict[str, str] = {}
    errors: dict[str, str] = {}
    settled = []
    for route in sorted(routes, key=lambda route: route.model):
        lost = [host for host in route.hosts if host in owners]
        if lost:
            named = ", ".join(f"{host} (of Model {owners[host]})" for host in lost)
            errors[route.model] = f"host taken by another Model: {named}"
        kept = tuple(host for host in route.hosts if host not in owners)
        owners.update(dict.fromkeys(kept, route.model))
        if kept:
            settled.append(dataclasses.replace(route, hosts=kept))
    return tuple(settled), errors


def _text(document: Mapping[str, Any], field: str) -> str:
    value = document.get(field)
    if not isinstance(value, str) or not value:
        raise InvalidRouteError(f"{field} is missing or not a text")
    return value


def _label(document: Mapping[str, Any], field: str) -> str:
    value = _text(document, field)
    if not _LABEL.fullmatch(value):
        raise InvalidRouteError(f"{field} {value!r} is not a DNS label")
    return value


def _hosts(document: Mapping[str, Any]) -> tuple[str, ...]:
    hosts = document.get("hosts")
    if not isinstance(hosts, list) or not hosts:
        raise InvalidRouteError("hosts is missing or empty")
    for host in hosts:
        if not isinstance(host, str) or not _HOST.fullmatch(host):
            raise InvalidRouteError(f"host {host!r} is not a lower-case DNS name without a port")
    return tuple(dict.fromkeys(hosts))


def _timeout(document: Mapping[str, Any]) -> float:
    seconds = document.get("timeoutSeconds")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise InvalidRouteError("timeoutSeconds is missing or not a number")
    if not 0.001 <= seconds <= _MAX_TIMEOUT_SECONDS:
        raise InvalidRouteError(
            f"timeoutSeconds is {seconds}, allowed 0.001 to {_MAX_TIMEOUT_SECONDS}"
        )
    return seconds


def _versions(document: Mapping[str, Any]) -> tuple[Version, ...]:
    entries = document.get("versions")
    if not isinstance(entries, list) or not entries:
        raise InvalidRouteError("versions is missing or empty")
    versions = tuple(_version(entry) for entry in entries)
    names = [version.version for version in versions]
    if len(set(names)) < len(names):
        raise InvalidRouteError(f"versions names one version twice: {', '.join(names)}")
    total = sum(version.weight for version in versions)
    if total != TOTAL_WEIGHT:
        raise InvalidRouteError(f"weights sum to {total}, expected {TOTAL_WEIGHT}")
    return versions


def _version(entry: Any) -> Version:
    if not isinstance(entry, dict):
        raise InvalidRouteError("an entry of versions is not an object")
    version = _text(entry, "version")
    if not _VERSION.fullmatch(version):
        raise InvalidRouteError(f"version {version!r} is not a valid label value")
    weight = entry.get("weight")
    if isinstance(weight, bool) or not isinstance(weight, int):
        raise InvalidRouteError(f"weight of version {version} is missing or not an integer")
    if not 0 <= weight <= TOTAL_WEIGHT:
        raise InvalidRouteError(f"weight of version {version} is {weight}, allowed 0 to 100")
    return Version(version=version, weight=weight, service=_label(entry, "service"))
