"""What stands between raw columns and a learner, and when nothing does."""

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fairlead_training.config import Task
from fairlead_training.data import Table
from fairlead_training.failure import Reason, TrainingFailure
from fairlead_training.learners.linear import LinearLearner
from fairlead_training.learners.protocol import Setting
from fairlead_training.prepared import (
    find_gaps,
    fit_model,
    is_prepared,
    prepare_fold,
    refusing,
    warn_of_suspicious,
)
from fairlead_training.prepared_model import PreparedModel
from fairlead_training.split import Fold, Split
from support.training_rows import check, config, frame

ROWS = 200
FOLD = Fold(cut=120, end=160)
SETTING = Setting(task=Task.BINARY, metric="log_loss", classes=2, seed=7, threads=1)
PLANS = np.array(["gold", "silver", ""], dtype=object)[np.arange(ROWS) % 3]


def table(**columns: Any) -> Table:
    return check(frame(ROWS, **columns), config())


def test_a_table_of_numbers_goes_to_the_learner_as_it_is() -> None:
    numbers = table(wind=np.where(np.arange(ROWS) % 9, 1.5, np.nan))

    model = fit_model(
        LinearLearner(), numbers, SETTING, searched=LinearLearner.starting_point, learned={}
    )

    assert prepare_fold(numbers, FOLD, SETTING) is numbers
    assert not is_prepared(numbers)
    assert not isinstance(model, PreparedModel)


@pytest.mark.parametrize(
    "columns",
    [
        pytest.param({"plan": PLANS}, id="words"),
        pytest.param({"since": np.datetime64("2020-01-01") + np.arange(ROWS) % 50}, id="times"),
        pytest.param({"zone": np.arange(ROWS) % 4}, id="whole numbers, if they are declared so"),
        pytest.param({"epoch": 1.7e9 + np.arange(ROWS) % 50}, id="numbers that 32 bits lose"),
    ],
)
def test_everything_else_is_prepared(columns: dict[str, Any]) -> None:
    declared = config(data__columns={"zone": "integer"} if "zone" in columns else {})

    assert is_prepared(check(frame(ROWS, **columns), declared))


def test_numbers_that_32_bits_lose_are_numbers_to_callers_all_the_same() -> None:
    raw = table(epoch=1.7e9 + np.arange(ROWS) % 50, member=np.arange(ROWS) % 3 == 0)

    model = fit_model(
        LinearLearner(), raw, SETTING, searched=LinearLearner.starting_point, learned={}
    )

    assert raw.is_plain
    assert isinstance(model, PreparedModel)
    assert set(model.graph.description.columns.values()) == {"number"}


def test_a_fold_is_prepared_by_its_first_part_alone() -> None:
    plans = PLANS.copy()
    plans[FOLD.cut :] = "late"
    raw = table(plan=plans)

    prepared = prepare_fold(raw, FOLD, SETTING)

    assert len(prepared) == FOLD.end
    assert list(prepared.features) == ["demand", "plan=none", "plan=gold", "plan=silver"]
    assert not prepared.features.iloc[FOLD.cut :, 1:].any().any(), "late was never seen"
    assert prepared.target.tolist() == raw.target[: FOLD.end].tolist()


def test_a_fold_in_the_middle_leaves_its_rows_in_their_places() -> None:
    fold = Fold(cut=60, end=100, and_after=True)
    plans = PLANS.copy()
    plans[fold.cut : fold.end] = "odd"
    raw = table(plan=plans)

    prepared = prepare_fold(raw, fold, SETTING)

    assert len(prepared) == ROWS
    assert list(prepared.features) == ["demand", "plan=none", "plan=gold", "plan=silver"]
    np.testing.assert_allclose(prepared.features["demand"], raw.features["demand"], rtol=1e-6)
    seen = prepared.features.iloc[:, 1:].any(axis=1).to_numpy()
    assert np.flatnonzero(~seen).tolist() == list(range(fold.cut, fold.end))


def test_a_type_may_be_declared_and_a_column_ignored() -> None:
    rows = frame(ROWS, zone=np.arange(ROWS) % 4, note=PLANS)

    declared = check(rows, config(data__columns={"zone": "category", "note": "ignore"}))

    assert {name: str(kind) for name, kind in declared.types.items()} == {
        "demand": "number",
        "zone": "category",
    }
    assert set(declared.features["zone"]) == {"0", "1", "2", "3"}


def test_columns_with_gaps_may_be_missing_from_a_question() -> None:
    raw = table(plan=PLANS, wind=1.0)
    late = dataclasses.replace(raw, features=raw.features.assign(wind=np.nan))
    once = raw.features.assign(wind=[np.nan, *[1.0] * (ROWS - 1)])

    assert find_gaps(Split(search=raw, holdout=raw, classes=2, folds=())) == {"plan"}
    assert find_gaps(Split(search=raw, holdout=late, classes=2, folds=())) == {"plan", "wind"}
    seldom = dataclasses.replace(raw, features=once)
    assert find_gaps(Split(search=seldom, holdout=raw, classes=2, folds=())) == {"plan"}


@pytest.mark.parametrize(
    "note",
    [
        pytest.param([f"a{n} b{n} c{n}" for n in range(ROWS)], id="words that never come twice"),
        pytest.param([pd.Timestamp("2026-01-01")] * ROWS, id="one time"),
    ],
)
def test_columns_without_anything_to_learn_from_end_the_training(note: Any) -> None:
    told = config(data__columns={"demand": "ignore"})
    raw = check(frame(ROWS, note=note), told)

    with pytest.raises(TrainingFailure, match="nothing to learn from in note") as caught:
        prepare_fold(raw, FOLD, SETTING)
    assert caught.value.reason is Reason.FEATURE_INVALID


def test_what_is_suspicious_is_told() -> None:
    copied = table(plan=PLANS, again=PLANS)

    assert warn_of_suspicious(copied, config()) == ("column again equals plan in every row",)
    assert refusing(config()) is None
