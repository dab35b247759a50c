"""In which form a version's server opens its artifact: asked of MLflow once, before it begins.

Its image is chosen by it.  What MLflow does not tell is empty, and gets the image that opens every
form; whatever it tells, the server looks at the bytes themselves.  A server keeps the form with
which it began, as its artifact is never exchanged: no later answer of MLflow's replaces its pods.
"""

from collections.abc import Mapping
from typing import Any, Final

from fairlead_operator.api.common import VersionReference
from fairlead_operator.api.group import ANNOTATION_FORM, name_registered_model
from fairlead_operator.errors import TransientError
from fairlead_operator.kube.metadata import Owner
from fairlead_operator.ports import Registry

_DIGEST: Final = "FAIRLEAD_DIGEST"  # the variable


async def find_form(
    reference: VersionReference, live: Mapping[str, Any] | None, *, owner: Owner, registry: Registry
) -> str:
    """Return the flavor; empty where it is not known.

    Args:
        live: the Deployment of the version's server as it is; None while there is none.
        owner: the Model.
    """
    if live is not None and _digest(live) == reference.digest:
        return str((live["metadata"].get("annotations") or {}).get(ANNOTATION_FORM, ""))
    name = name_registered_model(owner.namespace, owner.name)
    try:
        return await registry.form(name, reference.registry_version)
    except (TransientError, ValueError):
        return ""


def _digest(live: Mapping[str, Any]) -> str | None:
    """Return which artifact a server was told to load."""
    containers = live["spec"]["template"]["spec"]["containers"]
    variables = (entry for each in containers for entry in each.get("env") or ())
    return next((entry.get("value") for entry in variables if entry["name"] == _DIGEST), None)
