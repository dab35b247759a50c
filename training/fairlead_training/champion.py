"""The champion: bring it back, and score it on rows that it never learned from.

It is scored on its own columns as the source has them, which may be others than the candidate's.
"""

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import mlflow
import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import Model

from fairlead_contract.artifact import CODE_FIELD, CODE_VALUE, describe_code
from fairlead_contract.classes import Label, name_in_record, read_classes
from fairlead_contract.digest import digest_directory
from fairlead_contract.graph import ColumnType
from fairlead_training.columns import Fault, read_numbers, show_names
from fairlead_training.config import ChampionConfig, Environment, Task, TrainingConfig
from fairlead_training.data import Table, format_time, parse_time, slice_rows
from fairlead_training.evaluate import Rival
from fairlead_training.foreign import ForeignCodeError, ask
from fairlead_training.learners.table import OPENERS, find_form
from fairlead_training.metrics import Floats
from fairlead_training.preparation.raw import Raw, read_raw, without_texts
from fairlead_training.split import name_draw
from fairlead_training.tracking import errors_named, is_missing

_LEAST_ROWS: Final = 10  # that a comparison may rest on
_SECOND: Final = 10**9  # nanoseconds
# Our own forms name every type, and give numbers all of these.
_KINDS: Final[Mapping[str, ColumnType]] = {
    **dict.fromkeys(("double", "float", "long", "integer"), ColumnType.NUMBER),
    "boolean": ColumnType.BOOLEAN,
    "string": ColumnType.CATEGORY,
    "datetime": ColumnType.TIME,
}
_PATIENCE: Final = 300.0  # seconds, of a Job that has 900 for more than its search


class ChampionUnavailableError(Exception):
    """The champion cannot be scored; the candidate is kept and a person has to judge."""


def challenge(
    config: TrainingConfig,
    frame: pd.DataFrame,
    *,
    table: Table,
    holdout: Table,
    learned: Mapping[str, Any] | None,
    environment: Environment,
) -> Rival | None:
    """Score the champion on those rows of the hold-out that it never saw; None without one.

    Args:
        frame: the rows as the source gave them.
        table: the same, checked and in order.
        learned: what the champion's version says of its data; None when it says nothing, as one
            that was registered by hand.

    Raises:
        TrainingFailure: TrackingUnavailable.
    """
    if config.champion is None:
        return None
    try:
        unseen = holdout
        if learned is not None:
            check_draw(learned, name_draw(holdout, config))
            unseen = find_unseen(holdout, table, learned) if table.by_time else holdout
        score = score_champion(
            config.champion,
            config.registered_model,
            frame.iloc[unseen.rows],
            target=unseen.target,
            task=config.task,
            classes=table.classes,
            environment=environment,
        )
    except ChampionUnavailableError as error:
        return Rival(unavailable=str(error))
    return Rival(rows=len(unseen), score=score)


def check_draw(learned: Mapping[str, Any], draw: str | None) -> None:
    """Check that what is held out now was held out when the champion learned, too.

    Args:
        draw: as ``name_draw`` names it.

    Raises:
        ChampionUnavailableError: it may have learned from many of these rows.
    """
    if learned.get("draw") != draw:
        raise ChampionUnavailableError(
            "it may have learned from rows that are held out now: without a time column they are "
            "the same ones only with the same spec.data.target and groupBy, columns (where there "
            "is no groupBy), training.validation.holdout and training.search.seed"
        )


def find_unseen(holdout: Table, table: Table, learned: Mapping[str, Any]) -> Table:
    """Return the rows of the hold-out that are later than all that the champion learned from.

    Raises:
        ChampionUnavailableError: the rows that are left cannot tell two models apart.
    """
    end = _learned_until(table, learned)
    if end is None:
        return holdout
    start = int(np.searchsorted(holdout.times, end, side="right"))
    unseen = slice_rows(holdout, start, len(holdout))
    if len(unseen) < _LEAST_ROWS or len(np.unique(unseen.target)) == 1:
        raise ChampionUnavailableError(
            f"{len(unseen)} rows of the hold-out are later than {format_time(end)}, up to where it "
            f"learned from the data; {_LEAST_ROWS} with different targets are needed"
        )
    return unseen


