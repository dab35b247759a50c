"""Targets with scores that follow them a little."""

import numpy as np

from fairlead_training.metrics import Floats


def binary(seed: int, rows: int = 80) -> tuple[Floats, Floats]:
    """Draw a target and scores that follow it a little, with ties."""
    generator = np.random.default_rng(seed)
    target = np.r_[0.0, 1.0, generator.integers(0, 2, rows - 2)]
    score = np.clip(target * 0.3 + generator.random(rows) * 0.7, 0.01, 0.99).round(1)
    return target, np.clip(score, 0.05, 0.95)
