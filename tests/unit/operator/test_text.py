"""What others wrote, fit for a terminal and for JSON."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_operator.text import contrast, describe_evidence, printable, shorten, write_list


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
        pytest.param("é" * 20, "é" * 20, id="characters are counted, not bytes"),
        pytest.param("x" * 21, "x" * 18 + " …", id="cut at the limit, and said so"),
        pytest.param("one two three four five", "one two three four …", id="cut between words"),
    ],
)
def test_printable(text: object, fit: str) -> None:
    assert printable(text, limit=20) == fit


@pytest.mark.parametrize(
    ("text", "fit"),
    [
        pytest.param("", "", id="nothing"),
        pytest.param("twelve chars", "twelve chars", id="what just fits stays as it is"),
        pytest.param("a word, another", "a word …", id="no comma is left at the end"),
        pytest.param("first; second", "first …", id="nor a semicolon"),
        pytest.param("number words", "number words", id="of the same length"),
        pytest.param("longer words!", "longer …", id="one character too long"),
        pytest.param("unbreakable-name", "unbreakabl …", id="one word alone is cut"),
        pytest.param("an unbreakable", "an unbreak …", id="a long word is not lost as a whole"),
        pytest.param("ten-letter a b", "ten-letter …", id="the last word just fits"),
    ],
)
def test_shorten(text: str, fit: str) -> None:
    assert shorten(text, 12) == fit


def test_longest_message_of_a_status() -> None:
    assert len(shorten("word " * 1000)) == 1021
    assert shorten("x" * 1024) == "x" * 1024


@pytest.mark.parametrize(
    ("items", "written"),
    [
        pytest.param([], "", id="none"),
        pytest.param(["alone"], "alone", id="one"),
        pytest.param(["red", "green", "blue", "white"], "red; green; blue; white", id="all fit"),
        pytest.param(
            ["red", "green", "blue", "brown!"], "red; green; and 2 more", id="the last does not"
        ),
        pytest.param(["r"] * 1500, "r; r; r; and 1,497 more", id="very many"),
        pytest.param(
            ["a much longer item than fits"], "a much longer item …", id="the first alone"
        ),
        pytest.param(
            ["a much longer item", "another"], "a much …; and 1 more", id="the first of two"
        ),
    ],
)
def test_list_of_whole_items(items: list[str], written: str) -> None:
    assert write_list(iter(items), limit=23) == written


@given(
    st.lists(st.text("ab c;,", max_size=30), max_size=60),
    st.sampled_from(["; ", ", "]),
    st.integers(60, 200),
)
def test_no_list_is_longer_or_hides_how_many(items: list[str], between: str, limit: int) -> None:
    written = write_list(items, between=between, limit=limit)
    assert len(written) <= limit
    if written != between.join(items):
        shown, _, left = written.rpartition(f"{between}and ")
        count = len(items) - int(left.removesuffix(" more").replace(",", ""))
        assert shown == between.join(items[:count]) or (count == 1 and shown.endswith(" …"))


@given(st.text(), st.integers(3, 40))
def test_no_text_is_longer_than_its_limit(text: str, limit: int) -> None:
    short = shorten(text, limit)
    assert len(short) <= limit
    assert short == text or (short.endswith(" …") and text.startswith(short[:-2]))


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
    assert describe_evidence([value], 20.0) == (words, "20")


def test_pieces_of_evidence_are_written_beside_the_one_that_decides() -> None:
    told = describe_evidence([19.97, 1e9, 1e-9, 0.5], 20.0)

    assert told == ("19.97", "more than 200", "less than 0.01", "0.5", "20")


@pytest.mark.parametrize(
    ("value", "limit", "words"),
    [
        pytest.param(0.7, 0.99, ("0.7", "0.99"), id="no more digits than it takes"),
        pytest.param(0.98996, 0.99, ("0.98996", "0.99"), id="below, and it read 0.99"),
        pytest.param(250.04, 250.0, ("250.04", "250"), id="above, and it read 250"),
        pytest.param(0.99, 0.99, ("0.99", "0.99"), id="equal is equal"),
        pytest.param(12345.6, 1e6, ("12346", "1000000"), id="in full before the point"),
        pytest.param(0.0, 0.0, ("0", "0"), id="nothing"),
        pytest.param(-0.00001, 0.0, ("-1e-05", "0"), id="next to nothing"),
        pytest.param(0.9999999, 1.0, ("0.9999999", "1"), id="nearly all"),
        pytest.param(5.0, 0.9999999, ("5", "1"), id="a limit is rounded where that hides nothing"),
    ],
)
def test_contrast(value: float, limit: float, words: tuple[str, str]) -> None:
    assert contrast([value], [limit]) == words


@pytest.mark.parametrize(
    ("count", "words"),
    [
        pytest.param(7, ("7", "1,000"), id="a few"),
        pytest.param(999.97, ("999.97", "1,000"), id="nearly enough, as a query extrapolates"),
        pytest.param(1234.4, ("1,234", "1,000"), id="more"),
    ],
)
def test_counts(count: float, words: tuple[str, str]) -> None:
    assert contrast([count], [1000], digits=1, flags=",") == words


@pytest.mark.parametrize(
    ("percent", "words"),
    [
        pytest.param(82.71, ("82.7", "95"), id="with one decimal"),
        pytest.param(94.97, ("94.97", "95"), id="with those it takes"),
    ],
)
def test_decimals(percent: float, words: tuple[str, str]) -> None:
    assert contrast([percent], [95.0], decimals=1) == words


numbers = st.floats(allow_nan=False, allow_infinity=False)


@given(
    value=numbers,
    limit=numbers,
    nudge=st.sampled_from([-1, 0, 1]),
    decimals=st.none() | st.integers(0, 4),
    flags=st.sampled_from(["", ",", "+"]),
)
def test_numbers_read_as_they_compare(
    value: float, limit: float, nudge: int, decimals: int | None, flags: str
) -> None:
    """19.97 read "20, 20 needed"."""
    if nudge:
        value = math.nextafter(limit, nudge * math.inf)
    written = contrast([value], [limit], decimals=decimals, flags=flags)

    shown, bound = (float(text.replace(",", "")) for text in written)

    assert (shown < bound, shown > bound) == (value < limit, value > limit)
