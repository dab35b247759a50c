"""What is sent to MLflow, and what its errors become; the integration tests have a real one."""

import json
from collections.abc import Callable, Sequence
from typing import Any, cast

import pytest
import requests
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import (
    INTERNAL_ERROR,
    RESOURCE_ALREADY_EXISTS,
    RESOURCE_DOES_NOT_EXIST,
)
from mlflow.store.entities import PagedList
from optuna.trial import TrialState

from fairlead_training.config import parse_config
from fairlead_training.failure import Reason, TrainingFailure
from fairlead_training.tracking import Tracking, errors_named, is_missing
from support.optuna_trials import frozen_trial
from support.trainer_config import config_document

CONFIG = parse_config(json.dumps(config_document()))
MISSING = MlflowException("no such run\nat line 7", error_code=RESOURCE_DOES_NOT_EXIST)
THERE = MlflowException("it exists", error_code=RESOURCE_ALREADY_EXISTS)
BROKEN = MlflowException("broken", error_code=INTERNAL_ERROR)


class Notebook:
    """As much of an MLflow client as these tests need; keeps what it is told."""

    def __init__(
        self,
        *,
        pages: Sequence[Sequence[int]] = (),
        error: Exception | None = None,
        found: Exception | None = None,
    ) -> None:
        self.metrics: list[list[Any]] = []
        self.texts: dict[str, str] = {}
        self._pages = pages
        self._error = error
        self._found = found
        self.made: list[str] = []

    def log_batch(self, _run: str, metrics: list[Any]) -> None:
        self.metrics.append(metrics)

    def log_text(self, _run: str, text: str, path: str) -> None:
        self.texts[path] = text

    def get_registered_model(self, _name: str) -> None:
        if self._found is not None:
            raise self._found

    def create_registered_model(self, name: str) -> None:
        self.made.append(name)
        if self._error is not None:
            raise self._error

    def search_model_versions(
        self, _filter: str, *, page_token: str | None, **_: object
    ) -> "PagedList[int]":
        at = int(page_token or 0)
        more = at + 1 < len(self._pages)
        return PagedList(self._pages[at], token=str(at + 1) if more else None)


def wrapped(cause: Exception) -> Exception:
    """Return how MLflow's client tells of a request that had no answer."""
    error = MlflowException(f"API request to http://m failed with exception {cause}")
    error.__context__ = cause
    return error


def tracking(client: Notebook) -> Tracking:
    return Tracking(cast(MlflowClient, client), CONFIG)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        pytest.param(
            MlflowException(
                "API request to endpoint /api failed with error code 401 != 200. "
                "Response body: '<html>hush'"
            ),
            401,
            id="a login",
        ),
        pytest.param(
            MlflowException("API request to endpoint /api failed with error code 302 != 200."),
            302,
            id="a redirect",
        ),
        pytest.param(
            MlflowException(
                "API request to http://m failed with exception HTTPConnectionPool(host='m', "
                "port=80): Max retries exceeded (Caused by ResponseError('too many 503 error "
                "responses'))"
            ),
            503,
            id="retries that are used up",
        ),
        pytest.param(
            MlflowException(
                "API request to endpoint was successful but the response body was not in a valid "
                "JSON format. Response body: '<html>hush'"
            ),
            200,
            id="a page",
        ),
        pytest.param(requests.HTTPError("404 Client Error: hush"), 404, id="a file"),
    ],
)
def test_what_is_no_answer_of_mlflow_is_told_by_its_status(error: Exception, status: int) -> None:
    with (
        pytest.raises(TrainingFailure, match=f"answered HTTP {status} in place") as caught,
        errors_named("x"),
    ):
        raise error

    assert "hush" not in caught.value.message
    assert (caught.value.trouble is not None) == (status in {429, 502, 503})
    assert "hush" not in str(caught.value.trouble)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param(
            "Endpoint disabled due to the mlflow server running with `--no-serve-artifacts`",
            "answered HTTP 503: Endpoint disabled due to the mlflow server running with",
            id="plain words",
        ),
        pytest.param(
            '{"error_code": "INTERNAL_ERROR", "message": "the bucket is not there"}',
            "answered HTTP 503: the bucket is not there; it is asked again",
            id="JSON",
        ),
        pytest.param("[1]", "answered HTTP 503 in place of JSON; it", id="JSON without words"),
        pytest.param("<html>hush", "answered HTTP 503 in place of JSON; it", id="a page"),
    ],
)
def test_what_mlflow_says_itself_is_told(body: str, words: str) -> None:
    error = requests.HTTPError(f"503 Server Error: x for url: http://m/a. Response text: {body}")

    with pytest.raises(TrainingFailure) as caught, errors_named("x"):
        raise error

    assert words in caught.value.message
    assert "hush" not in caught.value.message


