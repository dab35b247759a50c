"""The Secret with which trainers and model servers sign in to MLflow.  Pure."""

from base64 import b64encode
from collections.abc import Mapping
from typing import Any, Final

from fairlead_contract.mlflow import SECRET, SECRET_FOLDER
from fairlead_operator.api.group import LABEL_COMPONENT, LABEL_MANAGED_BY, MANAGED_BY

_VOLUME: Final = "mlflow"
_MOUNT: Final = "/var/run/fairlead/mlflow"


def build_mlflow_secret(namespace: str, contents: Mapping[str, str]) -> dict[str, Any]:
    """Build the Secret for the pods of one namespace; without contents, its name alone."""
    # Not as `stringData`: a key that is left out later would stay.
    data = {key: b64encode(value.encode()).decode() for key, value in contents.items()}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": SECRET,
            "namespace": namespace,
            "labels": {LABEL_MANAGED_BY: MANAGED_BY, LABEL_COMPONENT: "mlflow"},
        },
        "type": "Opaque",
        "data": data,
    }


def mlflow_volume() -> tuple[dict[str, Any], dict[str, Any]]:
    """Build the volume with the Secret as it is now, and its mount."""
    # Optional: an MLflow that is open to all needs none.
    volume = {"name": _VOLUME, "secret": {"secretName": SECRET, "optional": True}}
    return volume, {"name": _VOLUME, "mountPath": _MOUNT, "readOnly": True}


def mlflow_folder() -> dict[str, Any]:
    """Build the variable that says where the Secret is."""
    return {"name": SECRET_FOLDER, "value": _MOUNT}
