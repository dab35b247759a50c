"""A few of the lives of ``make chaos``: who carries a rollout out is taken away in its middle."""

import pytest

from bench.installed import prepared
from chaos.__main__ import live, subject
from chaos.life import Life
from chaos.troubles import Trouble
from e2e.story.narrator import Narrator
from e2e.story.tell import Told

pytestmark = pytest.mark.e2e

LIVES = (
    Life(
        strategy="canary",
        troubles=(
            Trouble(part="operator", how="killed"),
            Trouble(part="operator", how="killed", moment="guard", delay=1),
        ),
    ),
    Life(strategy="blueGreen", troubles=(Trouble(part="gateway agent", how="killed"),)),
    Life(
        strategy="canary",
        cause="bad answers",
        troubles=(Trouble(part="kube-apiserver", how="frozen", seconds=8),),
    ),
)


def test_a_rollout_bears_the_loss_of_who_carries_it_out(told: Told, say: Narrator) -> None:
    """The story's cluster, whose namespace is left alone."""
    with prepared(told.world.cluster, say) as place, subject(place) as begun:
        lived = [live(begun, number, life, say) for number, life in enumerate(LIVES, start=1)]

    assert [each.phase for each in lived] == ["Succeeded", "Succeeded", "RolledBack"]
    assert all(each.states > 1 for each in lived)
    assert lived[-1].bad > 0
