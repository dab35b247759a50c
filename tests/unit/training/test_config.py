"""Config and environment: every error names the field."""

import json
from typing import Any

import pytest

from fairlead_contract.hosts import any_has
from fairlead_training.config import Task, parse_config, parse_environment
from fairlead_training.failure import Reason, TrainingFailure
from support.trainer_config import config_document, data_config

CHAMPION = {"version": "1.0.0", "registryVersion": "1", "digest": "sha256:a"}


def test_types_that_are_declared() -> None:
    columns = {"plan": "category", "id": "ignore"}

    data = parse_config(json.dumps(config_document(data__columns=columns))).data

    assert (data.columns, data.ignored) == ({"plan": "category"}, ("id",))
    assert not data.refuses_suspicious


def test_a_whole_config() -> None:
    config = parse_config(json.dumps(config_document(champion=CHAMPION)))

    assert config.task is Task.BINARY
    assert config.study_name == "energy/nsw-price-1/uid-1"
    assert config.champion is not None
    assert config.champion.registry_version == "1"
    assert config.data.format is None
    assert (config.data.positive_class, config.data.missing_labels) == (None, 0), "of 0.1.0"


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        pytest.param({"task": "poetry"}, "config.task is poetry", id="unknown task"),
        pytest.param({"namespace": ""}, "config.namespace", id="empty text"),
        pytest.param({"data": []}, "config.data is not", id="section of another type"),
        pytest.param({"data__uri": 7}, "config.data.uri", id="text of another type"),
        pytest.param({"data__format": 7}, "config.data.format", id="format of another type"),
        pytest.param({"data__features": "a"}, "config.data.features", id="list of another type"),
        pytest.param({"data__features": ["a", "a"]}, "names a column twice", id="column twice"),
        pytest.param({"data__features": ["up"]}, "must not contain up", id="target as feature"),
        pytest.param({"data__target": "timestamp"}, "are both timestamp", id="target is the time"),
        pytest.param({"data__groupBy": "who"}, "groupBy has no effect beside", id="group and time"),
        pytest.param(
            {"data__timestampColumn": None, "data__groupBy": "up"},
            "are both up",
            id="group, target",
        ),
        pytest.param(
            {"data__timestampColumn": None}, "must be one of random", id="no time for a series"
        ),
        pytest.param(
            {"validation__strategy": "random"}, "must be one of time-series", id="a time for none"
        ),
        pytest.param({"data__columns": []}, "config.data.columns is not", id="types in a list"),
        pytest.param({"data__columns": {"a": "word"}}, "data.columns.a is word", id="no such type"),
        pytest.param({"data__columns": {"up": "text"}}, "must not contain up", id="target's type"),
        pytest.param({"data__suspiciousColumns": "?"}, "suspiciousColumns is", id="no such answer"),
        pytest.param({"data__positiveClass": ""}, "config.data.positiveClass", id="empty class"),
        pytest.param({"data__missingLabels": 2}, "config.data.missingLabels is 2", id="a share"),
        pytest.param({"search__trials": 0}, "config.search.trials is 0", id="number too low"),
        pytest.param({"search__trials": True}, "config.search.trials", id="no number"),
        pytest.param({"search__metric": "rmse"}, "config.search.metric", id="metric of other task"),
        pytest.param({"search__algorithms": []}, "must name one learner", id="no algorithm"),
        pytest.param(
            {"search__algorithms": ["linear", "linear"]}, "each once", id="an algorithm twice"
        ),
        pytest.param({"search__metric": "recall"}, "config.search.metric", id="what is only shown"),
        pytest.param(
            {"task": "regression", "search__metric": "pinball_2"},
            "config.search.metric",
            id="no quantile",
        ),
        pytest.param(
            {"search__metric": "pinball_0.5"}, "config.search.metric", id="a quantile of classes"
        ),
        pytest.param({"validation__folds": 1}, "config.validation.folds", id="too few folds"),
        pytest.param({"champion": {}}, "config.champion.version", id="champion without version"),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(TrainingFailure) as caught:
        parse_config(json.dumps(config_document(**changes)))

    assert caught.value.reason is Reason.CONFIG_INVALID
    assert caught.value.exit_code == 3
    assert named in caught.value.message


