"""What a Model learns from, how it is searched for, and what counts as better."""

from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from fairlead_contract.data import MOST_JOINED, MOST_UNITED
from fairlead_operator.api.base import Column, Duration, Rule, Spec, between, formed, parse_duration
from fairlead_operator.api.common import Resources, SecretReference
from fairlead_operator.api.gates import GatesSpec
from fairlead_operator.api.schedule import Schedule

SearchMetric = Literal[
    "roc_auc", "pr_auc", "log_loss", "accuracy", "f1", "f1_macro", "brier", "rmse", "mae", "r2",
    "mape", "pinball", "poisson_deviance", "tweedie_deviance",
]  # fmt: skip
Algorithm = Literal[
    "xgboost", "lightgbm", "linear", "random-forest", "extra-trees", "neural-net", "baseline"
]

ColumnUse = Literal["number", "integer", "boolean", "category", "text", "time", "ignore"]

# Their leaves hold what is usual, and no quantile but the median.
WITHOUT_QUANTILES: Final[tuple[Algorithm, ...]] = ("random-forest", "extra-trees")

NAMES_BYTES: Final = 40_000  # of all features together
OTHERS_BYTES: Final = 9_000  # of what union and joins say
DECLARED: Final = 200  # columns
DECLARED_CHARACTERS: Final = 3_000  # of their names together; of four bytes at most
_IS_DATABASE: Final = "(self.uri.startsWith('postgresql://') || self.uri.startsWith('postgres://'))"
_IS_STORE: Final = "self.uri.matches('^(s3|gs|az)://')"
_SAID_BY_UNION: Final = (
    "(has(self.union) ? self.union.map(s, size(bytes(s.uri)) + "
    "(has(s.query) ? size(bytes(s.query)) : 0)).sum() : 0)"
)
_SAID_BY_JOINS: Final = (
    "(has(self.joins) ? self.joins.map(j, size(bytes(j.source.uri)) + "
    "(has(j.source.query) ? size(bytes(j.source.query)) : 0) + "
    "(has(j.keys) ? j.keys.map(k, size(bytes(k))).sum() : 0) + "
    "(has(j.columns) ? j.columns.map(c, size(bytes(c))).sum() : 0)).sum() : 0)"
)
_TIMESTAMP_FORMAT: Final = Field(
    default=None,
    max_length=64,
    pattern=r"^(seconds|milliseconds|microseconds|nanoseconds|.*%.*)$",
    json_schema_extra=formed(
        "must be seconds, milliseconds, microseconds or nanoseconds, or have directives such as "
        "%d.%m.%Y %H:%M"
    ),
    description="How timestampColumn is written: seconds, milliseconds, microseconds or "
    "nanoseconds since 1970, or directives of Python's strptime, for example %d.%m.%Y %H:%M. When "
    "unset: ISO 8601, or what all values together leave no doubt of.",
)
_IS_DELTA: Final = "(has(self.format) && self.format == 'delta')"


