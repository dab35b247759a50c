"""A check of a Model's data: the TrainingRun that makes it, and what it found.  Pure."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from fairlead_operator.api.group import API_VERSION
from fairlead_operator.api.phases.training_run import Phase, Trigger
from fairlead_operator.command.draw import empty_table
from fairlead_operator.command.refusals import Object, status_of
from fairlead_operator.kube.metadata import Owner, component_labels

_STAGE: Final = "check"
_CUT: Final = ("columnsLeftOut", "faultsLeftOut")

Report = Mapping[str, Any]


def build_check(model: Object) -> dict[str, Any]:
    """Build the TrainingRun that checks the data, and goes with its Model."""
    owner = Owner.of(model)
    meta = owner.metadata("", component_labels("training-run", owner.name))
    del meta["name"]
    return {
        "apiVersion": API_VERSION,
        "kind": "TrainingRun",
        "metadata": {**meta, "generateName": f"{owner.name}-check-"},
        "spec": {"model": owner.name, "trigger": str(Trigger.HAND), "dryRun": True},
    }


def is_usable(run: Object) -> bool:
    """Tell whether the check found nothing that is wrong."""
    return bool(status_of(run).get("phase") == Phase.SUCCEEDED)


def read_report(run: Object) -> Report:
    """Read what the check found; where its pod said nothing, what the operator says."""
    status = status_of(run)
    told = _read(str(status.get("result") or ""))
    if told is not None:
        return told
    reason, message = str(status.get("reason", "")), str(status.get("message", ""))
    return {"outcome": "Failed", "stage": _STAGE, "reason": reason, "message": message}


def is_cut(report: Report) -> bool:
    """Tell whether status had no room for all of it."""
    return any(report.get(name) for name in _CUT)


def find_report(log: str) -> Report | None:
    """Find the report in the log of the check's pod, which has all of it."""
    told = (_read(line) for line in reversed(log.splitlines()))
    return next((report for report in told if report is not None), None)


def _read(text: str) -> Report | None:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    is_report = isinstance(document, dict) and document.get("stage") == _STAGE
    return document if is_report else None


def describe_report(model: Object, run: Object, report: Report) -> Report:
    """Return the report as a document for scripts."""
    meta = run["metadata"]
    about = {
        "model": model["metadata"]["name"],
        "namespace": meta["namespace"],
        "trainingRun": meta["name"],
        "usable": is_usable(run),
    }
    return {**about, **report}


def draw_report(report: Report) -> RenderableType:
    """Draw what was read, and what is wrong with it."""
    parts: list[RenderableType] = [_lines(_facts(report))]
    if columns := report.get("columns"):
        parts += [Text(), _columns(columns)]
        if left_out := report.get("columnsLeftOut"):
            parts.append(Text(f"and {left_out} more, all in the log of the check's pod", "dim"))
    if lines := [*_remarks(report)]:
        parts += [Text(), _lines(lines)]
    return Group(*parts)


def _facts(report: Report) -> Iterable[tuple[str, str]]:
    data = report.get("data") or {}
    if "rows" in report:
        yield "Read", f"{report['rows']} rows of {report.get('columnCount')} columns"
    if "rows" in data:
        yield "Used", f"{data['rows']} rows, {data.get('holdoutRows')} of them held out"
    if "from" in data:
        yield "Time", f"{data['from']} to {data.get('to')}"
    if "positiveClass" in data:
        yield "Positive", str(data["positiveClass"])


def _remarks(report: Report) -> Iterable[tuple[str, str]]:
    if report.get("outcome") == "Failed":
        for text in report.get("faults") or (report.get("message", ""),):
            yield "Fault", str(text)
        if left_out := report.get("faultsLeftOut"):
            yield "Fault", f"and {left_out} more, all in the log of the check's pod"
    for text in report.get("warnings") or ():
        yield "Warning", str(text)


def _lines(lines: Iterable[tuple[str, str]]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in lines:
        table.add_row(name, Text(text))
    return table


def _columns(columns: Sequence[Mapping[str, Any]]) -> Table:
    table = empty_table("COLUMN", "FOR", "TYPE", right=("EMPTY",))
    table.add_column("VALUES", overflow="fold")
    for column in columns:
        table.add_row(
            Text(str(column.get("name", ""))),
            str(column.get("role", "")),
            str(column.get("type", "")),
            str(column.get("empty", "")),
            Text(str(column.get("values", ""))),
        )
    return table


def say_unusable(model: Object, report: Report) -> str:
    """Say in one line that the data cannot be used."""
    name = model["metadata"]["name"]
    count = len(report.get("faults") or ()) + int(report.get("faultsLeftOut") or 0)
    if not count:
        return f"the data of {name} could not be checked: {report.get('reason')}"
    return f"the data of {name} cannot be used: {count} {'fault' if count == 1 else 'faults'}"
