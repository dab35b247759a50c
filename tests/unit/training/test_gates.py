"""What is measured for the gates, and what is said where nothing can be."""

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fairlead_contract.gates import Gate
from fairlead_training.config import GatesConfig, PartsConfig, Task
from fairlead_training.evaluate import Rival
from fairlead_training.gates import Measured, Scored, measure, name_parts
from support.scores import binary

ROWS = 400
TARGET, SCORE = binary(3, ROWS)
REGION = np.array(["north", "south", "west", "east"] * (ROWS // 4), dtype=object)
NORTH = REGION == "north"


def scored(**changes: Any) -> Scored:
    common = Scored(
        task=Task.BINARY,
        metric="roc_auc",
        learned=TARGET,
        target=TARGET,
        score=SCORE,
        rival=Rival(rows=ROWS, score=SCORE),
        parts={"region": REGION},
        seed=7,
    )
    return dataclasses.replace(common, **changes)


def by_region(min_rows: int = 50) -> PartsConfig:
    return PartsConfig(columns=("region",), min_rows=min_rows)


def one(asked: GatesConfig, seen: Scored) -> Measured:
    (found,) = measure(asked, seen)
    return found


def test_nothing_is_measured_that_is_not_asked_for() -> None:
    assert measure(GatesConfig(), scored()) == ()


@pytest.mark.parametrize("metric", ["roc_auc", "log_loss", "accuracy", "brier"])
def test_a_model_that_learned_is_better_than_the_same_answer_beyond_noise(metric: str) -> None:
    found = one(GatesConfig(baseline=True), scored(metric=metric))

    assert found.estimate is not None
    assert 0 < found.estimate.low < found.estimate.value < found.estimate.high


def test_a_model_that_learned_nothing_is_not() -> None:
    noise = np.random.default_rng(1).random(ROWS)

    found = one(GatesConfig(baseline=True), scored(score=noise))

    assert found.estimate is not None
    assert found.estimate.low < 0


def test_the_worst_slice_is_told() -> None:
    worse = np.where(NORTH, 1 - SCORE, SCORE)

    found = one(GatesConfig(slices=by_region()), scored(score=worse))

    assert (found.of, found.rows, found.judged, found.small) == ("north", 100, 4, 0)
    assert found.estimate is not None
    assert found.estimate.high < 0


def test_small_slices_are_counted_and_not_judged() -> None:
    region = REGION.copy()
    region[:3] = "isle"
    worse = np.where(region == "isle", 1 - SCORE, SCORE)

    found = one(GatesConfig(slices=by_region()), scored(score=worse, parts={"region": region}))

    assert (found.judged, found.small) == (4, 1)
    assert found.of != "isle"
    assert found.estimate is not None
    assert found.estimate.value == 0


def test_slices_are_of_the_rows_that_the_champion_never_saw() -> None:
    rival = Rival(rows=200, score=SCORE[-200:])

    found = one(GatesConfig(slices=by_region(50)), scored(rival=rival))

    assert found.rows == 50
    assert one(GatesConfig(slices=by_region(51)), scored(rival=rival)).missing == (
        "no value has 51 rows or more"
    )


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        pytest.param({"rival": None}, "there is no version in charge", id="a first version"),
        pytest.param({"rival": Rival(unavailable="gone")}, "the champion was not scored",
                     id="a champion that is gone"),
        pytest.param({"target": np.where(NORTH, 1.0, TARGET)}, "roc_auc says nothing of its rows",
                     id="a slice of one class"),
        pytest.param({"parts": {"region": np.arange(ROWS).astype(str).astype(object)}},
                     "no value has 50 rows or more", id="each row a slice"),
    ],
)  # fmt: skip
def test_a_slice_that_says_nothing_is_no_number(changes: dict[str, Any], why: str) -> None:
    found = one(GatesConfig(slices=by_region()), scored(**changes))

    assert (found.estimate, found.missing) == (None, why)


