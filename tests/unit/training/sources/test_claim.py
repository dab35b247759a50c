"""Files on a claim, and what is none."""

import os
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from fairlead_training.failure import Reason, TrainingFailure
from fairlead_training.sources.claim import read_claim
from support.reading import environment
from support.trainer_config import data_config

CSV = b"a,b\n1,2\n"
SECRET = "top-secret"


@pytest.fixture(name="volume")
def _volume(tmp_path: Path) -> Path:
    (tmp_path / "secret.csv").write_text(f"{SECRET}\n1\n")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "x.csv").write_text(f"{SECRET}\n1\n")
    volume = tmp_path / "volume"
    for path in ("one.csv", "many/b.csv", "many/y=1/a.csv", "half #1.csv"):
        place = volume / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(CSV)
    (volume / "inner.csv").symlink_to("one.csv")
    (volume / "outer.csv").symlink_to(tmp_path / "secret.csv")
    (volume / "up.csv").symlink_to("../secret.csv")
    (volume / "outer").symlink_to(tmp_path / "elsewhere")
    (volume / "proc.csv").symlink_to("/proc/self/environ")
    (volume / "linked").mkdir()
    (volume / "linked" / "x.csv").symlink_to(tmp_path / "secret.csv")
    (volume / "empty").mkdir()
    os.mkfifo(volume / "pipe.csv")
    return volume


def read(volume: Path, path: str, **changes: Any) -> pd.DataFrame:
    config = data_config(uri=f"pvc://market/{path}", **changes)
    return read_claim(config, environment(), None, root=str(volume))


@pytest.mark.parametrize(
    ("path", "rows"),
    [
        pytest.param("one.csv", {"a": [1], "b": [2]}, id="a file"),
        pytest.param("half #1.csv", {"a": [1], "b": [2]}, id="any name"),
        pytest.param("inner.csv", {"a": [1], "b": [2]}, id="a link within the volume"),
        pytest.param("many", {"a": [1, 1], "b": [2, 2], "y": [None, 1]}, id="a folder"),
        pytest.param("many/", {"a": [1, 1], "b": [2, 2], "y": [None, 1]}, id="with a slash"),
        pytest.param("many/y=1", {"a": [1], "b": [2]}, id="a folder within"),
    ],
)
def test_what_lies_on_the_volume_is_read(
    path: str, rows: dict[str, list[Any]], volume: Path
) -> None:
    frame = read(volume, path)

    assert frame.astype(object).where(frame.notna(), None).to_dict("list") == rows


@pytest.mark.parametrize(
    ("path", "reason", "said"),
    [
        pytest.param("gone.csv", Reason.DATA_SOURCE_UNAVAILABLE, "No such file", id="no file"),
        pytest.param("empty", Reason.DATA_EMPTY, "holds no files", id="an empty folder"),
        pytest.param("outer.csv", Reason.SOURCE_NOT_ALLOWED, "outer.csv", id="a link out"),
        pytest.param("up.csv", Reason.SOURCE_NOT_ALLOWED, "up.csv", id="a link up"),
        pytest.param("proc.csv", Reason.SOURCE_NOT_ALLOWED, "proc.csv", id="a link to the process"),
        pytest.param("outer/x.csv", Reason.SOURCE_NOT_ALLOWED, "x.csv", id="a linked folder"),
        pytest.param("outer", Reason.SOURCE_NOT_ALLOWED, "outer", id="all of a linked folder"),
        pytest.param("linked", Reason.SOURCE_NOT_ALLOWED, "linked/x.csv", id="a link in a folder"),
        pytest.param("../secret.csv", Reason.SOURCE_NOT_ALLOWED, "secret.csv", id="a way up"),
        pytest.param("pipe.csv", Reason.SOURCE_NOT_ALLOWED, "pipe.csv", id="a pipe"),
    ],
)
def test_what_is_no_file_of_the_volume_is_named(
    path: str, reason: Reason, said: str, volume: Path
) -> None:
    with pytest.raises(TrainingFailure) as caught:
        read(volume, path)

    assert caught.value.reason is reason
    assert said in caught.value.message
    assert SECRET not in caught.value.message


def test_a_link_to_a_folder_is_no_part_of_a_folder(volume: Path) -> None:
    """Else one that leads to a folder above it would have no end."""
    (volume / "many" / "loop").symlink_to("..")

    assert len(read(volume, "many")) == 2
