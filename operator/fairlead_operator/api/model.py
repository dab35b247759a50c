"""A Model is one machine-learning model in production: the data it learns from, how a new
version is trained, when that version counts as better, and how traffic moves to it.

The operator trains a version, compares it with the one in use, rolls it out step by step, and
takes it back when it does worse. Clients call one address, whichever version answers.
"""

from typing import Annotated, Any, Final

from pydantic import Field

from fairlead_contract.metric import METRICS, name_pinball
from fairlead_operator.api.base import (
    Digest,
    Message,
    Moment,
    Rule,
    SemanticVersion,
    Spec,
    Status,
)
from fairlead_operator.api.builtins import (
    FOR_CLASSES,
    FOR_NUMBERS,
    RECORDED,
    cel_names,
    spoken_names,
)
from fairlead_operator.api.card import CardSpec
from fairlead_operator.api.common import (
    AlternativeDigests,
    Alternatives,
    RequestStatus,
    Task,
    VersionReference,
    alternatives_rules,
    find_digest,
)
from fairlead_operator.api.conditions import Conditions
from fairlead_operator.api.freeze import FreezeWindows
from fairlead_operator.api.gates import MOST_RESULTS, GateResult
from fairlead_operator.api.gateway import (
    GUARD_UNSUPPORTED,
    HEADER_UNSUPPORTED,
    PREVIEW_UNSUPPORTED,
    GatewayKind,
)
from fairlead_operator.api.policy import RolloutPolicy
from fairlead_operator.api.schedule import ScheduleStatus
from fairlead_operator.api.serving import ServingSpec
from fairlead_operator.api.training import DataSpec, PromotionSpec, TrainingSpec

MOST_KNOWN: Final = 20  # versions of which status keeps what they are

# What nobody wrote is not there, and counts as its default.
_IS_BUILT_IN: Final = "self.?serving.?gateway.?kind.orValue('BuiltIn') == 'BuiltIn'"
_KEEPS_RECORD: Final = "self.?serving.?predictionLog.?enabled.orValue(false)"
_ASKS_RECORD: Final = (
    f"exists(c, c.?builtin.orValue('') in {cel_names(RECORDED)} && "
    f"(!{_KEEPS_RECORD} || "
    f"c.builtin in (self.task == 'regression' ? {cel_names(FOR_CLASSES)} : "
    f"{cel_names(FOR_NUMBERS)})))"
)

_RECORD_NEEDED: Final = (
    f"{spoken_names(RECORDED)} read the prediction log: set serving.predictionLog.enabled: true; "
    f"{spoken_names(FOR_CLASSES)} are for classification, "
    f"{spoken_names(FOR_NUMBERS)} for task: regression"
)


def _goal_fits(trial: str) -> Rule:
    """Build the rule that the record holds what is the goal of this trial."""
    return Rule(
        f"!(self.?rollout.?{trial}.?goal.?metric.orValue('') in ['live-accuracy', 'reward']) || "
        f"({_KEEPS_RECORD} && "
        f"(self.rollout.{trial}.goal.metric == 'reward' || self.task != 'regression'))",
        "the goals live-accuracy and reward read the prediction log: set "
        "serving.predictionLog.enabled: true, or choose another goal.metric, for example "
        "success-rate; live-accuracy is for classification only",
        f".rollout.{trial}.goal",
    )


