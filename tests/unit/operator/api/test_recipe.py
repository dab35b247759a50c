"""Which words of a spec train a version again: every field, one row each."""

import copy
import typing
from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field

from fairlead_operator.api.model import ModelSpec
from fairlead_operator.api.recipe import recipe_digest, renew_digest, task_digest
from fairlead_operator.api.training import (
    DataSource,
    DataSpec,
    Join,
    SearchSpec,
    TrainingSpec,
)

LEAST: dict[str, Any] = {
    "task": "binary-classification",
    "data": {
        "source": {"uri": "https://data/rows.csv"},
        "timestampColumn": "timestamp",
        "target": "price_up",
    },
}
FULL: dict[str, Any] = {
    "task": "binary-classification",
    "data": {
        "source": {
            "uri": "postgresql://market-db/market",
            "query": "select * from rows",
            "credentials": {"name": "market-db"},
        },
        "timestampColumn": "timestamp",
        "target": "price_up",
        "features": ["price", "demand"],
        "minRows": 500,
    },
    "training": {
        "algorithms": ["xgboost"],
        "search": {
            "trials": 60, "parallelism": 4, "timeout": "30m", "metric": "log_loss", "seed": 11,
        },
        "validation": {"strategy": "time-series", "folds": 5, "holdout": "10%"},
        "retries": 1,
        "resources": {"limits": {"memory": "4Gi"}},
    },
}  # fmt: skip

# Whoever has to change these is about to train every Model of every user.
LEAST_DIGEST = "sha256:205676f65ee787462b587f70e8928d1697643a26d549198c94b389b33070eaf1"
FULL_DIGEST = "sha256:186fe06422d32348b07cdc11cbc93e4c2d02581c3306f6040cb3d5bc9401ab7c"
# And these, to train every Model whose last training failed.
LEAST_TASK = LEAST_DIGEST  # nothing was said beside the recipe
FULL_TASK = "sha256:4da1876132e2eeaf7150a998863f8209201929805c97c81648130ab5b43638df"

# Of each field of task, data and training: another value than in FULL.
TRAINS: dict[str, object] = {
    "task": "multiclass-classification",
    "data.source.uri": "postgresql://market-db/archive",
    "data.source.endpoint": "https://s3.example.com",
    "data.source.format": "parquet",
    "data.source.version": 12,
    "data.source.encoding": "latin-1",
    "data.source.query": "select * from rows where price > 0",
    "data.union": (DataSource(uri="https://data/more.csv"),),
    "data.joins": (Join(source=DataSource(uri="https://data/weather.csv"), keys=("zone",)),),
    "data.timestampColumn": "time",
    "data.timestampFormat": "seconds",
    "data.groupBy": "market",
    "data.target": "price_down",
    "data.positiveClass": "up",
    "data.columns": {"price": "category"},
    "data.features": ("demand", "price"),  # the learner samples columns by their place
    "training.algorithms": ("lightgbm",),
    "training.ensemble": True,
    "training.search.trials": 61,
    "training.search.metric": "roc_auc",
    "training.search.quantile": 0.9,
    "training.search.seed": 12,
    "training.validation.strategy": "random",
    "training.validation.folds": 4,
    "training.validation.holdout": "20%",
}
TRAINS_NOT: dict[str, object] = {
    "data.source.credentials.name": "market-db-2",
    "data.source.region": "eu-central-1",
    "data.source.pathStyle": False,
    "data.minRows": 100,
    "data.missingLabels": "10%",
    "data.suspiciousColumns": "refuse",
    "training.search.parallelism": 1,
    "training.search.timeout": timedelta(minutes=15),
    "training.search.warmStart": False,
    "training.retries": 5,
    "training.resources.requests.cpu": "1",
    "training.resources.requests.memory": "1Gi",
    "training.resources.limits.cpu": "2",
    "training.resources.limits.memory": "8Gi",
}

# What says when a training starts, and is told to none: path → another value.
WHEN = {
    "training.schedule.cron": "0 3 * * MON",
    "training.schedule.timeZone": "CET",
}


