"""Models of our own beside the story's: its good versions under another name, nothing trained."""

import json
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import yaml

from e2e.story import energy
from e2e.story.rows import EXAMPLE
from e2e.story.signed_in import headers
from e2e.story.tell import Told

FIRST, SECOND = "1.0.0", "1.0.1"  # the versions the story trains
_WIDER = Path(__file__).parent / "versions" / "wider.py"
_KEPT_TAGS = ("fairlead.version", "fairlead.digest")


def register_versions(told: Told, model: str) -> None:
    """Register the story's two good versions as those of this Model."""
    query = urllib.parse.urlencode({"filter": f"name='{energy.REGISTERED_MODEL}'"})
    found = _call_mlflow(told, f"model-versions/search?{query}", method="GET")["model_versions"]
    _call_mlflow(told, "registered-models/create", name=_registered(model))
    for known in found:
        tags = {tag["key"]: tag["value"] for tag in known["tags"]}
        if tags["fairlead.version"] in {FIRST, SECOND}:
            _call_mlflow(
                told,
                "model-versions/create",
                name=_registered(model),
                source=known["source"],
                run_id=known["run_id"],
                model_id=known["source"].removeprefix("models:/"),
                tags=[{"key": key, "value": tags[key]} for key in _KEPT_TAGS],
            )


def register_wider(told: Told, model: str, version: str, *, column: str) -> None:
    """Register the first version once more, with an input column that callers do not send."""
    energy.register(
        told.world.mlflow_url,
        model=_registered(model),
        version=version,
        based_on=FIRST,
        extra=("--code", str(_WIDER), "--column", column),
    )


def apply_model(told: Told, model: str, **spec: Any) -> None:
    """Apply a Model like the story's that serves its first version, but for these fields."""
    manifest = yaml.safe_load((EXAMPLE / "model.yaml").read_text())
    manifest["metadata"]["name"] = model
    manifest["spec"] |= {"version": FIRST, **spec}
    allowed = {"allowArtifactCode": True}  # what `register_wider` registers is Python
    manifest["spec"]["serving"] = {**manifest["spec"]["serving"], **allowed}
    told.world.cluster.kubectl("apply", "--filename=-", input=json.dumps(manifest))


def delete_model(told: Told, model: str) -> None:
    """Remove the Model and what it was registered as."""
    told.world.cluster.kubectl("delete", "model", model, f"--namespace={energy.NAMESPACE}")
    _call_mlflow(told, "registered-models/delete", method="DELETE", name=_registered(model))


def expose(told: Told, model: str, *, local_port: int) -> str:
    """Return the Model's address on this machine."""
    return told.world.cluster.expose(
        namespace=energy.NAMESPACE, service=model, port=80, local_port=local_port
    )


def _registered(model: str) -> str:
    return f"{energy.NAMESPACE}.{model}"


def _call_mlflow(told: Told, path: str, *, method: str = "POST", **body: Any) -> dict[str, Any]:
    request = urllib.request.Request(
        f"{told.world.mlflow_url}/api/2.0/mlflow/{path}",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json", **headers()},
        method=method,
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return dict(json.load(answer))
