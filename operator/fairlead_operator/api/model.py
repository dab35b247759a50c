"""Model: the long-lived wish of a person or of Git, and what became of it."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from fairlead_operator.api.autoscaling import MOST_REPLICAS, Autoscaling
from fairlead_operator.api.base import (
    Column,
    Duration,
    Message,
    Rule,
    SemanticVersion,
    Spec,
    Status,
    parse_duration,
)
from fairlead_operator.api.checks import FOR_CLASSES, FOR_NUMBERS, RECORDED
from fairlead_operator.api.common import (
    Alternatives,
    RequestStatus,
    Resources,
    SecretReference,
    Task,
    VersionReference,
    alternatives_rules,
)
from fairlead_operator.api.conditions import Conditions
from fairlead_operator.api.freeze import FreezeWindows
from fairlead_operator.api.gateway import GatewayKind, GatewaySpec
from fairlead_operator.api.policy import RolloutPolicy
from fairlead_operator.api.prediction_log import PredictionLog

SearchMetric = Literal["roc_auc", "pr_auc", "log_loss", "accuracy", "f1_macro", "rmse", "mae", "r2"]
METRICS_BY_TASK: dict[str, tuple[str, ...]] = {
    "binary-classification": ("roc_auc", "pr_auc", "log_loss", "accuracy"),
    "multiclass-classification": ("log_loss", "accuracy", "f1_macro"),
    "regression": ("rmse", "mae", "r2"),
}


class DataSource(Spec):
    """Where the training data comes from."""

    rules = (
        Rule(
            "has(self.query) == self.uri.startsWith('postgresql://')",
            "query is needed for a postgresql:// source and has no effect on another; "
            "write it for PostgreSQL, remove it otherwise",
            ".query",
        ),
        Rule(
            "!has(self.format) || !self.uri.startsWith('postgresql://')",
            "format has no effect on a postgresql:// source; remove it",
            ".format",
        ),
        Rule(
            "!self.uri.matches('^[a-z]+://[^/?#]*@|[?&](ssl)?password=')",
            "uri must not hold credentials; put username and password into a Secret and name it "
            "in credentials",
            ".uri",
        ),
    )

    uri: Annotated[
        str,
        Field(
            pattern=r"^(https?|postgresql)://[^\s]+$",
            max_length=1024,
            description="http(s):// address of a CSV or Parquet file, or a postgresql:// database.",
        ),
    ]
    format: Annotated[
        Literal["csv", "parquet"] | None,
        Field(default=None, description="File format; by default told from the name."),
    ]
    query: Annotated[
        str | None,
        Field(
            default=None,
            min_length=8,
            max_length=8192,
            description="SQL whose rows are the data; PostgreSQL only.",
        ),
    ]
    credentials: Annotated[
        SecretReference | None,
        Field(default=None, description="Secret with the keys `username` and `password`."),
    ]


class DataSpec(Spec):
    """The data: its source and the part each column plays."""

    rules = (
        Rule(
            "!has(self.features) || !(self.target in self.features)",
            "features must not contain the target",
            ".features",
        ),
        Rule(
            "!has(self.features) || !(self.timestampColumn in self.features)",
            "features must not contain timestampColumn",
            ".features",
        ),
        Rule(
            "self.target != self.timestampColumn",
            "target and timestampColumn must be different columns",
            ".target",
        ),
    )

    source: Annotated[DataSource, Field(description="Where the rows come from.")]
    timestamp_column: Annotated[Column, Field(description="Column that orders the rows in time.")]
    target: Annotated[Column, Field(description="Column to predict.")]
    features: Annotated[
        tuple[Column, ...],
        Field(
            default=(),
            max_length=500,
            json_schema_extra={"x-kubernetes-list-type": "set"},
            description="Columns to predict from; by default every other column.",
        ),
    ]
    min_rows: Annotated[
        int,
        Field(default=200, ge=50, le=10_000_000, description="Fewer rows than this are refused."),
    ]


class SearchSpec(Spec):
    """The hyperparameter search."""

    rules = (
        Rule(
            "self.parallelism <= self.trials",
            "parallelism must not exceed trials",
            ".parallelism",
        ),
        Rule(
            "duration(self.timeout) >= duration('30s') && "
            "duration(self.timeout) <= duration('24h')",
            "timeout must be between 30s and 24h",
            ".timeout",
        ),
    )

    trials: Annotated[
        int, Field(default=40, ge=1, le=2000, description="Trials in all, over all workers.")
    ]
    parallelism: Annotated[int, Field(default=1, ge=1, le=32, description="Workers at a time.")]
    timeout: Annotated[
        Duration,
        Field(
            default=parse_duration("15m"),
            description="The search ends after this with the best so far.",
        ),
    ]
    metric: Annotated[
        SearchMetric | None,
        Field(
            default=None,
            description="What is optimized and compared; by default roc_auc, log_loss or rmse, "
            "by task.",
        ),
    ]
    seed: Annotated[
        int, Field(default=7, ge=0, le=2_147_483_647, description="Seed of sampler and learner.")
    ]


class ValidationSpec(Spec):
    """How the rows are split; the hold-out is the latest part and never seen by the search."""

    strategy: Annotated[
        Literal["time-series"],
        Field(default="time-series", description="Expanding windows in time order."),
    ]
    folds: Annotated[int, Field(default=3, ge=2, le=20, description="Folds of the search part.")]
    holdout: Annotated[
        str,
        Field(
            default="20%",
            max_length=3,
            pattern=r"^([5-9]|[1-4][0-9]|50)%$",
            description="Share of the rows kept for the final comparison, 5% to 50%.",
        ),
    ]


class TrainingSpec(Spec):
    """How a version is trained."""

    algorithms: Annotated[
        tuple[Literal["xgboost"], ...],
        Field(
            default=("xgboost",),
            min_length=1,
            max_length=1,
            description="Learners the search chooses among.",
        ),
    ]
    search: Annotated[SearchSpec, Field(default=SearchSpec(), description="The search.")]
    validation: Annotated[ValidationSpec, Field(default=ValidationSpec(), description="The split.")]
    retries: Annotated[
        int, Field(default=2, ge=0, le=10, description="Retries of a failed worker.")
    ]
    resources: Annotated[
        Resources, Field(default=Resources(), description="Of each training container.")
    ]


class PromotionSpec(Spec):
    """What counts as better."""

    min_improvement: Annotated[
        float,
        Field(
            default=0.0,
            ge=-1_000_000,
            le=1_000_000,
            description="The gain over the champion on the same hold-out must exceed this, in the "
            "metric's unit; negative allows a small loss (non-inferiority).",
        ),
    ]
    significance: Annotated[
        bool,
        Field(
            default=True,
            description="Ask that the lower end of the 95 % interval of the gain exceeds "
            "minImprovement, not only the gain itself.",
        ),
    ]
    threshold: Annotated[
        float | None,
        Field(
            default=None,
            ge=-1_000_000_000,
            le=1_000_000_000,
            description="The metric's bound for every version, the first included: at least this, "
            "or at most this for a loss.",
        ),
    ]


class ServingSpec(Spec):
    """How each version is served."""

    replicas: Annotated[
        int | None,
        Field(
            default=None,
            ge=1,
            le=MOST_REPLICAS,
            description="Pods of each version; 1 unless set. Not together with autoscaling.",
        ),
    ]
    autoscaling: Annotated[
        Autoscaling | None,
        Field(default=None, description="Let the number of pods follow the load."),
    ]
    request_timeout: Annotated[
        Duration,
        Field(
            default=parse_duration("10s"), description="Longest answer before the gateway gives up."
        ),
    ]
    resources: Annotated[
        Resources, Field(default=Resources(), description="Of the server container.")
    ]
    prediction_log: Annotated[
        PredictionLog,
        Field(default=PredictionLog(), description="Predictions that are kept for later."),
    ]
    warmup_requests: Annotated[
        int,
        Field(
            default=20,
            ge=0,
            le=1000,
            description="How often a server predicts its input example before it is ready; "
            "stopped after 10 s.",
        ),
    ]
    gateway: Annotated[
        GatewaySpec,
        Field(
            default=GatewaySpec(),
            description="What carries the traffic. A rollout in flight ends with the gateway it "
            "began with.",
        ),
    ]

    rules = (
        Rule(
            "duration(self.requestTimeout) >= duration('1s') && "
            "duration(self.requestTimeout) <= duration('10m')",
            "requestTimeout must be between 1s and 10m",
            ".requestTimeout",
        ),
        Rule(
            "!has(self.replicas) || !has(self.autoscaling)",
            "replicas has no effect with autoscaling; remove it, and set autoscaling.minReplicas "
            "for the fewest pods",
            ".replicas",
        ),
    )


def _checks_need(condition: str, builtins: Sequence[str], message: str) -> Rule:
    """The rule that these builtins, in the analysis or in a step, need the condition."""
    asks = f"exists(c, has(c.builtin) && c.builtin in {list(builtins)})"
    return Rule(
        f"{condition} || ("
        f"(!has(self.rollout.analysis.checks) || !self.rollout.analysis.checks.{asks}) && "
        f"(!has(self.rollout.steps) || "
        f"!self.rollout.steps.exists(s, has(s.checks) && s.checks.{asks})))",
        message,
        ".rollout.analysis.checks",
    )


def _goal_needs(condition: str, metrics: Sequence[str], message: str) -> Rule:
    """The rule that these metrics as the goal of a trial need the condition."""
    asks = (
        f"(has(self.rollout.{name}) && has(self.rollout.{name}.goal.metric) && "
        f"self.rollout.{name}.goal.metric in {list(metrics)})"
        for name in ("abTest", "bandit")
    )
    return Rule(f"{condition} || !({' || '.join(asks)})", message, ".rollout")


class ModelSpec(Spec):
    """The wish."""

    rules = (
        Rule(
            "!has(self.training) || !has(self.training.search) || !has(self.training.search.metric)"
            " || self.training.search.metric in (self.task == 'regression' ? ['rmse','mae','r2'] :"
            " self.task == 'binary-classification' ? ['roc_auc','pr_auc','log_loss','accuracy'] :"
            " ['log_loss','accuracy','f1_macro'])",
            "training.search.metric does not fit the task: regression takes rmse, mae, r2; "
            "binary-classification roc_auc, pr_auc, log_loss, accuracy; "
            "multiclass-classification log_loss, accuracy, f1_macro",
            ".training.search.metric",
        ),
        *alternatives_rules("self.rollout"),
        _goal_needs(
            "self.serving.predictionLog.enabled",
            ("live-accuracy", "reward"),
            "the goals live-accuracy and reward need the record of predictions: set "
            "serving.predictionLog.enabled to true, or choose another goal.metric",
        ),
        _goal_needs(
            "self.task != 'regression'",
            ("live-accuracy",),
            "the goal live-accuracy is for classes; for a regression choose another goal.metric",
        ),
        _checks_need(
            "self.serving.predictionLog.enabled",
            RECORDED,
            "live- and prediction- checks need the record of predictions: set "
            "serving.predictionLog.enabled to true, or remove them",
        ),
        _checks_need(
            "self.task != 'regression'",
            FOR_CLASSES,
            "live-accuracy and live-log-loss are for classes; a regression takes live-mae or "
            "live-rmse",
        ),
        _checks_need(
            "self.task == 'regression'",
            FOR_NUMBERS,
            "live-mae and live-rmse are for numbers; a classification takes live-accuracy or "
            "live-log-loss",
        ),
        _checks_need(
            "self.serving.gateway.kind == 'BuiltIn'",
            ("prediction-agreement",),
            "prediction-agreement needs the built-in gateway, which marks the copies of a request: "
            "remove it, or set serving.gateway.kind to BuiltIn",
        ),
        Rule(
            "self.serving.gateway.kind == 'BuiltIn' || !has(self.rollout.fastGuard) || "
            "!self.rollout.fastGuard.enabled",
            "fastGuard needs the agent of the built-in gateway: remove it, or set "
            "serving.gateway.kind to BuiltIn",
            ".rollout.fastGuard",
        ),
        Rule(
            "self.serving.gateway.kind == 'BuiltIn' || ("
            "(!has(self.rollout.abTest) || self.rollout.abTest.sticky.by == 'cookie') && "
            "(!has(self.rollout.bandit) || !has(self.rollout.bandit.sticky) || "
            "self.rollout.bandit.sticky.by == 'cookie'))",
            "the Gateway API cannot keep a user by the hash of a header: choose sticky by: cookie, "
            "or set serving.gateway.kind to BuiltIn",
            ".rollout",
        ),
        Rule(
            "self.serving.gateway.kind == 'BuiltIn' || !has(self.serving.autoscaling) || "
            "!has(self.serving.autoscaling.target.requestsPerSecond)",
            "requestsPerSecond is counted by the built-in gateway: choose cpuUtilization, or set "
            "serving.gateway.kind to BuiltIn",
            ".serving.autoscaling.target.requestsPerSecond",
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
    {
        "name": "Message",
        "type": "string",
        "priority": 1,
        "jsonPath": ".status.conditions[?(@.type=='Ready')].message",
    },
    {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
)
