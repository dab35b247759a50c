"""The BentoML service: endpoints and nothing else.

BentoML's own metrics are off, since they label their series with the path as sent: anyone could
make as many series as they like.  Ours are a route beside feedback's.
"""

import bentoml
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from fairlead_serving.server.schemas import PredictRequest, PredictResponse


class Passed(Response):
    """An answer that an ASGI application of its own sends."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__()
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)
        if self.background is not None:  # BentoML's own
            await self.background()


def build_service(endpoint: ASGIApp) -> bentoml.Service:
    """Build the service around a model that is loaded and tested."""

    @bentoml.service(
        name="fairlead",
        workers=1,
        logging={"access": {"enabled": False}},
        metrics={"enabled": False},
        tracing={"excluded_urls": ".*"},
    )
    class ModelServer:
        @bentoml.api(route="/predict", input_spec=PredictRequest, output_spec=PredictResponse)  # type: ignore[untyped-decorator]  # BentoML has no types
        async def predict(self, instances: Request) -> Response:
            """Predict for each instance."""
            return Passed(endpoint)

    return ModelServer
