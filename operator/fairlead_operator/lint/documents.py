"""The manifests of a file as kubectl reads them, each field with its line.

PyYAML's own scalars are not kubectl's: it takes 18:00 for a number and a date for no text.
"""

import contextlib
import dataclasses
import json
import math
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, Final

import yaml

from fairlead_operator.api.group import GROUP
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
_INT64: Final = 2**63
_UINT64: Final = 2**64
_BLANKS: Final = re.compile(r"\s*")
_ITEM: Final = re.compile(r"items\[([0-9]+)\]\.?(.*)", re.DOTALL)
# A few aliases can stand for billions of values.  As kubectl's library has it: the more
# values there are, the smaller the share of them that aliases may repeat.
_FREE_REPEATS: Final = 100
_FREE_VALUES: Final = 1_000
_VALUES: Final = (400_000, 4_000_000)
_SHARES: Final = (0.99, 0.10)


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
    """Yield the manifests of a file, those within a list one by one; leave out empty ones.

    Where the text is no YAML any more, a last document says so.
    """
    number = 0
    for piece, above in _pieces(text):
        try:
            for node in yaml.compose_all(piece, _Loader):
                reader = _Reader(above)
                body = reader.read(node, "")
                number += 1
                if body is not None:
                    document = Document(
                        number=number,
                        body=body,
                        problems=tuple(reader.problems),
                        lines=reader.lines,
                    )
                    yield from split_list(document)
        # A character beyond all of them is no error of YAML's to its library.
        except (yaml.YAMLError, RecursionError, ValueError, OverflowError) as error:
            mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
            words = f"error parsing YAML: {_describe(error)}"
            yield Document(
                number=number + 1,
                body=None,
                problems=(Problem(field="", message=words),),
                lines={"": above + (mark.line + 1 if mark else 1)},
            )
            return


def _pieces(text: str) -> Iterator[tuple[str, int]]:
    """Yield the text, or one by one the JSON objects in it, with the number of lines above."""
    start = above = 0
    if text.lstrip().startswith("{"):
        text = text.replace("\t", " ")  # by which JSON may be indented
        while (end := _end_of_object(text, start)) is not None:
            yield text[start:end], above
            above += text.count("\n", start, end)
            start = end
    if text[start:].strip():
        yield text[start:], above


def _end_of_object(text: str, start: int) -> int | None:
    """Return where the JSON object ends that begins there; None where none does."""
    blanks = _BLANKS.match(text, start)
    begin = blanks.end() if blanks else start
    if not text.startswith("{", begin):
        return None
    try:
        return json.JSONDecoder().raw_decode(text, begin)[1]
    except (ValueError, RecursionError):  # which YAML will say better, if it is none either
        return None


def _describe(error: Exception) -> str:
    """Say in one line what is wrong; the place is told apart."""
    if isinstance(error, yaml.MarkedYAMLError):
        return ", ".join(part for part in (error.context, error.problem) if part)
    if isinstance(error, RecursionError):
        return "nested too deeply"
    return " ".join(str(error).split())


def split_list(document: Document) -> Iterator[Document]:
    """Yield what a list holds, as kubectl does; or the document itself."""
    body = document.body
    if not _is_list(body):
        yield document
        return
    lines: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for path, line in document.lines.items():
        if part := _ITEM.fullmatch(path):
            lines[part[1]][part[2]] = line
    own: list[Problem] = []
    problems: defaultdict[str, list[Problem]] = defaultdict(list)
    for problem in document.problems:
        if part := _ITEM.fullmatch(problem.field):
            problems[part[1]].append(dataclasses.replace(problem, field=part[2]))
        else:
            own.append(problem)
    items = body.get("items") or []
    if not isinstance(items, list):
        own.append(Problem(field="items", message="must be a list"))
        items = []
    if own:
        yield dataclasses.replace(document, body=None, problems=tuple(own))
    for index, item in enumerate(items):
        if item is not None:
            yield from split_list(
                Document(
                    number=document.number,
                    body=_of_kind(item, body),
                    problems=tuple(problems[str(index)]),
                    lines=lines[str(index)],
                )
            )


def _is_list(body: Any) -> bool:
    """Tell whether a document is a List, or a list of our group such as the API server gives."""
    if not isinstance(body, dict):
        return False
    version, kind = str(body.get("apiVersion")), str(body.get("kind"))
    of_ours = version.partition("/")[0] == GROUP and kind.endswith("List") and "items" in body
    return of_ours or (version, kind) == ("v1", "List")


def _of_kind(item: Any, listing: Mapping[str, Any]) -> Any:
    """Give an item that says neither version nor kind those of its list."""
    kind = listing["kind"].removesuffix("List")
    if not kind or not isinstance(item, dict) or item.get("apiVersion") or item.get("kind"):
        return item
    return item | {"apiVersion": listing["apiVersion"], "kind": kind}


class _Reader:
    """Makes a value of a document's nodes, and notes where each field is."""

    def __init__(self, above: int) -> None:
        self.lines: dict[str, int] = {}
        self.problems: list[Problem] = []
        self._above = above  # lines of the file before this text
        self._nodes: set[yaml.Node] = set()
        self._values = 0
        self._repeats = 0  # of them, what aliases stand for

    def read(self, node: yaml.Node, path: str) -> Any:
        self._values += 1
        self._repeats += node in self._nodes
        self._nodes.add(node)
        if _are_excessive(self._repeats, self._values):
            raise yaml.YAMLError("document contains excessive aliasing")
        self.lines.setdefault(path, self._line(node))
        if isinstance(node, yaml.MappingNode):
            return self._read_mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.read(item, f"{path}[{index}]") for index, item in enumerate(node.value)]
        return _resolve(node.value) if node.tag in _RESOLVED else _join_halves(node.value)

    def _line(self, node: yaml.Node) -> int:
        return self._above + int(node.start_mark.line) + 1

    def _read_mapping(self, node: yaml.MappingNode, path: str) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        own: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if key_node.tag == _PLAIN and key_node.value == "<<":
                several = isinstance(value_node, yaml.SequenceNode)
                for one in reversed(value_node.value if several else [value_node]):
                    if not isinstance(one, yaml.MappingNode):
                        raise yaml.MarkedYAMLError(
                            problem="map merge requires map or sequence of maps as the value",
                            problem_mark=one.start_mark,
                        )
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
            self.lines[where] = self._line(key_node)
            own[key] = self.read(value_node, where)
        return merged | own


def _are_excessive(repeats: int, values: int) -> bool:
    """Tell whether so many values are too much for what aliases repeat of them."""
    if repeats <= _FREE_REPEATS or values <= _FREE_VALUES:
        return False
    few, many = _VALUES
    beyond = min(max(values - few, 0) / (many - few), 1)
    return repeats / values > _SHARES[0] + beyond * (_SHARES[1] - _SHARES[0])


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
    integer = _as_integer(plain)
    if integer is not None and -_INT64 <= integer < _UINT64:
        return _as_number(integer)
    if not _FLOAT.fullmatch(plain) or math.isinf(number := float(plain)):
        return text
    return _as_number(number)


def _as_integer(plain: str) -> int | None:
    if octal := _OCTAL.fullmatch(plain):
        return int(octal[1] + octal[2], 8)
    with contextlib.suppress(ValueError):
        return int(plain, 0)
    return None


def _as_number(number: float) -> float:
    """Make it whole where it is and fits 64 bits, as the API server does; a fraction otherwise."""
    is_whole = isinstance(number, int) or number.is_integer()
    return int(number) if is_whole and -_INT64 <= number < _INT64 else float(number)
