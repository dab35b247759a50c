#!/usr/bin/env python3
"""Register a version by hand, the way a person does who has a model of their own.

    python register.py --tracking-uri http://127.0.0.1:5000 --based-on 1.0.1 \
        --version 1.1.0 --code versions/faulty.py

Fairlead asks two tags of a version: ``fairlead.version``, by which a Model names it, and
``fairlead.digest``, by which the server knows that it got what was registered.
"""

import argparse
import hashlib
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

# MLflow reads these while it is imported.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "1")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")

import mlflow
import pandas as pd
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema
from rows import columns, rows

TAG_VERSION = "fairlead.version"
TAG_DIGEST = "fairlead.digest"
WRITTEN_ON_DOWNLOAD = "registered_model_meta"
# The afternoon the author tried the model with: power flows from Victoria all the time.
AFTERNOON = {"first": 18_000, "count": 480}


def register(
    *,
    model: str,
    version: str,
    based_on: str,
    code: Path | None = None,
    column: str | None = None,
    corrupt: bool = False,
) -> str:
    """Register a version made from an existing one; return its number in the registry.

    Args:
        code: models-from-code file that wraps the trained booster; None takes it as it is.
        column: one more input that callers must send; only with code.
        corrupt: change one byte after the digest was taken, as a failing disk does.
    """
    client = mlflow.MlflowClient()
    for found in _versions(client, model):
        if found.tags.get(TAG_VERSION) == version:
            return str(found.version)
    base = next(v for v in _versions(client, model) if v.tags.get(TAG_VERSION) == based_on)
    with tempfile.TemporaryDirectory() as scratch:
        trained = Path(scratch, "trained")
        mlflow.artifacts.download_artifacts(
            artifact_uri=f"models:/{model}/{base.version}", dst_path=str(trained)
        )
        (trained / WRITTEN_ON_DOWNLOAD).unlink(missing_ok=True)
        made = trained if code is None else wrap(trained, code, Path(scratch, "wrapped"), column)
        digest = compute_digest(made)
        if corrupt:
            change_one_byte(find_booster(made))
        return _upload(client, made, model=model, version=version, digest=digest)


def wrap(trained: Path, code: Path, target: Path, column: str | None) -> Path:
    """Save the code as an MLflow model around the trained booster."""
    known = mlflow.models.Model.load(str(trained))
    example = example_rows(known.signature.inputs.input_names())
    signature = known.signature
    if column is not None:
        example[column] = 0.0
        more = [*signature.inputs.inputs, ColSpec("double", column)]
        signature = ModelSignature(inputs=Schema(more), outputs=signature.outputs)
    mlflow.pyfunc.save_model(
        path=str(target),
        python_model=str(code.resolve()),
        artifacts={"booster": str(find_booster(trained))},
        signature=signature,
        input_example=example,
        pip_requirements=["mlflow-skinny", "pandas", "xgboost-cpu"],
    )
    return target


def example_rows(inputs: list[str]) -> pd.DataFrame:
    """The rows the author looked at: real ones, but not all there are."""
    lines = [line.strip().split(",") for line in rows(**AFTERNOON)]
    table = pd.DataFrame(lines, columns=columns())[inputs].astype(float)
    return table[table["transfer"] > 0.5].head(5).reset_index(drop=True)


def find_booster(directory: Path) -> Path:
    """The XGBoost model inside an MLflow model."""
    flavor = mlflow.models.Model.load(str(directory)).flavors["xgboost"]
    return directory / str(flavor["data"])


def compute_digest(directory: Path) -> str:
    """SHA-256 over all files, as docs/contracts.md defines it."""
    total = hashlib.sha256()
    files = {p.relative_to(directory).as_posix(): p for p in directory.rglob("*") if p.is_file()}
    for name in sorted(files.keys() - {WRITTEN_ON_DOWNLOAD}):
        content = hashlib.sha256(files[name].read_bytes()).hexdigest()
        total.update(f"{name}\0{content}\n".encode())
    return f"sha256:{total.hexdigest()}"


def change_one_byte(file: Path) -> None:
    """Flip a bit in the middle.  XGBoost loads most such files without a word."""
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def _versions(client: mlflow.MlflowClient, model: str) -> list[Any]:
    return list(client.search_model_versions(f"name='{model}'", max_results=1000))


def _upload(
    client: mlflow.MlflowClient, directory: Path, *, model: str, version: str, digest: str
) -> str:
    experiment = mlflow.set_experiment(model.replace(".", "/", 1))
    run = client.create_run(experiment.experiment_id, run_name=f"{version} by hand")
    client.log_artifacts(run.info.run_id, str(directory), "model")
    client.set_terminated(run.info.run_id)
    created = client.create_model_version(
        model,
        source=f"{run.info.artifact_uri}/model",
        run_id=run.info.run_id,
        tags={TAG_VERSION: version, TAG_DIGEST: digest},
    )
    return str(created.version)


def main() -> None:
    parser = argparse.ArgumentParser(description="Register a version by hand.")
    parser.add_argument("--tracking-uri", required=True)
    parser.add_argument("--model", default="energy.nsw-price", help="registered model")
    parser.add_argument("--based-on", required=True, help="version whose booster is used")
    parser.add_argument("--version", required=True, help="semantic version of the new one")
    parser.add_argument("--code", type=Path, help="models-from-code file around the booster")
    parser.add_argument("--column", help="one more input of the code, which callers must send")
    parser.add_argument("--corrupt", action="store_true", help="damage it after the digest")
    options = parser.parse_args()
    mlflow.set_tracking_uri(options.tracking_uri)
    number = register(
        model=options.model,
        version=options.version,
        based_on=options.based_on,
        code=options.code,
        column=options.column,
        corrupt=options.corrupt,
    )
    json.dump({"version": options.version, "registryVersion": number}, sys.stdout)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