class DataSource(Spec):
    """Where the training rows come from: files over HTTP, in an object store or on a claim, or a
    PostgreSQL query.
    """

    rules = (
        Rule(
            f"has(self.query) || !{_IS_DATABASE}",
            "query is missing: a postgresql:// source needs one, for example select * from prices",
            ".query",
        ),
        Rule(
            f"!has(self.format) || !{_IS_DATABASE}",
            "format has no effect on a postgresql:// source; remove it",
            ".format",
        ),
        Rule(
            f"!has(self.encoding) || !{_IS_DATABASE}",
            "encoding has no effect on a postgresql:// source; remove it",
            ".encoding",
        ),
        Rule(
            f"!has(self.endpoint) || {_IS_STORE}",
            "endpoint belongs to a source of s3://, gs:// or az://; remove it",
            ".endpoint",
        ),
        Rule(
            "has(self.endpoint) || !self.uri.startsWith('az://')",
            "endpoint is missing: an az:// source needs that of its storage account, for example "
            "https://ACCOUNT.blob.core.windows.net",
            ".endpoint",
        ),
        Rule(
            "!has(self.endpoint) || !self.uri.startsWith('az://') || "
            "self.endpoint.matches('^https?://[a-z0-9]+[.]blob[.]')",
            "endpoint of an az:// source must begin with the storage account, as in "
            "https://ACCOUNT.blob.core.windows.net",
            ".endpoint",
        ),
        Rule(
            "!has(self.region) || self.uri.startsWith('s3://')",
            "region belongs to a source of s3://; remove it",
            ".region",
        ),
        Rule(
            "!has(self.pathStyle) || self.uri.startsWith('s3://')",
            "pathStyle belongs to a source of s3://; remove it",
            ".pathStyle",
        ),
        Rule(
            f"!{_IS_DELTA} || self.uri.matches('^(s3|gs|az|pvc)://')",
            "format delta belongs to a source of s3://, gs://, az:// or pvc://, where the table's "
            "folder is; correct it",
            ".format",
        ),
        Rule(
            f"!has(self.version) || {_IS_DELTA}",
            "version belongs to a source of format: delta; remove it",
            ".version",
        ),
        Rule(
            "!has(self.credentials) || !self.uri.startsWith('pvc://')",
            "credentials have no effect on a pvc:// source; remove them",
            ".credentials",
        ),
    )

    uri: Annotated[
        str,
        Rule(
            # A raw character in a password ends the host early: then the @ stands behind it, or
            # the port is no number.
            "!self.matches('^[a-z0-9]+://[^/?#]*@|[?&](ssl)?password=|^postgres(ql)?://.*@"
            "|^[a-z0-9]+://[^/?#\\\\[]*:[0-9]*[^0-9,/?#:][^/?#:]*([/?#]|$)')",
            "must not contain a user name or password; put them into a Secret with the keys "
            "username and password, and name it in credentials",
        ),
        Rule(
            "!self.matches('^[a-z]+://([^/?#]*,)?(169[.]254[.]|0[.]0[.]0[.]0|"
            "\\\\[(fe[89ab][0-9a-f]:|::\\\\])"
            "|kubernetes[.]default([.]svc[^:,/?#]*)?([:,/?#]|$))')",
            "must not be a link-local address or the cluster's API, where no source may be; name "
            "the host that has the data",
        ),
        Rule(
            "!self.matches('^(s3|gs|az|pvc)://') || self.matches("
            "'^(s3|gs|az|pvc)://[a-z0-9]([a-z0-9._-]*[a-z0-9])?/[^?#]*$')",
            "must be a bucket, container or claim and what to read in it, without parameters, for "
            "example s3://market/prices/2026.parquet, s3://market/prices/ or "
            "pvc://market/prices.csv",
        ),
        Rule(
            "!self.matches('^(s3|gs|az|pvc)://.*/[.][.]?(/|$)')",
            "must not have . or .. among its folders; write the path as it is",
        ),
        Field(
            pattern=r"^(https?|postgresql|postgres|s3|gs|az|pvc)://[^\s]+$",
            max_length=1024,
            json_schema_extra=formed(
                "must be an http, https, postgresql, s3, gs, az or pvc address without blanks, for "
                "example https://data.example.com/prices.csv, s3://market/prices/ or "
                "postgresql://market-db:5432/market"
            ),
            description="Address of the data: a file (CSV, JSON lines or Parquet), for example "
            "https://data.example.com/prices.csv; a file or a folder of files in an object store, "
            "for example s3://market/prices/ (also gs:// for Google Cloud Storage, az:// for "
            "Azure), or on a claim of the namespace, for example pvc://market/prices.parquet; or a "
            "database, for example postgresql://market-db.energy:5432/market. Credentials belong "
            "in `credentials`.",
        ),
    ]
    endpoint: Annotated[
        str | None,
        Rule(
            "!self.matches('^[a-z]+://([^/?#]*,)?(169[.]254[.]|0[.]0[.]0[.]0|"
            "\\\\[(fe[89ab][0-9a-f]:|::\\\\])"
            "|kubernetes[.]default([.]svc[^:,/?#]*)?([:,/?#]|$))')",
            "must not be a link-local address or the cluster's API, where no source may be; name "
            "the host that has the data",
        ),
        Field(
            default=None,
            pattern=r"^https?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?/?$",
            max_length=300,
            json_schema_extra=formed(
                "must be the address of a server without a path, for example "
                "https://s3.example.com or http://minio.storage:9000"
            ),
            description="Server of an s3://, gs:// or az:// source, for example "
            "http://minio.storage:9000; required for az://, where it is that of the storage "
            "account, https://ACCOUNT.blob.core.windows.net. When unset: that of AWS in `region`, "
            "or of Google.",
        ),
    ]
    region: Annotated[
        str | None,
        Field(
            default=None,
            pattern=r"^[a-z0-9-]+$",
            max_length=63,
            json_schema_extra=formed("must be the name of a region, for example eu-central-1"),
            description="Region of the bucket of an s3:// source, for example eu-central-1. When "
            "unset: us-east-1.",
        ),
    ]
    path_style: Annotated[
        bool | None,
        Field(
            default=None,
            description="Whether the bucket of an s3:// source is asked for by the path "
            "(endpoint/bucket/…) or, when false, by the host (bucket.endpoint/…). When unset: by "
            "the path.",
        ),
    ]
    format: Annotated[
        Literal["csv", "jsonl", "parquet", "delta"] | None,
        Field(
            default=None,
            description="Format of the files: csv, jsonl (a JSON object a line) or parquet; or "
            "delta, for the folder of a Delta Lake table. When unset, their names decide. What is "
            "compressed by gzip or zstd is unpacked.",
        ),
    ]
    encoding: Annotated[
        Literal["utf-8", "utf-16", "latin-1", "windows-1252"] | None,
        Field(
            default=None,
            description="How letters are written in CSV and JSON lines: utf-8, utf-16, latin-1 or "
            "windows-1252. When unset: utf-8.",
        ),
    ]
    version: Annotated[
        int | None,
        Field(
            default=None,
            ge=0,
            le=9_007_199_254_740_991,
            description="Version of a Delta Lake table to read, for example 12. When unset: the "
            "latest one when a training reads it.",
        ),
    ]
    query: Annotated[
        str | None,
        Rule(
            "self.matches('(?is)^(\\\\s|\\\\(|--[^\\n]*\\n|/[*]([^*]|[*]+[^*/])*[*]+/)*"
            "(select|with|values|table)\\\\b')",
            "must be one query that only reads: begin it with select, with, values or table, as in "
            "select * from prices",
        ),
        Field(
            default=None,
            min_length=8,
            max_length=8192,
            description="SQL query whose rows are the training data, for example `select * from "
            "prices`. Required for a postgresql:// source. Over files it is one of DuckDB's, whose "
            "table `data` is the file or folder, for example `select *, lag(price) over (order by "
            "time) as price_before from data`.",
        ),
    ]
    credentials: Annotated[
        SecretReference | None,
        Field(
            default=None,
            description="Secret in the Model's namespace with the keys `username` and `password` "
            "(http, https, postgresql), `accessKeyId`, `secretAccessKey` and perhaps "
            "`sessionToken` (s3), `serviceAccount` (gs), `accountKey` or `sasToken` (az), and "
            "`hosts`: where these may be sent, for example data.example.com or "
            "market-db.energy:5432, several separated by commas; `ca.crt`, if an authority of your "
            "own signs for the server of an http or s3 source. When unset, the source is read "
            "without credentials.",
        ),
    ]


