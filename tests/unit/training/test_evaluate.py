"""Intervals behave as intervals, and comparisons as differences."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead_training.config import Task
from fairlead_training.evaluate import compare, draw_counts, estimate, evaluate
from fairlead_training.metrics import METRICS, greater_is_better
from support.scores import binary

RELAXED = settings(max_examples=30)
seeds = st.integers(0, 10_000)


@pytest.mark.parametrize("task", list(Task))
def test_every_metric_of_the_task_is_given(task: Task) -> None:
    score = np.full((4, 2), 0.5) if task is Task.MULTICLASS else np.full(4, 0.5)

    assert evaluate(task, np.array([0.0, 1.0, 0.0, 1.0]), score).keys() == METRICS[task].keys()


def test_rows_that_cannot_give_an_interval_give_none() -> None:
    found = estimate(Task.BINARY, "roc_auc", np.ones(10), np.linspace(0.1, 0.9, 10), seed=1)

    assert math.isnan(found.low)
    assert math.isnan(found.high)


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
