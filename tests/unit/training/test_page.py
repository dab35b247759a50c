"""What pages are made of: no text becomes a part of their code, and numbers are short."""

import pytest

from fairlead_training.evaluate import Estimate
from fairlead_training.page import build_page, build_table, format_estimate, format_value


def test_no_text_becomes_a_part_of_the_page() -> None:
    page = build_page("<t>", [("<s>", build_table({"<k>": "<v>"}))])

    assert [text for text in ("<t>", "<s>", "<k>", "<v>") if text in page] == []
    assert page.count("&lt;t&gt;") == 2  # of the window, and of the page


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "unknown"), (0.123456789, "0.12346"), (1e9, "1e+09"), (40, "40"), ("a", "a")],
)
def test_a_value_is_short(value: object, text: str) -> None:
    assert format_value(value) == text


def test_an_estimate_has_its_interval() -> None:
    assert format_estimate(Estimate(value=0.5, low=0.25, high=0.75)) == "0.5 (0.25 to 0.75)"
