"""What is written where nobody looks at a terminal: plain lines, and only what changed."""

from collections.abc import Iterator

import pytest
from rich.console import RenderableType
from rich.text import Text

from fairlead_operator.command.draw import empty_table
from fairlead_operator.command.output import Frame, follow, show


def frame(text: str) -> Frame:
    return lambda _: Text(text, "bold red")


def test_a_pipe_gets_plain_lines_without_the_spaces_a_table_ends_in(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def table(_: int) -> RenderableType:
        table = empty_table("NAME", "NOTE")
        table.add_row(Text("a", "bold"), "")
        return table

    show(table)

    assert capsys.readouterr().out == "NAME  NOTE\na\n"


def test_a_pipe_cuts_and_folds_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    words = "word " * 100

    show(frame(words))

    assert capsys.readouterr().out == f"{words.rstrip()}\n"


def test_what_people_wrote_is_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    show(lambda _: "[bold]x[/bold] :smile: [/nope]")

    assert capsys.readouterr().out == "[bold]x[/bold] :smile: [/nope]\n"


def test_a_pipe_that_is_followed_gets_a_frame_when_it_differs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    pauses: list[float] = []

    def frames() -> Iterator[Frame]:
        yield from map(frame, ("10 %", "10 %", "50 %", "10 %"))

    follow(frames(), sleep=pauses.append)

    assert capsys.readouterr().out == "10 %\n\n50 %\n\n10 %\n\n"
    assert pauses == [1.0] * 4, "also after a frame that nobody sees"
