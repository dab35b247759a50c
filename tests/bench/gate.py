"""How often the gate lets a candidate through that is truly no better: simulated hold-outs.

No cluster and no clock.  Both models know the same of the target and err alike, so that whatever
the gate sees between them is chance.  The table stands in ``docs/data.md``.
"""

import dataclasses
from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.signal import lfilter

from bench.result import Goal, Result
from fairlead_training.config import Task
from fairlead_training.evaluate import compare

NAME: Final = "gate"

_DECLARED: Final = 0.025  # below the lower end of a two-sided 95 % interval
_REPLAYS: Final = 400
_NOISE: Final = 2.5  # standard errors of a share of replays
_METRICS: Final = {
    "roc_auc": Task.BINARY,
    "log_loss": Task.BINARY,
    "rmse": Task.REGRESSION,
    "mae": Task.REGRESSION,
}
_ROWS: Final = (50, 200, 1_000)
# By the correlation of a row's error with the next one's; None: rows without times.
_KINDS: Final = {
    "without times": None,
    "in time, errors apart": 0.0,
    "in time, errors last (0.5)": 0.5,
    "in time, errors last long (0.9)": 0.9,
}

Floats = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class HoldOut:
    """Rows, and what two models that are equally good say of them."""

    target: Floats
    candidate: Floats
    champion: Floats


def draw(task: Task, rows: int, correlation: float | None, random: np.random.Generator) -> HoldOut:
    """Draw a hold-out whose neighbors are as much alike as that."""
    known, left, ours, theirs = (_draw_series(rows, correlation or 0.0, random) for _ in range(4))
    if task is Task.BINARY:
        target = (known + left > 0.5).astype(np.float64)
        candidate, champion = (1 / (1 + np.exp(0.5 - known - error)) for error in (ours, theirs))
    else:
        target = known + left
        candidate, champion = ((known + error) / 2 for error in (ours, theirs))
    return HoldOut(target=target, candidate=candidate, champion=champion)


def pass_rate(
    metric: str, rows: int, correlation: float | None, *, replays: int, seed: int = 7
) -> float:
    """Return the share of replays in which the lower end of the gain's interval is above 0."""
    task, random = _METRICS[metric], np.random.default_rng(seed)
    units = np.arange(rows) if correlation is None else None
    passed = 0
    for at in range(replays):
        drawn = draw(task, rows, correlation, random)
        gain = compare(
            task,
            metric,
            drawn.target,
            candidate=drawn.candidate,
            champion=drawn.champion,
            seed=at,
            units=units,
        ).difference
        passed += gain.low > 0
    return passed / replays


def run(say: Callable[[str], None]) -> Result:
    """One line for each kind of rows and number of them, one column for each metric."""
    rates: dict[tuple[str, int], dict[str, float]] = {}
    for kind, correlation in _KINDS.items():
        for rows in _ROWS:
            say(f"{rows} rows {kind}")
            rates[kind, rows] = {
                metric: pass_rate(metric, rows, correlation, replays=_REPLAYS)
                for metric in _METRICS
            }
    return to_result(rates)


def to_result(rates: dict[tuple[str, int], dict[str, float]]) -> Result:
    """Write the table.  Pure."""
    most = _DECLARED + _NOISE * (_DECLARED * (1 - _DECLARED) / _REPLAYS) ** 0.5
    reached = max(max(by_metric.values()) for by_metric in rates.values())
    return Result(
        name=NAME,
        headers=("Hold-out", "rows", *_METRICS),
        rows=tuple(
            (kind, f"{rows:,}", *(f"{rate:.1%}" for rate in by_metric.values()))
            for (kind, rows), by_metric in rates.items()
        ),
        goals=(
            Goal(
                wanted=f"no more than {_DECLARED:.1%} pass, beyond the noise of {_REPLAYS:,} "
                f"replays (up to {most:.1%})",
                is_met=reached <= most,
            ),
        ),
        numbers={f"{kind}, {rows} rows": rate for (kind, rows), rate in rates.items()},
    )


def _draw_series(rows: int, correlation: float, random: np.random.Generator) -> Floats:
    """Draw a stationary autoregressive series of variance 1."""
    shocks = random.normal(size=rows)
    shocks[1:] *= np.sqrt(1 - correlation**2)
    return np.asarray(lfilter([1.0], [1.0, -correlation], shocks))
