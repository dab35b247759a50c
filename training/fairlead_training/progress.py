"""How far the training is: one tag of the MLflow run, written at most once a second.

Plain REST, since a search worker has no other use for MLflow and importing it takes seconds.
"""

import http.client
import json
import logging
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from enum import StrEnum
from http import HTTPStatus
from typing import Any, Final, Literal

from fairlead_contract import tags
from fairlead_contract.mlflow import ADDRESS, Access, InvalidAccessError, describe_answer
from fairlead_training.failure import Reason, TrainingFailure, Trouble
from fairlead_training.passing import answer_may_pass, may_pass

_JSON: Final = {"Content-Type": "application/json"}
_TIMEOUT_SECONDS: Final = 5
_LONGEST_ANSWER: Final = 65_536  # bytes
_INTERVAL_SECONDS: Final = 1.0
_SILENCE_SECONDS: Final = 10.0  # after a failed write

_log = logging.getLogger(__name__)


class Stage(StrEnum):
    DATA = "data"
    FEATURES = "features"
    SEARCH = "search"
    FIT = "fit"
    EVALUATE = "evaluate"
    EXPLAIN = "explain"
    REGISTER = "register"


class Progress:
    """Write the progress document, and keep the stage for the result."""

    def __init__(
        self,
        write: Callable[[str], None],
        *,
        trials: int,
        metric: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._write = write
        self._base = {"trials": trials, "metric": metric}
        self._clock = clock
        self._next = 0.0
        self.stage = Stage.DATA

    def begin(self) -> None:
        """Write the first document.

        Raises:
            TrainingFailure: TrackingUnavailable, so that a training whose result could not be
                registered ends before it has cost anything.
        """
        try:
            self._write(self._document({}))
        except TrainingFailure:
            # MLflow refuses one of two workers that make the tag at once; now it is there.
            self._write(self._document({}))
        self._next = self._clock() + _INTERVAL_SECONDS

    def enter(self, stage: Stage, **fields: float | None) -> None:
        """Write the stage, unless the last write was within a second or MLflow does not answer."""
        self.stage = stage
        if self._clock() < self._next:
            return
        self._next = self._clock() + _INTERVAL_SECONDS
        try:
            self._write(self._document(fields))
        except TrainingFailure as failure:
            _log.warning("progress is not written", extra={"why": failure.message})
            self._next = self._clock() + _SILENCE_SECONDS

    def wait(self, told: str | None) -> None:
        """Say at once what is waited for; None: work goes on.  MLflow itself may be waited for."""
        try:
            self._write(self._document({} if told is None else {"waiting": told}))
        except TrainingFailure as failure:
            _log.warning("progress is not written", extra={"why": failure.message})
        self._next = self._clock() + _INTERVAL_SECONDS

    def _document(self, fields: Mapping[str, str | float | None]) -> str:
        return json.dumps({"stage": self.stage, **self._base, **fields})


def tag_writer(access: Access, run_id: str) -> Callable[[str], None]:
    """Build the function that sets the progress tag of the run.

    Raises:
        TrainingFailure: ConfigInvalid: the certificates to trust cannot be read.
    """
    url = f"{access.address}/api/2.0/mlflow/runs/set-tag"
    try:
        tls = access.tls()
    except InvalidAccessError as error:
        raise TrainingFailure(Reason.CONFIG_INVALID, f"environment variable {error}") from error

    host = urllib.parse.urlsplit(access.address).netloc
    opener = urllib.request.build_opener(_NoRedirects, urllib.request.HTTPSHandler(context=tls))

    def write(document: str) -> None:
        body: dict[str, Any] = {"run_id": run_id, "key": tags.PROGRESS, "value": document}
        request = urllib.request.Request(url, json.dumps(body).encode(), _JSON)  # noqa: S310  http or https only, as `Access` has it
        for name, value in access.headers.items():
            request.add_unredirected_header(name, value)
        try:
            with opener.open(request, timeout=_TIMEOUT_SECONDS) as response:
                text, status = response.read(_LONGEST_ANSWER), response.status
        except urllib.error.HTTPError as error:
            with error:
                text, status = error.read(_LONGEST_ANSWER), error.code
        except (OSError, http.client.HTTPException) as error:
            said = str(error)[:300]
            raise _unavailable(f"{said}; check {ADDRESS}", may_pass(error) and said) from error
        if status != HTTPStatus.OK or not _is_object(text):
            said = describe_answer(host, status, text.decode(errors="replace").strip())
            raise _unavailable(said, answer_may_pass(status) and said)

    return write


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Follows none: to a login, or with our credentials to another server."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def _is_object(text: bytes) -> bool:
    try:
        return isinstance(json.loads(text or b"{}"), dict)
    except ValueError:
        return False


def _unavailable(said: str, passes: str | Literal[False]) -> TrainingFailure:
    return TrainingFailure(
        Reason.TRACKING_UNAVAILABLE,
        f"MLflow did not accept the run's progress: {said}",
        trouble=Trouble("MLflow", passes) if passes else None,
    )
