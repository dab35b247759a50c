"""What holds for the tests themselves."""

import re
from pathlib import Path

import pytest

UNIT = Path(__file__).parent
IMPORTS_A_TEST = re.compile(
    r"^\s*(from|import) (unit|scenario|integration|e2e)\.([a-z_]+\.)*test_", re.MULTILINE
)


@pytest.mark.parametrize(
    "path", sorted(UNIT.rglob("*.py")), ids=lambda path: path.relative_to(UNIT).as_posix()
)
def test_no_test_module_imports_another(path: Path) -> None:
    """What two of them need is in ``tests/support``."""
    assert IMPORTS_A_TEST.search(path.read_text(encoding="utf-8")) is None
