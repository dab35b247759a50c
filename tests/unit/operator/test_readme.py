"""The snippets of the README say what the API takes."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from fairlead_operator.api.policy import RolloutPolicy
from fairlead_operator.rollout.decision.plan import compile_plan

README = (Path(__file__).parents[3] / "README.md").read_text()
BLOCKS = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)]
ROLLOUTS = [block for block in BLOCKS if "rollout" in block]


def test_every_strategy_has_a_snippet() -> None:
    told = {block["rollout"].get("strategy", "canary") for block in ROLLOUTS}

    assert told == {"canary", "blueGreen", "shadow", "abTest", "bandit", "recreate"}


@pytest.mark.parametrize("block", ROLLOUTS, ids=lambda block: str(block["rollout"])[:40])
def test_a_snippet_is_a_policy_with_a_plan(block: dict[str, Any]) -> None:
    policy = RolloutPolicy.model_validate(block["rollout"])

    assert compile_plan(policy, candidates=1 + len(block.get("alternatives", ()))).steps
