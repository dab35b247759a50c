"""What a Model learns from, how it is searched for, and what counts as better."""

from typing import Annotated, Literal

from pydantic import Field

from fairlead_operator.api.base import Column, Duration, Rule, Spec, between, parse_duration
from fairlead_operator.api.common import Resources, SecretReference

SearchMetric = Literal["roc_auc", "pr_auc", "log_loss", "accuracy", "f1_macro", "rmse", "mae", "r2"]


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
    )

    uri: Annotated[
        str,
        Rule(
            "!self.matches('^[a-z]+://[^/?#]*@|[?&](ssl)?password=')",
            "must not hold credentials; put username and password into a Secret and name it in "
            "credentials",
        ),
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
    )

    trials: Annotated[
        int, Field(default=40, ge=1, le=2000, description="Trials in all, over all workers.")
    ]
    parallelism: Annotated[int, Field(default=1, ge=1, le=32, description="Workers at a time.")]
    timeout: Annotated[
        Duration,
        between("30s", "24h"),
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