def _learned_until(table: Table, learned: Mapping[str, Any]) -> int | None:
    """Return the time of the latest row that the champion learned from, in nanoseconds."""
    try:
        if "trainedTo" in learned:
            return parse_time(learned["trainedTo"])
        # Of a version of 0.1.0: counted in the rows, if they are still the same ones.
        end = parse_time(learned["to"]) + _SECOND - 1
        rows, held_out = int(learned["rows"]), int(learned["holdoutRows"])
        is_same = learned["from"] == format_time(int(table.times[0])) and rows == int(
            np.searchsorted(table.times, end, side="right")
        )
    except (KeyError, ValueError, TypeError):
        return None
    return int(table.times[rows - held_out - 1]) if is_same and rows > held_out else end


def score_champion(
    champion: ChampionConfig,
    registered_model: str,
    rows: pd.DataFrame,
    *,
    target: Floats,
    task: Task,
    classes: Sequence[Label] = (),
    environment: Environment,
) -> Floats:
    """Score rows with the registered champion, by the columns of its own signature.

    Args:
        rows: as the source gave them, with all columns.
        classes: of the target, where they are named.

    Raises:
        ChampionUnavailableError: it is gone, altered, unreadable, or wants other columns.
        TrainingFailure: TrackingUnavailable.
    """
    name = f"{registered_model} version {champion.registry_version}"
    with tempfile.TemporaryDirectory(dir=environment.scratch) as folder:
        directory = _fetch(f"models:/{registered_model}/{champion.registry_version}", name, folder)
        found = digest_directory(directory)
        if found != champion.digest:
            raise ChampionUnavailableError(
                f"artifact of {name} has digest {found}, registered as {champion.digest}"
            )
        # A foreign model may fail in any way, and none of them ends the training.
        try:
            model = Model.load(str(directory))  # which is data, whatever it says
            score = as_scores(_score(directory, model, rows, environment), target, task)
            return align(score, target, task, ours=classes, theirs=read_classes(model.metadata))
        except ChampionUnavailableError:
            raise
        except Exception as error:
            said = f"{type(error).__name__}: {error}".splitlines()[0][:300]
            raise ChampionUnavailableError(f"{name} cannot be scored: {said}") from error


def _fetch(uri: str, name: str, folder: str) -> Path:
    try:
        with errors_named(f"{name} cannot be downloaded", keep=is_missing):
            return Path(mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=folder))
    except MlflowException as error:
        raise ChampionUnavailableError(f"{name} is no longer in the registry") from error


def _score(directory: Path, model: Model, rows: pd.DataFrame, environment: Environment) -> Floats:
    form = find_form(model.flavors, model.metadata)
    features = _own_columns(model, rows, as_numbers=form is not None)
    if form is None:
        return _score_by_code(directory, model.flavors, features, environment)
    score = OPENERS[form](directory, model.flavors[form]).predict(features)
    return np.asarray(score, dtype=np.float64)


def _score_by_code(
    directory: Path, flavors: Mapping[str, Any], features: pd.DataFrame, environment: Environment
) -> Floats:
    """Let the artifact's code score the rows, where it finds no password and no address."""
    if environment.champion_room is None:
        raise ChampionUnavailableError(
            f"it runs code from its artifact ({describe_code(flavors)}), and {CODE_FIELD} of the "
            f"Model and {CODE_VALUE} in the chart's values are not both true"
        )
    try:
        return ask(Path(environment.champion_room), directory, features, patience=_PATIENCE)
    except ForeignCodeError as error:
        raise ChampionUnavailableError(f"its code {error}") from error


