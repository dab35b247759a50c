"""The distribution has a name of its own, and what people type keeps its."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_the_name_is_not_that_of_another_project_on_the_index() -> None:
    assert PROJECT["name"] == "fairlead-operator"


def test_the_commands_keep_their_names() -> None:
    assert set(PROJECT["scripts"]) == {
        "fairlead",
        "kubectl-fairlead",
        "kubectl_complete-fairlead",
    }


def test_development_takes_the_extras_of_this_distribution() -> None:
    """Under another name, pip would fetch another project."""
    (ours,) = [line for line in PROJECT["optional-dependencies"]["dev"] if "fairlead" in line]
    name, extras = re.fullmatch(r"([\w-]+)\[([\w,]+)\]", ours).groups()  # type: ignore[union-attr]

    assert name == PROJECT["name"]
    assert set(extras.split(",")) == set(PROJECT["optional-dependencies"]) - {"dev"}


def test_no_page_installs_the_other_project() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "charts").rglob("*.md")]
    named = re.compile(r"pip install (?:--\S+ )*[\"']?fairlead(?!-operator)")

    assert [page.name for page in pages if named.search(page.read_text())] == []


def test_no_code_looks_the_distribution_up_by_a_name() -> None:
    """An environment may still hold what was installed under the old one."""
    folders = (ROOT / name for name in ("operator", "serving", "training"))
    files = [file for folder in folders for file in folder.rglob("*.py")]

    assert [file.name for file in files if "importlib.metadata" in file.read_text()] == []
