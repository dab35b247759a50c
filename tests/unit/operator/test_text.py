"""What others wrote, fit for a terminal and for JSON."""

import pytest

from fairlead_operator.text import describe_evidence, printable


@pytest.mark.parametrize(
    ("text", "fit"),
    [
        pytest.param("plain words", "plain words", id="plain words stay"),
        pytest.param("größer · 価格", "größer · 価格", id="letters of every script stay"),
        pytest.param("two\nlines\tand a tab", "two lines and a tab", id="one line"),
        pytest.param("\x1b[31mred", " [31mred", id="no escape reaches the terminal"),
        pytest.param("half \ud800 sign", "half   sign", id="half a character becomes a space"),
        pytest.param("\u202eback", " back", id="nothing turns the line around"),
        pytest.param(ValueError("no such row"), "no such row", id="an error is its message"),
        pytest.param(None, "None", id="nothing at all"),
        pytest.param("x" * 21, "x" * 20, id="cut at the limit"),
        pytest.param("é" * 21, "é" * 20, id="characters are counted, not bytes"),
    ],
)
def test_printable(text: object, fit: str) -> None:
    assert printable(text, limit=20) == fit


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.0, "less than 0.01"),
        (1e-300, "less than 0.01"),
        (0.0758, "0.0758"),
        (12.345, "12.3"),
        (150.2, "150"),
        (199.9, "200"),
        (200.0, "more than 200"),
        (2.84e106, "more than 200"),
    ],
)
def test_evidence_is_written_without_powers_of_ten(value: float, words: str) -> None:
    assert describe_evidence(value, 20.0) == words
