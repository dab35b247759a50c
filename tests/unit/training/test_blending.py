"""Models answer together where that is better than the best of them, and not by chance."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead_training.blending import blend, choose_weights
from fairlead_training.config import Task
from fairlead_training.metrics import Floats, compute

FOLDS, ROWS = 3, 200


def target(seed: int = 1) -> list[Floats]:
    rng = np.random.default_rng(seed)
    return [rng.normal(size=ROWS) for _ in range(FOLDS)]


def answer(truth: list[Floats], error: float, seed: int) -> list[Floats]:
    rng = np.random.default_rng(seed)
    return [fold + error * rng.normal(size=len(fold)) for fold in truth]


def test_models_that_err_apart_are_better_together() -> None:
    truth = target()
    answers = [answer(truth, 0.5, seed) for seed in (2, 3, 4)]

    found = blend(answers, truth, Task.REGRESSION, "rmse", seed=7)

    assert found.is_kept
    assert found.gain.value == pytest.approx(0.2, abs=0.05)
    assert sum(found.weights) == pytest.approx(1)
    assert min(found.weights) > 0.2, "each as good as the others"


@pytest.mark.parametrize(
    "others",
    [
        pytest.param((), id="there is one"),
        pytest.param((0.5,), id="they err alike"),
        pytest.param((3.0, 4.0), id="the others are much worse"),
    ],
)
def test_the_best_model_stays_alone_where_others_add_nothing(others: tuple[float, ...]) -> None:
    truth = target()
    best = answer(truth, 0.5, 2)
    answers = [best, *(best if error <= 0.5 else answer(truth, error, 9) for error in others)]

    found = blend(answers, truth, Task.REGRESSION, "rmse", seed=7)

    assert not found.is_kept
    assert found.weights[0] > 0.8


def test_answers_of_nothing_are_not_kept_for_their_luck() -> None:
    """Of many models that say nothing, some mix fits the rows that it was chosen on."""
    truth = target()
    answers = [[np.random.default_rng(seed + at).normal(size=ROWS) for at in range(FOLDS)]
               for seed in range(0, 80, 10)]  # fmt: skip
    labels = [(fold > 0).astype(np.float64) for fold in truth]
    chances = [[1 / (1 + np.exp(-fold)) for fold in model] for model in answers]

    assert not blend(chances, labels, Task.BINARY, "roc_auc", seed=7).is_kept


def test_probabilities_of_classes_are_mixed_class_by_class() -> None:
    rng = np.random.default_rng(1)
    truth = [rng.integers(0, 3, ROWS).astype(np.float64) for _ in range(2)]
    answers = []
    for seed in (2, 3):
        noise = np.random.default_rng(seed)
        margins = [np.eye(3)[fold.astype(int)] + noise.normal(size=(ROWS, 3)) for fold in truth]
        odds = [np.exp(2 * margin) for margin in margins]
        answers.append([fold / fold.sum(axis=1, keepdims=True) for fold in odds])

    found = blend(answers, truth, Task.MULTICLASS, "log_loss", seed=7)

    assert found.is_kept
    assert found.weights == pytest.approx([0.5, 0.5], abs=0.15)


def test_a_large_table_is_thinned_and_few_models_are_members() -> None:
    truth = [fold for seed in range(100) for fold in target(seed)]
    answers = [answer(truth, 0.5, seed) for seed in range(7)]

    weights = choose_weights(answers, truth, Task.REGRESSION, "rmse")

    assert sum(weight > 0 for weight in weights) == 5
    assert sum(weights) == pytest.approx(1)


@settings(max_examples=15)
@given(st.integers(0, 1000), st.sampled_from(["rmse", "mae"]))
def test_no_member_alone_is_better_on_the_rows_that_weights_are_chosen_on(
    seed: int, metric: str
) -> None:
    truth = [fold[:40] for fold in target(seed)]
    answers = [answer(truth, 0.2 + 0.3 * at, seed + at + 1) for at in range(4)]

    weights = choose_weights(answers, truth, Task.REGRESSION, metric)

    def value(weights: tuple[float, ...]) -> float:
        return float(
            np.mean(
                [
                    compute(
                        Task.REGRESSION,
                        metric,
                        fold,
                        sum(w * m[at] for w, m in zip(weights, answers, strict=True)),
                    )
                    for at, fold in enumerate(truth)
                ]
            )
        )

    alone = [tuple(float(at == other) for other in range(4)) for at in range(4)]
    assert value(weights) <= min(map(value, alone)) + 1e-12
