"""Intervals behave as intervals, and comparisons as differences."""

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.gate import pass_rate
from fairlead_training.config import Task
from fairlead_training.evaluate import (
    Estimate,
    Rival,
    compare,
    draw_counts,
    evaluate,
    find_doubts,
    find_tail,
    judge,
    measure_block,
    score_trivially,
)
from fairlead_training.metrics import METRICS, Floats, compute, greater_is_better
from support.scores import binary

RELAXED = settings(max_examples=30)
seeds = st.integers(0, 10_000)


def estimate(task: Task, metric: str, target: Floats, score: Floats, *, seed: int) -> Estimate:
    return evaluate(task, metric, target, score, seed=seed)[metric]


@pytest.mark.parametrize("task", list(Task))
def test_every_metric_of_the_task_is_given(task: Task) -> None:
    score = np.full((4, 2), 0.5) if task is Task.MULTICLASS else np.full(4, 0.5)

    found = evaluate(task, next(iter(METRICS[task])), np.array([0.0, 1.0, 0.0, 1.0]), score, seed=7)

    assert found.keys() == METRICS[task].keys()
    assert all(metric.low <= metric.value <= metric.high for metric in found.values())


@pytest.mark.parametrize(
    ("task", "metric", "learned", "expected"),
    [
        pytest.param(Task.BINARY, "roc_auc", [0, 1, 1, 1], 0.5, id="a coin"),
        pytest.param(Task.BINARY, "pr_auc", [0, 1, 1, 1], 0.5, id="the share of ones"),
        pytest.param(Task.BINARY, "accuracy", [0, 1, 1, 1], 0.5, id="the frequent class"),
        pytest.param(Task.BINARY, "log_loss", [0, 1], math.log(2), id="the share as probability"),
        pytest.param(Task.MULTICLASS, "log_loss", [0, 1], math.log(2), id="shares of classes"),
        pytest.param(Task.MULTICLASS, "accuracy", [0, 0, 2], 0.5, id="of a class that is not here"),
        pytest.param(Task.REGRESSION, "rmse", [0, 1], 0.5, id="the mean"),
        pytest.param(Task.REGRESSION, "r2", [0, 1], 0.0, id="the mean explains nothing"),
        pytest.param(Task.REGRESSION, "mae", [0, 0, 9], 0.5, id="the median for mae"),
    ],
)
def test_always_the_same_answer(
    task: Task, metric: str, learned: list[float], expected: float
) -> None:
    target = np.array([0.0, 1.0, 0.0, 1.0])

    value = score_trivially(task, metric, np.array(learned, dtype=np.float64), target)

    assert value == pytest.approx(expected)


@pytest.mark.parametrize(
    ("task", "metric", "metrics", "trivial", "doubts"),
    [
        pytest.param(Task.BINARY, "roc_auc", {"roc_auc": 0.8}, 0.5, [], id="nothing odd"),
        pytest.param(
            Task.BINARY, "roc_auc", {"roc_auc": 1.0}, 0.5, ["demand, which"], id="perfect"
        ),
        pytest.param(
            Task.BINARY,
            "log_loss",
            {"log_loss": 0.1, "roc_auc": 0.9999},
            0.7,
            ["roc_auc 0.9999 is rarely honest"],
            id="perfect by another metric",
        ),
        pytest.param(
            Task.MULTICLASS,
            "log_loss",
            {"log_loss": 1.2, "accuracy": 0.5},
            1.1,
            ["log_loss 1.2 is no better than always giving the same answer, 1.1"],
            id="a loss above the trivial one",
        ),
        pytest.param(
            Task.BINARY, "roc_auc", {"roc_auc": 0.5}, 0.5, ["is no better"], id="like a coin"
        ),
        pytest.param(
            Task.REGRESSION, "rmse", {"rmse": 9, "r2": -0.2}, 8, ["is no better"], id="worse"
        ),
        pytest.param(
            Task.REGRESSION,
            "rmse",
            {"rmse": 7, "r2": -0.2},
            8,
            ["r2 -0.2 is worse than the mean"],
            id="r2 below zero, though it beats the trivial one",
        ),
        pytest.param(Task.REGRESSION, "rmse", {"rmse": 0.0, "r2": 1.0}, 8, ["r2 1 is"], id="exact"),
    ],
)
def test_what_is_odd_about_a_model(
    task: Task,
    metric: str,
    metrics: dict[str, float],
    trivial: float,
    doubts: list[str],
) -> None:
    found = find_doubts(task, metric, metrics, trivial=trivial, leading="demand")

    assert len(found) == len(doubts)
    assert all(said in text for said, text in zip(doubts, found, strict=True))


