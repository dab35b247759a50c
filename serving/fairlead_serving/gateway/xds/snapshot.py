"""Everything Envoy should know at one moment, and the file that keeps the last good of it.

The file lets a restarted agent serve at once, also while the API server is away.
"""

import dataclasses
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fairlead_serving.gateway.routes import trips as trip_documents
from fairlead_serving.gateway.routes.endpoints import Endpoint
from fairlead_serving.gateway.routes.route import Route, from_document, to_document
from fairlead_serving.gateway.routes.trips import Trip, Tripped, narrow
from fairlead_serving.gateway.xds.memo import Memo

_FORMAT = 1


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """All routes, without what has tripped, and the endpoints of their Services."""

    routes: tuple[Route, ...] = ()
    endpoints: Mapping[str, tuple[Endpoint, ...]] = dataclasses.field(default_factory=dict)
    tripped: Mapping[str, Tripped] = dataclasses.field(default_factory=dict)  # by Model

    def can_trip(self, model: str, version: str, guard_id: str) -> bool:
        """Whether the version is in the traffic under this guard."""
        return any(
            route.model == model
            and route.guard is not None
            and route.guard.guard_id == guard_id
            and route.weights.get(version, 0) > 0
            for route in self.routes
        )

    def without(self, model: str, version: str, trip: Trip) -> "Snapshot":
        """The same but for one version that has tripped."""
        out = {**self.tripped.get(model, {}), version: trip}
        return dataclasses.replace(
            self,
            routes=tuple(
                narrow(route, out) if route.model == model else route for route in self.routes
            ),
            tripped={**self.tripped, model: out},
        )


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
    """The kept snapshot; None when there is no file that can be used."""
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
