"""What a forecast without a model says of a value: the last one, or that of a day or a week before.

Pure.  Whoever asks a model may not know these values yet; they say how hard a forecast is.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

from fairlead_training.metrics import Floats

LAST: Final = "last_value"
_DAY: Final = 86_400 * 10**9  # nanoseconds
# How far back, and how far apart rows may be for that to be of use.
_SEASONS: Final[Mapping[str, tuple[int, int]]] = {
    "day_before": (_DAY, _DAY // 2),
    "week_before": (7 * _DAY, _DAY),
}


def forecast(times: npt.NDArray[np.int64], target: Floats, start: int) -> Mapping[str, Floats]:
    """Return what each says of the rows from ``start`` on; none where several rows share a time.

    Args:
        times: of all rows, in order, nanoseconds.
    """
    steps = np.diff(times)
    if not len(steps) or steps.min() <= 0:
        return {}
    said = {LAST: target[start - 1 : -1]}
    for name, (back, widest) in _SEASONS.items():
        if np.median(steps) > widest or times[start] - back < times[0]:
            continue
        # Of a moment that has no row, the one before it.
        said[name] = target[np.searchsorted(times, times[start:] - back, side="right") - 1]
    return said
