"""The BentoML service: endpoints and nothing else.

BentoML's own metrics are off, since they label their series with the path as sent: anyone could
make as many series as they like.  Ours are a route beside feedback's.
"""

import bentoml
from starlette.requests import Request
from starlette.responses import Response

from fairlead_serving.server.endpoint import PredictEndpoint
from fairlead_serving.server.schemas import PredictRequest, PredictResponse


def build_service(endpoint: PredictEndpoint) -> bentoml.Service:
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
            return await endpoint.answer(instances)

    return ModelServer
