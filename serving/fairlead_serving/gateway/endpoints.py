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


def ready_endpoints(
    slices: Iterable[Mapping[str, Any]],
) -> dict[str, tuple[Endpoint, ...]]:
    """Ready endpoints by Service, sorted, from all slices of a namespace.

    A pod that still serves while it terminates is left out: it finishes what it has and gets
    nothing new.
    """
    found: defaultdict[str, set[Endpoint]] = defaultdict(set)
    for piece in slices:
        service = piece["metadata"].get("labels", {}).get(SERVICE_LABEL)
        port = _port(piece.get("ports") or ())
        if service is None or port is None or piece.get("addressType") == "FQDN":
            continue
        for entry in piece.get("endpoints") or ():
            if _takes_traffic(entry.get("conditions") or {}):
                found[service].update(
                    Endpoint(address=address, port=port) for address in entry["addresses"]
                )
    return {service: tuple(sorted(endpoints)) for service, endpoints in sorted(found.items())}


def _port(ports: Iterable[Mapping[str, Any]]) -> int | None:
    """The port called `http`, or the only one there is."""
    numbers = {entry.get("name") or "": entry.get("port") for entry in ports}
    if PORT_NAME in numbers:
        return numbers[PORT_NAME]
    return next(iter(numbers.values())) if len(numbers) == 1 else None


def _takes_traffic(conditions: Mapping[str, bool | None]) -> bool:
    # Kubernetes asks readers to take an unknown `ready` as true.
    return conditions.get("ready") is not False and not conditions.get("terminating")