@pytest.mark.parametrize("metric", ["recall", "log_loss"])
def test_a_further_metric_is_compared_on_the_rows_that_the_champion_never_saw(metric: str) -> None:
    rival = Rival(rows=200, score=SCORE[-200:])
    worse = np.where(np.arange(ROWS) % 4 == 0, 1 - SCORE, SCORE)

    found = one(GatesConfig(metrics=(metric,)), scored(score=worse, rival=rival))

    assert (found.gate, found.metric, found.column, found.rows) == ("metrics", metric, "", 200)
    assert found.estimate is not None
    assert found.estimate.low < found.estimate.value < 0


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        pytest.param({"rival": None}, "there is no version in charge", id="a first version"),
        pytest.param({"rival": Rival(unavailable="gone")}, "the champion was not scored",
                     id="a champion that is gone"),
        pytest.param({"target": np.zeros(ROWS)}, "roc_auc says nothing of these rows",
                     id="rows of one class"),
    ],
)  # fmt: skip
def test_a_further_metric_that_says_nothing_is_no_number(changes: dict[str, Any], why: str) -> None:
    found = one(GatesConfig(metrics=("roc_auc",)), scored(metric="log_loss", **changes))

    assert (found.estimate, found.missing) == (None, why)


def test_too_many_groups_are_not_compared() -> None:
    groups = (np.arange(ROWS) // 4).astype(str).astype(object)

    found = one(GatesConfig(slices=by_region(4)), scored(parts={"region": groups}))

    assert found.missing == "100 values have enough rows, and at most 50 are judged"


def test_groups_that_are_told_apart() -> None:
    asked = GatesConfig(
        fairness=by_region(), measures=(Gate.DEMOGRAPHIC_PARITY, Gate.EQUALIZED_ODDS)
    )

    parity, odds = measure(asked, scored(score=np.where(NORTH, 0.9, 0.1)))

    assert (parity.gate, odds.gate) == (Gate.DEMOGRAPHIC_PARITY, Gate.EQUALIZED_ODDS)
    for found in (parity, odds):
        assert found.estimate is not None
        assert (found.estimate.value, found.estimate.low) == (1, 1)


@pytest.mark.parametrize(
    ("changes", "min_rows", "why"),
    [
        pytest.param({}, 101, "no group has 101 rows or more, and two are needed", id="all small"),
        pytest.param({"parts": {"region": np.full(ROWS, "x", dtype=object)}}, 50,
                     "one group has 50 rows or more, and two are needed", id="one group"),
        pytest.param({"target": np.where(NORTH, 1.0, TARGET)}, 50,
                     "a group has only positive rows, or none", id="a group of one class"),
    ],
)  # fmt: skip
def test_groups_that_cannot_be_compared_are_no_number(
    changes: dict[str, Any], min_rows: int, why: str
) -> None:
    asked = GatesConfig(fairness=by_region(min_rows), measures=(Gate.EQUALIZED_ODDS,))

    found = one(asked, scored(**changes))

    assert (found.estimate, found.missing) == (None, why)


def test_calibration_has_an_interval() -> None:
    found = one(GatesConfig(calibration=True), scored())

    assert found.estimate is not None
    assert 0 < found.estimate.low <= found.estimate.value <= found.estimate.high < 1


@pytest.mark.parametrize(
    ("values", "parts"),
    [
        pytest.param(["b", None, "a"], ["b", "(nothing)", "a"], id="words and gaps"),
        pytest.param([1, 2, 1], ["1", "2", "1"], id="few numbers are parts"),
        pytest.param([0.5, np.nan], ["0.5", "(nothing)"], id="a number that is missing"),
        pytest.param([True, False], ["True", "False"], id="truths"),
        pytest.param(["x" * 99], ["x" * 39 + "…"], id="a long word"),
        pytest.param([*range(40)], ["up to 9.75"] * 10 + ["9.75 to 19.5"] * 10
                     + ["19.5 to 29.25"] * 10 + ["above 29.25"] * 10, id="many numbers: quarters"),
        pytest.param([*[0] * 64, *range(1, 21)], ["up to 0"] * 64 + ["above 0"] * 20,
                     id="quarters that are the same"),
    ],
)  # fmt: skip
def test_rows_are_parted_by_value(values: list[Any], parts: list[str]) -> None:
    assert name_parts(pd.Series(values)).tolist() == parts
