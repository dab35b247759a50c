"""Request and response of `POST /predict`, as BentoML's own clients ask for them.

The one field of the request carries the whole request, because a method of BentoML is given
fields and nothing else: its `Context` has the headers, and would overwrite the status of every
answer; a positional-only parameter is given whole, and changes how BentoML's own clients call.
"""

from typing import Any, Self

from bentoml import IODescriptor
from pydantic import Field
from starlette.requests import Request

from fairlead_serving.server.instances import MAX_INSTANCES


class PredictRequest(IODescriptor):  # type: ignore[misc]  # BentoML has no types
    """Rows to predict for."""

    instances: list[dict[str, float | bool | str | None]] = Field(
        min_length=1, max_length=MAX_INSTANCES, description="one object of column: value a row"
    )

    @classmethod
    async def from_http_request(cls, request: Request, _serde: object) -> Self:
        """Pass the request on, unread: the endpoint knows what it may hold."""
        return cls.model_construct(instances=request)  # type: ignore[no-any-return]


class PredictResponse(IODescriptor):  # type: ignore[misc]  # BentoML has no types
    """One prediction a row, in the order of the rows."""

    model: str
    version: str
    predictionId: str = Field(description="a UUID; feedback names it")  # noqa: N815 - JSON's name
    predictions: list[Any]
