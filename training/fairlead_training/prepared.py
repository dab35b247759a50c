"""Learners see numbers alone: prepare the columns before them, and store both as one graph.

Where the columns are numbers that fit 32 bits, nothing is between them and the learner, and its
model is stored as the learner stores it.  Everything else goes through ``preparation``, which is
fitted on the rows that the learner is fitted on: inside each fold, and once more for the final
model.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

import pandas as pd

from fairlead_contract.graph import ColumnType
from fairlead_training.columns import Floats, show_names
from fairlead_training.config import TrainingConfig
from fairlead_training.data import FindSuspicious, Table, slice_rows
from fairlead_training.failure import Reason, TrainingFailure
from fairlead_training.learners.protocol import FittedModel, Fitter, Parameters, Setting
from fairlead_training.preparation.raw import Raw, find_origins, is_missing
from fairlead_training.split import Fold, Split

_OFTEN: Final = 0.01  # share of the rows

if TYPE_CHECKING:
    from fairlead_training.preparation.pipeline import Preparation


def prepare_fold(table: Table, fold: Fold, setting: Setting) -> Table:
    """Return the rows of a fold as learners see them, by a preparation of those to train on."""
    train, validation = fold.of(table)
    if not is_prepared(train):
        return table
    preparation, features = _fit(train, setting)
    rest = preparation.transform(validation.features)
    prepared = pd.concat([features.iloc[: fold.cut], rest, features.iloc[fold.cut :]])
    rows = slice_rows(table, 0, len(prepared))
    return dataclasses.replace(rows, features=prepared.reset_index(drop=True))


def fit_model(
    fitter: Fitter,
    table: Table,
    setting: Setting,
    *,
    searched: Parameters,
    learned: Parameters,
) -> FittedModel:
    """Fit the final model on all rows of the search part, and what prepares the columns for it.

    Raises:
        UnfaithfulFormError: there is no graph of it.
    """
    if not is_prepared(table):
        return fitter.fit(table, setting, searched=searched, learned=learned)
    # Imported late: a search has no use for graphs.
    from fairlead_training.prepared_model import PreparedModel  # noqa: PLC0415  as above

    preparation, features = _fit(table, setting)
    prepared = dataclasses.replace(table, features=features)
    model = fitter.fit(prepared, setting, searched=searched, learned=learned)
    return PreparedModel.of(model, preparation, table, setting)


def is_prepared(table: Table) -> bool:
    """Tell whether the columns are other than numbers that learners take as they are."""
    if not table.is_plain:
        return True
    low, high = table.features.min().to_numpy(), table.features.max().to_numpy()
    return bool(find_origins(low, high).any())


def find_gaps(parts: Split) -> frozenset[str]:
    """Return the columns that callers may leave out, as the data does often enough.

    Of a few gaps, the next training's rows may have none: then a signature would be another.
    """
    rows = len(parts.search) + len(parts.holdout)
    return frozenset(
        name
        for name, values in parts.search.columns.items()
        if is_missing(values).sum() + is_missing(parts.holdout.columns[name]).sum() >= _OFTEN * rows
    )


def refusing(config: TrainingConfig) -> FindSuspicious | None:
    """Return what finds the columns that the Model refuses; None where it takes all."""
    if not config.data.refuses_suspicious:
        return None
    # Imported late: a search that takes them has no use for it.
    from fairlead_training.preparation.findings import (  # noqa: PLC0415  as above
        find_suspicious,
    )

    def find(
        columns: Mapping[str, Raw], target: Floats, *, show: Callable[[str], str] = str
    ) -> Sequence[str]:
        found = find_suspicious(
            columns, target, task=config.task, seed=config.search.seed, show=show
        )
        return [finding.text for finding in found]

    return find


def warn_of_suspicious(table: Table, config: TrainingConfig) -> tuple[str, ...]:
    """Say which columns help no model, or help one too well: a sentence for each kind."""
    from fairlead_training.preparation.findings import (  # noqa: PLC0415  as above
        find_suspicious,
        summarize,
    )

    return summarize(
        find_suspicious(table.columns, table.target, task=config.task, seed=config.search.seed)
    )


def _fit(table: Table, setting: Setting) -> "tuple[Preparation, pd.DataFrame]":
    # Imported late: tables of numbers have no use for scikit-learn.
    from fairlead_training.preparation.pipeline import fit  # noqa: PLC0415  as above

    # What may be far from 0 today may be near it tomorrow, and callers are to notice nothing.
    numbers = dict.fromkeys(map(str, table.features), ColumnType.NUMBER)
    types = numbers if table.is_plain else table.types
    preparation, features = fit(
        table.features, types, table.target, task=setting.task, seed=setting.seed
    )
    if not preparation.names:
        raise TrainingFailure(
            Reason.FEATURE_INVALID,
            f"there is nothing to learn from in {show_names(list(types))}: a time that is the same "
            "in every row, or a text whose words never come twice; add columns to "
            "spec.data.source",
        )
    return preparation, features
