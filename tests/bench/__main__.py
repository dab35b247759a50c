"""``python -m bench [NAME …] [--write]``: measure, print, keep.

Each benchmark is bounded in count and in time; those of ``_BY_NAME_ONLY`` left out, all take less
than fifteen minutes once cluster and images are there.  Goals are shown and never asserted.  The
local ones come first, so that a cluster brought up for the others does not disturb them.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from bench import (
    alert_reaction,
    bad_canary,
    crash,
    evidence,
    gate,
    guard,
    hostile,
    many_models,
    no_evidence,
    operator_memory,
    operator_scale,
    promotions,
    serving,
    single_row,
    trials,
    weight_changes,
)
from bench.installed import installed
from bench.machine import describe_machine, load_average
from bench.result import Result, replace_between_markers, to_markdown, to_terminal
from cluster.errors import ClusterError
from e2e.story.errors import StoryError
from e2e.story.narrator import Narrator
from images.commands import BuildError

_REPOSITORY = Path(__file__).resolve().parents[2]
_REPORT = _REPOSITORY / "build" / "bench.json"
_DOCUMENT = _REPOSITORY / "docs" / "benchmarks.md"
_DOCUMENTS = {  # of the others
    evidence.NAME: _REPOSITORY / "docs" / "evidence.md",
    trials.NAME: _REPOSITORY / "docs" / "evidence.md",
    gate.NAME: _REPOSITORY / "docs" / "data.md",
}
_INTERRUPTED = 130

_LOCAL = {
    each.NAME: each.run
    for each in (
        evidence,
        trials,
        gate,
        single_row,
        serving,
        hostile,
        weight_changes,
        guard,
        many_models,
        operator_scale,
    )
}
_LIKE_A_PEER = {each.NAME: each.run for each in (bad_canary, crash, promotions, no_evidence)}
_ON_CLUSTER = (operator_memory.NAME, alert_reaction.NAME, *_LIKE_A_PEER)
_NAMES = (*_LOCAL, *_ON_CLUSTER)
_BY_NAME_ONLY = frozenset({operator_scale.NAME, *_LIKE_A_PEER})


class Bench:
    """One run of some benchmarks."""

    def __init__(self, say: Narrator) -> None:
        self.say = say
        self.machine = describe_machine()
        self.results: list[tuple[Result, str]] = []  # with the conditions
        self._kept: dict[str, Any] = _read_kept()  # of the others, from earlier runs

    def measure(self, name: str, run: Callable[[], Result]) -> None:
        """Run one benchmark; keep its numbers at once, so that a later failure loses nothing."""
        self.say.chapter(name)
        begin, busy = time.monotonic(), load_average()
        result = run()
        seconds = round(time.monotonic() - begin)
        self.say(f"{name} took {seconds} s")
        when = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
        loads = f"load average {busy:g} before, {load_average():g} after"
        self.results.append((result, f"Measured {when} in {seconds} s on {self.machine}; {loads}."))
        self._kept[name] = {
            "when": when,
            "machine": self.machine,
            "seconds": seconds,
            "load_average": {"before": busy, "after": load_average()},
            "goals": {goal.wanted: goal.is_met for goal in result.goals},
            "numbers": result.numbers,
        }
        _keep(self._kept)


def main(arguments: Sequence[str]) -> int:
    """Run the benchmarks asked for; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="bench", description="Measure what docs/benchmarks.md reports."
    )
    parser.add_argument(
        "name",
        nargs="*",
        help=f"one of {', '.join(_NAMES)} (default: all but {', '.join(sorted(_BY_NAME_ONLY))})",
    )
    parser.add_argument(
        "--write",
        action="store_true",
        help="write the tables into docs/benchmarks.md, docs/evidence.md and docs/data.md",
    )
    parser.add_argument(
        "--runs",
        type=int,
        default=alert_reaction.RUNS,
        help="runs of alert-reaction (default: %(default)s)",
    )
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.name) - set(_NAMES))
    if unknown:
        parser.error(f"there is no benchmark {', '.join(unknown)}; choose from {', '.join(_NAMES)}")
    bench = Bench(Narrator())
    try:
        _run(
            bench,
            options.name or [name for name in _NAMES if name not in _BY_NAME_ONLY],
            runs=options.runs,
        )
    except (StoryError, ClusterError, BuildError) as error:
        sys.stderr.write(f"\nbench: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("\nbench: interrupted\n")
        return _INTERRUPTED
    finally:
        _tell(bench, write=options.write)
    return 0


def _run(bench: Bench, names: Sequence[str], *, runs: int) -> None:
    for name, run in _LOCAL.items():
        if name in names:
            bench.measure(name, partial(run, bench.say))
    if not set(_ON_CLUSTER) & set(names):
        return
    with installed(bench.say) as place:
        if operator_memory.NAME in names:
            bench.measure(operator_memory.NAME, lambda: operator_memory.run(place))
        if alert_reaction.NAME in names:
            bench.measure(alert_reaction.NAME, lambda: alert_reaction.run(place, runs=runs))
        for name, measure in _LIKE_A_PEER.items():
            if name in names:
                bench.measure(name, partial(measure, place))


def _tell(bench: Bench, *, write: bool) -> None:
    """Print the tables, and put them into the document if asked."""
    for result, conditions in bench.results:
        bench.say.block(f"\n{to_terminal(result)}\n{conditions}")
    if not bench.results:
        return
    bench.say.block(f"\nall numbers are in {_REPORT}")
    if write:
        for result, conditions in bench.results:
            document = _DOCUMENTS.get(result.name, _DOCUMENT)
            table = to_markdown(result, conditions)
            document.write_text(replace_between_markers(document.read_text(), result.name, table))
            bench.say.block(f"the table of {result.name} is in {document}")


def _read_kept() -> dict[str, Any]:
    return dict(json.loads(_REPORT.read_text())) if _REPORT.exists() else {}


def _keep(numbers: Mapping[str, Any]) -> None:
    """Write the report whole or not at all."""
    _REPORT.parent.mkdir(parents=True, exist_ok=True)
    partial = _REPORT.with_suffix(".partial")
    partial.write_text(json.dumps(numbers, indent=2) + "\n")
    os.replace(partial, _REPORT)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
