"""``fairlead lint``: which files are read, and how what is wrong with them is shown."""

import dataclasses
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import click

from fairlead_operator.lint.check import check, is_ours
from fairlead_operator.lint.documents import Document, read_documents
from fairlead_operator.lint.problem import NOWHERE, Problem, quoted
from fairlead_operator.lint.unfit import find_unfit

_Identity = tuple[str, str, str]  # kind, name and namespace

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


def read_texts(names: Sequence[str], *, recursive: bool) -> Iterator[tuple[str, str]]:
    """Yield each file's name and text; of a folder, those that kubectl would read.

    Raises:
        UsageError: a file is not there, or is no text.
    """
    for name in names:
        if name == STANDARD_INPUT:
            yield "<stdin>", sys.stdin.read()
            continue
        for path in _files(Path(name), recursive=recursive):
            try:
                yield str(path), path.read_text(encoding="utf-8")
            except OSError as error:
                raise click.UsageError(f"{path}: {error.strerror}") from error
            except UnicodeDecodeError as error:
                raise click.UsageError(f"{path}: is no UTF-8 text") from error


def _files(path: Path, *, recursive: bool) -> Iterable[Path]:
    if not path.is_dir():
        return [path]
    within = path.rglob("*") if recursive else path.iterdir()
    return sorted(one for one in within if one.suffix in _SUFFIXES and one.is_file())


def lint(texts: Iterable[tuple[str, str]]) -> Result:
    """Check every manifest of ours: each by itself, then those that belong together."""
    documents = [(file, document) for file, text in texts for document in read_documents(text)]
    ours = [
        (file, document)
        for file, document in documents
        if document.body is None or is_ours(document.body)
    ]
    alone = [
        [*document.problems, *(() if document.body is None else check(document.body))]
        for _, document in ours
    ]
    sound = [document.body for (_, document), found in zip(ours, alone, strict=True) if not found]
    templates = _templates(sound)
    places: dict[_Identity, str] = {}
    findings: list[Finding] = []
    for (file, document), own in zip(ours, alone, strict=True):
        problems = [*own, *_repeated(document, f"{file}:{document.line('')}", places)]
        if not problems and document.body["kind"] == "Model":
            problems += find_unfit(document.body, templates.get(_identity(document.body)[2], {}))
        findings += (_find(file, document, problem) for problem in problems)
    return Result(checked=len(ours), skipped=len(documents) - len(ours), findings=tuple(findings))


def _templates(bodies: Iterable[Any]) -> Mapping[str, Mapping[str, Any]]:
    """Return the AnalysisTemplates by namespace and name."""
    found: dict[str, dict[str, Any]] = {}
    for body in bodies:
        kind, name, namespace = _identity(body)
        if kind == "AnalysisTemplate":
            found.setdefault(namespace, {})[name] = body
    return found


def _repeated(document: Document, place: str, places: dict[_Identity, str]) -> Iterator[Problem]:
    """Yield that an object is in the files already; otherwise note where it is."""
    kind, name, namespace = _identity(document.body)
    if name and (first := places.setdefault((kind, name, namespace), place)) != place:
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
