"""Request and response of `POST /predict`.

The types are what the OpenAPI document shows.  Reading is our own, and never raises: BentoML
would log a traceback for each bad request and answer in three different forms.
"""

from dataclasses import dataclass
from typing import Any, Self

import orjson
from bentoml import IODescriptor
from pydantic import Field
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request

from fairlead_serving.server.instances import MAX_INSTANCES, BadInputError, TooLargeError

MAX_BODY_BYTES = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Question:
    """What a client asks, as it came."""

    instances: object  # a BadInputError where the body cannot be read
    headers: Headers


class PredictRequest(IODescriptor):  # type: ignore[misc]  # BentoML has no types
    """Rows to predict for."""

    instances: list[dict[str, float | bool | str | None]] = Field(
        min_length=1, max_length=MAX_INSTANCES, description="one object of column: value a row"
    )

    @classmethod
    async def from_http_request(cls, request: Request, _serde: object) -> Self:
        """Read the body; what is wrong with it becomes the value of `instances`.

        The one field carries the whole question, because BentoML hands on nothing else.
        """
        try:
            instances: object = parse_instances(await read_body(request, MAX_BODY_BYTES))
        except BadInputError as error:
            instances = error
        return cls.model_construct(instances=Question(instances, request.headers))  # type: ignore[no-any-return]


class PredictResponse(IODescriptor):  # type: ignore[misc]  # BentoML has no types
    """One prediction a row, in the order of the rows."""

    model: str
    version: str
    predictionId: str = Field(description="a UUID; feedback names it")  # noqa: N815 - JSON's name
    predictions: list[Any]


def parse_instances(body: bytes) -> object:
    """Take `instances` out of a JSON body; what they are is the reader's business.

    Raises:
        BadInputError: the body is not an object with nothing but `instances`.
    """
    try:
        request = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadInputError(f"body is not JSON: {error}") from error
    if not isinstance(request, dict) or "instances" not in request:
        raise BadInputError('body has no instances; give {"instances": [{"column": value}]}')
    if len(request) > 1:
        unknown = ", ".join(sorted(request.keys() - {"instances"}))
        raise BadInputError(f"body has the unknown fields {unknown[:100]}; give instances alone")
    return request["instances"]


async def read_body(request: Request, most: int) -> bytes:
    """Read at most so many bytes.

    Raises:
        BadInputError: there are more, or the client hung up.
    """
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > most:
                raise TooLargeError(f"body is over {most} bytes; send less at once")
    except ClientDisconnect as error:
        raise BadInputError("client hung up before the end of the body") from error
    return bytes(body)
