"""A file on disk, and paths that are none."""

from pathlib import Path

import pytest

from fairlead_contract.mlflow import Access
from fairlead_training.config import Environment
from fairlead_training.failure import Reason, TrainingFailure
from fairlead_training.sources.file import open_path

ENVIRONMENT = Environment(mlflow=Access(address="http://mlflow"), database_url="postgresql://db/x")


def test_a_name_may_hold_what_an_address_must_quote(tmp_path: Path) -> None:
    path = tmp_path / "half hours #1.csv"
    path.write_bytes(b"a")

    with open_path(path.as_uri(), ENVIRONMENT) as file:
        assert file.read() == b"a"


@pytest.mark.parametrize("name", ["missing.csv", "."], ids=["no file", "a folder"])
def test_what_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(TrainingFailure, match=str(tmp_path)) as caught:
        open_path((tmp_path / name).as_uri(), ENVIRONMENT)

    assert caught.value.reason is Reason.DATA_SOURCE_UNAVAILABLE
