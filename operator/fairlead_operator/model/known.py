"""What a Model's children tell of its versions: which artifacts they are.  Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from fairlead_operator.api.common import VersionReference
from fairlead_operator.api.phases.training_run import Phase


def read_trained(run: Mapping[str, Any]) -> Iterator[VersionReference]:
    """Yield what a TrainingRun registered, as its own Job's pod said."""
    status = run.get("status") or {}
    if status.get("phase") == Phase.SUCCEEDED:
        yield from _read(status.get("trained"))


def read_tried(rollout: Mapping[str, Any]) -> Iterator[VersionReference]:
    """Yield what a Rollout moved between, once a candidate of it has had traffic."""
    status = rollout.get("status") or {}
    if status.get("liveSince"):
        yield from _read(status.get("candidate"))
        for arm in status.get("arms", ()):
            yield from _read(arm)
    yield from _read(status.get("stable"))


def newest_first(children: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """Sort children by when they were made; a total order."""
    return sorted(children, key=_made_at, reverse=True)


def _made_at(child: Mapping[str, Any]) -> tuple[str, str]:
    meta = child["metadata"]
    return meta.get("creationTimestamp", ""), meta["name"]


def _read(told: Mapping[str, Any] | None) -> Iterator[VersionReference]:
    """Yield what names number and digest of a version."""
    said = told or {}
    if not said.get("digest") or not said.get("version"):
        return
    try:
        yield VersionReference(
            version=said["version"],
            registry_version=said.get("registryVersion", ""),
            digest=said["digest"],
        )
    except ValidationError:
        return
