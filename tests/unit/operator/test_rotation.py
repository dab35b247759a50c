"""A Secret with another value ends the process; a file that first comes does not."""

import asyncio
from pathlib import Path

import pytest

from fairlead_operator.rotation import changed, read_secrets, wait_for_rotation


@pytest.mark.parametrize(
    ("before", "now", "names"),
    [
        pytest.param({"a": b"1"}, {"a": b"1"}, [], id="nothing is new"),
        pytest.param({"a": b"1", "b": b"1"}, {"a": b"2", "b": b"1"}, ["a"], id="another value"),
        pytest.param({}, {"a": b"1"}, [], id="filled in for the first time"),
        pytest.param({"a": b""}, {"a": b""}, [], id="empty as before"),
        pytest.param({"a": b"1"}, {}, [], id="missing: what was read is used on"),
        pytest.param({"a": b"1"}, {"a": b""}, [], id="emptied: it opens nothing"),
    ],
)
def test_what_is_a_change(
    before: dict[str, bytes], now: dict[str, bytes], names: list[str]
) -> None:
    assert changed(before, now) == names


async def test_a_change_in_the_way_of_the_kubelet_is_noticed(tmp_path: Path) -> None:
    """It writes a new folder, and moves a link to it."""
    for name, value in (("..1", "old"), ("..2", "new")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "url").write_text(value)
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "url").symlink_to("..data/url")
    assert read_secrets(tmp_path) == {"url": b"old"}
    waiting = asyncio.create_task(wait_for_rotation(tmp_path, every=0.001))
    await asyncio.sleep(0)

    (tmp_path / "link").symlink_to("..2")
    (tmp_path / "link").rename(tmp_path / "..data")

    assert await asyncio.wait_for(waiting, 60) == ["url"]


def test_without_mounted_secrets_there_is_nothing_to_read(tmp_path: Path) -> None:
    assert read_secrets(tmp_path / "absent") == {}


def test_files_in_a_folder_of_their_own_are_read_too(tmp_path: Path) -> None:
    (tmp_path / "..1" / "mlflow").mkdir(parents=True)
    (tmp_path / "..1" / "mlflow" / "token").write_text("hush")
    (tmp_path / "mlflow").symlink_to("..1/mlflow")

    assert read_secrets(tmp_path) == {"mlflow/token": b"hush"}