class AsOf(Spec):
    """What was known of a second table at the time of a row."""

    rules = (
        Rule(
            "!has(self.delay) || !has(self.tolerance) || "
            "duration(self.tolerance) > duration(self.delay)",
            "tolerance must be longer than delay: it counts from the time of a row, which is known "
            "only after delay",
            ".tolerance",
        ),
    )

    timestamp_column: Annotated[
        Column,
        Field(description="Column of the second table that says since when a row of it holds."),
    ]
    timestamp_format: Annotated[str | None, _TIMESTAMP_FORMAT]
    delay: Annotated[
        Duration | None,
        between("1s", "8760h"),
        Field(
            default=None,
            description="How long after its time a row of the second table is known, for example "
            "1h where weather of noon is published at one. When unset: at its time.",
        ),
    ]
    tolerance: Annotated[
        Duration | None,
        between("1s", "8760h"),
        Field(
            default=None,
            description="How long a row of the second table holds from its time on, for example "
            "6h; an older one is taken for missing. When unset: until the next one.",
        ),
    ]


class Join(Spec):
    """A second table, of which each row of the data gets at most one row more columns."""

    rules = (
        Rule(
            "has(self.asOf) || (has(self.keys) && size(self.keys) > 0)",
            "keys is missing: name the columns that both tables have, for example [zone], or set "
            "asOf",
            ".keys",
        ),
        Rule(
            "!has(self.asOf) || !has(self.keys) || !(self.asOf.timestampColumn in self.keys)",
            "keys must not contain asOf.timestampColumn; remove it from keys",
            ".keys",
        ),
    )

    source: Annotated[DataSource, Field(description="Where the second table comes from.")]
    keys: Annotated[
        tuple[Column, ...],
        Field(
            default=(),
            max_length=8,
            json_schema_extra={"x-kubernetes-list-type": "set"},
            description="Columns that both tables have, by which rows belong together, for example "
            "[zone]. The second table has each key once, or with asOf once for each time. A key is "
            "a feature only where spec.data.features lists it, or spec.data.columns gives it a "
            "type.",
        ),
    ]
    as_of: Annotated[
        AsOf | None,
        Field(
            default=None,
            description="Take what the second table said at the row's own time, by timestampColumn "
            "of the data, and nothing from after it. When unset: the row with the same key.",
        ),
    ]
    columns: Annotated[
        tuple[Column, ...],
        Field(
            default=(),
            max_length=200,
            json_schema_extra={"x-kubernetes-list-type": "set"},
            description="Columns of the second table to take, by their names there. When empty: "
            "all but keys and asOf.timestampColumn.",
        ),
    ]
    prefix: Annotated[
        str | None,
        Field(
            default=None,
            min_length=1,
            max_length=60,
            description="What the names of these columns begin with in the data, for example "
            "`weather_`.",
        ),
    ]


