"""Metrics agree with scikit-learn's."""

import math

import numpy as np
import pytest
import sklearn.metrics as reference
from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead_contract.metric import METRICS as NAMES
from fairlead_training.config import METRICS_BY_TASK, OF_AMOUNTS, Task
from fairlead_training.metrics import (
    METRICS,
    Floats,
    compute,
    find_middle,
    greater_is_better,
    weighted_quantile,
)
from support.scores import binary

RELAXED = settings(max_examples=30)
seeds = st.integers(0, 10_000)


def compute_all(task: Task, target: Floats, score: Floats) -> dict[str, float]:
    return {name: compute(task, name, target, score) for name in METRICS[task]}


ONLY_SHOWN = {"precision", "recall", "precision_macro", "recall_macro"}


def test_a_config_may_name_every_metric_but_what_is_only_shown() -> None:
    """A search for the recall alone, for example, would say yes to everything."""
    assert {task: set(names) - OF_AMOUNTS for task, names in METRICS_BY_TASK.items()} == {
        task: set(METRICS[task]) - ONLY_SHOWN for task in Task
    }


@pytest.mark.parametrize(
    ("metric", "greater"),
    [
        ("roc_auc", True),
        ("pr_auc", True),
        ("accuracy", True),
        ("f1", True),
        ("f1_macro", True),
        ("precision", True),
        ("recall", True),
        ("r2", True),
        ("brier", False),
        ("mape", False),
        ("pinball_0.9", False),
        ("poisson_deviance", False),
        ("tweedie_deviance", False),
        ("log_loss", False),
        ("rmse", False),
        ("mae", False),
    ],
)
def test_the_better_direction(metric: str, greater: bool) -> None:
    assert greater_is_better(metric) is greater


@RELAXED
@given(seeds)
def test_binary_metrics_are_the_known_ones(seed: int) -> None:
    target, score = binary(seed)

    found = compute_all(Task.BINARY, target, score)

    assert found == pytest.approx(
        {
            "roc_auc": reference.roc_auc_score(target, score),
            "pr_auc": reference.average_precision_score(target, score),
            "log_loss": reference.log_loss(target, score),
            "accuracy": reference.accuracy_score(target, score > 0.5),
            "precision": reference.precision_score(target, score > 0.5, zero_division=0),
            "recall": reference.recall_score(target, score > 0.5),
            "f1": reference.f1_score(target, score > 0.5),
            "brier": reference.brier_score_loss(target, score),
        }
    )


@RELAXED
@given(seeds)
def test_a_weight_counts_as_that_many_rows(seed: int) -> None:
    target, score = binary(seed)
    counts = np.random.default_rng(seed).integers(1, 4, len(target))
    repeated = np.repeat(np.arange(len(target)), counts)

    for name, metric in METRICS[Task.BINARY].items():
        weighted = metric(target, score, counts[None, :].astype(np.float64))[0]
        assert weighted == pytest.approx(
            compute(Task.BINARY, name, target[repeated], score[repeated])
        )


@RELAXED
@given(seeds)
def test_multiclass_metrics_are_the_known_ones(seed: int) -> None:
    generator = np.random.default_rng(seed)
    target = np.r_[0.0, 1.0, 2.0, generator.integers(0, 3, 60)]
    score = generator.dirichlet((1, 1, 1), len(target))

    found = compute_all(Task.MULTICLASS, target, score)

    assert found == pytest.approx(
        {
            "log_loss": reference.log_loss(target, score, labels=[0, 1, 2]),
            "accuracy": reference.accuracy_score(target, score.argmax(axis=1)),
            "f1_macro": reference.f1_score(target, score.argmax(axis=1), average="macro"),
            "precision_macro": reference.precision_score(
                target, score.argmax(axis=1), average="macro", zero_division=0
            ),
            "recall_macro": reference.recall_score(target, score.argmax(axis=1), average="macro"),
            "brier": reference.brier_score_loss(target, score, scale_by_half=False),
        },
        rel=1e-5,
    )


@RELAXED
@given(seeds)
def test_regression_metrics_are_the_known_ones(seed: int) -> None:
    generator = np.random.default_rng(seed)
    target = generator.normal(1e5, 3, 70)
    score = target + generator.normal(size=70)

    found = compute_all(Task.REGRESSION, target, score)

    assert found == pytest.approx(
        {
            "rmse": reference.root_mean_squared_error(target, score),
            "mae": reference.mean_absolute_error(target, score),
            "r2": reference.r2_score(target, score),
            "mape": reference.mean_absolute_percentage_error(target, score),
        }
    )


@RELAXED
@given(seeds)
def test_metrics_that_a_search_asks_for_are_the_known_ones(seed: int) -> None:
    generator = np.random.default_rng(seed)
    target, score = generator.poisson(2, 70) * 1.0, generator.gamma(2, size=70)

    found = [
        compute(Task.REGRESSION, name, target, score)
        for name in ("pinball_0.9", "poisson_deviance", "tweedie_deviance")
    ]

    assert found == pytest.approx(
        [
            reference.mean_pinball_loss(target, score, alpha=0.9),
            reference.mean_poisson_deviance(target, score),
            reference.mean_tweedie_deviance(target, score, power=1.5),
        ]
    )


def test_an_amount_that_was_said_to_be_impossible_costs_much_and_not_all() -> None:
    target, score = np.array([0.0, 1.0, 3.0]), np.array([0.0, 0.0, -1.0])

    for metric in OF_AMOUNTS:
        assert 10 < compute(Task.REGRESSION, metric, target, score) < np.inf


@pytest.mark.parametrize(
    "metric", ["rmse", "mae", "mape", "pinball_0.1", "pinball_0.9", *sorted(OF_AMOUNTS)]
)
def test_no_value_is_better_than_the_middle(metric: str) -> None:
    target = np.random.default_rng(2).gamma(0.7, size=301)
    middle = find_middle(metric, target)

    def value(answer: float) -> float:
        return compute(Task.REGRESSION, metric, target, np.full(len(target), answer))

    assert value(middle) <= min(value(middle * 0.98), value(middle * 1.02)) + 1e-9


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        pytest.param(None, 2.0, id="each row counts the same"),
        pytest.param([1.0, 1.0, 1.0], 2.0, id="the same, said"),
        pytest.param([9.0, 1.0, 1.0], 1.0, id="one counts most"),
    ],
)
def test_a_quantile_of_weights(weights: list[float] | None, expected: float) -> None:
    told = None if weights is None else np.array(weights)

    assert weighted_quantile(np.array([1.0, 2.0, 3.0]), told, 0.5) == expected


def test_an_error_has_no_share_of_a_target_of_nothing() -> None:
    target, score = np.array([0.0, 2.0, -4.0]), np.array([9.0, 1.0, -3.0])

    assert compute(Task.REGRESSION, "mape", target, score) == pytest.approx((0.5 + 0.25) / 2)
    assert math.isnan(compute(Task.REGRESSION, "mape", np.zeros(3), score))


def test_a_metric_that_is_undefined_is_not_a_number() -> None:
    assert math.isnan(compute(Task.BINARY, "roc_auc", np.ones(10), np.linspace(0.1, 0.9, 10)))


def test_what_gates_can_name_is_what_is_computed_of_every_version() -> None:
    assert {task: tuple(names) for task, names in METRICS.items()} == dict(NAMES)