def put(manifest: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    changed = copy.deepcopy(manifest)
    *above, last = path.split(".")
    inner = changed
    for name in above:
        inner = inner.setdefault(name, {})
    inner[last] = value
    return changed


def build(manifest: dict[str, Any]) -> ModelSpec:
    return ModelSpec.model_validate(manifest)


def change(spec: Any, path: str, value: object) -> Any:
    """Set one field, also to a value that only a later release lets in."""
    first, _, rest = path.partition(".")
    fields = type(spec).model_fields.items()
    name = next(name for name, field in fields if (field.alias or name) == first)
    inner = change(getattr(spec, name), rest, value) if rest else value
    return spec.model_copy(update={name: inner})


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if typing.get_origin(annotation) is tuple:  # what is in a list has no path
        return None
    for kind in (annotation, *typing.get_args(annotation)):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return kind
    return None


def paths(model: type[BaseModel], above: str = "") -> Iterator[str]:
    """Every field that a person can write, with its path."""
    for name, field in model.model_fields.items():
        path = f"{above}{field.alias or name}"
        inner = _model_in(field.annotation)
        if inner is None:
            yield path
        else:
            yield from paths(inner, f"{path}.")


def test_every_field_is_in_one_of_the_lists() -> None:
    shaping = {
        path for path in paths(ModelSpec) if path.split(".")[0] in {"task", "data", "training"}
    }

    listed = [*TRAINS, *TRAINS_NOT, *WHEN]
    assert sorted(listed) == sorted(shaping)


@pytest.mark.parametrize(("path", "value"), TRAINS.items(), ids=TRAINS)
@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
def test_a_change_of_the_recipe_trains(path: str, value: object) -> None:
    assert recipe_digest(change(build(FULL), path, value)) != FULL_DIGEST


def test_the_split_that_rows_without_times_have_need_not_be_said() -> None:
    without = copy.deepcopy(FULL)
    del without["data"]["timestampColumn"], without["training"]["validation"]["strategy"]
    said = put(without, "training.validation.strategy", "random")

    assert recipe_digest(build(said)) == recipe_digest(build(without)) != FULL_DIGEST


@pytest.mark.parametrize(("path", "value"), TRAINS_NOT.items(), ids=TRAINS_NOT)
def test_a_change_of_anything_else_trains_nobody(path: str, value: object) -> None:
    assert recipe_digest(change(build(FULL), path, value)) == FULL_DIGEST


@pytest.mark.parametrize(("path", "value"), (TRAINS | TRAINS_NOT).items(), ids=TRAINS | TRAINS_NOT)
@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
def test_a_change_of_anything_that_it_is_told_corrects_a_training(path: str, value: object) -> None:
    assert task_digest(change(build(FULL), path, value)) != FULL_TASK


def test_when_a_training_starts_changes_none_that_was_started() -> None:
    with_schedule = put(FULL, "training.schedule", {})
    for path, value in WHEN.items():
        with_schedule = put(with_schedule, path, value)
    changed = build(with_schedule)

    assert recipe_digest(changed) == FULL_DIGEST
    assert task_digest(changed) == FULL_TASK


@pytest.mark.parametrize(
    "access",
    [
        pytest.param({"credentials": {"name": "other"}}, id="another Secret"),
        pytest.param({"region": "eu-central-1"}, id="a region"),
        pytest.param({"pathStyle": False}, id="another way to ask"),
    ],
)
@pytest.mark.parametrize("where", ["union", "joins"])
def test_how_other_sources_are_asked_corrects_a_training_and_starts_none(
    where: str, access: dict[str, Any]
) -> None:
    source = {"uri": "s3://market/more.csv", "credentials": {"name": "market"}}

    def spec(**fields: Any) -> ModelSpec:
        other = {**source, **fields}
        return build(
            put(FULL, f"data.{where}", [{"source": other, "keys": ["zone"]}])
            if where == "joins"
            else put(FULL, f"data.{where}", [other])
        )

    assert recipe_digest(spec(**access)) == recipe_digest(spec()) != FULL_DIGEST
    assert task_digest(spec(**access)) != task_digest(spec())


@pytest.mark.parametrize("gate", [{"slices": {"maxLoss": 0.1}}, {"fairness": {"equalizedOdds": 1}}])
def test_a_column_that_a_gate_names_corrects_a_training_and_starts_none(
    gate: dict[str, dict[str, Any]],
) -> None:
    """A training fails whose data lacks it."""

    def spec(*columns: str, bound: float = 0.1) -> ModelSpec:
        named = {
            name: dict.fromkeys(bounds, bound) | {"columns": columns}
            for name, bounds in gate.items()
        }
        return build(put(FULL, "promotion", {"gates": named}))

    assert recipe_digest(spec("region")) == FULL_DIGEST
    assert len({FULL_TASK, task_digest(spec("regio")), task_digest(spec("region"))}) == 3
    assert task_digest(spec("region")) == task_digest(spec("region", bound=0.2))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        pytest.param("version", "1.0.0", id="a pin"),
        pytest.param("suspend", True, id="suspended"),
        pytest.param("promotion", {"minImprovement": 0.1}, id="what counts as better"),
        pytest.param("serving", {"replicas": 3}, id="how it is served"),
        pytest.param("rollout", {"strategy": "recreate"}, id="how traffic moves"),
    ],
)
def test_what_comes_after_the_training_trains_nobody(path: str, value: object) -> None:
    assert recipe_digest(build(put(FULL, path, value))) == FULL_DIGEST


