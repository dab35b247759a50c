"""Model artifacts: log one, and name its bytes."""

import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import Final

import mlflow
from mlflow.exceptions import MlflowException
from mlflow.models import infer_signature

from fairlead_contract.classes import InvalidClassesError, read_classes, write_classes
from fairlead_contract.digest import digest_directory
from fairlead_training.data import Table
from fairlead_training.failure import Reason, TrainingFailure
from fairlead_training.learners.protocol import FittedModel
from fairlead_training.metrics import Floats
from fairlead_training.signature import build_inputs, show_raw
from fairlead_training.tracking import errors_named
from fairlead_training.versioning import signature_digest

_EXAMPLE_ROWS: Final = 5


def log_candidate(
    model: FittedModel,
    holdout: Table,
    score: Floats,
    *,
    run_id: str,
    scratch: str,
    gaps: Collection[str] | None = None,
) -> tuple[str, str, str]:
    """Log the model with signature and input example, and read it back.

    Args:
        gaps: the columns that may be missing, of a model of raw columns; None where all are
            numbers, and any may be missing.

    Returns:
        its id in MLflow, the digest of its signature, and the digest of its files as stored.
    """
    example = holdout.features.head(_EXAMPLE_ROWS).reset_index(drop=True)
    signature = infer_signature(example, score[:_EXAMPLE_ROWS])
    if gaps is not None:
        signature.inputs = build_inputs(holdout.types, gaps)
        example = show_raw(example, holdout.types)
    with errors_named("the model cannot be logged"):
        info = model.log(
            signature=signature,
            example=example,
            metadata=write_classes(holdout.classes),
            run_id=run_id,
        )
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
    return str(info.model_id), signature_digest(signature.to_dict(), holdout.classes), digest


def read_digest(registered_model: str, registry_version: str, *, scratch: str) -> str | None:
    """Compute the digest of a registered version's files; None when they cannot be had."""
    uri = f"models:/{registered_model}/{registry_version}"
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        try:
            stored = mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=folder)
        except (MlflowException, OSError, ValueError):
            return None
        return digest_directory(Path(stored))


def read_signature_digest(registered_model: str, registry_version: str) -> str | None:
    """Read the digest of a registered version's signature; None when it cannot be had."""
    try:
        info = mlflow.models.get_model_info(f"models:/{registered_model}/{registry_version}")
    except (MlflowException, OSError, ValueError):
        return None
    if info.signature is None:
        return None
    try:
        return signature_digest(info.signature.to_dict(), read_classes(info.metadata))
    except InvalidClassesError:
        return None
