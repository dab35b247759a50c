"""The table of values in the chart's README, made from the comments in values.yaml.

`PYTHONPATH=tests python -m support.chart.values_table` writes it.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from support.chart.rendering import CHART

README = CHART / "README.md"
_BEGIN, _END = "<!-- values -->\n", "<!-- /values -->\n"
_KEY = re.compile(r"^(?P<indent> *)(?P<key>[A-Za-z]+):(?P<rest>.*)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """One documented value."""

    path: str
    default: Any
    description: str


def documented_values() -> list[Value]:
    text = (CHART / "values.yaml").read_text()
    defaults = yaml.safe_load(text)
    return [
        Value(path=path, default=_lookup(defaults, path), description=description)
        for path, description in _described(text.splitlines())
    ]


def leaves(values: Any, path: str = "") -> Iterator[str]:
    """Yield every value that has no values of its own."""
    for key, value in values.items():
        here = f"{path}.{key}" if path else key
        if isinstance(value, dict) and value:
            yield from leaves(value, here)
        else:
            yield here


def table() -> str:
    rows = ["| Value | Default | |", "| --- | --- | --- |"]
    for value in documented_values():
        default = json.dumps(value.default).replace("|", r"\|")
        rows.append(f"| `{value.path}` | `{default}` | {value.description} |")
    return "\n".join(rows) + "\n"


def table_in_readme() -> str:
    return README.read_text().partition(_BEGIN)[2].partition(_END)[0]


def write() -> None:
    before, _, rest = README.read_text().partition(_BEGIN)
    README.write_text(before + _BEGIN + table() + _END + rest.partition(_END)[2])


def _described(lines: list[str]) -> Iterator[tuple[str, str]]:
    """Paths with the comment that stands right above them."""
    parents: list[str] = []
    comment: list[str] = []
    for line in lines:
        if line.lstrip().startswith("#"):
            comment.append(line.strip().removeprefix("#").strip())
            continue
        if found := _KEY.match(line):
            depth = len(found["indent"]) // 2
            parents[depth:] = [found["key"]]
            if comment:
                yield ".".join(parents), " ".join(comment)
        comment = []


def _lookup(values: Any, path: str) -> Any:
    for key in path.split("."):
        values = values[key]
    return values


if __name__ == "__main__":
    write()
