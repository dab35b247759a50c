"""What the Open Inference Protocol asks beside predictions: what is there, and is it ready."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp


def open_inference(
    paths: Sequence[str], description: Mapping[str, Any], infer: ASGIApp
) -> Sequence[BaseRoute]:
    """Build the routes of a model that is loaded and tested: whoever is answered finds it ready."""
    server = {"name": "fairlead", "version": "2", "extensions": []}
    ready = {"name": description["name"], "ready": True}

    def routes() -> Iterator[BaseRoute]:
        yield _tell("/v2", server)
        yield _tell("/v2/health/live", {"live": True})
        yield _tell("/v2/health/ready", {"ready": True})
        for path in paths:
            yield _tell(path, description)
            yield _tell(f"{path}/ready", ready)
            yield Route(f"{path}/infer", infer, methods=["POST"])

    return tuple(routes())


def _tell(path: str, answer: Mapping[str, Any]) -> Route:
    async def told(_: Request) -> Response:
        return JSONResponse(answer)

    return Route(path, told)
