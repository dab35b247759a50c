"""A regression's target without unit, of mean 0 and deviation 1, and the way back.

What a penalty weighs and which gains count as none would depend on the unit otherwise.
"""

import dataclasses

import numpy as np

from fairlead_training.config import Task
from fairlead_training.learners.protocol import Setting
from fairlead_training.metrics import Floats


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
    # Where outliers make the mean, 32 bits would not tell the others apart.
    middle = np.median(target) if setting.metric == "mae" else np.mean(target)
    return Unit(zero=float(middle), one=float(np.std(target)))