class ModelSpec(Spec):
    """What the model learns from, when a new version counts as better, and how versions are
    served and rolled out.
    """

    rules = (
        Rule(
            "!self.?training.?search.?metric.hasValue()"
            " || self.training.search.metric in (self.task == 'regression' ?"
            " ['rmse','mae','r2','mape','pinball','poisson_deviance','tweedie_deviance'] :"
            " self.task == 'binary-classification' ?"
            " ['roc_auc','pr_auc','log_loss','accuracy','f1','brier'] :"
            " ['log_loss','accuracy','f1_macro','brier'])",
            "training.search.metric does not fit the task: regression takes rmse, mae, r2, "
            "mape, pinball, poisson_deviance or tweedie_deviance; "
            "binary-classification takes roc_auc, pr_auc, log_loss, accuracy, f1 or brier; "
            "multiclass-classification takes log_loss, accuracy, f1_macro or brier",
            ".training.search.metric",
        ),
        Rule(
            "!self.?training.?validation.?strategy.hasValue() || "
            "has(self.data.timestampColumn) == "
            "(self.training.validation.strategy == 'time-series')",
            "training.validation.strategy: time-series needs data.timestampColumn, and with it "
            "rows are never split at random; remove strategy",
            ".training.validation.strategy",
        ),
        Rule(
            "!has(self.data.positiveClass) || self.task == 'binary-classification'",
            "data.positiveClass has no effect on this task, which has no positive class; remove "
            "it, or set task: binary-classification",
            ".data.positiveClass",
        ),
        Rule(
            "!has(self.promotion) || !has(self.promotion.gates) || "
            "!has(self.promotion.gates.fairness) || self.task == 'binary-classification'",
            "promotion.gates.fairness is about who is told to be positive; remove it, or set "
            "task: binary-classification",
            ".promotion.gates.fairness",
        ),
        Rule(
            "!has(self.promotion) || !has(self.promotion.gates) || "
            "!has(self.promotion.gates.calibration) || self.task != 'regression'",
            "promotion.gates.calibration is about probabilities, which task: regression has none "
            "of; remove it",
            ".promotion.gates.calibration",
        ),
        *(
            Rule(
                "!has(self.promotion) || !has(self.promotion.gates) || "
                "!has(self.promotion.gates.metrics) || "
                f"self.task != '{task}' || self.promotion.gates.metrics.all(m, m.name in "
                f"{list(names)})",
                f"promotion.gates.metrics names one that task: {task} has not; it has "
                f"{', '.join(names)}",
                ".promotion.gates.metrics",
            )
            for task, names in METRICS.items()
        ),
        Rule(
            "!has(self.versionDigest) || has(self.version)",
            "versionDigest says which artifact version is: set version, or remove versionDigest",
            ".versionDigest",
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
            PREVIEW_UNSUPPORTED,
            ".serving.gateway.previewHostnames",
        ),
        Rule(
            f"!self.?rollout.?fastGuard.?enabled.orValue(false) || {_IS_BUILT_IN}",
            GUARD_UNSUPPORTED,
            ".rollout.fastGuard",
        ),
        Rule(
            f"{_IS_BUILT_IN} || (self.?rollout.?abTest.?sticky.?by.orValue('') != 'header' && "
            "self.?rollout.?bandit.?sticky.?by.orValue('') != 'header')",
            HEADER_UNSUPPORTED,
            ".rollout",
        ),
    )

    task: Annotated[
        Task,
        Field(
            description="Kind of prediction the model makes. It decides which metrics, checks "
            "and answers are available."
        ),
    ]
    data: Annotated[
        DataSpec,
        Field(description="Training data: the source of the rows, and the role of each column."),
    ]
    training: Annotated[
        TrainingSpec,
        Field(
            default=TrainingSpec(),
            description="How a version is trained: the hyperparameter search, the validation, "
            "and the resources of the Jobs. A change that shapes the model, for example of the "
            "search metric, trains a new version.",
        ),
    ]
    promotion: Annotated[
        PromotionSpec,
        Field(
            default=PromotionSpec(),
            description="When a trained version counts as better than the version in use (the "
            "champion) and may be rolled out. This comparison is called the gate.",
        ),
    ]
    card: Annotated[
        CardSpec,
        Field(
            default=CardSpec(),
            description="What people say of the model. Each training writes it, beside what it "
            "measured, into the model card of its version. A change trains nothing.",
        ),
    ]
    version: Annotated[
        SemanticVersion | None,
        Field(
            default=None,
            description="Pins a registered version, for example 1.4.0: it is rolled out and "
            "served, whatever is trained meanwhile. When unset, the newest trained version that "
            "passed the gate against the version in charge is served.",
        ),
    ]
    version_digest: Annotated[
        Digest | None,
        Field(
            default=None,
            description="Digest of the artifact that `version` must be, for example of a version "
            "that was registered by hand: no other artifact is served under it, and of two "
            "registrations of the version the one with this digest is taken. When unset, a "
            "version is what its training reported, or what was registered when it first took "
            "traffic.",
        ),
    ]
    alternatives: Alternatives
    alternative_digests: AlternativeDigests
    serving: Annotated[
        ServingSpec,
        Field(
            default=ServingSpec(),
            description="How versions answer requests: replicas, resources, timeout, gateway and "
            "prediction log.",
        ),
    ]
    rollout: Annotated[
        RolloutPolicy,
        Field(
            default=RolloutPolicy(),
            description="How traffic moves to a new version, what the version must prove on the "
            "way, and when it is taken back.",
        ),
    ]
    freeze_windows: FreezeWindows
    suspend: Annotated[
        bool,
        Field(
            default=False,
            description="When true, no training and no rollout is started, and a rollout in "
            "flight adds no traffic; it can still be rolled back, also by spec.version. One that "
            "is deleted in flight still gives the version in charge its traffic back. Requests "
            "are served as before. Defaults to false.",
        ),
    ]

    def digest_of(self, version: str) -> str | None:
        """Return the digest that is named here for one of the candidates."""
        return find_digest(
            version,
            pinned=(self.version, self.version_digest),
            alternatives=self.alternative_digests,
        )

    @property
    def strategy(self) -> str:
        """Return the split in force, which the rows decide by having times or none."""
        return "random" if self.data.timestamp_column is None else "time-series"

    @property
    def metric(self) -> str:
        """Return the metric in force: the one asked for, or the task's first."""
        search = self.training.search
        if search.quantile is not None:
            return name_pinball(search.quantile)
        return (
            search.metric
            or {
                "binary-classification": "roc_auc",
                "multiclass-classification": "log_loss",
                "regression": "rmse",
            }[self.task]
        )


