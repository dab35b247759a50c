"""Why a request does not apply, as far as the command can tell before asking.  Pure.

The operator has the last word.
"""

from collections.abc import Mapping
from typing import Any

from fairlead_operator.api.phases.model import Phase as ModelPhase
from fairlead_operator.api.phases.rollout import ENDED, Phase
from fairlead_operator.requests import Action

Object = Mapping[str, Any]


def refuse_for_rollout(action: Action, model: Object, rollout: Object | None) -> str | None:
    """Say why the Model's current Rollout cannot be asked for this; return None when it can."""
    name = model["metadata"]["name"]
    if rollout is None:
        return f"{name} has had no rollout yet"
    phase = status_of(rollout).get("phase")
    if phase in ENDED:
        return f"no rollout of {name} is in flight; {describe_end(rollout)}"
    if phase == Phase.ROLLING_BACK:
        return f"{rollout['metadata']['name']} is already rolling back"
    if action is Action.APPROVE and phase != Phase.PAUSED:
        return f"{rollout['metadata']['name']} is not waiting for approval; it is {phase}"
    return None


def refuse_for_model(action: Action, model: Object) -> str | None:
    """Say why the Model cannot be asked for this; return None when it can."""
    name, spec, status = model["metadata"]["name"], model["spec"], status_of(model)
    if spec.get("suspend"):
        return f"{name} is suspended; set spec.suspend to false"
    if action is not Action.RETRY or status.get("phase") == ModelPhase.ROLLING_OUT:
        return None  # of what is in flight, the operator says whether it is the retry already
    left = {entry["version"] for entry in status.get("blocked") or ()}
    left |= {entry["version"] for entry in (status.get("refused"),) if entry}
    if not left:
        return f"no version of {name} was rolled back; there is nothing to retry"
    asked = {spec.get("version"), *(spec.get("alternatives") or ())}
    if spec.get("version") is not None and not asked & left:
        return f"spec.version pins {spec['version']}, which is not blocked; change it in Git"
    return None


def describe_end(rollout: Object) -> str:
    """Describe how the last rollout ended."""
    status = status_of(rollout)
    return (
        f"the last, {rollout['metadata']['name']} to {rollout['spec']['version']}, ended "
        f"{status.get('phase')} ({status.get('reason', '')})"
    )


def status_of(body: Object) -> Mapping[str, Any]:
    return body.get("status") or {}
