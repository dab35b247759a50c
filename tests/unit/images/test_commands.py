"""A failed command is told in one line."""

import sys
from pathlib import Path

import pytest

from images.commands import BuildError, HostRunner


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_output_goes_to_the_log_under_its_command(tmp_path: Path) -> None:
    runner = HostRunner(log=tmp_path / "build.log")

    runner.run(python("print('layer one')"))

    first, last = (tmp_path / "build.log").read_text().splitlines()
    assert first.startswith(f"$ {sys.executable}")
    assert last == "layer one"


def test_a_failure_is_one_line_with_the_command_and_its_last_words(tmp_path: Path) -> None:
    runner = HostRunner(log=tmp_path / "build.log")

    with pytest.raises(BuildError) as failure:
        runner.run(python("print('one\\ntwo'); raise SystemExit(3)"))

    message = str(failure.value)
    assert "exited with 3: one | two" in message
    assert str(tmp_path / "build.log") in message
    assert "\n" not in message


def test_a_long_command_keeps_both_ends(tmp_path: Path) -> None:
    runner = HostRunner(log=tmp_path / "build.log")

    with pytest.raises(BuildError) as failure:
        runner.read([*python("raise SystemExit(1)"), "x" * 5000, "the-context"])

    assert len(str(failure.value)) < 400
    assert "the-context" in str(failure.value)


def test_a_missing_command_is_named(tmp_path: Path) -> None:
    runner = HostRunner(log=tmp_path / "build.log")

    with pytest.raises(BuildError, match="no-such-command: command not found"):
        runner.run(["no-such-command"])