class GateStatus(Status):
    """The gate's last decision: how a trained version compares with the champion."""

    version: Annotated[str, Field(max_length=32, description="Version that was judged.")]
    champion: Annotated[
        str,
        Field(
            default="",
            max_length=32,
            description="Version it was compared with; empty for a first version.",
        ),
    ]
    passed: Annotated[bool, Field(description="Whether the version may be rolled out.")]
    reason: Annotated[
        str, Field(max_length=64, description="Why, in one word, for example Better or NotBetter.")
    ]
    message: Annotated[
        Message, Field(default="", description="Why, in a sentence with the numbers.")
    ]
    results: Annotated[
        tuple[GateResult, ...],
        Field(
            default=(),
            max_length=MOST_RESULTS,
            description="What spec.promotion.gates asked for, one row each.",
        ),
    ]


# Releases up to 0.1.0 wrote none, and asked metadata.generation instead.
_AskedBy = Annotated[
    str | None,
    Field(
        default=None,
        max_length=32,
        description="Field of the spec that asks for this version: spec.version or "
        "spec.alternatives. Empty when none does.",
    ),
]


class BlockedVersion(Status):
    """A version that was rolled back and is not tried again by itself."""

    version: Annotated[str, Field(max_length=32, description="Version that is blocked.")]
    reason: Annotated[
        str,
        Field(
            max_length=64,
            description="Why it was rolled back, in one word, for example AnalysisFailed.",
        ),
    ]
    message: Annotated[
        Message,
        Field(default="", description="Why it was rolled back, in a sentence with the numbers."),
    ]
    asked: _AskedBy
    digest: Annotated[
        str,
        Field(
            default="",
            max_length=71,
            description="SHA-256 digest of the artifact that was rolled back; empty when it was "
            "not known.",
        ),
    ]
    generation: Annotated[
        int, Field(description="metadata.generation of the Model when it was blocked.")
    ]


class RefusedTarget(Status):
    """A version that was asked for during a rollout and refused because of onNewTarget: reject."""

    version: Annotated[str, Field(max_length=32, description="Version that was refused.")]
    message: Annotated[Message, Field(default="", description="Why it is not rolled out.")]
    asked: _AskedBy
    generation: Annotated[
        int, Field(description="metadata.generation of the Model when it was refused.")
    ]


