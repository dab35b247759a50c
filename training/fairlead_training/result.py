"""The result document: what the trainer tells the operator when it ends.  Pure.

It travels as the pod's termination message, of which Kubernetes keeps 4096 bytes.
"""

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from fairlead_contract.classes import spell
from fairlead_training.budget import Counts
from fairlead_training.columns import show_names
from fairlead_training.config import Task, TrainingConfig
from fairlead_training.data import format_exact_time, format_time
from fairlead_training.evaluate import Estimate, Judgment
from fairlead_training.failure import TrainingFailure
from fairlead_training.gates import Measured
from fairlead_training.metrics import greater_is_better
from fairlead_training.snapshot import Snapshot

MOST_BYTES: Final = 4096
_MESSAGE: Final = 1000  # characters of a message at most
_WARNING: Final = 250  # characters of one
_MISSING: Final = 120  # of why a gate has no number
_DIGITS: Final = 6  # that a number in the document keeps
_LISTS: Final = ("columns", "faults")  # of which the last entries give way, the first list first


def failure_document(failure: TrainingFailure, stage: str) -> dict[str, Any]:
    return {
        "outcome": "Failed",
        "stage": stage,
        "reason": str(failure.reason),
        "message": shorten(failure.message),
    }


def stage_document(stage: str) -> dict[str, Any]:
    """Build the result of a search worker."""
    return {"outcome": "Succeeded", "stage": stage}


def data_document(
    snapshot: Snapshot,
    holdout_rows: int,
    *,
    trained_to: int | None,
    task: Task | None = None,
    unlabelled: int = 0,
    draw: str | None = None,
    columns: str | None = None,
) -> dict[str, Any]:
    """Say what a version learned from; of plain classes nothing, nor of rows that all count.

    Args:
        trained_to: time of the latest row that it learned from; None where rows have no times.
        draw: names how those without times were held out.
        columns: their types, where they are not all numbers.
    """
    document: dict[str, Any] = {"rows": snapshot.rows, "holdoutRows": holdout_rows}
    if trained_to is not None:
        document["from"] = format_time(snapshot.first)
        document["to"] = format_time(snapshot.last)
        document["trainedTo"] = format_exact_time(trained_to)
    if draw is not None:
        document["draw"] = draw
    document["digest"] = snapshot.digest
    names = [spell(label) for label in snapshot.classes]
    if names:
        document["classes"] = show_names(names)
    if names and task is Task.BINARY:
        document["positiveClass"] = names[-1]
    if columns:
        document["columns"] = columns
    if unlabelled:
        document["rowsWithoutLabel"] = unlabelled
    return document


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a finishing Job found out."""

    version: str
    digest: str
    judgment: Judgment
    warnings: tuple[str, ...]  # what a person should look at
    counts: Counts
    seconds: float
    data: Mapping[str, Any]  # as ``data_document`` says it
    gates: tuple[Measured, ...] = ()
    begun_with: str | None = None  # the training whose best the search tried first


def success_document(config: TrainingConfig, outcome: Outcome) -> dict[str, Any]:
    """Build the result of a training, but for its version's number in the registry."""
    judgment, counts = outcome.judgment, outcome.counts
    comparison, unavailable = judgment.comparison, judgment.champion_unavailable
    champion = None
    if config.champion is not None:
        value = None if comparison is None else _number(comparison.champion)
        champion = {"version": config.champion.version, "value": value}
    document: dict[str, Any] = {
        "outcome": "Succeeded",
        "stage": "register",
        "version": outcome.version,
        "registryVersion": None,
        "digest": outcome.digest,
        "mlflowRunId": config.mlflow_run_id,
        "metric": config.search.metric,
        "greaterIsBetter": greater_is_better(config.search.metric),
        "candidate": _estimate(judgment.candidate),
        "trivial": _number(judgment.trivial),
        "champion": champion,
        "difference": None if comparison is None else _estimate(comparison.difference),
        "trials": {
            "finished": counts.finished,
            "pruned": counts.pruned,
            "failed": counts.failed,
        },
        "seconds": round(outcome.seconds, 1),
        "data": dict(outcome.data),
    }
    if outcome.begun_with is not None:
        document["trials"]["begunWith"] = outcome.begun_with
    if outcome.warnings:
        document["warnings"] = [shorten(text, _WARNING) for text in outcome.warnings]
    if outcome.gates:
        document["gates"] = [_gate(measured) for measured in outcome.gates]
    if comparison is not None:
        document["comparedRows"] = judgment.compared_rows
    if unavailable is not None:
        document["championUnavailable"] = shorten(unavailable)
    return document


def to_message(document: Mapping[str, Any], *, most: int | None = MOST_BYTES) -> str:
    """Write the document as JSON of so many bytes, by default what fits the termination message.

    If need be, lists lose their last entries, which are counted, and texts their ends.
    """
    whole = dict(document)
    for name in _LISTS:
        while whole.get(name) and not _fits(_write(whole, _MESSAGE), most):
            whole[name] = whole[name][: len(whole[name]) * 3 // 4]
            whole[f"{name}LeftOut"] = len(document[name]) - len(whole[name])
    limit = _MESSAGE
    while not _fits(text := _write(whole, limit), most) and limit > 1:
        limit //= 2
    return text


def _write(document: Mapping[str, Any], limit: int) -> str:
    cut = {name: _cut(name, value, limit) for name, value in document.items()}
    return json.dumps(cut, ensure_ascii=False, separators=(",", ":"))


def _cut(name: str, value: Any, limit: int) -> Any:
    match name:
        case "message" | "championUnavailable":
            return shorten(value, limit)
        case "warnings":
            return [shorten(warning, limit) for warning in value]
        case "data":
            return _shorten_each(value, ("columns", "classes"), limit)
        case "gates":
            return [_shorten_each(row, ("of", "missing"), limit) for row in value]
    return value


def _shorten_each(value: Mapping[str, Any], names: Sequence[str], limit: int) -> dict[str, Any]:
    return {**value, **{name: shorten(value[name], limit) for name in names if name in value}}


def _fits(text: str, most: int | None) -> bool:
    return most is None or len(text.encode()) <= most


def shorten(text: str, limit: int = _MESSAGE) -> str:
    """Cut a text, and write what no text may have as a question mark."""
    # A lone surrogate, from a badly decoded name, could not be written at all.
    clean = text.encode("utf-8", "replace").decode()
    return clean if len(clean) <= limit else f"{clean[: limit - 1]}…"


def _estimate(estimate: Estimate) -> dict[str, float | None]:
    return {
        "value": _number(estimate.value),
        "ciLow": _number(estimate.low),
        "ciHigh": _number(estimate.high),
    }


def _gate(measured: Measured) -> dict[str, Any]:
    """Write the number of a gate, and of what there is none nothing."""
    found = measured.estimate
    told = {
        "gate": str(measured.gate),
        "column": measured.column,
        "metric": measured.metric,
        "of": measured.of,
        **(_estimate(found) if found is not None else {}),
        "rows": measured.rows,
        "judged": measured.judged,
        "small": measured.small,
        "missing": shorten(measured.missing, _MISSING),
    }
    return {name: value for name, value in told.items() if value not in {None, ""}}


def _number(value: float) -> float | None:
    """Round to a short number; None for what JSON cannot hold."""
    return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None
