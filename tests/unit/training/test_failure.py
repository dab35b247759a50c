"""The exit code of each reason, as the contract lists them, and errors in one line."""

import re
from pathlib import Path

import pytest

from fairlead_training.failure import (
    EXIT_PERMANENT,
    EXIT_RETRY,
    Reason,
    TrainingFailure,
    Trouble,
    first_line,
)

CONTRACT = Path(__file__).parents[3] / "docs" / "contracts.md"


def listed(code: int) -> set[str]:
    """Return the reasons that the contract lists for an exit code."""
    (line,) = re.findall(rf"^Reasons with exit code {code}: (.*)$", CONTRACT.read_text(), re.M)
    return set(re.findall(r"`(\w+)`", line))


@pytest.mark.parametrize(
    "code", [pytest.param(1, id="may be tried again"), pytest.param(3, id="bad input")]
)
def test_a_reason_ends_with_the_code_that_the_contract_says(code: int) -> None:
    given = {str(r) for r in Reason if TrainingFailure(r, "").exit_code == code}

    assert given == listed(code)


def test_what_may_pass_is_tried_again_unless_it_was_waited_for() -> None:
    trouble = Trouble("http://h/d.csv", "Connection refused")
    failure = TrainingFailure(Reason.DATA_SOURCE_UNAVAILABLE, "no answer", trouble=trouble)

    given_up = failure.after("10 min").told_as("spec.data.joins[0]: no answer")

    assert (failure.exit_code, given_up.exit_code) == (EXIT_RETRY, EXIT_PERMANENT)
    assert failure.told_as("x").trouble == trouble


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        pytest.param(ValueError("too deep\nat line 7"), "too deep", id="the first of two"),
        pytest.param(ValueError("\n\n  too deep\n"), "too deep", id="after empty ones"),
        pytest.param(ValueError(" \n"), "ValueError", id="nothing said: its type"),
        pytest.param(ValueError("x" * 301), "x" * 300, id="a long one is cut"),
    ],
)
def test_an_error_is_told_in_one_line(error: Exception, expected: str) -> None:
    assert first_line(error) == expected
