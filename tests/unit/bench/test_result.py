"""Tables, and their place in the document."""

from pathlib import Path

import pytest

from bench.__main__ import main
from bench.result import Goal, Result, replace_between_markers, to_markdown, to_terminal

RESULT = Result(
    name="some",
    headers=("what", "min", "max"),
    rows=(("a long name", "1", "20"), ("short", "300", "4")),
    goals=(Goal(wanted="below 5", is_met=False), Goal(wanted="none", is_met=True)),
    numbers={},
)
DOCUMENT = Path(__file__).parents[3] / "docs" / "benchmarks.md"


def test_a_table_in_markdown() -> None:
    assert to_markdown(RESULT, "Measured today.") == (
        "| what | min | max |\n"
        "| --- | ---: | ---: |\n"
        "| a long name | 1 | 20 |\n"
        "| short | 300 | 4 |\n"
        "\n"
        "Goal: below 5: missed; none: met.\n"
        "\n"
        "Measured today."
    )


def test_a_table_without_goals_says_nothing_of_goals() -> None:
    plain = Result(name="some", headers=("what",), rows=(("a",),), goals=(), numbers={})

    assert "oal" not in to_markdown(plain, "Measured today.")


def test_a_table_on_the_terminal_is_in_columns() -> None:
    assert to_terminal(RESULT).splitlines() == [
        "some",
        "what         min  max",
        "-----------  ---  ---",
        "a long name  1    20",
        "short        300  4",
        "goal below 5: missed",
        "goal none: met",
    ]


def test_only_what_is_between_the_markers_is_replaced() -> None:
    document = (
        "before\n<!-- numbers: a -->\nold\n<!-- end: a -->\nbetween\n"
        "<!-- numbers: b -->\nkept\n<!-- end: b -->\nafter\n"
    )

    replaced = replace_between_markers(document, "a", "new")

    assert replaced == document.replace("old", "new")
    assert replace_between_markers(replaced, "a", "new") == replaced


@pytest.mark.parametrize(
    "document",
    [
        pytest.param("<!-- end: a -->", id="no begin"),
        pytest.param("<!-- numbers: a -->", id="no end"),
        pytest.param("<!-- end: a --> <!-- numbers: a -->", id="end before begin"),
        pytest.param("<!-- numbers: b --><!-- end: b -->", id="another benchmark's"),
    ],
)
def test_a_document_without_its_markers_is_refused(document: str) -> None:
    with pytest.raises(ValueError, match="numbers: a"):
        replace_between_markers(document, "a", "new")


@pytest.mark.parametrize(
    "name",
    [
        "alert-reaction",
        "weight-changes",
        "operator-memory",
        "operator-scale",
        "serving",
        "single-row",
    ],
)
def test_the_document_has_a_place_for_each_benchmark(name: str) -> None:
    replaced = replace_between_markers(DOCUMENT.read_text(), name, "here")

    assert f"<!-- numbers: {name} -->\nhere\n<!-- end: {name} -->" in replaced


def test_an_unknown_benchmark_is_refused_with_the_known_ones(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        main(["no-such"])

    said = capsys.readouterr().err
    assert "there is no benchmark no-such" in said
    assert "alert-reaction" in said
