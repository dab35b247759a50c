"""Everything Envoy should know at one moment, and the file that keeps the last good of it.

The file lets a restarted agent serve at once, also while the API server is away.
"""

import dataclasses
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from fairlead_serving.gateway.endpoints import Endpoint
from fairlead_serving.gateway.routes import Route, from_document, to_document

_FORMAT = 1


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """All routes with the endpoints of their Services."""

    routes: tuple[Route, ...] = ()
    endpoints: Mapping[str, tuple[Endpoint, ...]] = dataclasses.field(default_factory=dict)


def write(snapshot: Snapshot, path: Path) -> None:
    """Replace the file in one step, so that a reader or a crash never meets half of it."""
    document = {
        "format": _FORMAT,
        "routes": [to_document(route) for route in snapshot.routes],
        "endpoints": {
            service: [dataclasses.asdict(endpoint) for endpoint in endpoints]
            for service, endpoints in snapshot.endpoints.items()
        },
    }
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(document, file, separators=(",", ":"))
    os.replace(name, path)


def read(path: Path) -> Snapshot | None:
    """The kept snapshot; None when there is no file that can be used."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["format"] != _FORMAT:
            return None
        return Snapshot(
            routes=tuple(from_document(route) for route in document["routes"]),
            endpoints={
                service: tuple(Endpoint(**entry) for entry in entries)
                for service, entries in document["endpoints"].items()
            },
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
