"""The BentoML service as an ASGI application fit for a small, fast model.

Feedback and metrics are mounted, which is BentoML's way to add routes that answer in their own
form.  One of its middlewares is taken off by name, because its configuration cannot: the timeout
of a service has to be a number above 0.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, cast

import bentoml
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fairlead_contract.http import (
    FORCE_TOKEN_HEADER,
    SHADOW_HEADER,
    SHADOW_VALUE,
    VERSION_HEADER,
)
from fairlead_serving.server.feedback_endpoint import FeedbackEndpoint
from fairlead_serving.server.incoming import Incoming
from fairlead_serving.server.refusals import error_response
from fairlead_serving.server.tokens import Token

# Never cancels its timer, so each finished request stays in memory for the whole timeout and p99
# grows to 300 ms.  Our endpoint has a timeout of its own.
_UNWANTED = "TimeoutMiddleware"
# BentoML's page for browsers, which loads a third party's scripts, and its parts.  Its description
# of the API knows neither columns, feedback nor refusals; `openapi` is ours.
_PAGES = ("/", "/static_content", "/docs.json")
_SHADOW = (SHADOW_HEADER.encode(), SHADOW_VALUE.encode())


def build_application(
    service: bentoml.Service,
    feedback: FeedbackEndpoint,
    registry: CollectorRegistry,
    description: Mapping[str, Any],
    routes: Sequence[BaseRoute] = (),
) -> Starlette:
    """Turn the service into an application with one form of error, and its own description."""

    async def show_metrics(_: Request) -> Response:
        return Response(generate_latest(registry), headers={"content-type": CONTENT_TYPE_LATEST})

    async def show_description(_: Request) -> Response:
        return JSONResponse(description)

    beside = Starlette(
        routes=[
            Route("/docs.json", show_description),
            Route("/feedback", feedback.answer, methods=["POST"]),
            Route("/metrics", show_metrics),
            *routes,
        ],
        exception_handlers={HTTPException: _refuse},
    )
    service.mount_asgi_app(beside)
    app = cast(Starlette, service.to_asgi())
    wanted = [
        each for each in app.user_middleware if getattr(each.cls, "__name__", "") != _UNWANTED
    ]
    if len(wanted) != len(app.user_middleware) - 1:
        raise RuntimeError(f"BentoML has no {_UNWANTED} any more; check what replaced it")
    app.user_middleware = wanted
    pages = [each for each in app.routes if _is_page(each)]
    if len(pages) != len(_PAGES):
        raise RuntimeError(f"BentoML does not have the pages {', '.join(_PAGES)} any more")
    app.router.routes = [each for each in app.routes if each not in pages]
    app.router.redirect_slashes = False  # to http, whatever the client came by
    app.add_exception_handler(HTTPException, _refuse)
    return app


def _is_page(route: BaseRoute) -> bool:
    return isinstance(route, Route | Mount) and getattr(route, "path", None) in _PAGES


def answer_directly(
    app: ASGIApp, endpoints: Mapping[tuple[str, str], ASGIApp], *, shadow_port: int
) -> ASGIApp:
    """Hand requests of these methods and paths to their endpoints, and all others to the app.

    The layers of BentoML and Starlette take longer than the prediction of a row, and do nothing
    for it.  A slash at the end of a path changes nothing.  What comes in at the shadow port is
    marked as the built-in gateway marks the copies of its mirror: a Gateway of the cluster can send
    a copy elsewhere, but cannot change it.
    """

    async def direct(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        if scope["server"][1] == shadow_port:
            scope["headers"] = [_SHADOW, *scope["headers"]]
        path = scope["path"]
        if path.endswith("/"):
            path = scope["path"] = path.rstrip("/") or "/"
        await endpoints.get((scope["method"], path), app)(scope, receive, send)

    return direct


def return_request_id(app: ASGIApp) -> ASGIApp:
    """Return a caller's request id in every answer, as the built-in gateway does."""

    async def returned(scope: Scope, receive: Receive, send: Send) -> None:
        own = Incoming.of(scope, receive).returned_id if scope["type"] == "http" else ()
        if not own:
            await app(scope, receive, send)
            return

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [each for each in message.get("headers", ()) if each not in own]
                message["headers"] = [*headers, *own]
            await send(message)

        await app(scope, receive, send_with_id)

    return returned


def require_token(app: ASGIApp, token: Token) -> ASGIApp:
    """Refuse requests that choose their version without the Model's token, before their body."""
    refused = error_response(
        HTTPStatus.FORBIDDEN,
        f"{VERSION_HEADER} needs the header {FORCE_TOKEN_HEADER} with the token of the Secret that "
        "spec.serving.forceVersionSecret of the Model names",
    )

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            given = headers.get(FORCE_TOKEN_HEADER, "")
            if VERSION_HEADER in headers and not token.is_told_by(given):
                await refused(scope, receive, send)
                return
        await app(scope, receive, send)

    return guarded


async def _refuse(request: Request, error: Exception) -> Response:
    refusal = cast(HTTPException, error)
    detail = refusal.detail
    if refusal.status_code == HTTPStatus.NOT_FOUND:
        detail = (
            f"there is nothing at {request.url.path}; predictions are at POST /predict, "
            "feedback at POST /feedback, and more about both at GET /docs.json"
        )
    response = error_response(refusal.status_code, detail)
    response.headers.update(refusal.headers or {})
    return response
