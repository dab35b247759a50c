"""What a benchmark hands back, and its tables in Markdown and on the terminal.  Pure."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What we want to reach.  It is shown, never asserted: the machine has its say too."""

    wanted: str
    is_met: bool

    def __str__(self) -> str:
        return f"{self.wanted}: {'met' if self.is_met else 'missed'}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One benchmark's numbers."""

    name: str
    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    goals: tuple[Goal, ...]
    numbers: Mapping[str, Any]  # everything, unrounded, for build/bench.json
    more: tuple[Sequence[tuple[str, ...]], ...] = ()  # further tables, each with its headers


def to_markdown(result: Result, conditions: str) -> str:
    """The table, its goals and under which conditions it was made."""
    goals = "; ".join(str(goal) for goal in result.goals)
    parts = [_markdown_table(headers, rows) for headers, *rows in _tables(result)]
    parts += [f"Goal: {goals}."] if goals else []
    return "\n\n".join([*parts, conditions])


def to_terminal(result: Result) -> str:
    """The same for people before a terminal: columns in line."""
    tables = "\n\n".join(map(_terminal_table, _tables(result)))
    return "\n".join([f"{result.name}", tables, *(f"goal {goal}" for goal in result.goals)])


def replace_between_markers(document: str, name: str, content: str) -> str:
    """Put new content where the document has that of a benchmark.

    Raises:
        ValueError: the document lacks one of the two markers.
    """
    begin, end = f"<!-- numbers: {name} -->", f"<!-- end: {name} -->"
    before, found, rest = document.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"the document has no {begin} … {end}")
    return f"{before}{begin}\n{content}\n{end}{after}"


def _tables(result: Result) -> Sequence[Sequence[tuple[str, ...]]]:
    return ((result.headers, *result.rows), *result.more)


def _terminal_table(table: Sequence[tuple[str, ...]]) -> str:
    widths = [max(len(row[at]) for row in table) for at in range(len(table[0]))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)


def _markdown_table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [headers, ["---"] + ["---:"] * (len(headers) - 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
