"""The digest of a model's files: one for all who compute it, and the same in every release."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead_contract.digest import digest_directory

FILES = {"MLmodel": b"flavors: {}\n", "data/model.ubj": b"\0trees", "code/ünïcode.py": b"\0\xff"}
DIGEST = "sha256:280aa65a2e36751a1c2f9e4d6d70caca1f5473c7be26f7e8b574837ca6e6e559"

contents = st.dictionaries(
    st.sampled_from(["MLmodel", "model.ubj", "a/b", "a.b", "a/c/d"]), st.binary(max_size=8)
)


def write(directory: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_bytes(content)
    return directory


def test_registered_models_keep_their_digest_for_ever(tmp_path: Path) -> None:
    assert digest_directory(write(tmp_path, FILES)) == DIGEST


def test_what_mlflow_adds_on_download_is_no_part_of_it(tmp_path: Path) -> None:
    write(tmp_path, FILES | {"registered_model_meta": b"model_version: 4"})

    assert digest_directory(tmp_path) == DIGEST


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"MLmodel": b"Flavors: {}\n"}, id="one bit"),
        pytest.param({"extra.py": b""}, id="an empty file more"),
        pytest.param({"data/registered_model_meta": b""}, id="MLflow's file in a wrong place"),
    ],
)
def test_any_change_changes_it(tmp_path: Path, change: dict[str, bytes]) -> None:
    assert digest_directory(write(tmp_path, FILES | change)) != DIGEST


@settings(max_examples=30)
@given(contents, contents)
def test_digests_are_equal_when_the_files_are(
    tmp_path_factory: pytest.TempPathFactory, one: dict[str, bytes], other: dict[str, bytes]
) -> None:
    digests = [
        digest_directory(write(tmp_path_factory.mktemp("model"), files)) for files in (one, other)
    ]

    assert (digests[0] == digests[1]) is (one == other)
