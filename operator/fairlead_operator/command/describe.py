"""Where a version is from and what became of it: rows, training, gate, rollouts.  Pure.

It is read from the Model, its TrainingRuns and its Rollouts: what was removed of them is unknown
here, and the command ``history`` and MLflow have more.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from fairlead_operator.api.phases.rollout import Phase
from fairlead_operator.command.draw import empty_table, number
from fairlead_operator.command.export import find_version
from fairlead_operator.command.refusals import Object, status_of

# Of the trainer's result document, what says where a version is from and how good it was.
_RESULT: Final = (
    "metric", "greaterIsBetter", "candidate", "trivial", "champion", "difference", "comparedRows",
    "championUnavailable", "gates", "trials", "seconds", "data", "warnings",
)  # fmt: skip
_STYLES: Final = {Phase.SUCCEEDED.value: "green", Phase.ROLLED_BACK.value: "red"}

Lineage = Mapping[str, Any]


def describe(
    model: Object, rollouts: Sequence[Object], runs: Sequence[Object], version: str | None
) -> Lineage:
    """Build the document about a version; by default the one in charge.

    Raises:
        RefusedError: it is not known, or none is in charge.
    """
    wanted, digests = find_version(model, rollouts, runs, version)
    status, meta = status_of(model), model["metadata"]
    stable = (status.get("stable") or {}).get("version")
    gate = status.get("gate") or {}
    return {
        "model": meta["name"],
        "namespace": meta["namespace"],
        "version": wanted,
        "inCharge": wanted == stable,
        "digests": sorted(digests),
        "training": _training(runs, wanted, digests),
        "gate": dict(gate) if gate.get("version") == wanted else None,
        "rollouts": [_rollout(each) for each in rollouts if wanted in _candidates(each)],
    }


def draw_lineage(lineage: Lineage) -> RenderableType:
    """Draw it from the rows to the rollouts."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, text in facts(lineage):
        grid.add_row(name, Text(text))
    if not lineage["rollouts"]:
        return Group(grid, Text(), Text("no rollout of it is kept here", "dim"))
    table = empty_table("ROLLOUT", "TRIGGER", "BEFORE", "RESULT", "FROM", "TO")
    table.add_column("WHY", overflow="fold")
    for each in lineage["rollouts"]:
        table.add_row(
            str(each["rollout"]),
            str(each["trigger"] or ""),
            str(each["before"] or "-"),
            Text(str(each["phase"]), _STYLES.get(each["phase"], "")),
            _moment(each["startedAt"]),
            _moment(each["finishedAt"]),
            Text(": ".join(filter(None, (each["reason"], each["message"])))),
        )
    return Group(grid, Text(), table)


def _training(runs: Sequence[Object], version: str, digests: set[str]) -> Mapping[str, Any] | None:
    """Return what is known of the training that made it; of several, the latest."""
    made = [
        run
        for run in runs
        if (trained := status_of(run).get("trained"))
        and trained["version"] == version
        and (not digests or trained["digest"] in digests)
    ]
    if not made:
        return None
    run = made[-1]
    status = status_of(run)
    result = _parse(status.get("result"))
    return {
        "trainingRun": run["metadata"]["name"],
        "trigger": run["spec"].get("trigger"),
        "startedAt": status.get("startedAt"),
        "finishedAt": status.get("finishedAt"),
        "mlflowRunId": status.get("mlflowRunId"),
        "registryVersion": status["trained"].get("registryVersion"),
        **{key: result[key] for key in _RESULT if key in result},
    }


def _candidates(rollout: Object) -> set[str]:
    spec = rollout["spec"]
    return {spec["version"], *(spec.get("alternatives") or ())}


def _rollout(rollout: Object) -> dict[str, Any]:
    status = status_of(rollout)
    return {
        "rollout": rollout["metadata"]["name"],
        "trigger": rollout["spec"].get("trigger"),
        "before": (status.get("stable") or {}).get("version"),
        **{
            key: status.get(key)
            for key in ("phase", "reason", "message", "startedAt", "finishedAt")
        },
    }


def facts(lineage: Lineage) -> Iterable[tuple[str, str]]:
    """Yield a line for each thing that is known, with its name."""
    charge = ", in charge" if lineage["inCharge"] else ""
    yield "Version", f"{lineage['version']} of {lineage['namespace']}/{lineage['model']}{charge}"
    yield "Artifact", " or ".join(lineage["digests"]) or "no digest is known"
    training = lineage["training"]
    if training is None:
        yield "Trained", "by none that is kept here: it was removed, or registered by hand"
    else:
        yield from _trained(training)
    if gate := lineage["gate"]:
        yield "Gate", f"{gate.get('reason')}: {gate.get('message')}"
        for row in gate.get("results") or ():
            yield "Gate", f"{row.get('outcome')}: {row.get('message')}"


def _trained(training: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    data = training.get("data") or {}
    if "rows" in data:
        times = f" from {data['from']} to {data['to']}" if "from" in data else ""
        yield "Data", f"{data['rows']} rows{times}, {data.get('holdoutRows')} of them held out"
        yield "Snapshot", str(data.get("digest"))
    when = f", {_moment(training['startedAt'])} to {_moment(training['finishedAt'])}"
    yield "Trained", f"by {training['trainingRun']} ({training['trigger']}){when}"
    number_there = training["registryVersion"]
    yield "MLflow", f"version {number_there}, of run {training['mlflowRunId']}"
    if "candidate" in training:
        score, trivial = _estimate(training["candidate"]), _number(training.get("trivial"))
        yield "Score", f"{training.get('metric')} {score}; always the same answer: {trivial}"
    if champion := training.get("champion"):
        yield "Champion", _champion(training, champion)
    for warning in training.get("warnings") or ():
        yield "Warning", str(warning)


def _champion(training: Mapping[str, Any], champion: Mapping[str, Any]) -> str:
    if difference := training.get("difference"):
        return (
            f"{champion['version']} has {_number(champion.get('value'))} on the same "
            f"{training.get('comparedRows')} rows; this is better by {_estimate(difference)}"
        )
    return f"{champion['version']} was not compared: {training.get('championUnavailable')}"


def _estimate(estimate: Mapping[str, Any]) -> str:
    low, high = _number(estimate.get("ciLow")), _number(estimate.get("ciHigh"))
    return f"{_number(estimate.get('value'))} ({low} to {high})"


def _number(value: float | None) -> str:
    return "unknown" if value is None else number(value)


def _moment(text: str | None) -> str:
    return "-" if text is None else text[:19].replace("T", " ")


def _parse(text: str | None) -> Mapping[str, Any]:
    try:
        document = json.loads(text or "")
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}
