"""``python -m chaos [--seed N] [--lives N]``: rollouts on the real cluster, a fault in each.

The operator is killed again and again, at moments spread over the whole rollout; every other part
is taken away for a while.  A client sends 100 requests a second meanwhile.  Ends at the first life
that breaks a promise, and says which.  All that was seen goes to ``build/chaos.json``.
"""

import argparse
import json
import random
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Final

from bench import registry
from bench.installed import CANDIDATE, NAMESPACE, STABLE, Place, installed
from chaos.life import Lived, Subject, build_model
from chaos.troubles import Moment, Trouble
from cluster.errors import ClusterError
from e2e.story import energy
from e2e.story.errors import StoryError
from e2e.story.narrator import Narrator
from e2e.story.traffic import Traffic
from images.commands import BuildError

_REPORT: Final = Path(__file__).resolve().parents[2] / "build" / "chaos.json"
_MODEL: Final = "chaos"
_RATE: Final = 100.0
_ROWS: Final = 2000
_KILLS: Final = 20
_MOMENTS: Final[tuple[Moment, ...]] = ("starting", "first step", "second step", "guard")
_LONGEST_DELAY: Final = 3.0  # seconds: a step lasts four
_INTERRUPTED: Final = 130

OTHERS: Final = (
    Trouble(part="operator", how="frozen", moment="first step", seconds=20),
    Trouble(part="prometheus", how="frozen", moment="first step", seconds=30),
    Trouble(part="prometheus", how="killed", moment="second step"),
    Trouble(part="alertmanager", how="frozen", moment="first step", seconds=20),
    Trouble(part="mlflow", how="frozen", moment="starting", seconds=30),
    Trouble(part="postgresql", how="frozen", moment="first step", seconds=20),
    Trouble(part="postgresql", how="killed", moment="second step"),
    Trouble(part="gateway agent", how="killed", moment="first step"),
    Trouble(part="gateway agent", how="frozen", moment="second step", seconds=20),
    Trouble(part="gateway", how="deleted", moment="second step"),
    Trouble(part="stable", how="deleted", moment="first step"),
    Trouble(part="candidate", how="deleted", moment="second step"),
    Trouble(part="kube-apiserver", how="frozen", moment="first step", seconds=5),
    Trouble(part="kube-apiserver", how="frozen", moment="guard", seconds=20),
    Trouble(part="etcd", how="frozen", moment="second step", seconds=15),
)


def plan(*, seed: int) -> list[Trouble]:
    """Every fault of a whole run, in an order that the seed decides.  Pure."""
    chance = random.Random(seed)
    kills = [
        Trouble(
            part="operator",
            how="killed",
            moment=_MOMENTS[number % len(_MOMENTS)],
            delay=chance.uniform(0, _LONGEST_DELAY),
        )
        for number in range(_KILLS)
    ]
    troubles = [*kills, *OTHERS]
    chance.shuffle(troubles)
    return troubles


def run(place: Place, troubles: Sequence[Trouble], say: Narrator) -> list[Lived]:
    """Live one life for each fault.

    Raises:
        StoryError: a promise was broken.
    """
    lives: list[Lived] = []
    with _subject(place) as subject:
        for number, trouble in enumerate(troubles, start=1):
            try:
                lived = subject.live(trouble)
            except StoryError as error:
                raise StoryError(f"{trouble}: {error}") from error
            lives.append(lived)
            say(
                f"{number}/{len(troubles)} {trouble}: {lived.phase} in {lived.seconds:g} s, "
                f"{lived.answers} answers, {len(lived.failures)} failed"
            )
    return lives


@contextmanager
def _subject(place: Place) -> Iterator[Subject]:
    """A Model with its stable version in charge, and clients."""
    registered = f"{NAMESPACE}.{_MODEL}"
    registry.forget(place.mlflow_url, NAMESPACE)
    registry.register(place.mlflow_url, [(registered, STABLE), (registered, CANDIDATE)])
    place.serve([_MODEL], build_model)
    with tempfile.TemporaryDirectory() as folder:
        traffic = Traffic(Path(folder))
        traffic.start(
            url=place.expose_gateway(_MODEL),
            host=f"{_MODEL}.{NAMESPACE}",
            rate=_RATE,
            first=energy.ALL_ROWS,
            count=_ROWS,
        )
        try:
            yield Subject(place, traffic, _MODEL)
        finally:
            traffic.stop()


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="chaos", description="Break things in mid-rollout.")
    parser.add_argument("--seed", type=int, default=1, help="of moments and order")
    parser.add_argument("--lives", type=int, default=None, help="only so many of them")
    options = parser.parse_args(arguments)
    say = Narrator()
    try:
        with installed(say) as place:
            say.chapter("chaos")
            lives = run(place, plan(seed=options.seed)[: options.lives], say)
    except (StoryError, ClusterError, BuildError) as error:
        sys.stderr.write(f"\nchaos: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("\nchaos: interrupted\n")
        return _INTERRUPTED
    _REPORT.parent.mkdir(parents=True, exist_ok=True)
    _REPORT.write_text(json.dumps([asdict(lived) for lived in lives], indent=2) + "\n")
    answers = sum(lived.answers for lived in lives)
    say.block(f"\n{len(lives)} lives, {answers:,} answers, 0 failed; all of it is in {_REPORT}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
