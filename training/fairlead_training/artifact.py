"""Model artifacts: log one, name its bytes, and bring a registered one back for comparison."""

import json
import tempfile
from pathlib import Path
from typing import Final

import mlflow
import mlflow.pyfunc
import numpy as np
from mlflow.exceptions import MlflowException
from mlflow.models import Model, infer_signature

from fairlead_contract.digest import digest_directory
from fairlead_training.config import ChampionConfig, Task
from fairlead_training.data import Table
from fairlead_training.failure import Reason, TrainingFailure
from fairlead_training.learners.protocol import FittedModel
from fairlead_training.learners.table import find_by_flavor
from fairlead_training.metrics import Floats
from fairlead_training.tracking import errors_named, is_missing
from fairlead_training.versioning import signature_digest

_EXAMPLE_ROWS: Final = 5


class ChampionUnavailableError(Exception):
    """The champion cannot be scored; the candidate is kept and a person has to judge."""


def log_candidate(
    model: FittedModel, holdout: Table, score: Floats, *, run_id: str, scratch: str
) -> tuple[str, str, str]:
    """Log the model with signature and input example, and read it back.

    Returns:
        its id in MLflow, the digest of its signature, and the digest of its files as stored.
    """
    example = holdout.features.head(_EXAMPLE_ROWS).reset_index(drop=True)
    signature = infer_signature(example, score[:_EXAMPLE_ROWS])
    with errors_named("the model cannot be logged"):
        info = model.log(signature=signature, example=example, run_id=run_id)
        with tempfile.TemporaryDirectory(dir=scratch) as folder:
            stored = Path(
                mlflow.artifacts.download_artifacts(artifact_uri=info.model_uri, dst_path=folder)
            )
            if not model.is_stored_in(stored):
                raise TrainingFailure(
                    Reason.TRACKING_UNAVAILABLE,
                    "MLflow returned other bytes than were logged for the model; "
                    "check its artifact store",
                )
            digest = digest_directory(stored)
    return str(info.model_id), signature_digest(signature.to_dict()), digest


def read_signature_digest(registered_model: str, registry_version: str) -> str | None:
    """Read the digest of a registered version's signature; None when it cannot be had."""
    try:
        info = mlflow.models.get_model_info(f"models:/{registered_model}/{registry_version}")
    except (MlflowException, OSError, ValueError):
        return None
    return None if info.signature is None else signature_digest(info.signature.to_dict())


def score_champion(
    champion: ChampionConfig, registered_model: str, table: Table, *, task: Task, scratch: str
) -> Floats:
    """Score rows with the registered champion, by the columns of its own signature.

    Raises:
        ChampionUnavailableError: it is gone, altered, unreadable, or wants other columns.
        TrainingFailure: TrackingUnavailable.
    """
    name = f"{registered_model} version {champion.registry_version}"
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        directory = _fetch(f"models:/{registered_model}/{champion.registry_version}", name, folder)
        found = digest_directory(directory)
        # Before it is opened: loading a pyfunc runs what is in it.
        if found != champion.digest:
            raise ChampionUnavailableError(
                f"artifact of {name} has digest {found}, registered as {champion.digest}"
            )
        # A foreign model may fail in any way, and none of them ends the training.
        try:
            return _score(directory, table, task)
        except ChampionUnavailableError:
            raise
        except Exception as error:
            said = f"{type(error).__name__}: {error}".splitlines()[0][:300]
            raise ChampionUnavailableError(f"{name} cannot be scored: {said}") from error


def _fetch(uri: str, name: str, folder: str) -> Path:
    try:
        with errors_named(f"{name} cannot be downloaded", keep=is_missing):
            return Path(mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=folder))
    except MlflowException as error:
        raise ChampionUnavailableError(f"{name} is no longer in the registry") from error


def _score(directory: Path, table: Table, task: Task) -> Floats:
    model = Model.load(str(directory))
    columns = _columns(model, table)
    features = table.features[columns]
    learner = find_by_flavor(model.flavors)
    if learner is not None:
        score = learner.load(directory, model.flavors[learner.flavor]).predict(features)
    else:
        score = mlflow.pyfunc.load_model(str(directory)).predict(features)
    return as_scores(np.asarray(score, dtype=np.float64), table, task)


def _columns(model: Model, table: Table) -> list[str]:
    inputs = json.loads((model.signature.to_dict() if model.signature else {}).get("inputs", "[]"))
    columns = [str(column.get("name")) for column in inputs]
    missing = [column for column in columns if column not in table.features]
    if not columns:
        raise ChampionUnavailableError("the champion has no signature that names its columns")
    if missing:
        raise ChampionUnavailableError(
            f"the champion needs the column {missing[0]}, which is not among the features"
        )
    return columns


def as_scores(score: Floats, table: Table, task: Task) -> Floats:
    """Bring predictions into the form of our own: one probability, one per class, or a value."""
    if task is Task.BINARY and score.ndim == 2 and score.shape[1] == 2:
        score = score[:, 1]
    elif score.ndim == 2 and score.shape[1] == 1:
        score = score[:, 0]
    if len(score) != len(table) or score.ndim != (2 if task is Task.MULTICLASS else 1):
        raise ChampionUnavailableError(
            f"the champion's predictions have the shape {score.shape}, which does not fit {task}"
        )
    if task is Task.BINARY and (score.min() < 0 or score.max() > 1 or set(score) <= {0.0, 1.0}):
        raise ChampionUnavailableError(
            "the champion's predictions are not probabilities of class 1"
        )
    if task is Task.MULTICLASS and score.shape[1] <= table.target.max():
        raise ChampionUnavailableError("the champion predicts fewer classes than the data has")
    return score
