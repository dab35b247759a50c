"""What a training leaves in MLflow: numbers, trials, reports, and the registered version."""

import contextlib
import dataclasses
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import mlflow
import requests
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_ALREADY_EXISTS, RESOURCE_DOES_NOT_EXIST, ErrorCode
from optuna.trial import FrozenTrial, TrialState

from fairlead_contract import tags
from fairlead_contract.mlflow import ADDRESS, describe_answer
from fairlead_training.config import TrainingConfig
from fairlead_training.failure import Reason, TrainingFailure, Trouble, first_line
from fairlead_training.passing import answer_may_pass
from fairlead_training.sources.address import public_uri

# How MLflow's client tells an answer that is not in MLflow's own form; it adds the whole body.
_STATUS: Final = re.compile(
    r"failed with error code (\d{3})|too many (\d{3}) error responses|\b(\d{3}) \w+ Error: "
)
# What stands in its messages of an answer's body.
_BODY: Final = re.compile(r"Response (?:text: |body: ')(.*?)'?\s*$", re.DOTALL)
_NO_JSON: Final = "the response body was not in a valid JSON format"
_BATCH: Final = 900  # metrics in one request; MLflow takes 1000


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A logged model and the tags its registered version gets."""

    model_id: str
    tags: Mapping[str, str]


@contextlib.contextmanager
def errors_named(
    what: str, *, keep: Callable[[MlflowException], bool] = lambda _: False
) -> Iterator[None]:
    """Turn MLflow's errors into TrackingUnavailable.

    Args:
        keep: tells which errors pass as they are.
    """
    try:
        yield
    except MlflowException as error:
        if keep(error):
            raise
        raise _unavailable(what, error) from error
    except requests.RequestException as error:
        raise _unavailable(what, error) from error


def is_missing(error: MlflowException) -> bool:
    """Tell whether MLflow says that there is no such thing."""
    return bool(error.error_code == ErrorCode.Name(RESOURCE_DOES_NOT_EXIST))


class Tracking:
    """One run and one registered model."""

    def __init__(self, client: MlflowClient, config: TrainingConfig) -> None:
        self._client = client
        self._config = config
        self._run = config.mlflow_run_id

    def check(self) -> str:
        """Check that MLflow answers and has the run; return its experiment's id.

        Raises:
            TrainingFailure: TrackingUnavailable.
        """
        with errors_named(f"the run {self._run} cannot be read"):
            return str(self._client.get_run(self._run).info.experiment_id)

    def log_numbers(self, parameters: Mapping[str, Any], metrics: Mapping[str, float]) -> None:
        now = int(time.time() * 1000)
        with errors_named("parameters and metrics cannot be logged"):
            self._client.log_batch(
                self._run,
                metrics=[Metric(name, value, now, 0) for name, value in metrics.items()],
                params=[Param(name, str(value)) for name, value in parameters.items()],
            )

    def log_trials(self, trials: Sequence[FrozenTrial]) -> None:
        """Log each trial's value as a step of one metric, and all trials as a table."""
        name = f"search_{self._config.search.metric}"
        metrics = [
            Metric(name, trial.value, _milliseconds(trial), trial.number)
            for trial in trials
            if trial.state is TrialState.COMPLETE and trial.value is not None
        ]
        table = [
            {
                "number": trial.number,
                "state": trial.state.name,
                "value": trial.value,
                "seconds": trial.duration and round(trial.duration.total_seconds(), 3),
                "params": trial.params,
            }
            for trial in trials
        ]
        with errors_named("the trials cannot be logged"):
            for start in range(0, len(metrics), _BATCH):
                self._client.log_batch(self._run, metrics=metrics[start : start + _BATCH])
            self._client.log_text(self._run, json.dumps(table, indent=1), "trials.json")

    def log_data(self, data: Mapping[str, Any], schema: Mapping[str, str]) -> None:
        told = self._config.data
        source: dict[str, Any] = {"uri": public_uri(told.uri), "query": told.query}
        if told.endpoint is not None:  # a bucket of the same name may be another elsewhere
            source["endpoint"] = told.endpoint
        if told.version is not None:
            source["version"] = told.version
        others = told.uris[1:]
        if others:
            source["others"] = [public_uri(uri) for uri in others]
        dataset = Dataset(
            name=self._config.model,
            digest=str(data["digest"]).removeprefix("sha256:")[:36],
            source_type="fairlead",
            source=json.dumps(source),
            schema=json.dumps(schema),
            profile=json.dumps(data),
        )
        with errors_named("the data cannot be logged"):
            self._client.log_inputs(
                self._run,
                [DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])],
            )

    def log_texts(self, texts: Mapping[str, str]) -> None:
        with errors_named("a report cannot be logged"):
            for path, text in texts.items():
                self._client.log_text(self._run, text, path)

    def log_file(self, path: str) -> None:
        with errors_named("a plot cannot be logged"):
            self._client.log_artifact(self._run, path)

    def ensure_registered_model(self) -> None:
        """Make the registered model where there is none; whoever signs in may need no right to."""
        name, what = self._config.registered_model, "the model cannot be registered"
        try:
            with errors_named(what, keep=is_missing):
                self._client.get_registered_model(name)
        except MlflowException:
            with (
                contextlib.suppress(MlflowException),
                errors_named(what, keep=_already_exists),
            ):
                self._client.create_registered_model(name)

    def versions(self) -> list[ModelVersion]:
        """List every version of the registered model, newest first."""
        versions: list[ModelVersion] = []
        token: str | None = None
        with errors_named("the versions cannot be listed"):
            while True:
                page = self._client.search_model_versions(
                    f"name='{self._config.registered_model}'",
                    max_results=200,
                    order_by=["version_number DESC"],
                    page_token=token,
                )
                versions.extend(page)
                token = page.token
                if not token:
                    return versions

    def read_data(self, registry_version: str) -> Mapping[str, Any] | None:
        """Return what a version says of the data it learned from; None when it says nothing.

        It is a tag, and may be forged: it chooses the rows on which the two are compared.  The
        champion at most does better on rows that it has seen, or is not compared, so that the
        candidate stays back.
        """
        version = next((v for v in self.versions() if str(v.version) == registry_version), None)
        try:
            data = json.loads(version.tags[tags.DATA] if version else "")
        except (KeyError, ValueError):
            return None
        return data if isinstance(data, dict) else None

    def register(self, candidate: Candidate) -> str:
        """Create the version with its tags in one step; return its number in the registry."""
        with errors_named("the version cannot be registered"):
            version = self._client.create_model_version(
                self._config.registered_model,
                source=f"models:/{candidate.model_id}",
                run_id=self._run,
                tags=dict(candidate.tags),
                model_id=candidate.model_id,
            )
        return str(version.version)


