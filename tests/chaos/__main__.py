"""``python -m chaos [--seed N] [--lives NUMBERS] [--write]``: rollouts on the real cluster.

Every strategy, with the operator killed at moments spread over the whole rollout, and every other
part taken away for a while.  A client sends 100 requests a second meanwhile.  Says which lives
broke a promise, and fails then.  How all others went goes to ``build/chaos.json``, where the
portions of one seed come together.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from bench.installed import Place, installed
from bench.machine import describe_machine
from bench.result import replace_between_markers, to_markdown, to_terminal
from bench.rolling import rolling
from chaos.life import Life, Lived
from chaos.plan import plan
from chaos.record import NAME, Record
from chaos.subject import Subject
from cluster.errors import ClusterError
from e2e.story.errors import StoryError
from e2e.story.narrator import Narrator
from images.commands import BuildError

_DOCUMENT: Final = Path(__file__).resolve().parents[2] / "docs" / "benchmarks.md"
_RATE: Final = 100.0
_SERVING: Final[Mapping[str, Any]] = {
    "replicas": 2,
    "predictionLog": {"enabled": True},
    "resources": {"requests": {"cpu": "20m", "memory": "192Mi"}},
}
_GATEWAYS: Final = "operator.gatewayReplicas=2"  # so that one can be taken away
_INTERRUPTED: Final = 130


@contextmanager
def subject(place: Place) -> Iterator[Subject]:
    """Yield a Model with its stable version in charge, and clients."""
    with rolling(
        place, NAME, rate=_RATE, marked=True, serving=_SERVING, new_connections=False
    ) as begun:
        yield Subject(begun)


def live(subject: Subject, number: int, life: Life, say: Narrator) -> Lived:
    """Live one life, and say how it went.

    Raises:
        StoryError: a promise was broken.
    """
    try:
        lived = subject.live(life)
    except (StoryError, ClusterError) as error:
        raise StoryError(f"life {number}, {life}: {error}") from error
    say(
        f"{number} {life}: {lived.reason} in {lived.seconds:g} s, {lived.states} states, "
        f"{lived.answers} answers, {len(lived.failures)} failed, {lived.bad} by the bad version, "
        f"{lived.without} in a downtime"
    )
    return lived


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="chaos", description="Break things in the middle of rollouts."
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=1,
        help="seed of the moments and of the order (default: %(default)s)",
    )
    parser.add_argument(
        "--lives", type=_numbers, default=None, help="run only these lives, for example 1-10,31"
    )
    parser.add_argument("--list", action="store_true", help="list the lives and run none")
    parser.add_argument(
        "--write", action="store_true", help="write the table into docs/benchmarks.md"
    )
    options = parser.parse_args(arguments)
    lives = list(enumerate(plan(seed=options.seed), start=1))
    chosen = [(n, life) for n, life in lives if options.lives is None or n in options.lives]
    say = Narrator()
    if options.list:
        say.block("\n".join(f"{number} {life}" for number, life in chosen))
        return 0
    record, broken = Record(seed=options.seed, planned=len(lives)), 0
    try:
        with installed(say, _GATEWAYS) as place, subject(place) as begun:
            say.chapter("chaos")
            for number, life in chosen:
                try:
                    record.keep(number, live(begun, number, life, say))
                except StoryError as error:
                    broken += 1
                    say(f"BROKEN: {error}")
    except (StoryError, ClusterError, BuildError) as error:
        sys.stderr.write(f"\nchaos: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("\nchaos: interrupted\n")
        return _INTERRUPTED
    _tell(record, say, write=options.write)
    if broken:
        sys.stderr.write(f"\nchaos: {broken} of {len(chosen)} lives broke a promise; see above\n")
    return 1 if broken else 0


def _tell(record: Record, say: Narrator, *, write: bool) -> None:
    result = record.to_result()
    say.block(f"\n{to_terminal(result)}")
    if write:
        conditions = f"Run until {datetime.now(UTC):%Y-%m-%d %H:%M} UTC on {describe_machine()}."
        table = to_markdown(result, conditions)
        _DOCUMENT.write_text(replace_between_markers(_DOCUMENT.read_text(), NAME, table))


def _numbers(text: str) -> set[int]:
    parts = [part.partition("-") for part in text.split(",")]
    return {n for first, _, last in parts for n in range(int(first), int(last or first) + 1)}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