def _own_columns(model: Model, rows: pd.DataFrame, *, as_numbers: bool) -> pd.DataFrame:
    inputs = json.loads((model.signature.to_dict() if model.signature else {}).get("inputs", "[]"))
    if not inputs:
        raise ChampionUnavailableError("it has no signature that names its columns")
    columns = {}
    for column in inputs:
        name = str(column.get("name"))
        # A foreign model may want words.
        kind = _KINDS.get(str(column.get("type"))) if as_numbers else None
        is_number = column.get("type") in {"double", "float"}
        columns[name] = (
            _own_column(rows, name, is_number=is_number)
            if kind is None
            else _own_typed(rows, name, kind)
        )
    return pd.DataFrame(columns)


def _own_column(rows: pd.DataFrame, name: str, *, is_number: bool) -> "pd.Series[Any] | Floats":
    there = list(rows.columns).count(name)
    if there != 1:
        trouble = "is there more than once" if there else "is no longer there"
        raise ChampionUnavailableError(f"it needs the column {name}, which {trouble} in the data")
    column = rows[name].reset_index(drop=True)
    if not is_number:
        return column
    values = read_numbers(without_texts(column))
    if values is None:
        raise ChampionUnavailableError(f"its column {name} no longer holds numbers alone")
    return values


def _own_typed(rows: pd.DataFrame, name: str, kind: ColumnType) -> Raw:
    column = _own_column(rows, name, is_number=kind is ColumnType.NUMBER)
    if not isinstance(column, pd.Series):
        return column
    values = read_raw(column, name, kind)
    if isinstance(values, Fault):
        raise ChampionUnavailableError(f"its {values.text}")
    return values


def as_scores(score: Floats, target: Floats, task: Task) -> Floats:
    """Bring predictions into the form of our own: one probability, one per class, or a value."""
    if task is Task.BINARY and score.ndim == 2 and score.shape[1] == 2:
        score = score[:, 1]
    elif score.ndim == 2 and score.shape[1] == 1:
        score = score[:, 0]
    if len(score) != len(target) or score.ndim != (2 if task is Task.MULTICLASS else 1):
        raise ChampionUnavailableError(
            f"its predictions have the shape {score.shape}, which does not fit {task}"
        )
    if task is Task.BINARY and (score.min() < 0 or score.max() > 1 or set(score) <= {0.0, 1.0}):
        raise ChampionUnavailableError("its predictions are not probabilities of class 1")
    return score


def align(
    score: Floats,
    target: Floats,
    task: Task,
    *,
    ours: Sequence[Label],
    theirs: Sequence[Label],
) -> Floats:
    """Bring probabilities from the champion's classes to those of the data.

    To a class that it does not know, the champion gives no probability.

    Args:
        score: as ``as_scores`` gives it, with as many classes as the champion tells apart.
        ours: the classes of the data; none where they are 0, 1, 2, …
        theirs: the champion's, as it names them; none where it does not.

    Raises:
        ChampionUnavailableError: it tells other classes apart.
    """
    if task is Task.REGRESSION:
        return score
    if not (ours or theirs):
        unknown = 0 if task is Task.BINARY else max(0, int(target.max()) + 1 - score.shape[1])
        return np.pad(score, ((0, 0), (0, unknown))) if unknown else score
    known = 2 if task is Task.BINARY else score.shape[1]
    wanted = _names(ours, known if task is Task.BINARY else int(target.max()) + 1)
    given = _names(theirs, known)
    is_same = set(given) == set(wanted) if task is Task.BINARY else set(given) & set(wanted)
    if len(given) != known or not is_same:
        raise ChampionUnavailableError(
            f"its classes are {show_names(given)}, and those of the data {show_names(wanted)}"
        )
    if task is Task.BINARY:
        return score if given == wanted else 1 - score
    aligned = np.zeros((len(score), len(wanted)))
    for at, name in enumerate(wanted):
        if name in given:
            aligned[:, at] = score[:, given.index(name)]
    return aligned


def _names(classes: Sequence[Label], number: int) -> list[str]:
    return [name_in_record(label) for label in classes or range(number)]
