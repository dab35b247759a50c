"""A few of the lives of ``make chaos``: the operator and the agent killed in mid-rollout."""

import pytest

from bench.installed import prepared
from chaos.__main__ import plan, run
from chaos.troubles import Trouble
from e2e.story.narrator import Narrator
from e2e.story.tell import Told

pytestmark = pytest.mark.e2e

_SEED = 1
_KILLS = 2


def test_a_rollout_bears_the_loss_of_who_carries_it_out(told: Told, say: Narrator) -> None:
    """The story's cluster, whose namespace is left alone."""
    kills = [t for t in plan(seed=_SEED) if (t.part, t.how) == ("operator", "killed")][:_KILLS]
    agent = Trouble(part="gateway agent", how="killed", moment="first step")
    api = Trouble(part="kube-apiserver", how="frozen", moment="second step", seconds=8)
    troubles = [*kills, agent, api]

    with prepared(told.world.cluster, say) as place:
        lives = run(place, troubles, say)

    assert [life.phase for life in lives] == ["Succeeded"] * len(troubles)
    assert sum(life.answers for life in lives) > 0
