"""The model card of a version: what people say of the model beside what was measured.  Pure.

The sections are those of M. Mitchell et al., Model Cards for Model Reporting (2019).  Both forms
say the same: Markdown for a repository or a registry, and a page that needs nothing from elsewhere.
"""

import dataclasses
import html
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from fairlead_contract.profile import Profile
from fairlead_training.config import TrainingConfig
from fairlead_training.evaluate import Judgment
from fairlead_training.page import build_page, build_table, format_estimate, format_value

_UNSAID: Final = "Not stated."
_LEADING: Final = 10  # features that are named
_SPECIAL: Final = re.compile(r"([\\`*_\[\]<>|#~])")  # what Markdown would take for more than text


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    title: str
    words: Sequence[str] = ()  # paragraphs
    rows: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    title: str
    sections: Sequence[Section]


def build_card(
    config: TrainingConfig,
    result: Mapping[str, Any],
    *,
    judgment: Judgment,
    learner: str,
    importance: Mapping[str, float],
    profile: Profile,
    sources: Sequence[str],
) -> Card:
    """Build the card from the result document and what led to it.

    Args:
        learner: its name in the table of learners.
        importance: of each feature, the largest first.
        sources: addresses of the rows, without anything secret.
    """
    said = config.card
    return Card(
        title=f"Model card: {config.registered_model} {result['version']}",
        sections=[
            Section(
                title="Model details",
                rows={
                    "Model": f"{config.model} in namespace {config.namespace}",
                    "Version": str(result["version"]),
                    "Task": str(config.task),
                    "Learner": learner,
                    "Owners": ", ".join(said.owners) or _UNSAID,
                    "License": said.license or _UNSAID,
                    "Artifact": str(result["digest"]),
                    "Recipe": config.recipe_digest,
                    "TrainingRun": config.training_run,
                    "MLflow run": config.mlflow_run_id,
                },
            ),
            Section(title="Intended use", words=_paragraphs(said.intended_use)),
            Section(title="Out-of-scope use", words=_paragraphs(said.out_of_scope_use)),
            Section(title="Training data", rows=_describe_data(config, result, profile, sources)),
            Section(
                title="Evaluation",
                words=[_describe_holdout(config, result)],
                rows=_measure(judgment),
            ),
            Section(title="Comparison", words=[_compare(result)]),
            Section(
                title="What carries the model",
                rows={
                    name: format_value(size) for name, size in list(importance.items())[:_LEADING]
                },
            ),
            Section(
                title="Limitations",
                words=[*_paragraphs(said.limitations), *map(str, result.get("warnings", ()))],
            ),
            Section(title="Ethical considerations", words=_paragraphs(said.ethical_considerations)),
        ],
    )


def to_markdown(card: Card) -> str:
    """Write the card as Markdown, in which nothing that is quoted becomes a part of the form."""
    lines = [f"# {_escape(card.title)}", ""]
    for section in card.sections:
        lines += [f"## {section.title}", ""]
        for words in section.words:
            lines += [_escape(words), ""]
        if section.rows:
            lines += ["| | |", "| --- | --- |"]
            lines += [f"| {_escape(k)} | {_escape(v)} |" for k, v in section.rows.items()]
            lines.append("")
    return "\n".join(lines)


def to_html(card: Card) -> str:
    """Write the card as one page."""
    return build_page(
        card.title,
        [
            (
                section.title,
                "".join(f"<p>{html.escape(words)}</p>" for words in section.words)
                + (build_table(section.rows) if section.rows else ""),
            )
            for section in card.sections
        ],
    )


def _paragraphs(text: str) -> list[str]:
    return [part.strip() for part in re.split(r"\n\s*\n", text) if part.strip()] or [_UNSAID]


def _escape(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _describe_data(
    config: TrainingConfig, result: Mapping[str, Any], profile: Profile, sources: Sequence[str]
) -> dict[str, str]:
    data = result["data"]
    rows = {"Sources": ", ".join(sources), "Rows": f"{profile.rows} of {data['rows']}"}
    if "from" in data:
        rows["Times"] = f"{data['from']} to {data['to']}"
    rows["Target"] = config.data.target
    rows["Features"] = ", ".join(f"{name} ({c.type})" for name, c in profile.columns.items())
    rows["Digest"] = str(data["digest"])
    return rows


def _describe_holdout(config: TrainingConfig, result: Mapping[str, Any]) -> str:
    held = result["data"]["holdoutRows"]
    chosen = "the latest" if config.data.timestamp_column is not None else "drawn at random"
    return (
        f"Measured on {held} rows that neither the search nor the model has seen ({chosen}), with "
        "95 % intervals, beside what always giving the same answer reaches."
    )


def _measure(judgment: Judgment) -> dict[str, str]:
    return {
        name: f"{format_estimate(metric)}; the same answer: {format_value(judgment.baseline[name])}"
        for name, metric in judgment.metrics.items()
    }


def _compare(result: Mapping[str, Any]) -> str:
    champion, difference = result["champion"], result["difference"]
    if champion is None:
        return "There was no version before it."
    if difference is None:
        return f"It was not compared with {champion['version']}: {result['championUnavailable']}."
    low, high = format_value(difference["ciLow"]), format_value(difference["ciHigh"])
    return (
        f"On the same {result['comparedRows']} latest rows, {champion['version']} reaches "
        f"{result['metric']} {format_value(champion['value'])}; this version is better by "
        f"{format_value(difference['value'])} ({low} to {high})."
    )