@pytest.mark.parametrize("text", ["", "{", "[]"])
def test_no_document(text: str) -> None:
    with pytest.raises(TrainingFailure, match="JSON"):
        parse_config(text)


ENVIRONMENT = {
    "MLFLOW_TRACKING_URI": "http://mlflow",
    "FAIRLEAD_DATABASE_URL": "postgresql://u:hush@db/x",
}


def test_the_environment_keeps_secrets_out_of_its_text() -> None:
    environment = parse_environment({**ENVIRONMENT, "FAIRLEAD_DATA_PASSWORD": "hush"})

    assert environment.data_password == "hush"
    assert environment.worker == 0
    assert "hush" not in repr(environment)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        pytest.param({"MLFLOW_TRACKING_URI": ""}, "MLFLOW_TRACKING_URI", id="empty"),
        pytest.param({"JOB_COMPLETION_INDEX": "one"}, "JOB_COMPLETION_INDEX", id="no number"),
        pytest.param({"FAIRLEAD_ALLOWED_SOURCES": "*"}, "FAIRLEAD_ALLOWED_SOURCES", id="no host"),
    ],
)
def test_a_variable_that_is_wrong_is_named(changes: dict[str, str], named: str) -> None:
    with pytest.raises(TrainingFailure, match=named):
        parse_environment(ENVIRONMENT | changes)


def test_a_stage_that_keeps_nothing_needs_no_place_to_keep_it() -> None:
    environment = parse_environment({"FAIRLEAD_DATA_PASSWORD": "hush"}, keeps=False)
    config = parse_config(json.dumps(config_document(mlflowRunId=None)), keeps=False)

    assert environment.data_password == "hush"
    assert (environment.database_url, config.mlflow_run_id) == ("", "")
    with pytest.raises(TrainingFailure, match="FAIRLEAD_DATABASE_URL"):
        parse_environment({})
    with pytest.raises(TrainingFailure, match="mlflowRunId"):
        parse_config(json.dumps(config_document(mlflowRunId=None)))


def test_the_environment_says_where_the_trainer_stands() -> None:
    told = {
        "FAIRLEAD_NAMESPACE": "energy",
        "FAIRLEAD_CLUSTER_DOMAIN": "k8s.example",
        "KUBERNETES_SERVICE_HOST": "10.96.0.1",
        "FAIRLEAD_ALLOWED_SOURCES": "*.shared.svc.k8s.example:5432,10.0.0.0/8",
    }

    here = parse_environment(ENVIRONMENT | told).surroundings

    assert (here.namespace, here.cluster_domain, here.api) == ("energy", "k8s.example", "10.96.0.1")
    assert any_has(here.allowed, "db.shared.svc", 5432)
    assert any_has(here.allowed, "10.1.1.1", 1)


def test_the_keys_of_a_store_are_known_by_the_names_in_the_secret() -> None:
    environment = parse_environment(
        {
            **ENVIRONMENT,
            "FAIRLEAD_DATA_ACCESS_KEY_ID": "reader",
            "FAIRLEAD_DATA_SECRET_ACCESS_KEY": "hush",
            "FAIRLEAD_DATA_SESSION_TOKEN": "",
            "FAIRLEAD_DATA_AUTHORITY": "PEM",
        }
    )

    assert environment.data_keys == {"accessKeyId": "reader", "secretAccessKey": "hush"}
    assert environment.data_authority == "PEM"
    assert "hush" not in repr(environment)


def test_a_store_is_asked_by_the_path_unless_the_model_says_otherwise() -> None:
    asked = [data_config(pathStyle=said).path_style for said in (None, True, False)]

    assert asked == [True, True, False]
