"""How often the sequential tests err, and how soon they see a difference: simulated rollouts.

No cluster and no clock: the numbers are those of the mathematics, the same on every machine.  The
tables stand in ``docs/evidence.md``.
"""

import dataclasses
import math
from collections.abc import Callable
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from bench.result import Goal, Result
from fairlead_contract.statistics.sequential import BETS, CENTRES

NAME: Final = "evidence"
Numbers = NDArray[np.float64]
Side = Literal["worse", "fine"]

_ALPHA: Final = 0.05
_ROLLOUTS: Final = 10_000
_DELAYS: Final = 1_000  # rollouts until a difference is seen
_PER_SECOND: Final = 50
_EACH: Final = 100  # requests from one look to the next: 2 s
_LOOKS: Final = 300  # 10 minutes
_PATIENCE: Final = 3_000  # looks after which a difference counts as not seen
_MIN_SAMPLES: Final = 20  # of each version, as the operator asks


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Two versions as they really are."""

    stable: float  # rate of good answers
    candidate: float
    margin: float
    share: float  # of the candidate


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Counts of many rollouts at one look; totals may be one number for all."""

    good_candidate: Numbers
    candidate: Any
    good_stable: Numbers
    stable: Any


def log_e_worse(seen: Seen, margin: float) -> Numbers:
    """``sequential.log_e_worse`` of many rollouts at once."""
    bad_candidate = seen.candidate - seen.good_candidate
    bad_stable = seen.stable - seen.good_stable
    return _log_mixture(seen.good_candidate, bad_candidate, seen.good_stable, bad_stable, margin)


def log_e_fine(seen: Seen, margin: float) -> Numbers:
    """``sequential.log_e_fine`` of many rollouts at once."""
    bad_candidate = seen.candidate - seen.good_candidate
    bad_stable = seen.stable - seen.good_stable
    return _log_mixture(bad_candidate, seen.good_candidate, bad_stable, seen.good_stable, -margin)


def _log_mixture(good_c: Any, bad_c: Any, good_s: Any, bad_s: Any, margin: float) -> Numbers:
    share = np.mean(good_c + bad_c) / np.mean(good_c + bad_c + good_s + bad_s)
    if np.ptp(good_c + bad_c) > 0:
        share = (good_c + bad_c) / (good_c + bad_c + good_s + bad_s)
    low, high = max(0.0, -margin), min(1.0, 1 - margin)
    logs = []
    for place in CENTRES:
        centre = low + (high - low) * place
        other = centre + margin
        largest = np.minimum(share / (1 - centre), (1 - share) / other)
        for part in BETS:
            on_candidate, on_stable = part * largest / share, part * largest / (1 - share)
            logs.append(
                good_c * np.log1p(-on_candidate * (1 - centre))
                + bad_c * np.log1p(on_candidate * centre)
                + good_s * np.log1p(on_stable * (1 - other))
                + bad_s * np.log1p(-on_stable * other)
            )
    mixed: Numbers = np.logaddexp.reduce(np.array(logs), axis=0) - math.log(len(logs))
    return mixed


def simulate(
    scene: Scene,
    *,
    side: Side,
    alpha: float,
    rollouts: int,
    looks: int,
    seed: int,
    by_chance: bool = False,
) -> Numbers:
    """Requests until each rollout says ``side``; infinite where it never does.

    Args:
        by_chance: each request goes to the candidate by chance, as in a gateway; otherwise the
            split is even in time, which is quicker to compute.
    """
    random = np.random.default_rng(seed)
    candidate, good_candidate, good_stable = (np.zeros(rollouts) for _ in range(3))
    ended = np.full(rollouts, np.inf)
    log_e = log_e_worse if side == "worse" else log_e_fine
    for look in range(1, looks + 1):
        if by_chance:
            more = random.binomial(_EACH, scene.share, rollouts)
        else:
            more = np.full(rollouts, round(_EACH * scene.share))
        candidate += more
        good_candidate += random.binomial(more, scene.candidate)
        good_stable += random.binomial(_EACH - more, scene.stable)
        open_ = np.isinf(ended) & (candidate >= _MIN_SAMPLES)
        if not open_.any():
            if np.isfinite(ended).all():
                break
            continue
        seen = Seen(
            good_candidate=good_candidate[open_],
            candidate=candidate[open_],
            good_stable=good_stable[open_],
            stable=look * _EACH - candidate[open_],
        )
        said = log_e(seen, scene.margin) >= math.log(1 / alpha)
        ended[np.flatnonzero(open_)[said]] = look * _EACH
    return ended


