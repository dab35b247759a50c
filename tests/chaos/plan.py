"""Every life of a whole run, in an order that the seed decides.  Pure."""

import random
from collections.abc import Sequence
from typing import Final

from chaos.life import Cause, Life
from chaos.troubles import Trouble
from chaos.ways import Moment, Strategy

STRATEGIES: Final[tuple[Strategy, ...]] = (
    "canary", "blueGreen", "shadow", "abTest", "bandit", "recreate",
)  # fmt: skip
_LONGEST_DELAY: Final = 3.0  # seconds: a step lasts four
# The second kill of a life meets the kubelet's pause of ten seconds.
_KILLED_AT: Final[tuple[tuple[Moment, Moment], ...]] = (
    ("starting", "last step"),
    ("first step", "guard"),
)
_OTHERS: Final = (
    Trouble(part="operator", how="frozen", seconds=20),
    Trouble(part="prometheus", how="frozen", seconds=60),
    Trouble(part="prometheus", how="killed", moment="last step"),
    Trouble(part="alertmanager", how="frozen", seconds=20),
    Trouble(part="mlflow", how="frozen", moment="starting", seconds=30),
    Trouble(part="postgresql", how="frozen", seconds=30),
    Trouble(part="postgresql", how="killed", moment="last step"),
    Trouble(part="gateway agent", how="killed"),
    Trouble(part="gateway agent", how="frozen", moment="last step", seconds=20),
    Trouble(part="gateway", how="removed", moment="last step", seconds=15),
    Trouble(part="stable", how="removed", seconds=15),
    Trouble(part="candidate", how="removed", moment="last step", seconds=15),
    Trouble(part="candidate", how="emptied", seconds=15),
    Trouble(part="candidate", how="emptied", moment="guard", seconds=15),
    Trouble(part="kube-apiserver", how="refusing", moment="starting", seconds=15),
    Trouble(part="kube-apiserver", how="frozen", seconds=60),
    Trouble(part="kube-apiserver", how="frozen", moment="guard", seconds=5),
    Trouble(part="kube-apiserver", how="killed", moment="last step", seconds=10),
    Trouble(part="kube-apiserver", how="slow", seconds=20),
    Trouble(part="kube-apiserver", how="cut", seconds=10),
    Trouble(part="etcd", how="frozen", moment="last step", seconds=15),
    Trouble(part="etcd", how="killed", seconds=5),
)
_GOING_BACK: Final[tuple[tuple[Strategy, Cause, Trouble], ...]] = (
    ("canary", "bad answers", Trouble(part="operator", how="killed")),
    ("blueGreen", "alert", Trouble(part="operator", how="killed", moment="guard")),
    ("shadow", "abort", Trouble(part="operator", how="killed", moment="last step")),
    ("bandit", "bad answers", Trouble(part="operator", how="killed")),
    (
        "canary",
        "bad answers",
        Trouble(part="kube-apiserver", how="frozen", moment="last step", seconds=15),
    ),
    ("abTest", "bad answers", Trouble(part="prometheus", how="frozen", seconds=15)),
    ("canary", "bad answers", Trouble(part="gateway agent", how="killed")),
    ("shadow", "alert", Trouble(part="alertmanager", how="frozen", moment="last step", seconds=10)),
    ("canary", "abort", Trouble(part="kube-apiserver", how="refusing", seconds=15)),
    (
        "blueGreen",
        "bad answers",
        Trouble(part="kube-apiserver", how="refusing", moment="guard", seconds=15),
    ),
    ("bandit", "alert", Trouble(part="kube-apiserver", how="refusing", seconds=15)),
)


def plan(*, seed: int) -> Sequence[Life]:
    """Plan every strategy with the operator killed at each moment, and every other trouble."""
    chance = random.Random(seed)
    kills = [
        Life(
            strategy=strategy,
            troubles=tuple(
                Trouble(
                    part="operator",
                    how="killed",
                    moment=moment,
                    delay=chance.uniform(0, _LONGEST_DELAY),
                )
                for moment in moments
            ),
        )
        for strategy in STRATEGIES
        for moments in _KILLED_AT
    ]
    serving = [strategy for strategy in STRATEGIES if strategy != "recreate"]
    chance.shuffle(serving)
    others = [
        Life(strategy=serving[number % len(serving)], troubles=(trouble,))
        for number, trouble in enumerate(_OTHERS)
    ]
    back = [
        Life(strategy=strategy, cause=cause, troubles=(trouble,))
        for strategy, cause, trouble in _GOING_BACK
    ]
    lives = [*kills, *others, *back]
    chance.shuffle(lives)
    return lives