def _already_exists(error: MlflowException) -> bool:
    return bool(error.error_code == ErrorCode.Name(RESOURCE_ALREADY_EXISTS))


def _milliseconds(trial: FrozenTrial) -> int:
    ended = trial.datetime_complete
    return int((ended.timestamp() if ended else time.time()) * 1000)


def _unavailable(what: str, error: BaseException) -> TrainingFailure:
    status = read_status(error)
    if status is None:
        said, passes = f"{first_line(error)}; check {ADDRESS}", _is_cut_off(error)
    else:
        passes = answer_may_pass(status)
        address = mlflow.get_tracking_uri()  # without a password: `read_access` refuses one
        told = _BODY.search(str(error))
        said = describe_answer(address, status, told.group(1).strip() if told else "")
    return TrainingFailure(
        Reason.TRACKING_UNAVAILABLE,
        f"MLflow: {what}: {said}",
        trouble=Trouble("MLflow", f"{what}: {said}") if passes else None,
    )


def _is_cut_off(error: BaseException) -> bool:
    """Tell whether no answer came; MLflow's client wraps what its library says of that."""
    cause = error if isinstance(error, requests.RequestException) else error.__context__
    if isinstance(cause, requests.exceptions.SSLError):
        return False
    return isinstance(cause, (requests.ConnectionError, requests.Timeout))


def read_status(error: BaseException) -> int | None:
    """Return the status of an answer that was not MLflow's; None of another error."""
    text = str(error)
    told = _STATUS.search(text)
    if told is not None:
        return int(next(group for group in told.groups() if group))
    return 200 if _NO_JSON in text else None