def run(say: Callable[[str], None]) -> Result:
    """The two tables in one: errors of rollouts without a difference, delays with one."""
    rows: list[tuple[str, ...]] = []
    numbers: dict[str, Any] = {}
    worst = 0.0
    for scene, what in _ERRORS:
        say(f"{_ROLLOUTS} rollouts, {what}")
        for side in _SIDES[what]:
            ended = simulate(
                scene,
                side=side,
                alpha=_ALPHA,
                rollouts=_ROLLOUTS,
                looks=_LOOKS,
                seed=7,
                by_chance=True,
            )
            rate = float(np.isfinite(ended).mean())
            worst = max(worst, rate)
            rows.append((*_name(scene), f"wrongly {_VERDICTS[side]}", f"{rate:.2%}", "", ""))
            numbers[f"{_name(scene)} {side}"] = {"error_rate": rate}
    for scene, side in _DIFFERENCES:
        say(f"{_DELAYS} rollouts until {scene} is called {side}")
        ended = simulate(scene, side=side, alpha=_ALPHA, rollouts=_DELAYS, looks=_PATIENCE, seed=7)
        middle, late = np.quantile(ended, (0.5, 0.95), method="higher")
        rows.append(
            (*_name(scene), _VERDICTS[side], "", *(_delay(requests) for requests in (middle, late)))
        )
        numbers[f"{_name(scene)} {side}"] = {"median_requests": middle, "p95_requests": late}
    return Result(
        name=NAME,
        headers=(
            "stable",
            "candidate",
            "margin",
            "share",
            "verdict",
            "rollouts with it",
            "requests, median",
            "requests, p95",
        ),
        rows=tuple(rows),
        goals=(Goal(wanted=f"wrong verdicts ≤ {_ALPHA:.0%}", is_met=worst <= _ALPHA),),
        numbers=numbers,
    )


def _name(scene: Scene) -> tuple[str, ...]:
    return (
        f"{scene.stable:.1%}",
        f"{scene.candidate:.1%}",
        f"{scene.margin:.1%}",
        f"{scene.share:.0%}",
    )


def _delay(requests: float) -> str:
    if math.isinf(requests):
        return f"over {_PATIENCE * _EACH:,}"
    return f"{requests:,.0f} ({requests / _PER_SECOND:,.0f} s)"


def simulate_losses(*, rollouts: int, looks: int, each: int, margin: float, seed: int) -> Numbers:
    """Largest evidence of each rollout that a candidate exactly at the margin is beyond it.

    The losses are squared errors of a normal prediction, so they are skewed.
    """
    random = np.random.default_rng(seed)
    sums = np.zeros((2, 2, rollouts))
    largest = np.zeros(rollouts)
    for look in range(1, looks + 1):
        for at, shift in enumerate((margin, 0.0)):
            values = random.chisquare(1, (each, rollouts)) + shift
            sums[at, 0] += values.sum(0)
            sums[at, 1] += (values**2).sum(0)
        means = sums[:, 0] / (look * each)
        variances = sums[:, 1] / (look * each) - means**2
        information = look * each / variances.sum(0)
        beyond = np.maximum(0, means[0] - means[1] - margin)
        spread = information * margin**2
        log_e = 0.5 * beyond**2 * information * spread / (1 + spread) - 0.5 * np.log1p(spread)
        largest = np.maximum(largest, log_e)
    return largest


_VERDICTS: Final = {"worse": "Failed", "fine": "Successful"}
_SIDES: Final[dict[str, tuple[Side, ...]]] = {
    "no difference": ("worse",),
    "a difference of the margin": ("worse", "fine"),
}
_ERRORS: Final = (
    (Scene(stable=0.999, candidate=0.999, margin=0.01, share=0.05), "no difference"),
    (Scene(stable=0.99, candidate=0.99, margin=0.01, share=0.25), "no difference"),
    (Scene(stable=0.8, candidate=0.8, margin=0.02, share=0.5), "no difference"),
    (Scene(stable=0.999, candidate=0.989, margin=0.01, share=0.05), "a difference of the margin"),
    (Scene(stable=0.99, candidate=0.98, margin=0.01, share=0.25), "a difference of the margin"),
    (Scene(stable=0.8, candidate=0.78, margin=0.02, share=0.5), "a difference of the margin"),
)
_DIFFERENCES: Final[tuple[tuple[Scene, Side], ...]] = (
    (Scene(stable=0.999, candidate=0.5, margin=0.01, share=0.25), "worse"),
    (Scene(stable=0.999, candidate=0.8, margin=0.01, share=0.25), "worse"),
    (Scene(stable=0.999, candidate=0.95, margin=0.01, share=0.25), "worse"),
    (Scene(stable=0.99, candidate=0.95, margin=0.01, share=0.25), "worse"),
    (Scene(stable=0.95, candidate=0.90, margin=0.01, share=0.25), "worse"),
    (Scene(stable=0.8, candidate=0.7, margin=0.02, share=0.25), "worse"),
    (Scene(stable=0.999, candidate=0.999, margin=0.01, share=0.25), "fine"),
    (Scene(stable=0.99, candidate=0.99, margin=0.01, share=0.25), "fine"),
    (Scene(stable=0.99, candidate=0.99, margin=0.02, share=0.25), "fine"),
    (Scene(stable=0.95, candidate=0.95, margin=0.02, share=0.25), "fine"),
    (Scene(stable=0.8, candidate=0.8, margin=0.05, share=0.25), "fine"),
)