class DataSpec(Spec):
    """The training data: its source, and the role of each column."""

    rules = (
        Rule(
            "!has(self.joins) || has(self.timestampColumn) || self.joins.all(j, !has(j.asOf))",
            "asOf needs the time of each row: set timestampColumn",
            ".joins",
        ),
        Rule(
            "!has(self.features) || !(self.target in self.features)",
            "features must not contain the target column; remove it from features",
            ".features",
        ),
        Rule(
            "!has(self.features) || !has(self.timestampColumn) || "
            "!(self.timestampColumn in self.features)",
            "features must not contain timestampColumn; remove it from features",
            ".features",
        ),
        Rule(
            "!has(self.features) || !has(self.groupBy) || !(self.groupBy in self.features)",
            "features must not contain groupBy; remove it from features",
            ".features",
        ),
        Rule(
            "!has(self.timestampColumn) || self.target != self.timestampColumn",
            "target and timestampColumn must be different columns",
            ".target",
        ),
        Rule(
            # A trainer is told them in one argument, and Linux takes none of more than 128 KiB.
            f"!has(self.features) || self.features.map(f, size(bytes(f))).sum() <= {NAMES_BYTES}",
            f"features must not have names of more than {NAMES_BYTES} bytes in all; name fewer or "
            "shorter columns, or leave features out to take every column",
            ".features",
        ),
        Rule(
            f"{_SAID_BY_UNION} + {_SAID_BY_JOINS} <= {OTHERS_BYTES}",
            f"union and joins must not have addresses, queries, keys and columns of more than "
            f"{OTHERS_BYTES} bytes in all; use a folder, a view, or shorter lists of columns",
        ),
        Rule(
            "!has(self.groupBy) || self.target != self.groupBy",
            "target and groupBy must be different columns",
            ".groupBy",
        ),
        Rule(
            "!has(self.timestampFormat) || has(self.timestampColumn)",
            "timestampFormat has no effect without timestampColumn; remove it",
            ".timestampFormat",
        ),
        Rule(
            "!has(self.columns) || !(self.target in self.columns)",
            "columns must not contain the target column, which is read as the task says; remove "
            "it from columns",
            ".columns",
        ),
        Rule(
            "!has(self.columns) || !has(self.timestampColumn) || "
            "!(self.timestampColumn in self.columns)",
            "columns must not contain timestampColumn, which is no feature; remove it from columns",
            ".columns",
        ),
        Rule(
            "!has(self.columns) || !has(self.groupBy) || !(self.groupBy in self.columns)",
            "columns must not contain groupBy, which is no feature; remove it from columns",
            ".columns",
        ),
        Rule(
            "!has(self.columns) || !has(self.features) || self.features.size() == 0 || "
            "self.features.all(f, !(f in self.columns) || self.columns[f] != 'ignore')",
            "columns must not ignore what features lists; remove it from one of the two",
            ".columns",
        ),
        Rule(
            "!has(self.columns) || !has(self.features) || self.features.size() == 0 || "
            "self.columns.all(c, self.columns[c] == 'ignore' || c in self.features)",
            "columns must not give a type to what features does not list; add it to features or "
            "remove it from columns",
            ".columns",
        ),
        Rule(
            "!has(self.groupBy) || !has(self.timestampColumn)",
            "groupBy has no effect beside timestampColumn, by which the rows are split; remove one "
            "of them",
            ".groupBy",
        ),
    )

    source: Annotated[DataSource, Field(description="Where the rows come from.")]
    union: Annotated[
        tuple[DataSource, ...],
        Field(
            default=(),
            max_length=MOST_UNITED,
            description="Sources of more rows, which follow those of `source`. A column that one "
            "of them lacks is empty there; one that changes its type is refused.",
        ),
    ]
    joins: Annotated[
        tuple[Join, ...],
        Field(
            default=(),
            max_length=MOST_JOINED,
            description="Second tables, whose columns are added to the rows, one after the other.",
        ),
    ]
    timestamp_column: Annotated[
        Column | None,
        Field(
            default=None,
            description="Column that orders the rows in time, for example `timestamp`. It "
            "decides the split and is not a feature. When unset, the rows are in no order, and "
            "the split is drawn by training.search.seed.",
        ),
    ]
    timestamp_format: Annotated[str | None, _TIMESTAMP_FORMAT]
    group_by: Annotated[
        Column | None,
        Field(
            default=None,
            description="Column whose rows of one value stay together, for example `patient`: "
            "all of them are learned from, or all of them are judged on. It is not a feature. Only "
            "without timestampColumn.",
        ),
    ]
    target: Annotated[
        Column,
        Field(
            description="Column to predict, for example `price`: a number for regression, else a "
            "label of any kind, for example yes and no. Answers are in the words of the labels; "
            "where these are 0, 1, 2, … or false and true, they are the probabilities alone."
        ),
    ]
    positive_class: Annotated[
        str | None,
        Field(
            default=None,
            min_length=1,
            max_length=200,
            description='Label of the positive class, in quotes, for example "churned": the one '
            "that precision, recall and average precision are about, and whose probability the "
            "prediction log keeps. Answers are then in the words of the labels, whatever these "
            "are. Only for task: binary-classification. When unset: the larger of two numbers, "
            "true, or the later of two words in the alphabet, as yes after no.",
        ),
    ]
    missing_labels: Annotated[
        str,
        Field(
            default="5%",
            pattern=r"^([0-9]|[1-8][0-9]|90)%$",
            max_length=3,
            json_schema_extra=formed("must be a whole percent from 0% to 90%, for example 5%"),
            description="Share of the rows that may have no target: these are left out and "
            "counted; with more, the training fails with reason TargetInvalid. In whole percents, "
            "from 0% to 90%. Defaults to 5%.",
        ),
    ]
    features: Annotated[
        tuple[Column, ...],
        Field(
            default=(),
            max_length=500,
            json_schema_extra={"x-kubernetes-list-type": "set"},
            description="Columns to predict from. When empty, every column except target, "
            "timestampColumn, groupBy, those that `columns` ignores and those that only number or "
            "name the rows.",
        ),
    ]
    columns: Annotated[
        dict[str, ColumnUse],
        Rule(
            "self.all(c, size(c) > 0 && size(c) <= 128)",
            "must have names of 1 to 128 characters, as the columns in the data do",
        ),
        Rule(
            f"self.map(c, size(c)).sum() <= {DECLARED_CHARACTERS}",
            f"must not have names of more than {DECLARED_CHARACTERS} characters in all; name only "
            "columns whose type is not found as it should be, and list the others in features",
        ),
        Field(
            default={},
            max_length=DECLARED,
            description="What columns hold, by their names, where the data does not show it, for "
            "example {plan: category, zip: category, note: text, id: ignore}: number, integer, "
            "boolean, category, text or time; ignore makes it no feature. When a column is not "
            "named, its type follows from its values.",
        ),
    ]
    suspicious_columns: Annotated[
        Literal["warn", "refuse"],
        Field(
            default="warn",
            description="What becomes of a training whose data has a column that never changes, "
            "equals another one, or alone tells the target nearly without fail. warn: it goes on, "
            "and a warning names each. refuse: it ends with reason FeatureInvalid, naming each; "
            "ignore these in `columns`. Defaults to warn.",
        ),
    ]
    min_rows: Annotated[
        int,
        Field(
            default=200,
            ge=10,
            le=10_000_000,
            description="Fewest rows to train on; with fewer, the training fails with reason "
            "TooFewRows. Defaults to 200.",
        ),
    ]

    @property
    def sources(self) -> tuple[DataSource, ...]:
        """All sources, in the order in which a trainer counts them."""
        return (self.source, *self.union, *(join.source for join in self.joins))


