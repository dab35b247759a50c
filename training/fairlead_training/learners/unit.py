"""A regression's target without unit, of mean 0 and deviation 1, and the way back.

What a penalty weighs and which gains count as none would depend on the unit otherwise.  An amount
whose logarithm is learned keeps its 0, and has the mean 1.
"""

import dataclasses

import numpy as np
from sklearn.utils.class_weight import compute_sample_weight

from fairlead_training.config import Task
from fairlead_training.learners.protocol import Setting
from fairlead_training.metrics import Floats, find_middle, weigh_by_share


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """The target's own unit: what 0 and 1 of the learned target mean."""

    zero: float = 0.0
    one: float = 1.0

    def leave(self, target: Floats) -> Floats:
        """Return the target that is learned."""
        return target if self == Unit() else (target - self.zero) / self.one

    def enter(self, learned: Floats) -> Floats:
        """Return what was learned, in the target's own unit."""
        return learned.astype(np.float64) * self.one + self.zero


def measure_unit(target: Floats, setting: Setting) -> Unit:
    """Return the unit of a regression's target; a class has none."""
    if setting.task is not Task.REGRESSION:
        return Unit()
    if setting.is_of_amounts:
        return Unit(one=float(np.mean(target)))
    # Where outliers make the mean, 32 bits would not tell the others apart.
    return Unit(zero=find_middle(setting.metric, target), one=float(np.std(target)))


def weigh_rows(target: Floats, setting: Setting) -> Floats | None:
    """Return how much each row counts, by its target in the target's own unit; None: the same."""
    if setting.is_balanced:
        return np.asarray(compute_sample_weight("balanced", target))
    return weigh_by_share(target) if setting.metric == "mape" else None
