"""What a client asks of `POST /predict`, read without ever raising.

BentoML would log a traceback for each bad request and answer in three different forms.
"""

from dataclasses import dataclass

import orjson
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request

from fairlead_serving.server.instances import BadInputError, TooLargeError

MAX_BODY_BYTES = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Question:
    """A request as it came."""

    instances: object  # a BadInputError where the body cannot be read
    headers: Headers


async def read_question(request: Request) -> Question:
    """Read a request; what is wrong with its body becomes the value of `instances`."""
    try:
        instances: object = parse_instances(await read_body(request, MAX_BODY_BYTES))
    except BadInputError as error:
        instances = error
    return Question(instances, request.headers)


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
    """Read a body of at most so many bytes.

    Raises:
        BadInputError: there are more, or the client hung up.
    """
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > most:
                raise TooLargeError(f"body has more than {most} bytes; send less at once")
    except ClientDisconnect as error:
        raise BadInputError("client closed the connection before the end of the body") from error
    return bytes(body)