class SearchSpec(Spec):
    """The hyperparameter search: how long it runs, how wide, and what it optimizes."""

    rules = (
        Rule(
            "self.parallelism <= self.trials",
            "parallelism must not exceed trials: set it to the number of trials or less",
            ".parallelism",
        ),
        Rule(
            "(has(self.metric) && self.metric == 'pinball') == has(self.quantile)",
            "quantile says which one metric: pinball is about: set both, for example metric: "
            "pinball and quantile: 0.9, or neither",
            ".quantile",
        ),
    )

    trials: Annotated[
        int,
        Field(
            default=40,
            ge=1,
            le=2000,
            description="Number of trials, shared by all workers. Defaults to 40.",
        ),
    ]
    parallelism: Annotated[
        int,
        Field(
            default=1,
            ge=1,
            le=32,
            description="Number of workers that run at the same time, each in its own pod; at "
            "most `trials`. Defaults to 1.",
        ),
    ]
    timeout: Annotated[
        Duration,
        between("30s", "24h"),
        Field(
            default=parse_duration("15m"),
            description="Longest time for the search, for example 90s or 1h30m. When it is over, "
            "the best trial so far is used. Defaults to 15m.",
        ),
    ]
    metric: Annotated[
        SearchMetric | None,
        Field(
            default=None,
            description="Metric that the search optimizes and the gate compares. For "
            "binary-classification: roc_auc (when unset), pr_auc, log_loss, accuracy, f1, brier; "
            "for multiclass-classification: log_loss (when unset), accuracy, f1_macro, brier; for "
            "regression: rmse (when unset), mae, r2, mape, pinball (of a quantile), "
            "poisson_deviance (of counts and amounts), tweedie_deviance (of amounts of which many "
            "are 0); the last two are of targets of 0 or more.",
        ),
    ]
    quantile: Annotated[
        float | None,
        Rule("self >= 0.01", "must be at least 0.01"),  # a whole number: the minimum lets 0 pass
        Field(
            default=None,
            ge=0.01,
            le=0.99,
            description="Quantile that a regression with metric: pinball predicts, from 0.01 to "
            "0.99, for example 0.9: the value that nine of ten targets are below. Only with, and "
            "required for, metric: pinball.",
        ),
    ]
    seed: Annotated[
        int,
        Field(
            default=7,
            ge=0,
            le=2_147_483_647,
            description="Seed of the sampler and the learner. Defaults to 7.",
        ),
    ]
    warm_start: Annotated[
        bool,
        Field(
            default=True,
            description="Begin with the best trials of this Model's last search by the same "
            "metric. false: begin anew each time, so that a training repeated finds the same. "
            "Defaults to true.",
        ),
    ]


