"""Long steps are announced, told of while they last, and shown when they fail."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pace import EVERY, describe, told

TESTS = Path(__file__).resolve().parents[2]


def test_nobody_looks_at_a_silent_screen_for_ten_seconds() -> None:
    assert EVERY < 10


@pytest.mark.parametrize(
    ("passed", "last", "line"),
    [
        (8, "", "building x: 8 s of about 60 s"),
        (8, "go: downloading", "building x: 8 s of about 60 s (go: downloading)"),
        (61, "", "building x: 61 s, usually 60 s"),
    ],
)
def test_how_far_a_step_is(passed: float, last: str, line: str) -> None:
    assert describe("building x", passed, about=60, last=last) == line


def test_a_step_is_announced_and_told_of_until_it_ends(tmp_path: Path) -> None:
    log, said, twice = tmp_path / "log", list[str](), threading.Event()
    log.write_text("first\nCollecting numpy\n\n")

    def say(line: str) -> None:
        said.append(line)
        if len(said) > 2:
            twice.set()

    with told("installing", say, about=60, log=log, every=0.001):
        assert twice.wait(30)
    lines = len(said)

    assert said[0] == "installing; takes about 60 s"
    assert said[1] == "installing: 0 s of about 60 s (Collecting numpy)"
    assert not any(thread.name == "pace" for thread in threading.enumerate())
    assert len(said) == lines


def test_a_step_that_fails_is_told_of_no_longer() -> None:
    with pytest.raises(ValueError, match="broken"), told("x", lambda _: None, about=1):
        raise ValueError("broken")

    assert not any(thread.name == "pace" for thread in threading.enumerate())


def pace(log: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run it as the Makefile does: by a Python that has nothing installed."""
    argv = [sys.executable, "-S", "-m", "pace", "--log", str(log), "--about", "5", "installing"]
    return subprocess.run(
        [*argv, *command],
        env={"PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_command_writes_to_the_log_and_its_pace_to_the_screen(tmp_path: Path) -> None:
    code = "import os, sys; print(sys.argv[1:], os.environ.get('PYTHONPATH'))"

    done = pace(tmp_path / "log", sys.executable, "-c", code, "--about", "x", "-e")

    assert done.returncode == 0
    assert done.stdout.endswith("installing; takes about 5 s\n")
    assert (tmp_path / "log").read_text() == "['--about', 'x', '-e'] None\n"


def test_a_command_that_fails_shows_its_last_words(tmp_path: Path) -> None:
    done = pace(tmp_path / "log", sys.executable, "-c", "import sys; sys.exit('no room')")

    assert done.returncode == 1
    assert "no room" in done.stderr
    assert str(tmp_path / "log") in done.stderr
