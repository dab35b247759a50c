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


_HELD_BY = re.compile(r"`(tests/[\w/.]+)(?:::(\w+))?`")


def test_the_tests_that_hold_faults_away_are_there() -> None:
    named = _HELD_BY.findall((ROOT / "docs" / "faults.md").read_text())
    missing = [
        f"{path}::{test}"
        for path, test in named
        if not (ROOT / path).exists() or (test and f"def {test}(" not in (ROOT / path).read_text())
    ]

    assert len(named) > 40
    assert missing == []
