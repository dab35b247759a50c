"""What `POST /explain` answers: what each column adds to the score of a few rows.

It is asked by people, at a version's own Service, and is no prediction: neither counted nor
recorded.  One question at a time has a thread of its own, so that predictions never wait for it.
"""

import asyncio
import logging
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from fairlead_serving.server.bodies import Bodies, Body
from fairlead_serving.server.classes import PLAIN, Classes
from fairlead_serving.server.incoming import Incoming
from fairlead_serving.server.instances import BadInputError, TooLargeError
from fairlead_serving.server.predictors.protocol import (
    Explanation,
    NotExplainedError,
    Predictor,
)
from fairlead_serving.server.question import parse_instances
from fairlead_serving.server.refusals import RefusedError, error_response, refusal
from fairlead_serving.server.settings import Settings
from fairlead_serving.server.shape import MAX_EXPLAIN_BYTES, MAX_EXPLAINED

_log = logging.getLogger(__name__)


class ExplainEndpoint:
    """Explains the answers of one model version."""

    def __init__(
        self,
        predictor: Predictor,
        settings: Settings,
        bodies: Bodies,
        *,
        classes: Classes = PLAIN,
    ) -> None:
        self._predictor = predictor
        self._classes = classes
        self._bodies = bodies
        self._identity = {"model": settings.model, "version": settings.version}
        self._timeout = settings.request_timeout.total_seconds()
        self._most_bytes = min(settings.max_body_bytes, MAX_EXPLAIN_BYTES)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="explain")
        self._is_busy = False

    async def answer(self, request: Request) -> Response:
        """Explain what the client sent, or say why not."""
        try:
            body = await self._bodies.read(
                Incoming.of(request.scope, request.receive), self._most_bytes
            )
            return Response(orjson.dumps(await self._explain(body)), media_type="application/json")
        except BadInputError as error:
            return refusal(error)
        except NotExplainedError as error:
            return error_response(HTTPStatus.NOT_IMPLEMENTED, str(error))
        except Exception:
            _log.exception("Explanation failed")
            return error_response(
                HTTPStatus.INTERNAL_SERVER_ERROR, "the model failed; the log of its server says why"
            )

    async def _explain(self, body: Body) -> Mapping[str, Any]:
        if self._is_busy:
            body.release()
            raise RefusedError(
                HTTPStatus.TOO_MANY_REQUESTS,
                "another explanation is under way; ask again after a second",
                retry_after=1,
            )
        self._is_busy = True
        is_over = threading.Event()
        job = self._thread.submit(self._work, body, is_over)
        job.add_done_callback(lambda _: self._end(body))
        work = asyncio.wrap_future(job)
        try:
            done, _ = await asyncio.wait({work}, timeout=self._timeout)
        finally:  # also where the server ends meanwhile
            if not work.done():
                is_over.set()  # a part that is under way is finished, and nothing after it begun
                work.cancel()  # nobody hears of it
        if not done:
            raise RefusedError(
                HTTPStatus.GATEWAY_TIMEOUT, f"no explanation within {self._timeout:g} seconds"
            )
        return work.result()

    def _end(self, body: Body) -> None:
        body.release()
        self._is_busy = False

    def _work(self, body: Body, is_over: threading.Event) -> Mapping[str, Any]:
        instances = parse_instances(body.content)
        if isinstance(instances, list) and len(instances) > MAX_EXPLAINED:
            raise TooLargeError(
                f"{len(instances)} instances to explain; send at most {MAX_EXPLAINED} at once"
            )
        explained = self._predictor.explain(instances, is_over.is_set)
        return {
            **self._identity,
            "method": explained.method,
            "scale": explained.scale,
            "explanations": [self._tell(each) for each in explained.rows],
        }

    def _tell(self, explanation: Explanation) -> Mapping[str, Any]:
        number, labels = explanation.output, self._classes.labels
        return {
            "class": labels[number] if number is not None and number < len(labels) else number,
            "score": explanation.score,
            "base": explanation.base,
            "attributions": explanation.attributions,
            "error": explanation.error,
        }
