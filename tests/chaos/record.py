"""The lives of a whole run, kept through its portions, and the table of them."""

import dataclasses
import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from bench.result import Goal, Result
from chaos.life import Lived
from chaos.ways import MOMENTS

NAME: Final = "chaos"
_KILLS: Final = 20
_REPORT: Final = Path(__file__).resolve().parents[2] / "build" / "chaos.json"


class Record:
    """``build/chaos.json``: what was lived of a seed's plan, by number."""

    def __init__(self, *, seed: int, planned: int) -> None:
        self._seed = seed
        self._planned = planned
        kept = json.loads(_REPORT.read_text()) if _REPORT.exists() else {}
        self._lives: dict[int, Mapping[str, Any]] = {}
        if isinstance(kept, dict) and kept.get("seed") == seed:
            self._lives = {int(number): lived for number, lived in kept["lives"].items()}

    def keep(self, number: int, lived: Lived) -> None:
        """Write it at once, so that what comes loses nothing."""
        self._lives[number] = dataclasses.asdict(lived)
        _REPORT.parent.mkdir(parents=True, exist_ok=True)
        partial = _REPORT.with_suffix(".partial")
        document = {"seed": self._seed, "planned": self._planned, "lives": self._lives}
        partial.write_text(json.dumps(document, indent=2) + "\n")
        os.replace(partial, _REPORT)

    def to_result(self) -> Result:
        return to_result(list(self._lives.values()), seed=self._seed, planned=self._planned)


def to_result(lives: Sequence[Mapping[str, Any]], *, seed: int, planned: int) -> Result:
    """Build a line for each thing that was taken away.  Pure."""
    kills = Counter((moment, lived["strategy"]) for lived in lives for moment in lived["kills"])
    lost = sum(len(lived["failures"]) for lived in lives)
    answers = sum(lived["answers"] for lived in lives)
    strategies = sorted({strategy for _, strategy in kills})
    return Result(
        name=NAME,
        headers=(
            "Taken away",
            "strategies",
            "lives",
            "seconds",
            "requests",
            "failed",
            "by the bad version",
            "in a downtime",
        ),
        rows=(
            *(_row(what, lives) for what in sorted({lived["what"] for lived in lives})),
            _sum("all", lives),
        ),
        goals=(
            Goal(
                wanted=f"every life of the plan with seed {seed} ({len(lives)} of {planned})",
                is_met=len(lives) == planned,
            ),
            Goal(
                wanted=f"at least {_KILLS} kills of the operator ({kills.total()}, under "
                f"{len(strategies)} strategies)",
                is_met=kills.total() >= _KILLS,
            ),
            Goal(wanted=f"no failed request ({lost} of {answers:,} failed)", is_met=not lost),
        ),
        numbers={"lives": lives},
        more=(
            (
                ("Operator killed", *strategies),
                *(
                    (moment, *(str(kills[moment, strategy]) for strategy in strategies))
                    for moment in MOMENTS
                ),
            ),
        ),
    )


def _row(what: str, lives: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    return _sum(what, [lived for lived in lives if lived["what"] == what])


def _sum(name: str, lives: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    return (
        name,
        ", ".join(sorted({lived["strategy"] for lived in lives})) if name != "all" else "",
        str(len(lives)),
        f"{sum(lived['away'] for lived in lives):g}",
        f"{sum(lived['answers'] for lived in lives):,}",
        str(sum(len(lived["failures"]) for lived in lives)),
        f"{sum(lived['bad'] for lived in lives):,}",
        f"{sum(lived['without'] for lived in lives):,}",
    )
