"""How A/B tests and bandits end when one knows which version is better: simulated trials.

No cluster and no clock, as in ``bench.evidence``.  The table stands in ``docs/evidence.md``.
"""

import dataclasses
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, Final

import numpy as np

from bench.evidence import Numbers, Scene, simulate
from bench.result import Goal, Result
from fairlead_operator.api.strategy import Bandit
from fairlead_operator.rollout.statistics.ab_test import ArmCounts, Outcome
from fairlead_operator.rollout.statistics.bandit import judge_bandit

NAME: Final = "trials"

_ALPHA, _BETA = 0.05, 0.2
_TRIALS: Final = 1_000
_LOOKS: Final = 3_000  # of 100 requests, after which a trial is undecided
_BANDITS: Final = 50
_MINUTES: Final = 4 * 60
_PER_MINUTE: Final = 3_000


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """How many trials ended in which way, and after how many requests of all versions."""

    won: float
    stable_won: float
    requests: Sequence[float]


def try_ab_test(stable: float, candidate: float, min_effect: float) -> Ends:
    """Half of the requests to each of two versions; the first of the two tests to end decides."""

    def until(margin: float, side: Any, alpha: float) -> Numbers:
        scene = Scene(stable=stable, candidate=candidate, margin=margin, share=0.5)
        # The same seed for both: they look at the same answers.
        return simulate(scene, side=side, alpha=alpha, rollouts=_TRIALS, looks=_LOOKS, seed=7)

    better, hopeless = until(0.0, "fine", _ALPHA), until(-min_effect, "worse", _BETA)
    ended = np.minimum(better, hopeless)
    return Ends(
        won=float(((better <= hopeless) & np.isfinite(better)).mean()),
        stable_won=float((hopeless < better).mean()),
        requests=ended[np.isfinite(ended)].tolist(),
    )


def try_bandit(stable: float, candidate: float) -> Ends:
    """A minute's requests between two looks, as the shares have them."""
    random = np.random.default_rng(7)
    design = Bandit.model_validate({"goal": {"metric": "reward"}})
    won, stable_won, requests = 0, 0, []
    for _ in range(_BANDITS):
        share, good, total = 50, np.zeros(2), np.zeros(2)
        for minute in range(1, _MINUTES + 1):
            more = np.array([_PER_MINUTE * (100 - share) // 100, _PER_MINUTE * share // 100])
            good += random.binomial(more, (stable, candidate))
            total += more
            trial = judge_bandit(
                design,
                [
                    ArmCounts(version=name, successes=float(good[at]), trials=float(total[at]))
                    for at, name in enumerate(("stable", "candidate"))
                ],
                stable="stable",
                shares={"stable": 100 - share, "candidate": share},
                elapsed=timedelta(minutes=minute),
                since_change=timedelta(minutes=1),
            )
            if trial.outcome is not Outcome.RUNNING:
                won += trial.outcome is Outcome.WON
                stable_won += trial.outcome is Outcome.STABLE_WON
                requests.append(float(total.sum()))
                break
            share = dict(trial.shares)["candidate"]
    return Ends(won=won / _BANDITS, stable_won=stable_won / _BANDITS, requests=requests)


def run(say: Callable[[str], None]) -> Result:
    """One line for each pair of rates."""
    rows, numbers = [], {}
    for stable, candidate in _PAIRS:
        for method in ("abTest", "bandit"):
            say(f"{method}, {stable:.0%} and {candidate:.0%}")
            if method == "abTest":
                ends = try_ab_test(stable, candidate, _MIN_EFFECT)
            else:
                ends = try_bandit(stable, candidate)
            name = f"{method} {stable:.0%} {candidate:.0%}"
            numbers[name] = dataclasses.asdict(ends) | {"requests": len(ends.requests)}
            rows.append(_row(method, stable, candidate, ends))
    wrong = numbers["abTest 5% 5%"]["won"]
    missed = numbers["abTest 5% 7%"]["stable_won"]
    return Result(
        name=NAME,
        headers=(
            "strategy",
            "stable",
            "candidate",
            "candidate won",
            "stable won",
            "requests of both, median",
            "p95",
        ),
        rows=tuple(rows),
        goals=(
            Goal(wanted=f"an equal candidate wins in ≤ {_ALPHA:.0%}", is_met=wrong <= _ALPHA),
            Goal(wanted=f"one better by minEffect loses in ≤ {_BETA:.0%}", is_met=missed <= _BETA),
        ),
        numbers=numbers,
    )


def _row(method: str, stable: float, candidate: float, ends: Ends) -> tuple[str, ...]:
    middle, late = ("", "")
    if ends.requests:
        middle, late = (
            f"{requests:,.0f}"
            for requests in np.quantile(ends.requests, (0.5, 0.95), method="higher")
        )
    return (
        method,
        f"{stable:.0%}",
        f"{candidate:.0%}",
        f"{ends.won:.1%}",
        f"{ends.stable_won:.1%}",
        middle,
        late,
    )


_MIN_EFFECT: Final = 0.02
_PAIRS: Final = ((0.05, 0.05), (0.05, 0.06), (0.05, 0.07), (0.05, 0.10), (0.05, 0.03))
