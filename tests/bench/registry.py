"""Versions registered by hand: one booster, trained here in a second, under many names."""

import logging
import os
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # read while MLflow is imported

import pandas as pd
import xgboost

from e2e.story.rows import EXAMPLE, read_rows
from fairlead_contract.digest import digest_directory
from support.quiet_mlflow import mlflow

_ROUNDS = 50
_RUN_NAME = "fairlead-bench"


def register(
    tracking_uri: str, versions: Sequence[tuple[str, str]], *, code: Path | None = None
) -> None:
    """Register the booster as these versions of these registered models, of one namespace.

    Args:
        versions: pairs of a registered model's name and a semantic version.
        code: models-from-code file that wraps the booster; None takes it as it is.
    """
    with _client(tracking_uri) as client, tempfile.TemporaryDirectory() as name:
        folder = Path(name, "model")
        digest = _save(folder, code)
        namespace = versions[0][0].partition(".")[0]  # whose servers may read what is of it alone
        run = client.create_run(_experiment_id(client, namespace), run_name=_RUN_NAME)
        client.log_artifacts(run.info.run_id, str(folder), "model")
        client.set_terminated(run.info.run_id)
        for model, version in versions:
            _have_registered_model(client, model)
            client.create_model_version(
                model,
                source=f"{run.info.artifact_uri}/model",
                run_id=run.info.run_id,
                tags={"fairlead.version": version, "fairlead.digest": digest},
                await_creation_for=None,  # it is ready at once, but would say that it waits
            )


def versions(tracking_uri: str, model: str) -> frozenset[str]:
    """The semantic versions of a registered model that are there now."""
    with _client(tracking_uri) as client:
        found = client.search_model_versions(f"name='{model}'")
        return frozenset(known.tags["fairlead.version"] for known in found)


def forget(tracking_uri: str, namespace: str) -> None:
    """Delete every registered model of a namespace.  The run of its files stays."""
    with _client(tracking_uri) as client:
        for found in client.search_registered_models(f"name LIKE '{namespace}.%'"):
            client.delete_registered_model(found.name)


@contextmanager
def _client(tracking_uri: str) -> Iterator[Any]:
    """A client, with what MLflow says beside its answers left out."""
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "1"
    os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mlflow.set_tracking_uri(tracking_uri)
        yield mlflow.MlflowClient()


def _experiment_id(client: Any, namespace: str) -> str:
    name = f"{namespace}/{_RUN_NAME}"
    known = client.get_experiment_by_name(name)
    return str(known.experiment_id if known else client.create_experiment(name))


def _have_registered_model(client: Any, name: str) -> None:
    if not client.search_registered_models(f"name='{name}'"):
        client.create_registered_model(name)


def _save(folder: Path, code: Path | None) -> str:
    """Train on the example's rows, save as MLflow does; return the digest."""
    table = pd.read_csv(EXAMPLE / "nsw-electricity.csv.gz")
    columns = list(read_rows(first=0, count=1)[0])
    inputs, target = table[columns].astype(float), table["price_up"]
    booster = xgboost.train(
        {"objective": "binary:logistic", "max_depth": 6, "nthread": 1},
        xgboost.DMatrix(inputs, target),
        num_boost_round=_ROUNDS,
    )
    described: dict[str, Any] = {
        "signature": mlflow.models.infer_signature(inputs, target.astype(float)),
        "input_example": inputs.head(3),
    }
    if code is None:
        mlflow.xgboost.save_model(
            booster,
            str(folder),
            model_format="ubj",
            pip_requirements=["xgboost-cpu"],
            **described,
        )
    else:
        file = folder.with_name("booster.ubj")
        booster.save_model(file)
        mlflow.pyfunc.save_model(
            str(folder),
            python_model=str(code),
            artifacts={"booster": str(file)},
            pip_requirements=["mlflow-skinny", "pandas", "xgboost-cpu"],
            **described,
        )
    return digest_directory(folder)
