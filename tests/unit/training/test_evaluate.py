"""Metrics agree with scikit-learn's; intervals behave as intervals."""

import math

import numpy as np
import pytest
import sklearn.metrics as reference
from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead_training.config import Task
from fairlead_training.evaluate import compare, draw_counts, estimate, evaluate
from fairlead_training.metrics import METRICS, Floats, compute, greater_is_better

RELAXED = settings(max_examples=30)
seeds = st.integers(0, 10_000)


def binary(seed: int, rows: int = 80) -> tuple[Floats, Floats]:
    """A target and scores that follow it a little, with ties."""
    generator = np.random.default_rng(seed)
    target = np.r_[0.0, 1.0, generator.integers(0, 2, rows - 2)]
    score = np.clip(target * 0.3 + generator.random(rows) * 0.7, 0.01, 0.99).round(1)
    return target, np.clip(score, 0.05, 0.95)


@RELAXED
@given(seeds)
def test_binary_metrics_are_the_known_ones(seed: int) -> None:
    target, score = binary(seed)

    found = evaluate(Task.BINARY, target, score)

    assert found == pytest.approx(
        {
            "roc_auc": reference.roc_auc_score(target, score),
            "pr_auc": reference.average_precision_score(target, score),
            "log_loss": reference.log_loss(target, score),
            "accuracy": reference.accuracy_score(target, score > 0.5),
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

    found = evaluate(Task.MULTICLASS, target, score)

    assert found == pytest.approx(
        {
            "log_loss": reference.log_loss(target, score, labels=[0, 1, 2]),
            "accuracy": reference.accuracy_score(target, score.argmax(axis=1)),
            "f1_macro": reference.f1_score(target, score.argmax(axis=1), average="macro"),
        },
        rel=1e-5,
    )


@RELAXED
@given(seeds)
def test_regression_metrics_are_the_known_ones(seed: int) -> None:
    generator = np.random.default_rng(seed)
    target = generator.normal(1e5, 3, 70)
    score = target + generator.normal(size=70)

    found = evaluate(Task.REGRESSION, target, score)

    assert found == pytest.approx(
        {
            "rmse": reference.root_mean_squared_error(target, score),
            "mae": reference.mean_absolute_error(target, score),
            "r2": reference.r2_score(target, score),
        }
    )


def test_a_metric_that_is_undefined_is_not_a_number() -> None:
    ones, score = np.ones(10), np.linspace(0.1, 0.9, 10)

    assert math.isnan(compute(Task.BINARY, "roc_auc", ones, score))
    assert math.isnan(estimate(Task.BINARY, "roc_auc", ones, score, seed=1).low)


@RELAXED
@given(seeds, st.integers(1, 300), st.integers(1, 20))
def test_each_replicate_draws_as_many_rows_as_there_are(
    seed: int, rows: int, replicates: int
) -> None:
    counts = draw_counts(rows, replicates, np.random.default_rng(seed))

    assert counts.shape == (replicates, rows)
    assert (counts.sum(axis=1) == rows).all()


@RELAXED
@given(seeds, st.sampled_from(sorted(METRICS[Task.BINARY])))
def test_an_interval_holds_its_value_and_is_repeatable(seed: int, metric: str) -> None:
    target, score = binary(seed)

    first = estimate(Task.BINARY, metric, target, score, seed=seed)

    assert first.low <= first.value <= first.high
    assert first == estimate(Task.BINARY, metric, target, score, seed=seed)


@RELAXED
@given(seeds, st.sampled_from(sorted(METRICS[Task.BINARY])))
def test_turning_the_comparison_around_turns_the_sign(seed: int, metric: str) -> None:
    target, ours = binary(seed)
    theirs = np.random.default_rng(seed + 1).permutation(ours)

    there = compare(Task.BINARY, metric, target, candidate=ours, champion=theirs, seed=seed)
    back = compare(Task.BINARY, metric, target, candidate=theirs, champion=ours, seed=seed)

    assert there.difference.value == pytest.approx(-back.difference.value)
    assert there.difference.low == pytest.approx(-back.difference.high)
    assert (there.difference.value > 0) is (
        (there.candidate.value > there.champion) is greater_is_better(metric)
        and there.candidate.value != there.champion
    )


def test_a_model_is_no_better_than_itself() -> None:
    target, score = binary(3)

    same = compare(Task.BINARY, "roc_auc", target, candidate=score, champion=score, seed=3)

    assert (same.difference.low, same.difference.value, same.difference.high) == (0, 0, 0)


def test_pairing_sees_what_two_intervals_cannot() -> None:
    """A small gain on every row is certain, though each value alone is not."""
    generator = np.random.default_rng(5)
    target = generator.normal(size=400) * 10
    theirs = target + generator.normal(size=400)
    ours = target + (theirs - target) * 0.95

    found = compare(Task.REGRESSION, "rmse", target, candidate=ours, champion=theirs, seed=5)

    assert found.difference.low > 0
    assert found.candidate.high > found.champion


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    hits = 0
    for seed in range(60):
        target = np.random.default_rng(seed).normal(size=150)
        found = estimate(Task.REGRESSION, "mae", target, np.zeros(150), seed=seed)
        hits += found.low <= math.sqrt(2 / math.pi) <= found.high

    assert hits >= 51  # 57 expected of 60; fewer than 52 has a chance below one in a hundred
