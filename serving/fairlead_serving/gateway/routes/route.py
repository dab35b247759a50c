"""The routes the operator wants: `route.json` of each Model's ConfigMap as a value.

Pure.  Whatever Envoy would refuse is refused here first, with a message that names the field,
because Envoy takes or refuses together what is sent together.
"""

import dataclasses
import functools
import json
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from fairlead_contract.cluster import ROUTE_KEY
from fairlead_serving.gateway.routes import fields
from fairlead_serving.gateway.routes.fields import InvalidRouteError
from fairlead_serving.gateway.routes.options import (
    ByCookie,
    ByHeader,
    Guard,
    Mirror,
    Preview,
    guard_document,
    read_guard,
    read_mirror,
    read_preview,
    read_sticky,
    sticky_document,
)

TOTAL_WEIGHT = 100  # percent; constant, so that a growing candidate only ever gains users

_MAX_TIMEOUT_SECONDS = 24 * 3600
_MOST_VERSIONS = 8
_VERSION = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9._]{0,61}[A-Za-z0-9])?")


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
    versions: tuple[Version, ...]  # candidates first
    mirror: Mirror | None = None
    sticky: ByHeader | ByCookie | None = None
    preview: Preview | None = None
    guard: Guard | None = None
    forcing: bool = False  # a request may name its version; the model server asks for a token

    def __hash__(self) -> int:
        """Hash what nearly identifies a route: thousands are looked up at once."""
        return hash((self.model, self.revision))

    @property
    def all_hosts(self) -> tuple[str, ...]:
        """List the hosts of the live traffic and those of the preview."""
        return (*self.hosts, *_preview_hosts(self))

    @property
    def weights(self) -> dict[str, int]:
        """List the percent of each version, in the order of the document."""
        return {version.version: version.weight for version in self.versions}


@functools.lru_cache(maxsize=4096)
def parse_route(text: str, namespace: str, model: str) -> Route:
    """Read the document of one Model.

    Raises:
        InvalidRouteError: the document is not one that can be served.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidRouteError(f"{ROUTE_KEY} is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise InvalidRouteError(f"{ROUTE_KEY} is not an object")
    for field, wanted in (("namespace", namespace), ("model", model)):
        if (given := fields.text(document, field)) != wanted:
            raise InvalidRouteError(f"{field} is {given!r}, expected {wanted!r}")
    return from_document(document)


def from_document(document: Mapping[str, Any]) -> Route:
    """Check every field.

    Raises:
        InvalidRouteError: a field is missing or out of bounds.
    """
    hosts, versions = fields.hosts(document), _versions(document)
    names = [version.version for version in versions]
    return Route(
        namespace=fields.label(document, "namespace"),
        model=fields.label(document, "model"),
        revision=fields.text(document, "revision"),
        hosts=hosts,
        timeout_seconds=fields.number(document, "timeoutSeconds", 0.001, _MAX_TIMEOUT_SECONDS),
        versions=versions,
        mirror=read_mirror(document, names),
        sticky=read_sticky(document),
        preview=read_preview(document, names, hosts),
        guard=read_guard(document, names),
        forcing=fields.flag(document, "forcing"),
    )


def to_document(route: Route) -> dict[str, Any]:
    """Write a route as `parse_route` reads it."""
    return {
        "model": route.model,
        "namespace": route.namespace,
        "revision": route.revision,
        "hosts": list(route.hosts),
        "timeoutSeconds": route.timeout_seconds,
        "versions": [
            {"version": each.version, "weight": each.weight, "service": each.service}
            for each in route.versions
        ],
        "mirror": route.mirror and dataclasses.asdict(route.mirror),
        "sticky": route.sticky and sticky_document(route.sticky),
        "preview": route.preview and dataclasses.asdict(route.preview),
        "guard": route.guard and guard_document(route.guard),
        "forcing": route.forcing,
    }


def settle_hosts(routes: Iterable[Route]) -> tuple[tuple[Route, ...], dict[str, str]]:
    """Give each host to the first Model by name; the rest lose that host and nothing else.

    A host of live traffic is never lost to another Model's preview.
    A dispute must not hold back the weights of a Model, or a rollback could be blocked by a
    stranger's host name.  Returns the routes that are left with a host, by name, and the error of
    each Model that lost one.
    """
    ordered = sorted(routes, key=lambda route: route.model)
    hosts = [host for route in ordered for host in route.all_hosts]
    if len(set(hosts)) == len(hosts):
        return tuple(ordered), {}
    owners: dict[str, str] = {}
    for claims in (_live_hosts, _preview_hosts):
        for route in ordered:
            for host in claims(route):
                owners.setdefault(host, route.model)
    errors, settled = {}, []
    for route in ordered:
        if lost := {host: owners[host] for host in route.all_hosts if owners[host] != route.model}:
            named = ", ".join(f"{host} (of Model {owner})" for host, owner in lost.items())
            errors[route.model] = f"host taken by another Model: {named}"
        if kept := _without(route, lost):
            settled.append(kept)
    return tuple(settled), errors


def _live_hosts(route: Route) -> tuple[str, ...]:
    return route.hosts


def _preview_hosts(route: Route) -> tuple[str, ...]:
    return route.preview.hosts if route.preview else ()


def _without(route: Route, lost: Collection[str]) -> Route | None:
    """Take some hosts from a route; None when no host of the live traffic is left."""
    if not lost:
        return route
    hosts = tuple(host for host in route.hosts if host not in lost)
    previewed = tuple(host for host in _preview_hosts(route) if host not in lost)
    preview = route.preview and dataclasses.replace(route.preview, hosts=previewed)
    if not hosts:
        return None
    return dataclasses.replace(route, hosts=hosts, preview=preview if previewed else None)


def _versions(document: Mapping[str, Any]) -> tuple[Version, ...]:
    entries = document.get("versions")
    if not isinstance(entries, list) or not entries:
        raise InvalidRouteError("versions is missing or empty")
    if len(entries) > _MOST_VERSIONS:
        raise InvalidRouteError(
            f"versions has {len(entries)} entries; give at most {_MOST_VERSIONS}"
        )
    versions = tuple(_version(entry) for entry in entries)
    names = [version.version for version in versions]
    if len(set(names)) < len(names):
        raise InvalidRouteError(f"versions names one version twice: {', '.join(names)}")
    total = sum(version.weight for version in versions)
    if total != TOTAL_WEIGHT:
        raise InvalidRouteError(f"weights add up to {total}, expected {TOTAL_WEIGHT}")
    return versions


def _version(entry: Any) -> Version:
    if not isinstance(entry, dict):
        raise InvalidRouteError("versions has an entry that is not an object")
    version = fields.text(entry, "version")
    if not _VERSION.fullmatch(version):
        raise InvalidRouteError(f"version {version!r} is not a valid label value")
    try:
        weight = fields.integer(entry, "weight", 0, TOTAL_WEIGHT)
        service = fields.label(entry, "service")
    except InvalidRouteError as error:
        raise InvalidRouteError(f"version {version}: {error}") from error
    return Version(version=version, weight=weight, service=service)
