"""Names of metrics, which the operator writes and the trainer reads."""

from collections.abc import Mapping
from typing import Final

# By task, what is computed of every version, whatever its search is by.
METRICS: Final[Mapping[str, tuple[str, ...]]] = {
    "binary-classification": (
        "roc_auc", "pr_auc", "log_loss", "accuracy", "precision", "recall", "f1", "brier",
    ),
    "multiclass-classification": (
        "log_loss", "accuracy", "f1_macro", "precision_macro", "recall_macro", "brier",
    ),
    "regression": ("rmse", "mae", "r2", "mape"),
}  # fmt: skip
_PINBALL: Final = "pinball_"


def name_pinball(quantile: float) -> str:
    """Name the pinball loss of a quantile: ``pinball_0.9``."""
    return f"{_PINBALL}{quantile:g}"


def read_quantile(metric: str) -> float | None:
    """Return the quantile that a metric is about; None of any other metric."""
    if not metric.startswith(_PINBALL):
        return None
    try:
        quantile = float(metric.removeprefix(_PINBALL))
    except ValueError:
        return None
    return quantile if 0 < quantile < 1 else None
