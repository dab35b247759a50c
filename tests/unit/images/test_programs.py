"""A program that tests run is built once, and its build is no silence."""

from pathlib import Path

import pytest

from images.catalogue import GoProgram
from images.commands import BuildError
from images.programs import build_for_tests

PROGRAM = GoProgram(version="v1.0.0", commands=("example.com/x/cmd/x",))


def build(said: list[str]) -> Path:
    return build_for_tests(PROGRAM, "x, for one test", about=60, progress=said.append)


@pytest.fixture(autouse=True)
def _machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user without a cache, and a Go that builds at once."""
    go = tmp_path / "bin" / "go"
    go.parent.mkdir()
    go.write_text('#!/bin/sh\necho built > "$GOBIN/x"\n')
    go.chmod(0o755)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", f"{go.parent}:/usr/bin:/bin")


def test_a_build_is_announced_with_what_it_is_for() -> None:
    said = list[str]()

    folder = build(said)

    assert (folder / "x").read_text() == "built\n"
    assert said == ["building x, for one test; takes about 60 s"]


def test_of_what_is_there_nothing_is_said() -> None:
    said = list[str]()
    folder = build([])

    assert build(said) == folder
    assert said == []


def test_without_go_it_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")

    with pytest.raises(BuildError, match="needs Go"):
        build([])
