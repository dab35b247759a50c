"""``fairlead lint``: which files are read, and how what is wrong with them is shown."""

import contextlib
import dataclasses
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import click

from fairlead_operator.lint.check import as_kept, check, is_ours
from fairlead_operator.lint.documents import Document, read_documents
from fairlead_operator.lint.problem import NOWHERE, Problem, quoted
from fairlead_operator.lint.unfit import Object, find_unfit, find_unfit_template

_Identity = tuple[str, str, str]  # kind, name and namespace
_Templates = Mapping[tuple[str, str], Mapping[str, Object]]

STANDARD_INPUT: Final = "-"
_SUFFIXES: Final = (".json", ".yaml", ".yml")  # of a folder's files that kubectl reads


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One problem, with the place where it is."""

    file: str
    line: int
    document: int  # in its file, from 1
    kind: str
    name: str
    problem: Problem


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came out of all files."""

    checked: int  # manifests of ours
    skipped: int  # of other kinds
    findings: tuple[Finding, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Checked:
    """A manifest of ours, and what came out of it alone."""

    file: str
    document: Document
    problems: tuple[Problem, ...]
    kept: Object | None  # by the API server; None where it has problems

    @property
    def place(self) -> str:
        return f"{self.file}:{self.document.line('')}"


def read_texts(names: Sequence[str], *, recursive: bool) -> Iterator[tuple[str, str]]:
    """Yield each file's name and text; of a folder, those that kubectl would read.

    Raises:
        UsageError: a file is not there, cannot be read, or is no text.
    """
    for name in names:
        if name == STANDARD_INPUT:
            yield "<stdin>", _read("<stdin>", sys.stdin.buffer.read)
            continue
        for path in _files(Path(name), recursive=recursive):
            yield str(path), _read(str(path), path.read_bytes)


def _read(name: str, read: Callable[[], bytes]) -> str:
    try:
        return read().decode("utf-8-sig")
    except OSError as error:
        raise click.UsageError(f"{name}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise click.UsageError(f"{name}: is no UTF-8 text") from error


def _files(path: Path, *, recursive: bool) -> Iterable[Path]:
    try:
        return sorted(_within(path, recursive=recursive)) if path.is_dir() else [path]
    except OSError as error:
        raise click.UsageError(f"{error.filename or path}: {error.strerror}") from error


def _within(folder: Path, *, recursive: bool) -> Iterator[Path]:
    """Yield a folder's manifests; unlike a pattern, stumble over a folder that cannot be read."""
    for one in folder.iterdir():
        if one.suffix in _SUFFIXES and one.is_file():
            yield one
        elif recursive and one.is_dir() and not one.is_symlink():
            yield from _within(one, recursive=recursive)


def lint(texts: Iterable[tuple[str, str]]) -> Result:
    """Check every manifest of ours: each by itself, then those that belong together.

    Raises:
        UsageError: one of them cannot be checked, for a fault of this program.
    """
    documents: list[tuple[str, Document]] = []
    for file, text in texts:
        with _checking(file):
            documents += ((file, document) for document in read_documents(text))
    checked = [
        _check(file, document)
        for file, document in documents
        if document.body is None or is_ours(document.body)
    ]
    templates = _templates(one for one in checked if one.kept is not None)
    places: dict[tuple[str, ...], str] = {}
    findings: list[Finding] = []
    for one in checked:
        problems = [*one.problems, *_repeated(one, places)]
        if not problems and one.kept is not None:
            with _checking(one.place):
                problems += _unfit(one, one.kept, templates)
        findings += (_find(one.file, one.document, problem) for problem in problems)
    return Result(
        checked=len(checked), skipped=len(documents) - len(checked), findings=tuple(findings)
    )


@contextlib.contextmanager
def _checking(place: str) -> Iterator[None]:
    """Say where it was that something unexpected went wrong; exit code 1 is for the manifests."""
    try:
        yield
    except Exception as error:
        words = f"{place}: cannot be checked: {type(error).__name__}: {error}"
        raise click.UsageError(words) from error


def _check(file: str, document: Document) -> _Checked:
    body, problems, kept = document.body, list(document.problems), None
    with _checking(f"{file}:{document.line('')}"):
        if body is not None:
            problems += check(body)
            kept = None if problems else as_kept(body)
    return _Checked(file=file, document=document, problems=tuple(problems), kept=kept)


def _templates(sound: Iterable[_Checked]) -> _Templates:
    """Return the AnalysisTemplates by namespace, file and name; the file counts without one."""
    found: dict[tuple[str, str], dict[str, Object]] = {}
    for one in sound:
        kind, name, namespace = _identity(one.document.body)
        if kind == "AnalysisTemplate" and one.kept is not None:
            found.setdefault((namespace, "" if namespace else one.file), {})[name] = one.kept
    return found


def _unfit(one: _Checked, kept: Object, templates: _Templates) -> Iterator[Problem]:
    kind, _, namespace = _identity(one.document.body)
    if kind == "AnalysisTemplate":
        yield from find_unfit_template(kept)
    if kind == "Model":
        yield from find_unfit(kept, _beside(namespace, one.file, templates))


def _beside(namespace: str, file: str, templates: _Templates) -> Mapping[str, Object]:
    """Return the AnalysisTemplates that a Model of a file may refer to, by name.

    Of several that name no namespace, as those of overlays, only one of its own file can be it.
    """
    if namespace:
        return templates.get((namespace, ""), {})
    near = [named for (where, _), named in templates.items() if not where]
    times = Counter(name for named in near for name in named)
    alone = {name: kept for named in near for name, kept in named.items() if times[name] == 1}
    return {**alone, **templates.get(("", file), {})}


def _repeated(one: _Checked, places: dict[tuple[str, ...], str]) -> Iterator[Problem]:
    """Yield that an object is in the files already; otherwise note where it is.

    Two files that name no namespace may be for two of them.
    """
    kind, name, namespace = _identity(one.document.body)
    what = (kind, name, namespace, "" if namespace else one.file)
    if name and (first := places.setdefault(what, one.place)) != one.place:
        words = f"{kind} {name} is in {first} already; the later one replaces it"
        yield Problem(field="metadata.name", message=words)


def _find(file: str, document: Document, problem: Problem) -> Finding:
    kind, name, _ = _identity(document.body)
    return Finding(
        file=file,
        line=document.line(problem.field),
        document=document.number,
        kind=kind,
        name=name,
        problem=problem,
    )


def _identity(body: Any) -> _Identity:
    """Return kind, name and namespace, as far as there are any; a generated name is none."""
    if not isinstance(body, Mapping):
        return "", "", ""
    metadata = body.get("metadata")
    metadata = metadata if isinstance(metadata, Mapping) else {}
    named = (body.get("kind"), metadata.get("name"), metadata.get("namespace"))
    kind, name, namespace = (str(word or "") for word in named)
    return kind, name, namespace


def to_lines(result: Result) -> Iterator[str]:
    """Yield a line for each finding, which begins as those of compilers do."""
    for finding in result.findings:
        what = " ".join(filter(None, (finding.kind, finding.name)))
        what = what or f"document {finding.document}"
        words = describe(finding.problem)
        yield f"{finding.file}:{finding.line}: {what}: {words}"


def describe(problem: Problem) -> str:
    """Write a problem as the API server does, and what else may help."""
    by_itself = problem.field in {"", NOWHERE} or quoted(problem.field) in problem.message
    words = problem.message if by_itself else f"{problem.field}: {problem.message}"
    return f"{words}; {problem.hint}" if problem.hint else words


def describe_result(result: Result) -> Mapping[str, Any]:
    """Return the result as a document for scripts."""
    return {
        "checked": result.checked,
        "skipped": result.skipped,
        "problems": [
            {
                "file": finding.file,
                "line": finding.line,
                "document": finding.document,
                "kind": finding.kind,
                "name": finding.name,
                "field": finding.problem.field,
                "message": finding.problem.message,
                "hint": finding.problem.hint,
            }
            for finding in result.findings
        ],
    }


def summarize(result: Result) -> str:
    """Say in one line how much was checked, and what came out."""
    others = f"; {result.skipped} of other kinds skipped" if result.skipped else ""
    checked, problems = _count(result.checked, "manifest"), len(result.findings)
    return f"{checked} checked, {_count(problems, 'problem')}{others}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
