"""What requests for predictions are answered: a status and a body for each way one can end.

It is an ASGI application of its own: nothing of a framework is between it and the connection, and
whatever is the same for all requests is made once.

A few rows of a fast model are read and predicted on the event loop, because a change of thread
costs more than they do.  Everything else goes to the one prediction thread as the bytes it came
as, so that probes and metrics are answered meanwhile, a model that is not safe for threads never
meets two, and the objects of one large body at most are in memory.
"""

import asyncio
import logging
import time
import uuid
from concurrent.futures import Executor
from http import HTTPStatus

import numpy as np
import orjson
from starlette.types import Receive, Scope, Send

from fairlead_contract.http import (
    REQUEST_ID_HEADER,
    SHADOW_HEADER,
    SHADOW_VALUE,
    UNCOUNTED_HEADER,
    UNCOUNTED_VALUE,
)
from fairlead_contract.series import Outcome
from fairlead_serving.server.bodies import Bodies, Body
from fairlead_serving.server.classes import PLAIN, Classes
from fairlead_serving.server.dialects import Dialect, Rows
from fairlead_serving.server.incoming import Incoming
from fairlead_serving.server.instances import BadInputError
from fairlead_serving.server.metrics import Metrics
from fairlead_serving.server.prediction_log import PredictionLog
from fairlead_serving.server.predictors.protocol import Predictions, Predictor
from fairlead_serving.server.refusals import error_response, refusal, refusal_outcome
from fairlead_serving.server.settings import Settings
from fairlead_serving.server.shape import (
    SMALL_BYTES,
    Limits,
    check_answer,
    check_shape,
    count_values,
)

_log = logging.getLogger(__name__)

_UNCOUNTED, _UNCOUNTED_VALUE = UNCOUNTED_HEADER.encode(), UNCOUNTED_VALUE.encode()
_SHADOW, _SHADOW_VALUE = SHADOW_HEADER.encode(), SHADOW_VALUE.encode()
_SERVER = (b"server", b"BentoML Service/fairlead")  # as BentoML's own routes say
_HEADERS = ((b"content-type", b"application/json"), _SERVER)
_TOO_LONG_SECONDS = 0.1  # of work, for which probes and metrics have waited


class _TooSlowError(Exception):
    """Our patience is over; the model's own TimeoutError is another matter."""


class PredictEndpoint:
    """Answers requests for predictions of one model version."""

    def __init__(
        self,
        predictor: Predictor,
        metrics: Metrics,
        settings: Settings,
        *,
        thread: Executor,
        bodies: Bodies,
        log: PredictionLog | None = None,
        classes: Classes = PLAIN,
        dialect: Dialect | None = None,
    ) -> None:
        self._predictor = predictor
        self._is_fast = predictor.is_fast
        self._metrics = metrics
        self._timeout = settings.request_timeout.total_seconds()
        self._thread = thread
        self._bodies = bodies
        self._limits = Limits.of(predictor.reader.columns, most=settings.max_body_bytes)
        self._log = log
        self._names = count_values(classes.names)  # in each row of an answer
        self._dialect = dialect or Rows(settings, self._limits, classes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Predict for what the client sent, or say why not."""
        request = Incoming.of(scope, receive)
        # A gateway says of some requests that they are no live traffic, nor a copy of it.
        is_counted = request.headers.get(_UNCOUNTED) != _UNCOUNTED_VALUE
        content, refused = b"", None
        started = time.perf_counter()
        try:
            body = await self._bodies.read(request, self._dialect.most_bytes)
            started = time.perf_counter()
            asked, predictions = await self._predict(body)
            content = self._succeed(asked, predictions, request, is_counted=is_counted)
            outcome = Outcome.SUCCESS
            if is_counted:
                self._metrics.record_predictions(predictions)
        except BadInputError as error:
            outcome, refused = refusal_outcome(error), refusal(error)
        except _TooSlowError:
            outcome = Outcome.TIMEOUT
            refused = error_response(
                HTTPStatus.GATEWAY_TIMEOUT, f"no prediction within {self._timeout:g} seconds"
            )
        except Exception:  # model code of any author runs here
            given = request.text(REQUEST_ID_HEADER)
            _log.exception("Prediction failed", extra={"request_id": given} if given else None)
            outcome = Outcome.ERROR
            refused = error_response(
                HTTPStatus.INTERNAL_SERVER_ERROR, "the model failed; the log of its server says why"
            )
        if is_counted:
            self._metrics.record(outcome, seconds=time.perf_counter() - started)
        if refused is not None:
            refused.raw_headers += [_SERVER, *request.returned_id]
            await refused(scope, receive, send)
            return
        headers = [(b"content-length", b"%d" % len(content)), *_HEADERS, *request.returned_id]
        await send({"type": "http.response.start", "status": HTTPStatus.OK, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    async def _predict(self, body: Body) -> tuple[str | None, Predictions]:
        if self._is_fast and self._has_few_rows(body.content):
            started = time.thread_time()  # what others take of the processor is not its fault
            try:
                return self._read_and_predict(body)
            finally:
                body.release()
                self._judge_speed(time.thread_time() - started)
        job = self._thread.submit(self._read_and_predict, body)
        # Not before: what a client no longer waits for is in memory until the thread is past it.
        job.add_done_callback(lambda _: body.release())
        work = asyncio.wrap_future(job)
        done, _ = await asyncio.wait({work}, timeout=self._timeout)
        if not done:
            work.cancel()  # if it still waits for the thread; a started one runs on, unheard
            raise _TooSlowError
        return work.result()

    def _read_and_predict(self, body: Body) -> tuple[str | None, Predictions]:
        """Return what the client calls its request, if it does, and the predictions."""
        if self._dialect.is_counted and len(body.content) > SMALL_BYTES:
            check_shape(body.content, self._limits)
        instances, asked = self._dialect.parse(body.content)
        predictions = self._predictor.predict(instances)
        check_answer(len(predictions), predictions, beside=self._names)
        return asked, predictions

    def _judge_speed(self, seconds: float) -> None:
        """Leave the event loop for good to others, where some values make a fast model slow."""
        if seconds > _TOO_LONG_SECONDS:
            self._is_fast = False
            _log.warning(
                "The model took %.1f s for a few rows, so it no longer predicts on the event loop",
                seconds,
            )

    def _has_few_rows(self, body: bytearray) -> bool:
        """Say whether a body is small; of the bytes in its strings it may say too much."""
        unit, most = self._dialect.few
        return len(body) <= SMALL_BYTES and body.count(unit) <= most

    def _succeed(
        self, asked: str | None, predictions: Predictions, request: Incoming, *, is_counted: bool
    ) -> bytes:
        """Write the answer, and have it logged."""
        prediction_id = str(uuid.uuid4())
        answer = self._dialect.write(asked, prediction_id, predictions)
        if self._log is not None and is_counted:
            self._log.offer(
                prediction_id,
                request.text(REQUEST_ID_HEADER),
                predictions,
                mirrored=request.headers.get(_SHADOW) == _SHADOW_VALUE,
            )
        return orjson.dumps(answer, default=_spread, option=orjson.OPT_SERIALIZE_NUMPY)


def _spread(value: object) -> object:
    """Give the writer of JSON an array that does not lie in memory as it takes arrays."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    raise TypeError(f"the answer holds a {type(value).__name__}")
