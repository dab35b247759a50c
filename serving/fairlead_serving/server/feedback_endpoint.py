"""What `POST /feedback` answers.

Feedback is kept, not looked up: it may come before its prediction is written, and through the
pod of another version.  So an id that nobody ever gave out is accepted, and joins nothing.
"""

import hmac
from datetime import UTC, datetime
from http import HTTPStatus

import orjson
from starlette.requests import Request
from starlette.responses import Response

from fairlead_serving.server.bodies import Bodies
from fairlead_serving.server.feedback import MAX_BODY_BYTES, parse_feedback
from fairlead_serving.server.instances import BadInputError
from fairlead_serving.server.prediction_log import PredictionLog
from fairlead_serving.server.refusals import error_response, refusal
from fairlead_serving.server.settings import RecordSettings


class FeedbackEndpoint:
    """Takes labels and rewards for the predictions of a Model."""

    def __init__(
        self, record: RecordSettings | None, log: PredictionLog | None, bodies: Bodies
    ) -> None:
        self._bodies = bodies
        self._record = record
        self._log = log

    async def answer(self, request: Request) -> Response:
        """Keep what the client reports, or say why not."""
        if self._record is None or self._log is None:
            return error_response(
                HTTPStatus.NOT_FOUND,
                "the model logs no predictions; set spec.serving.predictionLog.enabled to true",
            )
        if not _is_allowed(request, self._record.feedback_token):
            response = error_response(
                HTTPStatus.UNAUTHORIZED, "feedback needs a valid bearer token"
            )
            response.headers["www-authenticate"] = "Bearer"
            return response
        try:
            body = await self._bodies.read(request, MAX_BODY_BYTES)
            try:
                feedback = parse_feedback(
                    body.content, self._record.task, received=datetime.now(UTC)
                )
            finally:
                body.release()
        except BadInputError as error:
            return refusal(error)
        if not self._log.offer_feedback(feedback):
            response = error_response(
                HTTPStatus.SERVICE_UNAVAILABLE, "feedback cannot be stored now; send it again later"
            )
            response.headers["retry-after"] = "30"
            return response
        answer = {"predictionId": feedback.prediction_id, "row": feedback.row_index}
        return Response(
            orjson.dumps(answer), status_code=HTTPStatus.ACCEPTED, media_type="application/json"
        )


def _is_allowed(request: Request, token: str) -> bool:
    given = request.headers.get("authorization", "")
    return not token or hmac.compare_digest(given.encode(), f"Bearer {token}".encode())
