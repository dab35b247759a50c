"""Model: the long-lived wish of a person or of Git, and what became of it."""

from typing import Annotated, Any, Final

from pydantic import Field

from fairlead_operator.api.base import Message, Rule, SemanticVersion, Spec, Status
from fairlead_operator.api.checks import FOR_CLASSES, FOR_NUMBERS, RECORDED
from fairlead_operator.api.common import (
    Alternatives,
    RequestStatus,
    Task,
    VersionReference,
    alternatives_rules,
)
from fairlead_operator.api.conditions import Conditions
from fairlead_operator.api.freeze import FreezeWindows
from fairlead_operator.api.gateway import GatewayKind
from fairlead_operator.api.policy import RolloutPolicy
from fairlead_operator.api.serving import ServingSpec
from fairlead_operator.api.training import DataSpec, PromotionSpec, TrainingSpec

# What nobody wrote is not there, and counts as its default.
_IS_BUILT_IN: Final = "self.?serving.?gateway.?kind.orValue('BuiltIn') == 'BuiltIn'"
_KEEPS_RECORD: Final = "self.?serving.?predictionLog.?enabled.orValue(false)"
_ASKS_RECORD: Final = (
    f"exists(c, c.?builtin.orValue('') in {RECORDED} && "
    f"(!{_KEEPS_RECORD} || "
    f"c.builtin in (self.task == 'regression' ? {FOR_CLASSES} : {FOR_NUMBERS})))"
)

_RECORD_NEEDED: Final = (
    "live- and prediction- checks need the record of predictions (serving.predictionLog.enabled: "
    "true); of them live-accuracy and live-log-loss are for classes, live-mae and live-rmse for "
    "task: regression"
)


def _goal_fits(trial: str) -> Rule:
    """The rule that the record holds what is the goal of this trial."""
    return Rule(
        f"!(self.?rollout.?{trial}.?goal.?metric.orValue('') in ['live-accuracy', 'reward']) || "
        f"({_KEEPS_RECORD} && "
        f"(self.rollout.{trial}.goal.metric == 'reward' || self.task != 'regression'))",
        "the goals live-accuracy and reward need the record of predictions "
        "(serving.predictionLog.enabled: true), and live-accuracy is for classes; enable it, or "
        "choose another goal.metric",
        f".rollout.{trial}.goal",
    )


class ModelSpec(Spec):
    """The wish."""

    rules = (
        Rule(
            "!self.?training.?search.?metric.hasValue()"
            " || self.training.search.metric in (self.task == 'regression' ? ['rmse','mae','r2'] :"
            " self.task == 'binary-classification' ? ['roc_auc','pr_auc','log_loss','accuracy'] :"
            " ['log_loss','accuracy','f1_macro'])",
            "training.search.metric does not fit the task: regression takes rmse, mae, r2; "
            "binary-classification roc_auc, pr_auc, log_loss, accuracy; "
            "multiclass-classification log_loss, accuracy, f1_macro",
            ".training.search.metric",
        ),
        *alternatives_rules("rollout"),
        _goal_fits("abTest"),
        _goal_fits("bandit"),
        Rule(
            "!self.?rollout.?analysis.?checks.hasValue() || "
            f"!self.rollout.analysis.checks.{_ASKS_RECORD}",
            _RECORD_NEEDED,
            ".rollout.analysis.checks",
        ),
        Rule(
            "!self.?rollout.?steps.hasValue() || "
            f"!self.rollout.steps.exists(s, has(s.checks) && s.checks.{_ASKS_RECORD})",
            _RECORD_NEEDED,
            ".rollout.steps",
        ),
        Rule(
            f"{_IS_BUILT_IN} || self.?rollout.?strategy.orValue('') != 'blueGreen' || "
            "has(self.serving.gateway.previewHostnames)",
            "blueGreen has a preview address: name its hosts in serving.gateway.previewHostnames, "
            "choose strategy shadow, or set serving.gateway.kind to BuiltIn",
            ".serving.gateway.previewHostnames",
        ),
        Rule(
            f"!self.?rollout.?fastGuard.?enabled.orValue(false) || {_IS_BUILT_IN}",
            "fastGuard needs the agent of the built-in gateway: remove it, or set "
            "serving.gateway.kind to BuiltIn",
            ".rollout.fastGuard",
        ),
        Rule(
            f"{_IS_BUILT_IN} || (self.?rollout.?abTest.?sticky.?by.orValue('') != 'header' && "
            "self.?rollout.?bandit.?sticky.?by.orValue('') != 'header')",
            "the Gateway API cannot keep a user by the hash of a header: choose sticky by: cookie, "
            "or set serving.gateway.kind to BuiltIn",
            ".rollout",
        ),
    )

    task: Annotated[Task, Field(description="What kind of prediction the model makes.")]
    data: Annotated[DataSpec, Field(description="What it learns from.")]
    training: Annotated[
        TrainingSpec, Field(default=TrainingSpec(), description="How it is trained.")
    ]
    promotion: Annotated[
        PromotionSpec, Field(default=PromotionSpec(), description="What counts as better.")
    ]
    version: Annotated[
        SemanticVersion | None,
        Field(
            default=None,
            description="Set: this version is served, whatever is trained. "
            "Unset: the newest that passes the gate.",
        ),
    ]
    alternatives: Alternatives
    serving: Annotated[ServingSpec, Field(default=ServingSpec(), description="How it is served.")]
    rollout: Annotated[
        RolloutPolicy,
        Field(default=RolloutPolicy(), description="How traffic moves to a new version."),
    ]
    freeze_windows: FreezeWindows
    suspend: Annotated[
        bool,
        Field(
            default=False,
            description="True: start no training and no rollout; traffic stays as it is.",
        ),
    ]

    @property
    def metric(self) -> str:
        """The metric in force: the one asked for, or the task's first."""
        return (
            self.training.search.metric
            or {
                "binary-classification": "roc_auc",
                "multiclass-classification": "log_loss",
                "regression": "rmse",
            }[self.task]
        )


