"""The examples in the documentation, taken out of its pages."""

import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
PAGES = (
    "README.md",
    "CONTRIBUTING.md",
    "charts/fairlead/README.md",
    *sorted(str(page.relative_to(ROOT)) for page in (ROOT / "examples").rglob("*.md")),
    *sorted(str(page.relative_to(ROOT)) for page in (ROOT / "docs").rglob("*.md")),
)

_FENCED = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)

# What a part of a Model needs around it to be a whole one.
_MODEL: Mapping[str, Any] = {
    "apiVersion": "fairlead.dev/v1alpha1",
    "kind": "Model",
    "metadata": {"name": "nsw-price"},
    "spec": {
        "task": "binary-classification",
        "data": {
            "source": {"uri": "https://data.example/nsw.csv"},
            "timestampColumn": "timestamp",
            "target": "price_up",
        },
        "serving": {"predictionLog": {"enabled": True}},
    },
}


def blocks(page: str, language: str) -> list[str]:
    """Return the fenced blocks of a language; those without one are what a terminal shows."""
    return [text for name, text in _FENCED.findall((ROOT / page).read_text()) if name == language]


def commands(page: str) -> Iterator[list[str]]:
    """Yield the words of each command that the page tells to run, up to a redirection."""
    lines = "\n".join(blocks(page, "sh")).replace("\\\n", " ").splitlines()
    terminal = "\n".join(blocks(page, ""))
    for line in [*lines, *re.findall(r"^\$ (.+)", terminal, re.MULTILINE)]:
        lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;")
        lexer.whitespace_split = True
        words: list[str] = []
        for word in [*lexer, ";"]:
            if word.strip("|&;"):
                words.append(word)
            else:
                yield from [words[: words.index(">")] if ">" in words else words] if words else []
                words = []


def manifests(page: str) -> Iterator[dict[str, Any]]:
    """Yield each object of ours that the page shows; a part of a Model is made a whole one."""
    for block in blocks(page, "yaml"):
        for document in yaml.safe_load_all(block):
            if whole := _complete(document):
                yield whole


def _complete(document: Any) -> dict[str, Any] | None:
    if not isinstance(document, dict) or "fairlead.dev/" not in document.get(
        "apiVersion", "fairlead.dev/"
    ):
        return None  # of another project
    if "kind" in document:
        return document
    if set(document) == {"analysis"}:
        document = {"rollout": document}
    spec = document["spec"] if set(document) == {"spec"} else document
    return dict(_merge(_MODEL, {"spec": spec}))


def _merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> Mapping[str, Any]:
    """Put one document over another."""
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        both = isinstance(below, Mapping) and isinstance(value, Mapping)
        merged[key] = _merge(below, value) if both else value
    return merged
