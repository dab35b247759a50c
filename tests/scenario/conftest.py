"""Options of the scenario tests."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--faults",
        choices=("some", "all"),
        default="some",
        help="how many of the faults of tests/scenario/test_faults.py are lived",
    )
