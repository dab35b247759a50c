"""docs/reasons.md lists the reasons that the code gives: all of them, and no others."""

import ast
import importlib
import pkgutil
import re
from enum import StrEnum
from pathlib import Path

from fairlead_operator.api import phases
from fairlead_training.failure import Reason as TrainerReason

ROOT = Path(__file__).parents[3]
DOCS = (ROOT / "docs" / "reasons.md").read_text(encoding="utf-8")
OPERATOR = ROOT / "operator" / "fairlead_operator"
MODULES = [
    importlib.import_module(f"{phases.__name__}.{found.name}")
    for found in pkgutil.iter_modules(phases.__path__)
]
ENUMS: list[type[StrEnum]] = [
    TrainerReason,
    *(enum for module in MODULES for name, enum in vars(module).items() if name.endswith("Reason")),
]
# Types of conditions, and a heading, that are called as a reason is.
HOMONYMS = {
    ("command/view.py", "Registered"),
    ("command/view.py", "SignatureChanged"),
    ("command/view.py", "Suspended"),
    ("kube/scalers.py", "Paused"),
    ("command/view.py", "Registered"),
    ("model/status.py", "Registered"),
    ("rollout/seen.py", "SignatureChanged"),
}


def given() -> set[str]:
    return {str(reason) for enum in ENUMS for reason in enum}


def listed() -> set[str]:
    """The first cells of the tables of reasons, and the gate's, which need no table."""
    found: set[str] = set()
    for table in re.findall(r"^\| Reason \|.*\n\| ---.*\n((?:\|.*\n?)+)", DOCS, re.MULTILINE):
        for row in table.splitlines():
            found |= set(re.findall(r"`(\w+)`", row.split("|")[1]))
    gate = re.search(r"^Gate \(.*?\): (.*)$", DOCS, re.MULTILINE)
    assert gate is not None
    return found | set(re.findall(r"`(\w+)`", gate[1]))


def test_every_reason_is_listed_and_every_listed_one_is_given() -> None:
    assert listed() == given()


def spelled_out(source: str) -> set[str]:
    """Return the reasons that the source names by their text."""
    nodes = ast.walk(ast.parse(source))
    return {str(node.value) for node in nodes if isinstance(node, ast.Constant)} & given()


def test_a_reason_that_is_named_by_its_text_is_found() -> None:
    assert spelled_out('Event(reason="GatePassed" if passed else Reason.X)') == {"GatePassed"}


def test_reasons_are_named_in_the_api_alone() -> None:
    found = {
        (module, text)
        for path in OPERATOR.rglob("*.py")
        if not (module := path.relative_to(OPERATOR).as_posix()).startswith("api/")
        for text in spelled_out(path.read_text(encoding="utf-8"))
    }

    assert found == HOMONYMS


def test_no_reason_is_explained_twice_in_one_table_for_the_same_phase() -> None:
    rows = [line.split("|")[1:3] for line in DOCS.splitlines() if line.startswith("| `")]

    assert sorted(rows) == sorted([list(row) for row in {tuple(row) for row in rows}])
