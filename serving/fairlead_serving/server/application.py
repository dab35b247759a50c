"""The BentoML service as an ASGI application fit for a small, fast model."""

from http import HTTPStatus
from typing import cast

import bentoml
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from fairlead_serving.server.feedback_endpoint import FeedbackEndpoint
from fairlead_serving.server.refusals import error_response

# What BentoML wraps around each request, and why we take it off:
_UNWANTED = frozenset(
    {
        # Never cancels its timer, so each finished request stays in memory for the whole timeout
        # and p99 grows to 300 ms.  Our endpoint has a timeout of its own.
        "TimeoutMiddleware",
        # Labels its series with the path as sent: anyone can make as many series as they like.
        # `fairlead_predictions_total` and the gateway count requests.
        "RunnerTrafficMetricsMiddleware",
        # Spans nobody collects.
        "OpenTelemetryMiddleware",
    }
)


def build_application(service: bentoml.Service, feedback: FeedbackEndpoint) -> Starlette:
    """Turn the service into an application with one form of error.

    Feedback is a route of its own: BentoML would answer what is wrong with it in its own forms.
    """
    app = cast(Starlette, service.to_asgi())
    app.router.routes.insert(0, Route("/feedback", feedback.answer, methods=["POST"]))
    app.user_middleware = [
        middleware
        for middleware in app.user_middleware
        if getattr(middleware.cls, "__name__", "") not in _UNWANTED
    ]
    app.add_exception_handler(HTTPException, _refuse)
    return app


def mark_copies(app: ASGIApp, port: int) -> ASGIApp:
    """Mark what comes in at this port as the built-in gateway marks the copies of its mirror.

    A Gateway of the cluster can send a copy elsewhere, but cannot change it.
    """

    async def marked(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["server"][1] == port:
            scope["headers"] = [(b"x-fairlead-shadow", b"true"), *scope["headers"]]
        await app(scope, receive, send)

    return marked


async def _refuse(request: Request, error: Exception) -> Response:
    refusal = cast(HTTPException, error)
    detail = refusal.detail
    if refusal.status_code == HTTPStatus.NOT_FOUND:
        detail = (
            f"there is nothing at {request.url.path}; predictions are at POST /predict, "
            "feedback at POST /feedback"
        )
    response = error_response(refusal.status_code, detail)
    response.headers.update(refusal.headers or {})
    return response