_PERCENTS: Final = range(5, 51)
_SHARES: Final = tuple(percent / 100 for percent in _PERCENTS)
HOLDOUTS: Final = tuple(f"{percent}%" for percent in _PERCENTS)


def _as_percent(share: object) -> object:
    """Write a number as its percent, so that ``0.2`` and ``20%`` are one to everybody."""
    return f"{round(share * 100)}%" if isinstance(share, float) and share in _SHARES else share


def _known_share(share: str) -> str:
    if share not in HOLDOUTS:
        raise ValueError(f"{share!r} is not a whole percent from 5% to 50%, for example 20%")
    return share


class ValidationSpec(Spec):
    """How the rows are split. The latest rows, or of rows without times some that are drawn, are
    held out for the final comparison; the search never sees them.
    """

    strategy: Annotated[
        Literal["time-series", "random"] | None,
        Field(
            default=None,
            description="How the search validates. time-series: each fold trains on the past and "
            "validates on the rows after it. random: each fold validates on a part that is drawn, "
            "with its share of each class, and trains on all others. When unset: time-series "
            "with data.timestampColumn, else random; there is no other choice.",
        ),
    ]
    folds: Annotated[
        int,
        Field(
            default=3,
            ge=2,
            le=20,
            description="Number of folds that the search validates on. Defaults to 3.",
        ),
    ]
    holdout: Annotated[
        str,
        BeforeValidator(_as_percent),
        AfterValidator(_known_share),
        Field(
            default="20%",
            description="Share of the rows held out for the comparison with the champion, the "
            "latest ones where they have times, in whole percents: from 5% to 50%, for example "
            "20%, or as a number from 0.05 to 0.5, for example 0.2. Defaults to 20%.",
            json_schema_extra={
                "x-kubernetes-preserve-unknown-fields": True,
                "enum": [*HOLDOUTS, *_SHARES],
            },
        ),
    ]


