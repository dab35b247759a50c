"""How an artifact is fetched and verified, and what is read from its directory."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from fairlead_contract.classes import KEY, write_classes
from fairlead_contract.digest import digest_directory
from fairlead_serving.server.artifact import fetch_artifact, read_artifact
from fairlead_serving.server.classes import PLAIN
from fairlead_serving.server.failure import Reason, StartupError
from fairlead_serving.server.registry import RegisteredVersion
from fairlead_serving.server.settings import Settings, read_settings
from fairlead_serving.server.signature import Column, Kind
from support import baits

FILES = {"MLmodel": b"flavors", "data/model.ubj": b"\0trees"}


def write(directory: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_bytes(content)
    return directory


def settings(digest: str) -> Settings:
    return read_settings(
        {
            "FAIRLEAD_NAMESPACE": "energy",
            "FAIRLEAD_MODEL": "nsw-price",
            "FAIRLEAD_VERSION": "1.1.0",
            "FAIRLEAD_REGISTERED_MODEL": "energy.nsw-price",
            "FAIRLEAD_REGISTRY_VERSION": "4",
            "FAIRLEAD_DIGEST": digest,
            "MLFLOW_TRACKING_URI": "http://mlflow",
        }
    )


class FakeRegistry:
    """A registry of one version."""

    def __init__(self, *, tag: str | None) -> None:
        self._tag = tag

    def find(self, name: str, version: str) -> RegisteredVersion:
        return RegisteredVersion(name=name, version=version, digest=self._tag, artifact_uri="")

    def download(self, version: RegisteredVersion, target: Path) -> None:
        write(target, FILES)


@pytest.mark.parametrize("tag", [None, "right", "sha256:forged"])
def test_the_right_artifact_is_fetched(tmp_path: Path, tag: str | None) -> None:
    """Whoever could write the tag in MLflow kept every new pod of a version from starting."""
    digest = digest_directory(write(tmp_path / "registered", FILES))
    told = digest if tag == "right" else tag

    fetch_artifact(settings(digest), FakeRegistry(tag=told), tmp_path / "downloaded")

    assert digest_directory(tmp_path / "downloaded") == digest


@pytest.mark.parametrize(
    ("tag", "message"),
    [
        pytest.param(None, "its files were changed", id="no tag"),
        pytest.param("sha256:aaa", "its files were changed", id="the tag agrees"),
        pytest.param("sha256:bbb", r"its tag fairlead\.digest says sha256:bbb", id="it does not"),
    ],
)
def test_another_artifact_is_refused(tmp_path: Path, tag: str | None, message: str) -> None:
    with pytest.raises(StartupError, match=message) as failure:
        fetch_artifact(settings("sha256:aaa"), FakeRegistry(tag=tag), tmp_path)

    assert failure.value.reason is Reason.DIGEST_MISMATCH
    assert "energy.nsw-price version 4" in failure.value.message


def test_what_is_registered_by_now_can_be_named(tmp_path: Path) -> None:
    now = digest_directory(write(tmp_path / "registered", FILES))

    with pytest.raises(StartupError, match=r"another artifact was registered .* spec\.version"):
        fetch_artifact(settings("sha256:aaa"), FakeRegistry(tag=now), tmp_path / "downloaded")


def model(**changes: Any) -> dict[str, bytes]:
    """A served model directory; each test names what differs."""
    inputs = [{"name": "price", "type": "double", "required": True}]
    description = {
        "flavors": {"python_function": {}, "xgboost": {"data": "model.ubj"}},
        "signature": {"inputs": json.dumps(inputs)},
        **changes,
    }
    return {"MLmodel": yaml.safe_dump(description).encode()}


def test_a_model_directory_says_how_it_is_loaded(tmp_path: Path) -> None:
    artifact = read_artifact(write(tmp_path, model()))

    assert artifact.path == tmp_path
    assert artifact.flavors == {"python_function": {}, "xgboost": {"data": "model.ubj"}}
    assert artifact.columns == (Column(name="price", kind=Kind.NUMBER),)
    assert artifact.example is None
    assert artifact.classes == PLAIN


def test_a_model_directory_says_what_it_tells_apart(tmp_path: Path) -> None:
    artifact = read_artifact(write(tmp_path, model(metadata=write_classes(("no", "yes")))))

    assert artifact.classes.labels == ("no", "yes")


@pytest.mark.parametrize(
    ("example", "instances"),
    [
        pytest.param({"columns": ["price"], "data": [[1], [2]]}, [1, 2], id="a DataFrame"),
        pytest.param({"price": 1}, [1], id="one object"),
        pytest.param([{"price": 1}, {"price": 2}], [1, 2], id="objects"),
    ],
)
def test_the_input_example_becomes_instances(
    tmp_path: Path, example: object, instances: list[int]
) -> None:
    files = model(saved_input_example_info={"artifact_path": "example.json"})

    artifact = read_artifact(
        write(tmp_path, {**files, "example.json": json.dumps(example).encode()})
    )

    assert artifact.example == [{"price": price} for price in instances]


def test_an_example_without_columns_is_none(tmp_path: Path) -> None:
    files = model(saved_input_example_info={"artifact_path": "example.json"})

    assert read_artifact(write(tmp_path, {**files, "example.json": b"[[1]]"})).example is None


@pytest.mark.parametrize(
    ("files", "message"),
    [
        pytest.param({}, "MLmodel", id="no MLmodel"),
        pytest.param({"MLmodel": b"{"}, "flow node", id="no YAML"),
        pytest.param({"MLmodel": b"text"}, "cannot be served", id="another YAML"),
        pytest.param({"MLmodel": baits.MERGES.encode()}, "merge key", id="merge keys"),
        pytest.param({"MLmodel": b"[" * 5000}, "recursion", id="nested without an end"),
        pytest.param(model(metadata={KEY: '["a"]'}), "does not name 2", id="one class"),
        pytest.param(model(flavors=None), "cannot be served", id="no flavors"),
        pytest.param(model(signature=None), "has no signature", id="no signature"),
        pytest.param(model(signature={"inputs": "[]"}), "no inputs", id="no inputs"),
        pytest.param(
            model(signature={"inputs": '[{"type": "tensor"}]'}), "without names", id="a tensor"
        ),
        pytest.param(
            model(signature={"inputs": '[{"name": "at", "type": "binary"}]'}),
            "column 'at' has type binary",
            id="a type we do not take",
        ),
        pytest.param(
            model(saved_input_example_info={"artifact_path": "gone.json"}), "gone.json", id="lost"
        ),
    ],
)
def test_what_cannot_be_served_says_why(
    tmp_path: Path, files: dict[str, bytes], message: str
) -> None:
    with pytest.raises(StartupError, match=message) as failure:
        read_artifact(write(tmp_path, files))

    assert failure.value.reason is Reason.ARTIFACT_INVALID
