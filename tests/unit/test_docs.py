"""The files that the documentation names are there."""

import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = (
    "CONTRIBUTING.md",
    "docs/architecture.md",
    "docs/contracts.md",
    "docs/evidence.md",
    "docs/map.md",
)
# Where a path may begin, so that a page need not repeat what its context says.
BEGINNINGS = (
    "",
    "operator/fairlead_operator",
    "operator/fairlead_operator/rollout",
    "operator",
    "serving/fairlead_serving",
    "serving/fairlead_serving/server",
    "serving/fairlead_serving/gateway",
    "training/fairlead_training",
)
_PATH = re.compile(r"`([\w./…-]+/[\w./…-]*|[\w…-]+\.py)`")


def paths(page: str) -> Iterator[str]:
    """Yield what looks like a path of ours: it ends with ``/`` or ``.py``."""
    for found in _PATH.finditer((ROOT / page).read_text()):
        path = found.group(1)
        if path.endswith((".py", "/")) and not path.startswith(("/", "http")):
            yield path


def exists(path: str) -> bool:
    """Tell whether the path is there; ``…`` stands for a package, a bare name for any folder."""
    path = re.sub(r"^(\w+)/…/", r"\1/fairlead_\1/", path)
    if any((ROOT / beginning / path).exists() for beginning in BEGINNINGS):
        return True
    return "/" not in path and path in _files()


@functools.cache
def _files() -> frozenset[str]:
    """Return the name of every Python file of ours."""
    folders = (ROOT / name for name in ("operator", "serving", "training", "tests"))
    return frozenset(file.name for folder in folders for file in folder.rglob("*.py"))


@pytest.mark.parametrize("page", PAGES)
def test_a_page_names_only_files_that_are_there(page: str) -> None:
    missing = sorted({path for path in paths(page) if not exists(path)})

    assert missing == []


def test_the_pages_name_files() -> None:
    assert {page for page in PAGES if not list(paths(page))} == set()


_ROW = re.compile(r"^\| ([A-Z]-\d+(?:, [A-Z]-\d+)*|[a-z]+|M2) \|", re.MULTILINE)
_HELD_BY = re.compile(r"`(tests/[\w/.-]+)?(?:::(\w+))?`")
NUMBERED = {"D": 26, "T": 26, "I": 4, "S": 6, "O": 8}


def held_by(row: str) -> Iterator[tuple[str, str]]:
    """Yield file and name of each test of a row; a name alone is in the file before it."""
    file = ""
    for path, name in _HELD_BY.findall(row):
        file = path or file
        yield file, name


FAULTS = [line for line in (ROOT / "docs/faults.md").read_text().splitlines() if _ROW.match(line)]


def test_every_fault_has_a_row() -> None:
    found = {code for line in FAULTS for code in re.findall(r"[A-Z]-\d+", line.split("|")[1])}

    assert found == {f"{kind}-{n}" for kind, most in NUMBERED.items() for n in range(1, most + 1)}


@pytest.mark.parametrize("row", FAULTS, ids=lambda row: row.split("|")[2].strip()[:60])
def test_a_fault_is_held_by_tests_that_are_there(row: str) -> None:
    held = list(held_by(row))

    assert held or "](data.md)" in row
    for file, name in held:
        assert (ROOT / file).exists(), file
        assert f"def {name}(" in (ROOT / file).read_text() or not name, f"{file}::{name}"
