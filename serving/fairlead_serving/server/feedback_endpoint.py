"""What `POST /feedback` answers.

Feedback is kept, not looked up: it may come before its prediction is written, and through the
pod of another version.  So an id that nobody ever gave out is accepted, and joins nothing.
"""

from datetime import UTC, datetime
from http import HTTPStatus

import orjson
from starlette.requests import Request
from starlette.responses import Response

from fairlead_serving.server.bodies import Bodies
from fairlead_serving.server.classes import PLAIN, Classes
from fairlead_serving.server.feedback import MAX_BODY_BYTES, parse_feedback
from fairlead_serving.server.incoming import Incoming
from fairlead_serving.server.instances import BadInputError
from fairlead_serving.server.prediction_log import CLOSED_SECONDS, Offer, PredictionLog
from fairlead_serving.server.refusals import error_response, refusal
from fairlead_serving.server.settings import RecordSettings
from fairlead_serving.server.tokens import Token


class FeedbackEndpoint:
    """Takes labels and rewards for the predictions of a Model."""

    def __init__(
        self,
        record: RecordSettings | None,
        log: PredictionLog | None,
        bodies: Bodies,
        *,
        classes: Classes = PLAIN,
    ) -> None:
        self._bodies = bodies
        self._classes = classes
        self._record = record
        self._token: Token | None = None  # feedback is open to everyone
        if record is not None and record.feedback_token:
            self._token = Token(record.feedback_token, record.feedback_token_file)
        self._log = log

    async def answer(self, request: Request) -> Response:
        """Keep what the client reports, or say why not."""
        if self._record is None or self._log is None:
            return error_response(
                HTTPStatus.NOT_FOUND,
                "the model logs no predictions; set spec.serving.predictionLog.enabled to true",
            )
        if self._token is not None and not self._token.is_told_by(_bearer(request)):
            response = error_response(
                HTTPStatus.UNAUTHORIZED, "feedback needs a valid bearer token"
            )
            response.headers["www-authenticate"] = "Bearer"
            return response
        try:
            body = await self._bodies.read(
                Incoming.of(request.scope, request.receive), MAX_BODY_BYTES
            )
            try:
                feedback = parse_feedback(
                    body.content,
                    self._record.task,
                    received=datetime.now(UTC),
                    classes=self._classes,
                )
            finally:
                body.release()
        except BadInputError as error:
            return refusal(error)
        match self._log.offer_feedback(feedback):
            case Offer.NO_ROOM:
                return _later(
                    HTTPStatus.SERVICE_UNAVAILABLE,
                    "feedback cannot be stored now; send it again later",
                    seconds=30,
                )
            case Offer.LIMIT_REACHED:
                return _later(
                    HTTPStatus.TOO_MANY_REQUESTS,
                    "the namespace has given its share of feedback for today (UTC); send it again "
                    "later",
                    seconds=CLOSED_SECONDS,
                )
        answer = {"predictionId": feedback.prediction_id, "row": feedback.row_index}
        return Response(
            orjson.dumps(answer), status_code=HTTPStatus.ACCEPTED, media_type="application/json"
        )


def _later(status: HTTPStatus, message: str, *, seconds: int) -> Response:
    response = error_response(status, message)
    response.headers["retry-after"] = str(seconds)
    return response


def _bearer(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip(" ") if scheme.lower() == "bearer" else ""
