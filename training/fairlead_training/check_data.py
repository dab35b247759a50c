"""The check of the data: read the rows, say what they are and all that is wrong with them.

It trains nothing, and asks neither MLflow nor the database of the studies.
"""

import logging
from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from fairlead_contract.classes import spell
from fairlead_training.columns import show_names
from fairlead_training.config import DataConfig, Environment, Task, TrainingConfig
from fairlead_training.data import Table, count_rows, may_quote
from fairlead_training.examine import Examination, examine
from fairlead_training.learners.table import find_learners, refused_characters
from fairlead_training.preparation.raw import is_missing
from fairlead_training.prepared import refusing, warn_of_suspicious
from fairlead_training.result import data_document, failure_document, shorten
from fairlead_training.snapshot import take_snapshot
from fairlead_training.sources.table import read_frame, warn_of_source
from fairlead_training.split import Split, warn_of_rows

STAGE: Final = "check"
_LONGEST: Final = 500  # characters of what is said of one column

_log = logging.getLogger(__name__)


def check_data(config: TrainingConfig, environment: Environment) -> dict[str, Any]:
    """Return the report: what would be learned from, or all that is wrong with it.

    Raises:
        TrainingFailure: the rows cannot be read.
    """
    refused = refused_characters(find_learners(config.search.algorithms, config.search.metric))
    frame = read_frame(config.data, environment)
    rows, columns = frame.shape
    found = examine(frame, config, refused_in_names=refused, find_suspicious=refusing(config))
    del frame
    document = describe(found, config, rows=rows, columns=columns)
    if found.parts is not None:
        warnings: tuple[str, ...] = ()
        if _are_shown(found, config):
            warnings += warn_of_rows(found.parts, config.task)
            warnings += warn_of_suspicious(found.parts.search, config)
        warnings += warn_of_source(config.data, environment)
        document["warnings"] = [shorten(warning, _LONGEST) for warning in warnings]
    for detail in found.failure.details if found.failure else ():
        _log.error("the data cannot be used", extra={"why": detail})
    return document


def describe(
    found: Examination, config: TrainingConfig, *, rows: int, columns: int
) -> dict[str, Any]:
    """Build the report.

    Where nothing of the data may be quoted, its columns are named only if a training would learn
    from them, and then show them in its version.

    Args:
        rows: that the source gave.
        columns: as many as that had.
    """
    table, failure = found.table, found.failure
    counts = {"rows": rows, "columnCount": columns}
    told = [*_columns(table, config)] if _are_shown(found, config) and table is not None else []
    if failure is not None:
        return {
            **failure_document(failure, STAGE),
            **counts,
            "faults": [shorten(text, _LONGEST) for text in failure.details or (failure.message,)],
            "columns": told,
        }
    table, parts = found.usable()
    return {
        "outcome": "Succeeded",
        "stage": STAGE,
        "message": _say_usable(table),
        **counts,
        "data": _describe_rows(table, parts, config.task),
        "columns": told,
    }


def _are_shown(found: Examination, config: TrainingConfig) -> bool:
    """Tell whether columns may be named: of what would not be learned from, nobody is shown any."""
    return found.failure is None or may_quote(config.data)


def _say_usable(table: Table) -> str:
    count = len(table.features.columns)
    features = "1 feature" if count == 1 else f"{count} features"
    return f"{count_rows(len(table))} with {features} can be learned from"


def _describe_rows(table: Table, parts: Split, task: Task) -> dict[str, Any]:
    return data_document(
        take_snapshot(table),
        len(parts.holdout),
        trained_to=int(parts.search.times[-1]) if parts.search.by_time else None,
        task=task,
        unlabelled=table.unlabelled,
    )


def _columns(table: Table, config: TrainingConfig) -> Iterator[dict[str, Any]]:
    """Yield what each column is for, and what it holds."""
    yield {
        "name": config.data.target,
        "role": "target",
        **_target(table, config.task),
        "empty": table.unlabelled,
    }
    yield from _named(config.data)
    for name, values in table.columns.items():
        yield {
            "name": shorten(name),
            "role": "feature",
            "type": str(table.types[name]),
            "empty": int(is_missing(values).sum()),
        }
    for name in table.left_out:
        yield {"name": shorten(str(name)), "role": "left out", "type": "name of row", "empty": 0}


def _named(config: DataConfig) -> Iterator[dict[str, Any]]:
    if config.timestamp_column is not None:
        yield {"name": config.timestamp_column, "role": "timestamp", "type": "time", "empty": 0}
    if config.group_by is not None:
        yield {"name": config.group_by, "role": "group", "type": "group", "empty": 0}


def _target(table: Table, task: Task) -> dict[str, str]:
    """Say what is predicted: the range of a number, or how many rows each class has."""
    if task is Task.REGRESSION:
        low, high = float(table.target.min()), float(table.target.max())
        return {"type": "number", "values": f"{low:.6g} to {high:.6g}"}
    numbers, counts = np.unique(table.target, return_counts=True)
    names = [spell(table.classes[int(at)] if table.classes else int(at)) for at in numbers]
    told = [f"{name}: {count}" for name, count in zip(names, counts.tolist(), strict=True)]
    return {"type": "class", "values": shorten(show_names(told), _LONGEST)}