@pytest.mark.parametrize(
    ("path", "value"),
    [
        pytest.param("training", {}, id="an empty training"),
        pytest.param("training.search", {}, id="an empty search"),
        pytest.param("training.search.trials", 40, id="the default number of trials"),
        pytest.param("training.search.metric", "roc_auc", id="the metric of the task"),
        pytest.param("training.search.metric", None, id="a null"),
        pytest.param("training.validation.holdout", "20%", id="the default hold-out"),
        pytest.param("training.validation.holdout", 0.2, id="the default hold-out as a number"),
        pytest.param("data.features", [], id="no features named"),
        pytest.param("data.columns", {}, id="no columns declared"),
        pytest.param("data.suspiciousColumns", "warn", id="the default for suspicious columns"),
        pytest.param("data.minRows", 200, id="the default least rows"),
        pytest.param("data.missingLabels", "5%", id="the default share without a label"),
        pytest.param("training.search.parallelism", 1, id="the default parallelism"),
        pytest.param("training.search.timeout", "900s", id="the default timeout in other words"),
        pytest.param("training.search.warmStart", True, id="the default beginning"),
        pytest.param("training.retries", 2, id="the default retries"),
        pytest.param("training.resources", {"limits": {}}, id="empty limits"),
        pytest.param("data.source.credentials", None, id="null credentials"),
    ],
)
def test_a_default_that_is_written_out_trains_nobody(path: str, value: object) -> None:
    """The API server writes some defaults into what it keeps, and people write others."""
    spec = build(put(LEAST, path, value))

    assert recipe_digest(spec) == LEAST_DIGEST
    assert task_digest(spec) == LEAST_TASK


@pytest.mark.parametrize(
    "filled_in",
    [
        pytest.param({}, id="left out"),
        pytest.param(
            {"data.shuffle": False, "training.earlyStopping": True, "training.monotone": "none"},
            id="its default, filled in by the API server in what was applied before",
        ),
    ],
)
@pytest.mark.parametrize(
    ("spec", "recipe", "task"),
    [
        pytest.param(LEAST, LEAST_DIGEST, LEAST_TASK, id="the least"),
        pytest.param(FULL, FULL_DIGEST, FULL_TASK, id="the full"),
    ],
)
def test_a_field_that_a_release_adds_trains_nobody(
    spec: dict[str, Any], recipe: str, task: str, filled_in: dict[str, object]
) -> None:
    """Each was in a digest once: a new field trained every Model, or every failed one, anew."""

    class Data(DataSpec):
        shuffle: Annotated[bool, Field(default=False)]

    class Training(TrainingSpec):
        early_stopping: Annotated[bool, Field(default=True)]
        monotone: Annotated[str | None, Field(default=None)]

    class Model(ModelSpec):
        data: Annotated[Data, Field()]
        training: Annotated[Training, Field(default=Training())]

    for path, value in filled_in.items():
        spec = put(spec, path, value)
    read = Model.model_validate(spec)

    assert recipe_digest(read) == recipe
    assert task_digest(read) == task


def test_a_default_that_a_release_changes_trains_nobody() -> None:
    class Search(SearchSpec):
        trials: Annotated[int, Field(default=50)]

    class Training(TrainingSpec):
        search: Annotated[Search, Field(default=Search())]

    class Model(ModelSpec):
        training: Annotated[Training, Field(default=Training())]

    read = Model.model_validate(LEAST)

    assert recipe_digest(read) == LEAST_DIGEST
    assert task_digest(read) == LEAST_TASK


def test_the_digests_of_two_recipes_never_change() -> None:
    assert recipe_digest(build(LEAST)) == LEAST_DIGEST
    assert recipe_digest(build(FULL)) == FULL_DIGEST


def test_the_digests_of_what_two_trainings_are_told_never_change() -> None:
    assert task_digest(build(LEAST)) == LEAST_TASK
    assert task_digest(build(FULL)) == FULL_TASK


# What 0.1.0 wrote into status for LEAST and FULL, computed by it.
LEAST_BEFORE = "sha256:d549b617cd53cde306788b11ac45629aafa81f47706b346565db0b22ecf8342d"
FULL_BEFORE = "sha256:635c316a0e1d7cd3a24ea00754b466144f9551cc117725976015322286e119f9"


@pytest.mark.parametrize(
    ("stored", "spec", "renewed"),
    [
        pytest.param(LEAST_BEFORE, LEAST, LEAST_DIGEST, id="the same recipe"),
        pytest.param(FULL_BEFORE, FULL, FULL_DIGEST, id="with every field written"),
        pytest.param(FULL_BEFORE, put(FULL, "data.target", "x"), FULL_BEFORE,
                     id="a recipe that changed since stays another one"),
        pytest.param(FULL_DIGEST, FULL, FULL_DIGEST, id="renewed already"),
        pytest.param(None, LEAST, None, id="never trained"),
    ],
)  # fmt: skip
def test_the_digest_of_an_earlier_release_is_renewed(
    stored: str | None, spec: dict[str, Any], renewed: str | None
) -> None:
    assert renew_digest(stored, build(spec)) == renewed
