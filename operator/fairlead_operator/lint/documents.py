"""The manifests of a file as kubectl reads them, each field with its line.

PyYAML's own scalars are not kubectl's: it takes 18:00 for a number and a date for no text.
"""

import contextlib
import dataclasses
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import yaml

from fairlead_operator.lint.problem import Problem, quoted

_PLAIN: Final = "!plain"  # a scalar without quotes and without a tag of its own
_TYPES: Final = ("bool", "float", "int", "null")
_RESOLVED: Final = {_PLAIN, *(f"tag:yaml.org,2002:{name}" for name in _TYPES)}
_TRUE: Final = ("true", "yes", "on", "y")
_FALSE: Final = ("false", "no", "off", "n")
_WORDS: Final[Mapping[str, bool | None]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **{form: True for word in _TRUE for form in (word, word.capitalize(), word.upper())},
    **{form: False for word in _FALSE for form in (word, word.capitalize(), word.upper())},
}
_NUMERIC: Final = frozenset("+-.0123456789")
_OCTAL: Final = re.compile(r"([-+]?)0([0-7]+)")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_MOST_NODES: Final = 200_000  # of a document; a few aliases can stand for billions


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One manifest of a file."""

    number: int  # in its file, from 1
    body: Any  # None where it cannot be read
    problems: tuple[Problem, ...] = ()  # of the text itself
    lines: Mapping[str, int]  # by field path

    def line(self, path: str) -> int:
        """Return the line of a field; of what it is missing from, where it is not there."""
        while path and path not in self.lines:
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        return self.lines.get(path, 1)


class _Loader(yaml.SafeLoader):
    """Leaves it to us what a scalar without quotes means."""

    yaml_implicit_resolvers = {None: [(_PLAIN, re.compile(""))]}  # noqa: RUF012


def read_documents(text: str) -> Iterator[Document]:
    """Yield the manifests of a file, those within a List one by one; leave out empty ones.

    Where the text is no YAML any more, a last document says so.
    """
    if text.lstrip().startswith("{"):
        text = text.replace("\t", " ")  # JSON, which may be indented by them
    number = 0
    try:
        for number, node in enumerate(yaml.compose_all(text, _Loader), 1):
            reader = _Reader()
            body = reader.read(node, "")
            if body is not None:
                document = Document(
                    number=number, body=body, problems=tuple(reader.problems), lines=reader.lines
                )
                yield from _items(document)
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        words = f"error parsing YAML: {_describe(error)}"
        yield Document(
            number=number + 1,
            body=None,
            problems=(Problem(field="", message=words),),
            lines={"": mark.line + 1 if mark else 1},
        )


def _describe(error: Exception) -> str:
    """Say in one line what is wrong; the place is told apart."""
    if isinstance(error, yaml.MarkedYAMLError):
        return ", ".join(part for part in (error.context, error.problem) if part)
    if isinstance(error, RecursionError):
        return "nested too deeply"
    return " ".join(str(error).split())


def _items(document: Document) -> Iterator[Document]:
    """Yield what a List holds, as kubectl does; or the document itself."""
    body = document.body
    if not isinstance(body, dict) or (body.get("apiVersion"), body.get("kind")) != ("v1", "List"):
        yield document
        return
    for index, item in enumerate(body.get("items") or ()):
        prefix = f"items[{index}]"
        yield Document(
            number=document.number,
            body=item,
            problems=tuple(
                dataclasses.replace(problem, field=problem.field.removeprefix(f"{prefix}."))
                for problem in document.problems
                if problem.field.startswith(f"{prefix}.")
            ),
            lines={
                path.removeprefix(prefix).removeprefix("."): line
                for path, line in document.lines.items()
                if path == prefix or path.startswith((f"{prefix}.", f"{prefix}["))
            },
        )


class _Reader:
    """Makes a value of a document's nodes, and notes where each field is."""

    def __init__(self) -> None:
        self.lines: dict[str, int] = {}
        self.problems: list[Problem] = []
        self._nodes = 0

    def read(self, node: yaml.Node, path: str) -> Any:
        self._nodes += 1
        if self._nodes > _MOST_NODES:
            raise yaml.YAMLError("document contains excessive aliasing")
        self.lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            return self._read_mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.read(item, f"{path}[{index}]") for index, item in enumerate(node.value)]
        return _resolve(node.value) if node.tag in _RESOLVED else _join_halves(node.value)

    def _read_mapping(self, node: yaml.MappingNode, path: str) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        own: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if key_node.tag == _PLAIN and key_node.value == "<<":
                several = isinstance(value_node, yaml.SequenceNode)
                for one in reversed(value_node.value if several else [value_node]):
                    merged |= self.read(one, path)
                continue
            if not isinstance(key_node, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(
                    problem="invalid map key", problem_mark=key_node.start_mark
                )
            key = _as_key(self.read(key_node, ""))
            where = f"{path}.{key}" if path else key
            if key in own:
                words = f"key {quoted(key)} already set in map"
                self.problems.append(Problem(field=where, message=words))
            self.lines[where] = key_node.start_mark.line + 1
            own[key] = self.read(value_node, where)
        return merged | own


def _join_halves(text: str) -> str:
    """Make one character of two halves, as JSON escapes it, and put a mark for a half alone."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _as_key(value: Any) -> str:
    """Write a key as JSON has it, whatever YAML took it for."""
    if isinstance(value, bool):
        return str(value).lower()
    return "null" if value is None else str(value)


def _resolve(text: str) -> Any:
    """Return what kubectl takes a scalar without quotes for."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMERIC:
        return text
    plain = text.replace("_", "")
    if octal := _OCTAL.fullmatch(plain):
        return int(octal[1] + octal[2], 8)
    with contextlib.suppress(ValueError):
        return int(plain, 0)
    if not _FLOAT.fullmatch(plain):
        return text
    number = float(plain)
    return int(number) if number.is_integer() else number
