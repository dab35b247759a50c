"""What the trainer is told: the JSON document of ``--config`` and the environment.

Pure: the shell passes the text and the variables in.  Every error names the field.
"""

import dataclasses
import json
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from fairlead_contract.artifact import CHAMPION_ROOM
from fairlead_contract.data import DATA_KEYS, MOST_JOINED, MOST_UNITED, variable_of
from fairlead_contract.gates import Gate
from fairlead_contract.graph import ColumnType
from fairlead_contract.hosts import (
    ALLOWED_SOURCES,
    CLUSTER_DOMAIN,
    NO_PROXY,
    SOURCE_PROXY,
    Host,
    InvalidHostError,
    parse_hosts,
    parse_proxy,
)
from fairlead_contract.metric import METRICS, read_quantile
from fairlead_contract.mlflow import Access, InvalidAccessError, read_access
from fairlead_contract.search import study_name
from fairlead_training.failure import Reason, TrainingFailure

_IGNORE: Final = "ignore"  # in place of a column's type


class Task(StrEnum):
    BINARY = "binary-classification"
    MULTICLASS = "multiclass-classification"
    REGRESSION = "regression"


# What a search may optimize; more is computed (``metrics``).
METRICS_BY_TASK: Final[Mapping[Task, tuple[str, ...]]] = {
    Task.BINARY: ("roc_auc", "pr_auc", "log_loss", "accuracy", "f1", "brier"),
    Task.MULTICLASS: ("log_loss", "accuracy", "f1_macro", "brier"),
    Task.REGRESSION: ("rmse", "mae", "r2", "mape", "poisson_deviance", "tweedie_deviance"),
}

# Of files of text; the API lists the same.
ENCODINGS: Final = ("utf-8", "utf-16", "latin-1", "windows-1252")


