"""Which addresses answer for a Service: its EndpointSlices as a value.  Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

SERVICE_LABEL = "kubernetes.io/service-name"
PORT_NAME = "http"


class Endpoint(NamedTuple):
    """One pod's address.  A tuple, since thousands are compared at each change."""

    address: str
    port: int


Endpoints = Mapping[str, tuple[Endpoint, ...]]  # by Service, sorted


class Found(NamedTuple):
    """Where requests may go, and which Services really have a pod that is ready."""

    endpoints: Endpoints
    ready: frozenset[str]


def find_endpoints(slices: Iterable[Mapping[str, Any]], before: Endpoints) -> Found:
    """Find the ready endpoints of each Service in all slices of a namespace.

    A pod that still serves while it terminates is left out: it finishes what it has and gets
    nothing new.  Only where none is ready any more, it goes on until it stops, for without an
    endpoint every request fails: under strategy recreate, and when a node is drained.  Those that
    were ready and have not gone are kept then, too: when all turn unready at once it is more often
    the one who looks that is ill (a node whose word does not get through) than every pod, and one
    that ends cannot carry what all of them carried.
    """
    ready: defaultdict[str, set[Endpoint]] = defaultdict(set)
    leaving: defaultdict[str, set[Endpoint]] = defaultdict(set)
    unready: defaultdict[str, set[Endpoint]] = defaultdict(set)
    for piece in slices:
        service = piece["metadata"].get("labels", {}).get(SERVICE_LABEL)
        port = _port(piece.get("ports") or ())
        if service is None or port is None or piece.get("addressType") == "FQDN":
            continue
        for entry in piece.get("endpoints") or ():
            conditions = entry.get("conditions") or {}
            if not conditions.get("terminating"):
                # Kubernetes asks readers to take an unknown `ready` as true.
                group = unready if conditions.get("ready") is False else ready
            elif conditions.get("serving"):
                group = leaving
            else:
                continue
            group[service].update(
                Endpoint(address=address, port=port) for address in entry["addresses"]
            )
    really_ready = frozenset(ready)
    for service in (leaving.keys() | unready.keys()) - really_ready:
        kept = unready[service].intersection(before.get(service, ()))
        if last := leaving[service] | kept:
            ready[service] = last
    return Found(
        endpoints={
            service: tuple(sorted(endpoints)) for service, endpoints in sorted(ready.items())
        },
        ready=really_ready,
    )


def _port(ports: Iterable[Mapping[str, Any]]) -> int | None:
    """Choose the port called `http`, or the only one there is."""
    numbers = {entry.get("name") or "": entry.get("port") for entry in ports}
    if PORT_NAME in numbers:
        return numbers[PORT_NAME]
    return next(iter(numbers.values())) if len(numbers) == 1 else None
