"""The one form in which this server refuses a request: a status and `{"error": message}`."""

from http import HTTPStatus

import orjson
from starlette.responses import Response

from fairlead_contract.http import EXCUSED_STATUSES
from fairlead_contract.series import Outcome
from fairlead_serving.server.instances import BadInputError, TooLargeError


class RefusedError(BadInputError):
    """A request that is refused for more than what its body says."""

    def __init__(self, status: HTTPStatus, message: str, *, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after  # seconds


def error_response(status: int, message: str) -> Response:
    """Build a refusal."""
    return Response(
        orjson.dumps({"error": message}), status_code=status, media_type="application/json"
    )


def refusal_outcome(error: BadInputError) -> Outcome:
    """Tell what is wrong with what the client sent from what keeps us from reading it."""
    if isinstance(error, RefusedError) and error.status in EXCUSED_STATUSES:
        return Outcome.UNREAD
    return Outcome.BAD_INPUT


def refusal(error: BadInputError) -> Response:
    """Build the refusal of a request that its client has to correct."""
    match error:
        case RefusedError():
            response = error_response(error.status, str(error))
            if error.retry_after is not None:
                response.headers["retry-after"] = str(error.retry_after)
            return response
        case TooLargeError():
            return error_response(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, str(error))
        case _:
            return error_response(HTTPStatus.BAD_REQUEST, str(error))