OF_AMOUNTS: Final = frozenset({"poisson_deviance", "tweedie_deviance"})  # which are 0 or more


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SourceConfig:
    """Where rows come from beside the first source."""

    uri: str
    format: str | None = None
    query: str | None = None
    endpoint: str | None = None
    region: str | None = None
    version: int | None = None
    encoding: str | None = None
    path_style: bool = True


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AsOf:
    """By which times a second table is joined."""

    column: str
    format: str | None = None
    delay: int = 0  # seconds after its time at which a row is known
    tolerance: int | None = None  # seconds for which a row holds; None: until the next one


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class JoinConfig:
    source: SourceConfig
    keys: tuple[str, ...]
    as_of: AsOf | None = None
    columns: tuple[str, ...] = ()  # to take; empty: all
    prefix: str = ""

    @property
    def named(self) -> tuple[str, ...]:
        """Columns of the second table that the Model names."""
        return (*self.keys, *self.columns, *([self.as_of.column] if self.as_of else []))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DataConfig:
    uri: str
    format: str | None  # in the table of formats, or delta; None: told from the name
    query: str | None
    timestamp_column: str | None  # None: the rows are in no order
    target: str
    features: tuple[str, ...]  # empty: every column but target and timestamp
    min_rows: int
    columns: Mapping[str, ColumnType] = dataclasses.field(default_factory=dict)  # as declared
    ignored: tuple[str, ...] = ()  # columns that are none of the features
    refuses_suspicious: bool = False  # columns; or a person is warned of them
    positive_class: str | None = None  # of two, as people read it; None: the later one
    missing_labels: float = 0.0  # share of the rows that may have none
    endpoint: str | None = None  # of an object store that is not its cloud's own
    region: str | None = None
    version: int | None = None  # of a Delta Lake table; None: the latest
    encoding: str | None = None  # of text, in Python's words; None: UTF-8
    path_style: bool = True  # the bucket is part of the path, not of the host
    timestamp_format: str | None = None  # None: inferred
    group_by: str | None = None  # column whose rows of one value are never parted
    union: tuple[SourceConfig, ...] = ()  # of more rows
    joins: tuple[JoinConfig, ...] = ()
    judged_by: Mapping[str, str] = dataclasses.field(default_factory=dict)  # gates: column → field

    @property
    def uris(self) -> tuple[str, ...]:
        """Addresses of all sources."""
        joined = (join.source.uri for join in self.joins)
        return (self.uri, *(each.uri for each in self.union), *joined)

    @property
    def keys(self) -> frozenset[str]:
        """Columns that rows are joined by: features only where the Model lists or types them."""
        return frozenset(key for join in self.joins for key in join.keys)

    @property
    def apart(self) -> frozenset[str]:
        """Columns that are no features unless the Model lists them."""
        roles = {self.target, self.timestamp_column, self.group_by, *self.ignored}
        return frozenset(name for name in roles if name is not None) | (
            self.keys - self.columns.keys()
        )

    @property
    def fields(self) -> dict[str, str]:
        """Return each column that the Model names, with the field that does."""
        named = (
            *self.judged_by.items(),
            *((name, "spec.data.columns") for name in (*self.columns, *self.ignored)),
            (self.target, "spec.data.target"),
            (self.timestamp_column, "spec.data.timestampColumn"),
            (self.group_by, "spec.data.groupBy"),
            *((name, "spec.data.features") for name in self.features),
        )
        return {name: field for name, field in named if name is not None}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SearchConfig:
    algorithms: tuple[str, ...]  # in the table of learners
    trials: int  # over all workers
    parallelism: int
    timeout_seconds: float
    metric: str
    seed: int
    ensemble: bool = False  # whether several models may answer together
    warm_start: bool = False  # whether it begins with the best of the Model's last search


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ValidationConfig:
    folds: int
    holdout_fraction: float  # ratio in 0-1
    stratified: bool = True  # where rows are in no order: each part has its share of each class
    seed: int = 7  # of that split


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PartsConfig:
    """By which columns a gate parts the rows."""

    columns: tuple[str, ...]
    min_rows: int  # of a part that is judged


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class GatesConfig:
    """What is measured for the gates of the Model."""

    baseline: bool = False
    slices: PartsConfig | None = None
    metrics: tuple[str, ...] = ()  # beside that of the search
    fairness: PartsConfig | None = None
    measures: tuple[Gate, ...] = ()  # of fairness
    calibration: bool = False

    @property
    def columns(self) -> dict[str, str]:
        """Return each column that a gate names, with the field that does."""
        named = (("slices", self.slices), ("fairness", self.fairness))
        return {
            column: f"spec.promotion.gates.{gate}.columns"
            for gate, parts in named
            if parts is not None
            for column in parts.columns
        }


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ChampionConfig:
    version: str
    registry_version: str
    digest: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CardConfig:
    """What people say of the model; empty where they say nothing."""

    owners: tuple[str, ...] = ()
    license: str = ""
    intended_use: str = ""
    out_of_scope_use: str = ""
    limitations: str = ""
    ethical_considerations: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TrainingConfig:
    namespace: str
    model: str
    training_run: str
    training_run_uid: str
    search_schema: str  # of the namespace, in the study database
    registered_model: str
    experiment: str
    mlflow_run_id: str
    task: Task
    data: DataConfig
    search: SearchConfig
    validation: ValidationConfig
    champion: ChampionConfig | None
    recipe_digest: str
    after: str | None = None  # the highest version that the operator knows
    card: CardConfig = CardConfig()
    patience: float = 0  # seconds that it waits for others; its Job lasts so much longer
    gates: GatesConfig = GatesConfig()

    @property
    def is_of_amounts(self) -> bool:
        """Tell whether the metric of the search is of a target that is 0 or more."""
        return self.search.metric in OF_AMOUNTS

    @property
    def study_name(self) -> str:
        return study_name(self.namespace, self.training_run, self.training_run_uid)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Where the trainer stands, which decides from where it may read."""

    namespace: str = ""
    cluster_domain: str = "cluster.local"
    api: str = ""  # host of the cluster's API; empty outside of one
    allowed: tuple[Host, ...] = ()  # by the platform, of what is refused otherwise
    proxy: tuple[str, int] | None = None  # of the platform, to what is outside
    direct: tuple[Host, ...] = ()  # of what is outside, what is reached without the proxy


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """The variables the trainer reads, and nothing else of the environment."""

    mlflow: Access
    database_url: str = dataclasses.field(repr=False)
    database_file: Path | None = None  # where it is as it is now
    data_username: str | None = None
    data_password: str | None = dataclasses.field(default=None, repr=False)
    # Of an object store, by the name of the Secret's key.
    data_keys: Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)
    data_hosts: str | None = None  # where all these may be sent, as their Secret says
    data_authority: str | None = None  # certificates to trust in place of the usual ones, as PEM
    data_secret: str = ""  # its name
    others: tuple["Environment", ...] = ()  # with the Secrets of the sources after the first
    held: int = 0  # bytes of rows that were read before
    surroundings: Surroundings = Surroundings()
    worker: int = 0
    champion_room: str | None = None  # where a champion's code is run; None: it is not
    scratch: str = "/tmp"  # noqa: S108  the pod's own emptyDir, and all it may write

    def of(self, source: int, *, held: int = 0) -> "Environment":
        """Return what goes for a source, the first one being 0."""
        if source == 0:
            return dataclasses.replace(self, held=held)
        if source <= len(self.others):
            return dataclasses.replace(self.others[source - 1], held=held)
        return dataclasses.replace(
            self, data_username=None, data_password=None, data_keys={}, data_hosts=None,
            data_authority=None, data_secret="", held=held,
        )  # fmt: skip


def parse_environment(variables: Mapping[str, str], *, keeps: bool = True) -> Environment:
    """Read the environment.

    Args:
        keeps: whether the stage writes to MLflow and to the database, and must know both.

    Raises:
        TrainingFailure: ConfigInvalid, naming the variable.
    """
    if keeps and not variables.get("FAIRLEAD_DATABASE_URL"):
        raise _invalid("environment variable FAIRLEAD_DATABASE_URL is not set")
    index = variables.get("JOB_COMPLETION_INDEX") or "0"
    if not index.isdecimal():
        raise _invalid(f"environment variable JOB_COMPLETION_INDEX is {index!r}, not a number")
    first = Environment(
        mlflow=_read_mlflow(variables) if keeps else Access(address=""),
        database_url=variables["FAIRLEAD_DATABASE_URL"] if keeps else "",
        database_file=_read_file(variables) if keeps else None,
        **_read_secret(variables, 0),
        surroundings=_read_surroundings(variables),
        worker=int(index),
        champion_room=variables.get(CHAMPION_ROOM) or None,
        scratch=variables.get("TMPDIR") or "/tmp",  # noqa: S108  as above
    )
    return dataclasses.replace(
        first,
        others=tuple(
            dataclasses.replace(first, **_read_secret(variables, number))
            for number in range(1, 1 + MOST_UNITED + MOST_JOINED)
        ),
    )


def _read_secret(variables: Mapping[str, str], source: int) -> dict[str, Any]:
    """Read what the Secret of a source says, the first one being 0."""

    def read(name: str) -> str | None:
        return variables.get(variable_of(name, source))

    return {
        "data_username": read("FAIRLEAD_DATA_USERNAME") or None,
        "data_password": read("FAIRLEAD_DATA_PASSWORD") or None,
        "data_keys": {key: said for key, name in DATA_KEYS.items() if (said := read(name))},
        "data_hosts": read("FAIRLEAD_DATA_HOSTS"),
        "data_authority": read("FAIRLEAD_DATA_AUTHORITY") or None,
        "data_secret": read("FAIRLEAD_DATA_SECRET") or "",
    }


def _read_surroundings(variables: Mapping[str, str]) -> Surroundings:
    domain = variables.get(CLUSTER_DOMAIN) or Surroundings().cluster_domain
    hosts = _read_hosts(variables, ALLOWED_SOURCES)
    try:
        proxy = parse_proxy(variables.get(SOURCE_PROXY, ""))
    except InvalidHostError as error:
        raise _invalid(f"environment variable {SOURCE_PROXY}: {error}") from error
    return Surroundings(
        namespace=variables.get("FAIRLEAD_NAMESPACE", ""),
        cluster_domain=domain,
        api=variables.get("KUBERNETES_SERVICE_HOST", ""),
        allowed=tuple(
            dataclasses.replace(host, name=host.name.removesuffix(f".{domain}")) for host in hosts
        ),
        proxy=proxy,
        direct=_read_hosts(variables, NO_PROXY),
    )


def _read_file(variables: Mapping[str, str]) -> Path | None:
    place = variables.get("FAIRLEAD_DATABASE_URL_FILE")
    return Path(place) if place else None


def _read_hosts(variables: Mapping[str, str], name: str) -> tuple[Host, ...]:
    try:
        return parse_hosts(variables.get(name, ""))
    except InvalidHostError as error:
        raise _invalid(f"environment variable {name}: {error}") from error


def _read_mlflow(variables: Mapping[str, str]) -> Access:
    try:
        return read_access(variables)
    except InvalidAccessError as error:
        raise _invalid(f"environment variable {error}") from error


def parse_config(text: str, *, keeps: bool = True) -> TrainingConfig:
    """Read the ``--config`` document.

    Args:
        keeps: whether the stage has a run in MLflow.

    Raises:
        TrainingFailure: ConfigInvalid, naming the field.
    """
    try:
        document = json.loads(text)
    except ValueError as error:
        raise _invalid(f"--config is not JSON: {error}") from error
    root = _Section(document, "config")
    task = Task(root.choice("task", tuple(Task)))
    data, search = _parse_data(root.section("data")), _parse_search(root.section("search"), task)
    champion, card = root.optional_section("champion"), root.optional_section("card")
    gates = _parse_gates(root.optional_section("gates"), task)
    data = dataclasses.replace(data, judged_by=gates.columns)
    return TrainingConfig(
        namespace=root.text("namespace"),
        model=root.text("model"),
        training_run=root.text("trainingRun"),
        training_run_uid=root.text("trainingRunUid"),
        search_schema=root.text("searchSchema"),
        registered_model=root.text("registeredModel"),
        experiment=root.text("experiment"),
        mlflow_run_id=root.text("mlflowRunId") if keeps else "",
        task=task,
        data=data,
        search=search,
        validation=_parse_validation(root.section("validation"), task, data, search.seed),
        champion=None if champion is None else _parse_champion(champion),
        recipe_digest=root.text("recipeDigest"),
        after=root.optional_text("after"),
        card=CardConfig() if card is None else _parse_card(card),
        patience=root.number("patienceSeconds", 0, 86_400, default=0),  # none in earlier releases
        gates=gates,
    )


def _parse_data(data: "_Section") -> DataConfig:
    features = data.texts("features")
    roles = {
        "target": data.text("target"),
        "timestampColumn": data.optional_text("timestampColumn"),
        "groupBy": data.optional_text("groupBy"),
    }
    given = {name: column for name, column in roles.items() if column is not None}
    for column in given.values():
        if column in features:
            raise _invalid(f"config.data.features must not contain {column}")
    for column in given.values():
        both = [f"config.data.{name}" for name in given if given[name] == column]
        if len(both) > 1:
            raise _invalid(f"{' and '.join(both)} are both {column}")
    if roles["groupBy"] is not None and roles["timestampColumn"] is not None:
        raise _invalid("config.data.groupBy has no effect beside config.data.timestampColumn")
    if len(set(features)) != len(features):
        raise _invalid("config.data.features names a column twice")
    joins = tuple(_parse_join(each) for each in data.sections("joins"))
    if roles["timestampColumn"] is None and any(join.as_of for join in joins):
        raise _invalid("config.data.joins has an asOf, which needs config.data.timestampColumn")
    columns = data.choices("columns", (*ColumnType, _IGNORE))
    for column in columns:
        if column in given.values():
            raise _invalid(f"config.data.columns must not contain {column}")
    return DataConfig(
        **_parse_source(data),
        union=tuple(SourceConfig(**_parse_source(each)) for each in data.sections("union")),
        joins=joins,
        timestamp_column=roles["timestampColumn"],
        target=given["target"],
        features=features,
        min_rows=int(data.number("minRows", 1, 10_000_000, default=200)),
        columns={n: ColumnType(kind) for n, kind in columns.items() if kind != _IGNORE},
        ignored=tuple(name for name, kind in columns.items() if kind == _IGNORE),
        refuses_suspicious=data.get("suspiciousColumns") is not None
        and data.choice("suspiciousColumns", ("warn", "refuse")) == "refuse",
        positive_class=data.optional_text("positiveClass"),
        missing_labels=data.number("missingLabels", 0, 1, default=0),
        timestamp_format=data.optional_text("timestampFormat"),
        group_by=roles["groupBy"],
    )


def _parse_source(source: "_Section") -> dict[str, Any]:
    return {
        "uri": source.text("uri"),
        "format": source.optional_text("format"),
        "query": source.optional_text("query"),
        "endpoint": source.optional_text("endpoint"),
        "region": source.optional_text("region"),
        "version": source.optional_number("version", 0, 2**53),
        "encoding": source.optional_choice("encoding", ENCODINGS),
        "path_style": source.get("pathStyle") is not False,
    }


def _parse_join(join: "_Section") -> JoinConfig:
    moment = join.optional_section("asOf")
    if moment is None and not join.texts("keys"):
        raise _invalid(f"{join.path}.keys is empty")
    return JoinConfig(
        source=SourceConfig(**_parse_source(join.section("source"))),
        keys=join.texts("keys"),
        columns=join.texts("columns"),
        prefix=join.optional_text("prefix") or "",
        as_of=None if moment is None else _parse_as_of(moment),
    )


def _parse_as_of(moment: "_Section") -> AsOf:
    delay = moment.optional_number("delaySeconds", 0, 2**31) or 0
    return AsOf(
        column=moment.text("timestampColumn"),
        format=moment.optional_text("timestampFormat"),
        delay=delay,
        tolerance=moment.optional_number("toleranceSeconds", delay, 2**31),
    )


def _parse_search(search: "_Section", task: Task) -> SearchConfig:
    algorithms = search.texts("algorithms")
    if not algorithms or len(set(algorithms)) < len(algorithms):
        raise _invalid("config.search.algorithms must name one learner or several, each once")
    return SearchConfig(
        algorithms=algorithms,
        trials=int(search.number("trials", 1, 2000)),
        parallelism=int(search.number("parallelism", 1, 32, default=1)),
        timeout_seconds=search.number("timeoutSeconds", 1, 86_400),
        metric=_parse_metric(search, task),
        seed=int(search.number("seed", 0, 2**31 - 1, default=7)),
        ensemble=search.get("ensemble") is True,
        warm_start=search.get("warmStart") is True,
    )


def _parse_metric(search: "_Section", task: Task) -> str:
    metric = search.text("metric")
    if task is Task.REGRESSION and read_quantile(metric) is not None:
        return metric
    return search.choice("metric", METRICS_BY_TASK[task])


def _parse_validation(
    validation: "_Section", task: Task, data: DataConfig, seed: int
) -> ValidationConfig:
    validation.choice("strategy", ("random" if data.timestamp_column is None else "time-series",))
    return ValidationConfig(
        stratified=task is not Task.REGRESSION,
        seed=seed,
        folds=int(validation.number("folds", 2, 20)),
        holdout_fraction=validation.number("holdoutFraction", 0.05, 0.5),
    )


def _parse_card(card: "_Section") -> CardConfig:
    return CardConfig(
        owners=card.texts("owners"),
        license=card.optional_text("license") or "",
        intended_use=card.optional_text("intendedUse") or "",
        out_of_scope_use=card.optional_text("outOfScopeUse") or "",
        limitations=card.optional_text("limitations") or "",
        ethical_considerations=card.optional_text("ethicalConsiderations") or "",
    )


def _parse_gates(gates: "_Section | None", task: Task) -> GatesConfig:
    if gates is None:
        return GatesConfig()
    slices, fairness = gates.optional_section("slices"), gates.optional_section("fairness")
    calibration = gates.get("calibration") is True
    if fairness is not None and task is not Task.BINARY:
        raise _invalid(f"config.gates.fairness is only for {Task.BINARY}")
    if calibration and task is Task.REGRESSION:
        raise _invalid(f"config.gates.calibration is not for {Task.REGRESSION}")
    metrics = gates.texts("metrics") if gates.get("metrics") else ()
    for metric in metrics:
        if metric not in METRICS[task]:
            raise _invalid(f"config.gates.metrics names {metric}, which {task} has not")
    measured = (Gate.DEMOGRAPHIC_PARITY, Gate.EQUALIZED_ODDS)
    return GatesConfig(
        baseline=gates.get("baseline") is True,
        slices=None if slices is None else _parse_parts(slices),
        metrics=metrics,
        fairness=None if fairness is None else _parse_parts(fairness),
        measures=()
        if fairness is None
        else tuple(gate for gate in measured if fairness.get(gate) is True),
        calibration=calibration,
    )


def _parse_parts(parts: "_Section") -> PartsConfig:
    columns = parts.texts("columns")
    if not columns:
        raise _invalid(f"{parts.path}.columns is empty")
    return PartsConfig(columns=columns, min_rows=int(parts.number("minRows", 1, 10_000_000)))


def _parse_champion(champion: "_Section") -> ChampionConfig:
    return ChampionConfig(
        version=champion.text("version"),
        registry_version=champion.text("registryVersion"),
        digest=champion.text("digest"),
    )


def _invalid(message: str) -> TrainingFailure:
    return TrainingFailure(Reason.CONFIG_INVALID, message)


class _Section:
    """One JSON object of the config, and the words for what is wrong in it."""

    def __init__(self, value: object, path: str) -> None:
        if not isinstance(value, dict):
            raise _invalid(f"{path} is not a JSON object")
        self._value: dict[str, Any] = value
        self._path = path

    @property
    def path(self) -> str:
        return self._path

    def get(self, name: str) -> object:
        return self._value.get(name)

    def section(self, name: str) -> "_Section":
        return _Section(self._value.get(name), f"{self._path}.{name}")

    def optional_section(self, name: str) -> "_Section | None":
        return None if self._value.get(name) is None else self.section(name)

    def sections(self, name: str) -> tuple["_Section", ...]:
        values = self._value.get(name) or []
        if not isinstance(values, list):
            raise _invalid(f"{self._path}.{name} must be a list")
        return tuple(
            _Section(value, f"{self._path}.{name}[{number}]") for number, value in enumerate(values)
        )

    def optional_number(self, name: str, lowest: float, highest: float) -> int | None:
        return None if self._value.get(name) is None else int(self.number(name, lowest, highest))

    def optional_choice(self, name: str, allowed: tuple[str, ...]) -> str | None:
        return None if self._value.get(name) is None else self.choice(name, allowed)

    def text(self, name: str) -> str:
        value = self._value.get(name)
        if not isinstance(value, str) or not value:
            raise _invalid(f"{self._path}.{name} must be a non-empty string")
        return value

    def optional_text(self, name: str) -> str | None:
        return None if self._value.get(name) is None else self.text(name)

    def texts(self, name: str) -> tuple[str, ...]:
        value = self._value.get(name, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise _invalid(f"{self._path}.{name} must be a list of strings")
        return tuple(value)

    def choice(self, name: str, allowed: tuple[str, ...]) -> str:
        value = self.text(name)
        if value not in allowed:
            raise _invalid(
                f"{self._path}.{name} is {value}; it must be one of {', '.join(allowed)}"
            )
        return value

    def choices(self, name: str, allowed: tuple[str, ...]) -> Mapping[str, str]:
        value = self._value.get(name, {})
        if not isinstance(value, dict):
            raise _invalid(f"{self._path}.{name} is not a JSON object")
        section = _Section(value, f"{self._path}.{name}")
        return {key: section.choice(key, allowed) for key in value}

    def number(
        self, name: str, lowest: float, highest: float, *, default: float | None = None
    ) -> float:
        value = self._value.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _invalid(f"{self._path}.{name} must be a number")
        if not lowest <= value <= highest:
            raise _invalid(f"{self._path}.{name} is {value}; it must be {lowest} to {highest}")
        return value
