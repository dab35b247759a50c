"""The one form in which this server refuses a request: a status and `{"error": message}`."""

from http import HTTPStatus

import orjson
from starlette.responses import Response

from fairlead_serving.server.instances import BadInputError, TooLargeError


def error_response(status: int, message: str) -> Response:
    """Build a refusal."""
    return Response(
        orjson.dumps({"error": message}), status_code=status, media_type="application/json"
    )


def refusal(error: BadInputError) -> Response:
    """Build the refusal of a request that its client has to correct."""
    is_large = isinstance(error, TooLargeError)
    return error_response(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE if is_large else HTTPStatus.BAD_REQUEST, str(error)
    )
