"""What tests of a Model begin with; each names only what differs."""

import dataclasses
from typing import Any, Final

from fairlead_operator.api.common import VersionReference
from fairlead_operator.api.model import BlockedVersion, ModelSpec, ModelStatus, RefusedTarget
from fairlead_operator.model.gate import Comparison, Demand
from fairlead_operator.model.seen import Seen
from fairlead_operator.model.states import CurrentRollout, Observed, RunState, Target, Training
from fairlead_operator.requests import Action, Request
from support.fakes import START
from support.world import model_manifest

RETRAIN: Final = (Request(action=Action.RETRAIN, text="r"),)
RETRY: Final = (Request(action=Action.RETRY, text="r"),)
PIN: Final = Target(version="1.1.0", trigger="pinned")
TRAINED: Final = Target(version="1.1.0", trigger="trained")


def reference(version: str) -> VersionReference:
    return VersionReference(version=version, registry_version="1", digest="sha256:0")


def comparison(**changes: Any) -> Comparison:
    """Build the comparison of a candidate that is better than 1.0.0."""
    better = Comparison(
        version="1.1.0",
        registry_version="2",
        digest="sha256:1",
        metric="roc_auc",
        greater_is_better=True,
        value=0.91,
        champion="1.0.0",
        champion_value=0.89,
        gain=0.02,
        gain_low=0.01,
        gain_high=0.03,
    )
    return dataclasses.replace(better, **changes)


def rollout(
    version: str = "1.1.0", state: RunState = RunState.ACTIVE, **more: Any
) -> CurrentRollout:
    common: dict[str, Any] = {
        "name": "r-2", "reference": reference(version), "trigger": "trained", "state": state,
        "reason": "AnalysisFailed", "message": "m", "asked_back": False,
        "versions": (version,),
    } | more  # fmt: skip
    lost = state is RunState.FAILED and common["reason"] != "Superseded"
    return CurrentRollout(**{"lost": blocked(version) if lost else ()} | common)


def training(state: RunState = RunState.ACTIVE, **more: Any) -> Training:
    common: dict[str, Any] = {
        "name": "t-2", "state": state, "reason": "", "message": "", "comparison": None,
        "started_at": START, "task": "sha256:task",
    }  # fmt: skip
    return Training(**common | more)


def observed(**changes: Any) -> Observed:
    """Observe a Model that serves 1.0.0 and wants nothing."""
    quiet = Observed(
        now=START,
        generation=3,
        suspend=False,
        pinned=None,
        alternatives=(),
        on_new_target="supersede",
        refused=None,
        demand=Demand(min_improvement=0.0, significance=True, threshold=None),
        recipe="sha256:recipe",
        trained_recipe="sha256:recipe",
        task="sha256:task",
        requests=(),
        stable=reference("1.0.0"),
        candidate=None,
        blocked=(),
        gate=None,
        training=None,
        training_folded=True,
        rollout=rollout("1.0.0", RunState.SUCCEEDED),
        rollout_lost=False,
        rollout_folded=True,
        waiting=(),
        next_rollout="r-2",
    )
    return dataclasses.replace(quiet, **changes)


def blocked(version: str, **changes: Any) -> tuple[BlockedVersion, ...]:
    """Build the block of a version as 0.1.0 wrote it: without where the spec asked for it."""
    common: dict[str, Any] = {"reason": "AnalysisFailed", "message": "m", "generation": 3}
    return (BlockedVersion(version=version, **common | changes),)


def refused(version: str, **changes: Any) -> RefusedTarget:
    return RefusedTarget(version=version, **{"message": "m", "generation": 3} | changes)


def seen(about: Observed, **changes: Any) -> Seen:
    """Return all that is known of the Model when this was observed."""
    common: dict[str, Any] = {
        "observed": about,
        "spec": ModelSpec.model_validate(model_manifest()["spec"]),
        "status": ModelStatus(stable=about.stable, blocked=about.blocked),
        "unregistered": None,
        "annotations": {},
        "settled": None,
        "training_runs": (),
        "rollouts": (),
    }
    return Seen(**common | changes)
