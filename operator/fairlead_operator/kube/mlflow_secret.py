"""The Secret with which trainers and model servers sign in to MLflow.  Pure."""

from collections.abc import Mapping
from typing import Any, Final

from fairlead_contract.mlflow import SECRET, SECRET_FOLDER
from fairlead_operator.kube.secret_data import encode, name_secret

_VOLUME: Final = "mlflow"
_MOUNT: Final = "/var/run/fairlead/mlflow"


def build_mlflow_secret(namespace: str, contents: Mapping[str, str]) -> dict[str, Any]:
    """Build the Secret for the pods of one namespace; without contents, its name alone."""
    name = name_secret(SECRET, namespace, component="mlflow")
    return {**name, "type": "Opaque", "data": encode(contents)}


def mlflow_volume() -> dict[str, Any]:
    """Build the volume with the Secret as it is now."""
    # Optional: an MLflow that is open to all needs none.
    return {"name": _VOLUME, "secret": {"secretName": SECRET, "optional": True}}


def mlflow_mount() -> dict[str, Any]:
    """Build where that volume is mounted."""
    return {"name": _VOLUME, "mountPath": _MOUNT, "readOnly": True}


def mlflow_folder() -> dict[str, Any]:
    """Build the variable that says where the Secret is."""
    return {"name": SECRET_FOLDER, "value": _MOUNT}