class GateStatus(Status):
    """The last comparison of a candidate with the champion, pass or fail."""

    version: Annotated[str, Field(max_length=32, description="The candidate.")]
    champion: Annotated[
        str,
        Field(default="", max_length=32, description="The champion; empty for a first version."),
    ]
    passed: Annotated[bool, Field(description="Whether the candidate may be rolled out.")]
    reason: Annotated[str, Field(max_length=64, description="Why.")]
    message: Annotated[Message, Field(default="", description="The same with numbers.")]


class BlockedVersion(Status):
    """A version that was rolled back and is not tried again by itself."""

    version: Annotated[str, Field(max_length=32, description="The version.")]
    reason: Annotated[str, Field(max_length=64, description="Why it was rolled back.")]
    message: Annotated[Message, Field(default="", description="The same with numbers.")]
    generation: Annotated[int, Field(description="Generation of the spec that asked for it.")]


class RefusedTarget(Status):
    """A target that came in mid-rollout, under onNewTarget: reject."""

    version: Annotated[str, Field(max_length=32, description="The version.")]
    message: Annotated[Message, Field(default="", description="Why it is not rolled out.")]
    generation: Annotated[int, Field(description="Generation of the spec that asked for it.")]


class ModelStatus(Status):
    """What became of the wish."""

    phase: Annotated[str | None, Field(default=None, max_length=32, description="Where it stands.")]
    observed_generation: Annotated[
        int | None, Field(default=None, description="Generation of the spec acted on.")
    ]
    url: Annotated[
        str | None,
        Field(
            default=None,
            max_length=512,
            description="Stable address: inside the cluster, or the first of "
            "spec.serving.gateway.hostnames.",
        ),
    ]
    gateway: Annotated[
        GatewayKind | None,
        Field(
            default=None,
            description="The kind of gateway that alone carries the traffic; unset while it "
            "changes.",
        ),
    ]
    stable: Annotated[
        VersionReference | None, Field(default=None, description="The version in charge.")
    ]
    candidate: Annotated[
        VersionReference | None,
        Field(default=None, description="The newest trained version that passed the gate."),
    ]
    recipe: Annotated[
        str | None,
        Field(default=None, max_length=71, description="Digest of the recipe last trained."),
    ]
    training_run: Annotated[
        str | None, Field(default=None, max_length=253, description="The latest TrainingRun.")
    ]
    training_number: Annotated[
        int, Field(default=0, description="How many TrainingRuns were started.")
    ]
    requests: Annotated[
        tuple[RequestStatus, ...],
        Field(default=(), max_length=20, description="What people asked, newest last."),
    ]
    folded_training_run: Annotated[
        str | None,
        Field(default=None, max_length=253, description="Latest TrainingRun judged by the gate."),
    ]
    rollout: Annotated[
        str | None, Field(default=None, max_length=253, description="The current Rollout.")
    ]
    folded_rollout: Annotated[
        str | None,
        Field(default=None, max_length=253, description="Latest Rollout whose end was acted on."),
    ]
    rollout_number: Annotated[int, Field(default=0, description="How many Rollouts were started.")]
    gate: Annotated[GateStatus | None, Field(default=None, description="Last gate.")]
    blocked: Annotated[
        tuple[BlockedVersion, ...],
        Field(default=(), max_length=10, description="Versions rolled back, newest last."),
    ]
    refused: Annotated[
        RefusedTarget | None,
        Field(default=None, description="The target refused by onNewTarget: reject."),
    ]
    conditions: Conditions = ()


COLUMNS: tuple[dict[str, Any], ...] = (
    {"name": "Phase", "type": "string", "jsonPath": ".status.phase"},
    {"name": "Stable", "type": "string", "jsonPath": ".status.stable.version"},
    {"name": "Pinned", "type": "string", "jsonPath": ".spec.version", "priority": 1},
    {
        "name": "Reason",
        "type": "string",
        "jsonPath": ".status.conditions[?(@.type=='Ready')].reason",
    },
    {"name": "Training", "type": "string", "jsonPath": ".status.trainingRun"},
    {"name": "Rollout", "type": "string", "jsonPath": ".status.rollout"},
    {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
    {
        "name": "Message",
        "type": "string",
        "priority": 1,
        "jsonPath": ".status.conditions[?(@.type=='Ready')].message",
    },
)
