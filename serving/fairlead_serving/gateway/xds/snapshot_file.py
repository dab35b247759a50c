"""The file that keeps the last good snapshot.

It lets a restarted agent serve at once, also while the API server is away.
"""

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from fairlead_serving.gateway.routes import trips as trip_documents
from fairlead_serving.gateway.routes.endpoints import Endpoint
from fairlead_serving.gateway.routes.route import Route, from_document, to_document
from fairlead_serving.gateway.routes.trips import narrow
from fairlead_serving.gateway.xds.memo import Memo
from fairlead_serving.gateway.xds.snapshot import Snapshot

_FORMAT = 1


def write(snapshot: Snapshot, path: Path) -> None:
    """Replace the file in one step, so that a reader or a crash never meets half of it."""
    tripped = {
        model: {version: trip.to_document() for version, trip in tripped.items()}
        for model, tripped in snapshot.tripped.items()
    }
    text = (
        f'{{"format":{_FORMAT},"routes":[{",".join(_routes.map(snapshot.routes))}],'
        f'"endpoints":{{{",".join(_services.map(snapshot.endpoints.items()))}}},'
        f'"tripped":{_to_text(tripped)}}}'
    )
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(name, path)


def _to_text(document: Any) -> str:
    return json.dumps(document, separators=(",", ":"))


def _service_text(service: tuple[str, tuple[Endpoint, ...]]) -> str:
    name, endpoints = service
    return f"{_to_text(name)}:{_to_text([each._asdict() for each in endpoints])}"


# The parts of the file: of a thousand Models most are as they were.
_routes = Memo[Route, str](lambda route: _to_text(to_document(route)))
_services = Memo[tuple[str, tuple[Endpoint, ...]], str](_service_text)


def read(path: Path) -> Snapshot | None:
    """Read the kept snapshot; None when there is no file that can be used."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["format"] != _FORMAT:
            return None
        tripped = {
            model: {version: trip_documents.from_document(trip) for version, trip in out.items()}
            for model, out in document.get("tripped", {}).items()
        }
        routes = [from_document(route) for route in document["routes"]]
        return Snapshot(
            routes=tuple(narrow(route, tripped.get(route.model, {})) for route in routes),
            endpoints={
                service: tuple(Endpoint(**entry) for entry in entries)
                for service, entries in document["endpoints"].items()
            },
            tripped=tripped,
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