class TrainingSpec(Spec):
    """How a version is trained."""

    rules = (
        Rule(
            "self.?search.?metric.orValue('') != 'pinball' || !has(self.algorithms) || "
            f"!self.algorithms.exists(a, a in {list(WITHOUT_QUANTILES)})",
            f"{' and '.join(WITHOUT_QUANTILES)} learn no quantile, which search.metric: pinball is "
            "about: take them out of algorithms, or choose another metric, such as mae",
            ".algorithms",
        ),
        Rule(
            "!self.?ensemble.orValue(false) || self.?search.?trials.orValue(40) > 1",
            "ensemble needs models to choose from: set search.trials to 2 or more, or remove "
            "ensemble",
            ".ensemble",
        ),
    )

    algorithms: Annotated[
        tuple[Algorithm, ...],
        Field(
            default=("xgboost",),
            min_length=1,
            max_length=7,
            json_schema_extra={"x-kubernetes-list-type": "set"},
            description="Learners that the search chooses from, for example [xgboost, lightgbm, "
            "linear]; the first trials are a good point of each, in this order. baseline gives "
            "always the same answer. Defaults to [xgboost].",
        ),
    ]
    ensemble: Annotated[
        bool,
        Field(
            default=False,
            description="Whether several models of the search may answer together, by the "
            "weighted mean of their answers, where that is better in validation beyond noise. "
            "They are one version, which is as slow as all of them. Defaults to false.",
        ),
    ]
    search: Annotated[
        SearchSpec,
        Field(
            default=SearchSpec(),
            description="The hyperparameter search: how many trials, how long, and which metric "
            "decides, for example {trials: 80, timeout: 30m}.",
        ),
    ]
    validation: Annotated[
        ValidationSpec,
        Field(
            default=ValidationSpec(),
            description="How the rows are split into folds for the search and a hold-out for the "
            "gate, for example {folds: 5, holdout: 20%}.",
        ),
    ]
    schedule: Annotated[
        Schedule | None,
        Field(
            default=None,
            description="When a training starts by itself, for example {cron: 0 3 * * MON, "
            "timeZone: Australia/Sydney}. Moments that pass while none can start count as one, and "
            "a training that starts for another reason counts for those before it. When unset, "
            "time alone starts none.",
        ),
    ]
    retries: Annotated[
        int,
        Field(
            default=2,
            ge=0,
            le=10,
            description="How often a failed training pod is started again. Failures that the "
            "data or the spec causes are not retried. Defaults to 2.",
        ),
    ]
    resources: Annotated[
        Resources,
        Field(
            default=Resources(),
            description="CPU and memory of each training container. Defaults to requests of 250m "
            "and 512Mi, and a memory limit of 2Gi; a default gives way to a larger request or a "
            "smaller limit.",
        ),
    ]


class PromotionSpec(Spec):
    """When a trained version counts as better than the champion, the version in use."""

    min_improvement: Annotated[
        float,
        Field(
            default=0.0,
            ge=-1_000_000,
            le=1_000_000,
            description="The gain over the champion on the same held-out rows must exceed this, "
            "in the unit of the metric, for example 0.002. A negative value tolerates a small "
            "loss. Defaults to 0.",
        ),
    ]
    significance: Annotated[
        bool,
        Field(
            default=True,
            description="When true, the lower end of the gain's 95 % confidence interval must "
            "exceed minImprovement; when false, the gain itself. Defaults to true.",
        ),
    ]
    threshold: Annotated[
        float | None,
        Field(
            default=None,
            ge=-1_000_000_000,
            le=1_000_000_000,
            description="Value of the metric that every version must reach, the first included: "
            "at least this, or at most this for a loss such as rmse. When unset, there is no such "
            "bound.",
        ),
    ]
    gates: Annotated[
        GatesSpec,
        Field(
            default=GatesSpec(),
            description="What every version must pass besides, the first included, for example "
            "{baseline: true, calibration: {maxError: 0.05}}. What the training did not measure "
            "is not passed. When unset, nothing.",
        ),
    ]
