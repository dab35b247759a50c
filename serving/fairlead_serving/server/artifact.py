"""Find, verify and open the model artifact.

The digest is checked because nothing else would notice: XGBoost loads most corrupted models
without a word, and MLflow keeps no checksum.
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fairlead_contract import tags
from fairlead_contract.artifact import confine
from fairlead_contract.classes import read_classes
from fairlead_contract.digest import digest_directory
from fairlead_contract.mlmodel import read_mlmodel
from fairlead_serving.server.classes import PLAIN, Classes
from fairlead_serving.server.failure import Reason, StartupError
from fairlead_serving.server.registry import Registry
from fairlead_serving.server.settings import Settings
from fairlead_serving.server.signature import Column, parse_columns

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A model directory that has been read, but not loaded."""

    path: Path
    columns: tuple[Column, ...]
    flavors: Mapping[str, Mapping[str, Any]]  # how it can be loaded, as the MLmodel file says
    example: list[dict[str, Any]] | None
    metadata: object = None  # that the MLmodel file has besides, whatever it is
    classes: Classes = PLAIN  # in the words of the labels, where it names them

    def find_file(self, name: object) -> Path:
        """Return the place of a file that the artifact names.

        Raises:
            ValueError: it is none of the artifact's own.
        """
        return self.path / confine(name)


def fetch_artifact(settings: Settings, registry: Registry, target: Path) -> None:
    """Download the version of the settings into `target` and compare its digest.

    Number and digest come from the operator, which has them from the training's own word or from
    the spec; the files decide, and no tag in MLflow.

    Raises:
        StartupError: it is not there, cannot be had, or is not what was registered.
    """
    version = registry.find(settings.registered_model, settings.registry_version)
    subject = f"{version.name} version {version.version}"
    registry.download(version, target)
    actual = digest_directory(target)
    if actual != settings.digest:
        raise StartupError(
            Reason.DIGEST_MISMATCH,
            f"artifact of {subject} has digest {actual}, and is asked for with {settings.digest}"
            f"; {_way_out(version.digest, actual, asked=settings.digest)}",
        )
    if version.digest not in {None, settings.digest}:
        # Whoever may write to MLflow could keep a version from starting by its tag.
        _log.warning(
            "a tag of the version says another digest than its files have, and is not believed",
            extra={"tag": tags.DIGEST, "says": version.digest},
        )


def _way_out(tag: str | None, actual: str, *, asked: str) -> str:
    """Say what became of the version, by what its tag says besides, and what to do."""
    if tag == actual:
        return (
            "another artifact was registered under its number since: to serve that one, set "
            "spec.versionDigest of the Model to its digest, or register it under another version"
        )
    told = "" if tag in {None, asked} else f" (its tag {tags.DIGEST} says {tag[:71]})"
    return f"its files were changed{told}: restore them or train a new version"


def read_artifact(path: Path) -> Artifact:
    """Read what a model directory says about itself.

    Raises:
        StartupError: it is no MLflow model that can be served.
    """
    try:
        return _read(path)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise StartupError(
            Reason.ARTIFACT_INVALID, f"artifact cannot be served: {error}"
        ) from error


def _read(path: Path) -> Artifact:
    description = read_mlmodel((path / "MLmodel").read_text())
    return Artifact(
        path=path,
        columns=parse_columns(description.get("signature")),
        flavors=dict(description["flavors"]),
        example=_read_example(path, description.get("saved_input_example_info")),
        metadata=description.get("metadata"),
        classes=Classes(labels=read_classes(description.get("metadata"))),
    )


def _read_example(path: Path, info: dict[str, Any] | None) -> list[dict[str, Any]] | None:
    """Read the input example as instances; None when there is none made of rows."""
    if info is None:
        return None
    example = json.loads((path / confine(info["artifact_path"])).read_text())
    if isinstance(example, dict) and {"columns", "data"} <= example.keys():
        return [dict(zip(example["columns"], row, strict=True)) for row in example["data"]]
    if isinstance(example, dict):
        return [example]
    if isinstance(example, list) and all(isinstance(row, dict) for row in example):
        return example
    return None