class ModelStatus(Status):
    """Observed state of the Model. Written by the operator."""

    phase: Annotated[
        str | None,
        Field(
            default=None,
            max_length=32,
            description="What the Model is doing now, for example Training, RollingOut or Serving.",
        ),
    ]
    observed_generation: Annotated[
        int | None,
        Field(default=None, description="metadata.generation that the operator last acted on."),
    ]
    url: Annotated[
        str | None,
        Field(
            default=None,
            max_length=512,
            description="Address that clients call. It stays the same over all versions: inside "
            "the cluster, or at the first of spec.serving.gateway.hostnames.",
        ),
    ]
    gateway: Annotated[
        GatewayKind | None,
        Field(
            default=None,
            description="Gateway kind that carries all of the traffic. Unset while the Model "
            "moves from one kind to the other.",
        ),
    ]
    stable: Annotated[
        VersionReference | None,
        Field(
            default=None,
            description="Version in charge: it gets all traffic that no rollout has moved.",
        ),
    ]
    candidate: Annotated[
        VersionReference | None,
        Field(
            default=None,
            description="Newest trained version that passed the gate. It is none any more when "
            "another version comes in charge than the one that it was compared with.",
        ),
    ]
    recipe: Annotated[
        str | None,
        Field(
            default=None,
            max_length=71,
            description="Digest of the data and training settings that were trained last. A "
            "different digest starts a new training.",
        ),
    ]
    training_run: Annotated[
        str | None,
        Field(default=None, max_length=253, description="Name of the latest TrainingRun."),
    ]
    training_number: Annotated[
        int, Field(default=0, description="Number of TrainingRuns that the Model has started.")
    ]
    schedule: Annotated[
        ScheduleStatus | None,
        Field(
            default=None, description="How far spec.training.schedule was followed; unset without."
        ),
    ]
    next_training: Annotated[
        Moment | None,
        Field(
            default=None,
            description="When a training starts next by itself; one that has passed, once none is "
            "under way. Unset while no moment starts one.",
        ),
    ]
    requests: Annotated[
        tuple[RequestStatus, ...],
        Field(
            default=(),
            max_length=20,
            description="Requests of people and how each was answered, newest last.",
        ),
    ]
    folded_training_run: Annotated[
        str | None,
        Field(
            default=None,
            max_length=253,
            description="Name of the latest TrainingRun that the gate has judged.",
        ),
    ]
    rollout: Annotated[
        str | None, Field(default=None, max_length=253, description="Name of the current Rollout.")
    ]
    folded_rollout: Annotated[
        str | None,
        Field(
            default=None,
            max_length=253,
            description="Name of the latest Rollout whose result the Model has taken over.",
        ),
    ]
    rollout_number: Annotated[
        int, Field(default=0, description="Number of Rollouts that the Model has started.")
    ]
    weight: Annotated[
        int | None,
        Field(
            default=None,
            description="Percent of the requests that the candidates of the rollout in flight "
            "really have, as the gateways report; while one does not, what they had last. Unset "
            "while none is in flight.",
        ),
    ]
    gate: Annotated[
        GateStatus | None, Field(default=None, description="Last decision of the gate.")
    ]
    blocked: Annotated[
        tuple[BlockedVersion, ...],
        Field(
            default=(),
            max_length=10,
            description="Versions that were rolled back and are not tried again by themselves, "
            "newest last. A block ends when `spec.version` or `spec.alternatives` asks for the "
            "version anew, when `spec.versionDigest` names another artifact, when a version that "
            "never took traffic has another one, or by `fairlead retry MODEL`.",
        ),
    ]
    refused: Annotated[
        RefusedTarget | None,
        Field(default=None, description="Version that was refused because of onNewTarget: reject."),
    ]
    versions: Annotated[
        tuple[VersionReference, ...],
        Field(
            default=(),
            max_length=MOST_KNOWN,
            description="Which artifacts versions are, newest last: as their trainings reported "
            "them, or as they were registered when they first took traffic. Another artifact under "
            "one of these versions is refused.",
        ),
    ]
    conditions: Conditions = ()


COLUMNS: tuple[dict[str, Any], ...] = (
    {
        "name": "Ready",
        "description": "Whether a version answers at the address.",
        "type": "string",
        "jsonPath": ".status.conditions[?(@.type=='Ready')].status",
    },
    {
        "name": "Phase",
        "description": "What the Model is doing now.",
        "type": "string",
        "jsonPath": ".status.phase",
    },
    {
        "name": "Stable",
        "description": "Version in charge.",
        "type": "string",
        "jsonPath": ".status.stable.version",
    },
    {
        "name": "Weight",
        "description": "Percent of the requests that the rollout in flight has moved.",
        "type": "integer",
        "jsonPath": ".status.weight",
    },
    {
        "name": "Pinned",
        "description": "Version that spec.version pins.",
        "type": "string",
        "jsonPath": ".spec.version",
        "priority": 1,
    },
    {
        "name": "Reason",
        "description": "Reason of the condition UpToDate: why the version asked for is not in "
        "charge.",
        "type": "string",
        "jsonPath": ".status.conditions[?(@.type=='UpToDate')].reason",
    },
    {
        "name": "Training",
        "description": "Latest TrainingRun.",
        "type": "string",
        "jsonPath": ".status.trainingRun",
    },
    {
        "name": "Next",
        "description": "When a training starts next by itself.",
        "type": "string",
        "priority": 1,
        "jsonPath": ".status.nextTraining",
    },
    {
        "name": "Rollout",
        "description": "Current Rollout.",
        "type": "string",
        "jsonPath": ".status.rollout",
    },
    {
        "name": "URL",
        "description": "Address that clients call.",
        "type": "string",
        "jsonPath": ".status.url",
    },
    {
        "name": "Age",
        "description": "Time since the Model was created.",
        "type": "date",
        "jsonPath": ".metadata.creationTimestamp",
    },
    {
        "name": "Message",
        "description": "Message of the condition Ready.",
        "type": "string",
        "priority": 1,
        "jsonPath": ".status.conditions[?(@.type=='Ready')].message",
    },
)