@pytest.mark.parametrize(
    ("error", "said", "passes"),
    [
        pytest.param(MISSING, "no such run;", False, id="MLflow refuses: its first line"),
        pytest.param(
            requests.ConnectionError("no route"), "no route;", True, id="MLflow is silent"
        ),
        pytest.param(
            wrapped(requests.ConnectTimeout("x")), "API request", True, id="told by MLflow"
        ),
        pytest.param(
            wrapped(requests.exceptions.SSLError("x")), "API request", False, id="no trust"
        ),
    ],
)
def test_an_error_of_mlflow_is_named(error: Exception, said: str, passes: bool) -> None:
    with pytest.raises(TrainingFailure) as caught, errors_named("the run cannot be read"):
        raise error

    assert caught.value.reason is Reason.TRACKING_UNAVAILABLE
    assert f"the run cannot be read: {said}" in caught.value.message
    assert (caught.value.trouble is not None) is passes


@pytest.mark.parametrize(
    ("error", "passes"), [(MISSING, True), (BROKEN, False)], ids=["kept", "not kept"]
)
def test_an_error_that_the_caller_keeps_passes(error: Exception, passes: bool) -> None:
    with (
        pytest.raises(MlflowException if passes else TrainingFailure),
        errors_named("it cannot be read", keep=is_missing),
    ):
        raise error


def test_only_trials_with_a_value_are_points_of_the_metric_and_all_are_in_the_table() -> None:
    notebook = Notebook()

    tracking(notebook).log_trials(
        [frozen_trial(TrialState.COMPLETE, value=0.7), frozen_trial(TrialState.PRUNED)]
    )

    assert [[metric.value for metric in batch] for batch in notebook.metrics] == [[0.7]]
    table = json.loads(notebook.texts["trials.json"])
    assert [row["state"] for row in table] == ["COMPLETE", "PRUNED"]


def test_many_trials_go_in_several_requests() -> None:
    """MLflow refuses more than 1000 metrics in one."""
    notebook = Notebook()

    tracking(notebook).log_trials([frozen_trial(TrialState.COMPLETE)] * 2000)

    assert [len(batch) for batch in notebook.metrics] == [900, 900, 200]


@pytest.mark.parametrize(
    ("pages", "expected"),
    [
        pytest.param([[]], [], id="none"),
        pytest.param([[3, 2], [1]], [3, 2, 1], id="two pages"),
    ],
)
def test_the_versions_of_every_page_are_listed(pages: list[list[int]], expected: list[int]) -> None:
    assert tracking(Notebook(pages=pages)).versions() == expected


@pytest.mark.parametrize(
    ("found", "error", "made", "fails"),
    [
        pytest.param(None, BROKEN, False, False, id="there: whoever signs in may make none"),
        pytest.param(BROKEN, None, False, True, id="not known"),
        pytest.param(MISSING, None, True, False, id="made"),
        pytest.param(MISSING, THERE, True, False, id="there by now"),
        pytest.param(MISSING, BROKEN, True, True, id="not made"),
    ],
)
def test_a_registered_model_is_made_where_there_is_none(
    found: Exception | None, error: Exception | None, made: bool, fails: bool
) -> None:
    notebook = Notebook(found=found, error=error)
    ensure: Callable[[], None] = tracking(notebook).ensure_registered_model

    if fails:
        with pytest.raises(TrainingFailure, match="the model cannot be registered"):
            ensure()
    else:
        ensure()
    assert bool(notebook.made) is made
