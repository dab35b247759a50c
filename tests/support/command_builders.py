"""A Model and a Rollout with no more than the command's decisions read."""

from typing import Any


def plain_model(*, stable: str | None = "1.3.0", **spec: Any) -> dict[str, Any]:
    status = {"stable": {"version": stable}} if stable else {}
    meta = {"name": "nsw-price", "namespace": "energy", "uid": "u-1"}
    return {"kind": "Model", "metadata": meta, "spec": spec, "status": status}


def plain_rollout(
    phase: str, version: str = "1.4.0", before: str | None = "1.3.0", *, trigger: str = "trained"
) -> dict[str, Any]:
    stable = {"version": before} if before else None
    return {
        "metadata": {"name": f"to-{version}"},
        "spec": {"model": "nsw-price", "version": version, "trigger": trigger},
        "status": {"phase": phase, "reason": "StepHolding", "stable": stable},
    }
