"""Names of metrics that hold a number: the operator writes them, the trainer reads them."""

from typing import Final

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
