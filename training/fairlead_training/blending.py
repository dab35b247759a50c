"""Which models answer better together, and whether they do beyond noise.  Pure.

All is judged on what each said of rows that it had not learned from: the validation rows of the
folds.
"""

import dataclasses
from collections.abc import Sequence
from typing import Final

import numpy as np

from fairlead_training.config import Task
from fairlead_training.evaluate import Estimate, Units, compare
from fairlead_training.metrics import Floats, compute, greater_is_better

_ROUNDS: Final = 20
_DIGITS: Final = 10  # of a value that tell one mix from another
_MOST_MEMBERS: Final = 5  # each of them costs a fit, and time in every answer
_MOST_ROWS: Final = 20_000  # that weights are chosen on

ByFold = Sequence[Floats]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Blending:
    """What several models reach together."""

    weights: Sequence[float]  # of each model, 1 in all
    gain: Estimate  # over the first of them, so that positive is better

    @property
    def is_kept(self) -> bool:
        """Tell whether they are better together, beyond noise."""
        return self.gain.low > 0


def blend(
    answers: Sequence[ByFold],
    targets: ByFold,
    task: Task,
    metric: str,
    *,
    seed: int,
    units: Units = None,
) -> Blending:
    """Weigh models, and tell what that gains over the first.

    The gain is measured fold by fold with weights that were chosen on the others: weights look
    good on the rows that they were chosen on.

    Args:
        answers: of each model, the best first.
        targets: of two folds or more.
        units: of all their rows.
    """
    mixed = []
    for fold in range(len(targets)):
        others = [at for at in range(len(targets)) if at != fold]
        weights = choose_weights(
            [[model[at] for at in others] for model in answers],
            [targets[at] for at in others],
            task,
            metric,
        )
        mixed.append(mix([model[fold] for model in answers], weights))
    comparison = compare(
        task,
        metric,
        np.concatenate(targets),
        candidate=np.concatenate(mixed),
        champion=np.concatenate(answers[0]),
        seed=seed,
        units=units,
    )
    return Blending(
        weights=choose_weights(answers, targets, task, metric), gain=comparison.difference
    )


def choose_weights(
    answers: Sequence[ByFold], targets: ByFold, task: Task, metric: str
) -> tuple[float, ...]:
    """Return how much each model counts, by greedy selection with replacement.

    Whichever helps most is added, again and again; how often each was is its weight (Caruana et
    al. 2004, "Ensemble selection from libraries of models").
    """
    step = 1 + sum(map(len, targets)) // _MOST_ROWS
    targets = [target[::step] for target in targets]
    answers = [[fold[::step] for fold in model] for model in answers]
    sign = 1.0 if greater_is_better(metric) else -1.0

    def value(counts: Sequence[int]) -> float:
        weights = [count / sum(counts) for count in counts]
        reached = [
            sign * compute(task, metric, target, mix([model[at] for model in answers], weights))
            for at, target in enumerate(targets)
        ]
        # What processors round differently is the same, and the better trial keeps its weight.
        return float(f"{np.mean(reached):.{_DIGITS}g}")

    counts = best = [0] * len(answers)
    reached = -np.inf
    for _ in range(_ROUNDS):
        members = [at for at, count in enumerate(counts) if count]
        allowed = members if len(members) == _MOST_MEMBERS else range(len(answers))
        tried = {at: value([n + (i == at) for i, n in enumerate(counts)]) for at in allowed}
        added = max(tried, key=lambda at: tried[at])
        counts = [n + (i == added) for i, n in enumerate(counts)]
        if tried[added] > reached:
            best, reached = counts, tried[added]
    return tuple(count / sum(best) for count in best)


def mix(answers: Sequence[Floats], weights: Sequence[float]) -> Floats:
    """Return the mean of answers by weights that are 1 in all."""
    weighed = [answer * weight for answer, weight in zip(answers, weights, strict=True) if weight]
    return np.asarray(np.sum(weighed, axis=0), dtype=np.float64)
