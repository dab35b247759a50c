"""The tag of an image changes with what is in it, and with nothing else."""

from pathlib import Path

import pytest

from images.fingerprint import fingerprint


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "main.py").write_text("print(1)\n")
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    return tmp_path


def tag(root: Path, *facts: str) -> str:
    return fingerprint(root=root, files=[root / "Dockerfile", root / "source"], facts=facts)


def test_the_same_input_has_the_same_tag(root: Path) -> None:
    assert tag(root, "base") == tag(root, "base")


def test_a_tag_is_short_and_fit_for_a_reference(root: Path) -> None:
    assert len(tag(root)) == 12
    assert tag(root).isalnum()


def test_another_checkout_has_the_same_tag(root: Path) -> None:
    other = root / "other"
    (other / "source").mkdir(parents=True)
    (other / "Dockerfile").write_text("FROM scratch\n")
    (other / "source" / "main.py").write_text("print(1)\n")

    assert tag(other) == tag(root)


@pytest.mark.parametrize(
    ("path", "content"),
    [
        pytest.param("source/main.py", "print(2)\n", id="a changed source"),
        pytest.param("source/new.py", "", id="a new empty source"),
        pytest.param("Dockerfile", "FROM base\n", id="a changed Dockerfile"),
    ],
)
def test_a_changed_file_changes_the_tag(root: Path, path: str, content: str) -> None:
    before = tag(root)

    (root / path).write_text(content)

    assert tag(root) != before


def test_a_renamed_file_changes_the_tag(root: Path) -> None:
    before = tag(root)

    (root / "source" / "main.py").rename(root / "source" / "other.py")

    assert tag(root) != before


def test_an_executable_bit_changes_the_tag(root: Path) -> None:
    before = tag(root)

    (root / "source" / "main.py").chmod(0o755)

    assert tag(root) != before


@pytest.mark.parametrize("facts", [("other",), (), ("base", ""), ("ba", "se")])
def test_another_fact_changes_the_tag(root: Path, facts: tuple[str, ...]) -> None:
    assert tag(root, *facts) != tag(root, "base")


def test_bytecode_does_not_change_the_tag(root: Path) -> None:
    before = tag(root)

    (root / "source" / "__pycache__").mkdir()
    (root / "source" / "__pycache__" / "main.cpython-311.pyc").write_bytes(b"\0")

    assert tag(root) == before