def test_the_comparison_is_about_the_rows_the_champion_was_scored_on() -> None:
    target, score = binary(3)
    latest = 40
    rival = Rival(rows=latest, score=score[-latest:])

    found = judge(
        Task.BINARY, "roc_auc", learned=target, target=target, score=score, rival=rival, seed=1
    )

    alone = compute(Task.BINARY, "roc_auc", target[-latest:], score[-latest:])
    assert found.comparison is not None
    assert found.comparison.champion == found.candidate.value == alone
    assert found.compared_rows == latest
    assert found.metrics == evaluate(Task.BINARY, "roc_auc", target, score, seed=1), (
        "of the whole hold-out"
    )
    assert found.baseline["roc_auc"] == found.trivial == 0.5


@pytest.mark.parametrize(
    ("rival", "why"),
    [
        pytest.param(None, None, id="no champion"),
        pytest.param(Rival(unavailable="it is gone"), "it is gone", id="none that can be scored"),
    ],
)
def test_without_a_score_of_the_champion_the_whole_hold_out_counts(
    rival: Rival | None, why: str | None
) -> None:
    target, score = binary(3)

    found = judge(
        Task.BINARY, "roc_auc", learned=target, target=target, score=score, rival=rival, seed=1
    )

    assert (found.comparison, found.champion_unavailable) == (None, why)
    assert found.candidate == found.metrics["roc_auc"]


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
@given(seeds, st.integers(1, 60), st.integers(1, 9))
def test_what_was_drawn_together_for_the_hold_out_is_drawn_together(
    seed: int, rows: int, groups: int
) -> None:
    units = np.random.default_rng(seed).integers(groups, size=rows)

    counts = draw_counts(rows, 20, np.random.default_rng(seed), units=units)

    for group in np.unique(units):
        of_group = counts[:, units == group]
        assert (of_group == of_group[:, :1]).all()
    firsts = np.unique(units, return_index=True)[1]
    assert (counts[:, firsts].sum(axis=1) == len(firsts)).all()


@pytest.mark.parametrize(
    ("rows", "block"), [(1, 1), (2, 2), (50, 9), (200, 18), (1_000, 41), (10_000, 130)]
)
def test_neighbors_in_time_are_drawn_together(rows: int, block: int) -> None:
    assert measure_block(rows) == block


@pytest.mark.parametrize(
    ("blocks", "tail"),
    [
        pytest.param(1, 0.0, id="of one draw nothing is known"),
        pytest.param(5, 0.00095, id="few: Student's with four degrees of freedom"),
        pytest.param(30, 0.0188, id="more"),
        pytest.param(1e6, 0.025, id="many: as for a normal one"),
    ],
)
def test_few_blocks_widen_the_interval(blocks: float, tail: float) -> None:
    assert find_tail(blocks) == pytest.approx(tail, rel=0.02)


def test_rows_without_times_are_compared_row_by_row_where_each_was_drawn_alone() -> None:
    """By DeLong, whatever the seed; where groups were drawn, by the bootstrap."""
    target, ours = binary(3)
    theirs = np.random.default_rng(4).permutation(ours)
    alone, paired = np.arange(len(target)), np.arange(len(target)) // 2

    def gain(units: npt.NDArray[np.int64], seed: int) -> Estimate:
        return compare(
            Task.BINARY, "roc_auc", target, candidate=ours, champion=theirs, seed=seed, units=units
        ).difference

    assert gain(alone, 1) == gain(alone, 2)
    assert gain(paired, 1) != gain(paired, 2)
    assert gain(alone, 1).value == pytest.approx(gain(paired, 1).value)


def test_the_interval_of_groups_is_that_of_their_number_not_of_their_rows() -> None:
    random = np.random.default_rng(5)
    groups, each = 40, 25
    error = np.repeat(random.normal(size=groups), each)
    target = random.normal(size=groups * each)
    units = np.repeat(np.arange(groups), each)

    def width(units: npt.NDArray[np.int64]) -> float:
        found = evaluate(Task.REGRESSION, "mae", target, target + error, seed=7, units=units)["mae"]
        return found.high - found.low

    assert width(units) > 3 * width(np.arange(groups * each))


@pytest.mark.parametrize("metric", ["roc_auc", "mae"])
def test_errors_that_last_do_not_pass_for_evidence(metric: str) -> None:
    """Of 200 candidates that are truly no better; 2.5 % is what an interval of 95 % declares."""
    assert pass_rate(metric, 200, 0.9, replays=200) <= 0.05


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
