"""Trainings on real prices, against a real PostgreSQL and a real MLflow."""

import base64
import contextlib
import http.server
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import mlflow
import numpy as np
import pandas as pd
import psycopg
import pytest
from mlflow import MlflowClient
from mlflow.models import infer_signature
from psycopg import sql

from cluster.ports import refusing_port
from fairlead_contract.classes import read_classes
from fairlead_contract.digest import digest_directory
from fairlead_contract.hosts import parse_hosts
from fairlead_contract.mlflow import Access
from fairlead_contract.profile import read_profile
from fairlead_contract.search import search_schema
from fairlead_training.config import Environment, Surroundings
from fairlead_training.sources.http import ask
from fairlead_training.sources.table import warn_of_source
from support.mlflow_server import MlflowServer
from support.pgbouncer import pooled
from support.postgres import Postgres
from support.trainer_config import data_config
from support.training import PRICES, Desk, load_prices

pytestmark = pytest.mark.integration

SEARCHES = search_schema("energy")
PATIENCE = 300  # seconds that a process may take on a busy machine


def test_two_workers_and_a_finish_register_a_version(desk: Desk) -> None:
    config = desk.config(search__trials=7)
    other = desk.start("search", config, 1)

    assert desk.run("search", config) == (0, {"outcome": "Succeeded", "stage": "search"})
    assert other.wait(PATIENCE) == 0
    code, result = desk.run("finish", config)

    assert (code, result["outcome"], result["version"]) == (0, "Succeeded", "1.0.0")
    assert result["trials"]["finished"] == 7, "the budget counts over all workers"
    assert result["champion"] is None
    assert result["candidate"]["ciLow"] < result["candidate"]["value"] < 1
    assert result["candidate"]["value"] > 0.7
    assert result["data"]["rows"] == 2000
    assert result["data"]["from"] == "1996-05-07T00:00:00Z"
    tags = desk.version_tags(result["registryVersion"])
    assert tags["fairlead.version"] == "1.0.0"
    assert tags["fairlead.digest"] == result["digest"]
    assert tags["fairlead.training_run"] == config["trainingRunUid"]
    assert json.loads(tags["fairlead.data"]) == result["data"]
    progress = json.loads(desk.run_tags(config)["fairlead.progress"])
    assert progress["trials"] == 7


def test_a_pooler_may_stand_before_both_databases(
    desk: Desk, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It refuses the start-up parameter ``options``, and each transaction has another session."""
    with pooled(postgres) as pooler:
        monkeypatch.setenv("FAIRLEAD_DATABASE_URL", pooler.uri("postgres"))
        market = desk.market.rpartition("/")[2]
        config = desk.config(data__uri=pooler.uri(market, credentials=False), search__trials=2)
        other = desk.start("search", config, 1)

        assert desk.run("search", config)[0] == 0
        assert other.wait(PATIENCE) == 0
        assert desk.run("finish", config)[1]["outcome"] == "Succeeded"


@pytest.mark.parametrize(
    ("query", "named"),
    [
        pytest.param(
            "select 1; commit; begin read write; create table stolen (); commit",
            "more than one statement",
            id="several statements",
        ),
        pytest.param("select 1; create table stolen ()", "more than one", id="two statements"),
        pytest.param("copy (select 1) to program 'true'", "begin with SELECT", id="a program"),
        pytest.param(
            "/**/ copy (select 1) to program 'true; /**/ select'",
            "begin with SELECT",
            id="a program between comments",
        ),
        pytest.param(
            "with x as (insert into prices default values returning 1) select * from x",
            "read-only",
            id="a write in a WITH",
        ),
        pytest.param("select nextval('written')", "read-only", id="a function that writes"),
        pytest.param(
            "select set_config('transaction_read_only', 'off', true)", "read-write", id="a way out"
        ),
    ],
)
def test_a_query_only_reads(postgres: Postgres, desk: Desk, query: str, named: str) -> None:
    database = load_prices(postgres, 10)
    with psycopg.connect(postgres.uri(database)) as connection:
        connection.execute("create sequence written")

    code, result = desk.run(
        "search",
        desk.config(data__uri=postgres.uri(database, credentials=False), data__query=query),
    )

    assert (code, result["reason"]) == (3, "QueryInvalid"), result
    assert named in result["message"]
    with psycopg.connect(postgres.uri(database)) as connection:
        assert connection.execute("select to_regclass('stolen')").fetchone() == (None,)


@pytest.mark.parametrize(
    ("grant", "words"),
    [
        pytest.param("GRANT SELECT ON prices TO {}", None, id="reads"),
        pytest.param("GRANT SELECT, INSERT ON prices TO {}", "to public.prices", id="adds"),
        pytest.param("GRANT TRUNCATE ON prices TO {}", "to public.prices", id="empties"),
        pytest.param("ALTER TABLE prices OWNER TO {}", "to public.prices", id="owns"),
        pytest.param("GRANT pg_write_all_data TO {}", "to public.prices", id="writes all"),
        pytest.param("GRANT pg_write_server_files TO {}", "pg_write_server_files", id="files"),
        pytest.param("ALTER ROLE {} SUPERUSER", "superuser", id="is a superuser"),
        pytest.param("ALTER ROLE {} NOLOGIN", None, id="is not let in: that is told elsewhere"),
    ],
)
def test_a_user_who_may_write_is_told(postgres: Postgres, grant: str, words: str | None) -> None:
    database, role = load_prices(postgres, 1), f"reader_{secrets.token_hex(4)}"
    with psycopg.connect(postgres.uri(database)) as connection:
        for statement in ("CREATE ROLE {} LOGIN PASSWORD 'secret'", grant):
            connection.execute(sql.SQL(statement).format(sql.Identifier(role)))  # type: ignore[arg-type]
    environment = Environment(
        mlflow=Access(address="http://mlflow"),
        database_url="",
        data_username=role,
        data_password="secret",
        data_hosts="127.0.0.1",
        surroundings=Surroundings(allowed=parse_hosts("127.0.0.1")),
    )
    source = data_config(uri=postgres.uri(database, credentials=False), query="TABLE prices")

    warnings = warn_of_source(source, environment)

    assert len(warnings) == (words is not None)
    assert all(str(words) in warning for warning in warnings)


def test_a_registered_version_has_all_it_needs(desk: Desk, tmp_path: Path) -> None:
    config = desk.config()
    result = desk.train(config)

    name, number = config["registeredModel"], result["registryVersion"]
    mlflow.set_tracking_uri(desk.mlflow)
    uri = f"models:/{name}/{number}"
    folder = mlflow.artifacts.download_artifacts(uri, dst_path=str(tmp_path / "model"))
    assert digest_directory(Path(folder)) == result["digest"]
    info = mlflow.models.get_model_info(uri)
    assert info.signature is not None
    assert [column.name for column in info.signature.inputs][:2] == ["period", "nsw_price"]
    files = {file.path for file in MlflowClient(desk.mlflow).list_artifacts(config["mlflowRunId"])}
    assert files >= {
        "best_hyperparameters.json",
        "explanation.json",
        "explanation.png",
        "model_card.html",
        "model_card.md",
        "profile.json",
        "report.html",
        "trials.json",
    }
    profile = read_profile(json.dumps(desk.artifact(config, "profile.json")))
    assert (profile.rows, profile.answered) == (1600, 400)
    assert list(profile.columns)[:2] == ["period", "nsw_price"]
    run = MlflowClient(desk.mlflow).get_run(config["mlflowRunId"])
    assert run.data.metrics["holdout_roc_auc"] == pytest.approx(result["candidate"]["value"], 1e-4)
    assert run.inputs.dataset_inputs[0].dataset.name == config["model"]


def test_the_next_training_is_compared_with_the_champion(desk: Desk) -> None:
    first = desk.train(desk.config(search__trials=1))

    second = desk.train(
        desk.config(
            champion=_champion(first),
            data__query='SELECT * FROM prices ORDER BY "timestamp" LIMIT 3000',
        )
    )
    third = desk.train(desk.config(champion=_champion(first), recipeDigest="sha256:recipe-2"))

    assert second["version"] == "1.0.1", "the same recipe on newer data"
    assert second["champion"]["version"] == "1.0.0"
    difference = second["candidate"]["value"] - second["champion"]["value"]
    assert second["difference"]["value"] == pytest.approx(difference, abs=1e-5)
    assert second["difference"]["ciLow"] <= second["difference"]["value"]
    assert third["version"] == "1.1.0", "another recipe"


@pytest.mark.parametrize(
    ("target", "task", "metric", "bounds"),
    [
        pytest.param("nsw_price", "regression", "pinball_0.9", (0, 0.1), id="regression"),
        pytest.param("kind", "multiclass-classification", "f1_macro", (0.4, 1), id="multiclass"),
    ],
)
def test_other_tasks(
    desk: Desk, target: str, task: str, metric: str, bounds: tuple[float, float]
) -> None:
    query = """SELECT "timestamp", period, nsw_price, nsw_demand, vic_price,
        (nsw_demand > 0.3)::int + (nsw_demand > 0.5)::int AS kind
        FROM prices ORDER BY "timestamp" LIMIT 1500"""
    changes: dict[str, Any] = {
        "task": task,
        "data__query": query,
        "data__target": target,
        "search__metric": metric,
        "search__trials": 2,
    }
    config = desk.config(**changes)
    first = desk.train(config)

    second = desk.train(desk.config(champion=_champion(first), **changes))

    told = MlflowClient(desk.mlflow).get_run(config["mlflowRunId"]).data.metrics
    assert told[f"holdout_{metric}"] == pytest.approx(first["candidate"]["value"], 1e-4)
    assert (f"last_value_{metric}" in told) is (task == "regression")
    assert bounds[0] < first["candidate"]["value"] <= bounds[1]
    assert second["difference"]["value"] == pytest.approx(0, abs=1e-6), "the same rows and seed"


def test_a_search_over_several_learners_registers_the_best_of_them(desk: Desk) -> None:
    """Its champion is another learner's, and each is opened by its own form."""
    booster = desk.train(desk.config(search__trials=1))
    several = {"search__algorithms": ["linear", "lightgbm", "baseline"], "search__trials": 4}

    first = desk.train(desk.config(champion=_champion(booster), **several))
    config = desk.config(champion=_champion(first), **several)
    second = desk.train(config)

    assert first["difference"]["value"] == pytest.approx(
        first["candidate"]["value"] - booster["candidate"]["value"], abs=1e-5
    )
    assert second["difference"]["value"] == pytest.approx(0, abs=1e-6), "the same rows and seed"
    best = desk.artifact(config, "best_hyperparameters.json")
    assert best["algorithm"] in {"linear", "lightgbm"}
    assert not any("." in name for name in best["params"]), "as that learner knows them"
    run = MlflowClient(desk.mlflow).get_run(config["mlflowRunId"])
    assert run.data.params["algorithm"] == best["algorithm"]
    told = run.data.metrics
    assert told["holdout_f1_low"] <= told["holdout_f1"] <= told["holdout_f1_high"]
    assert told["trivial_roc_auc"] == 0.5


def test_models_may_answer_together_as_one_version(desk: Desk) -> None:
    told = {"search__algorithms": ["linear", "lightgbm"], "search__trials": 3}
    config = desk.config(search__ensemble=True, **told)

    result = desk.train(config)

    assert result["candidate"]["value"] > 0.7
    best = desk.artifact(config, "best_hyperparameters.json")
    said = MlflowClient(desk.mlflow).get_run(config["mlflowRunId"]).data.params
    assert said["algorithm"] == best["algorithm"]
    assert "better than the best model alone by" in said["ensemble"]
    is_alone = said["ensemble"].startswith("not kept: ")
    assert is_alone is (best["algorithm"] != "ensemble")
    if not is_alone:
        assert sum(member["weight"] for member in best["members"]) == pytest.approx(1)


def test_one_worker_finds_the_same_model_again(desk: Desk, mlflow_server: MlflowServer) -> None:
    """The digest differs all the same: MLflow writes the run and the time beside the model."""
    before = mlflow_server.artifact_files("model.ubj")
    first, second = (desk.train(desk.config(search__parallelism=1)) for _ in range(2))

    one, other = (
        path.read_bytes()
        for path in mlflow_server.artifact_files("model.ubj")
        if path not in before
    )
    assert one == other
    assert first["candidate"] == second["candidate"]
    assert first["digest"] != second["digest"]


def test_the_next_search_begins_with_the_best_of_the_last_one(desk: Desk) -> None:
    first = desk.config(search__algorithms=["linear"], search__trials=4)
    assert "begunWith" not in desk.train(first)["trials"]
    found = desk.artifact(first, "best_hyperparameters.json")["params"]
    several = {"search__algorithms": ["extra-trees", "linear"], "search__trials": 3}
    second = desk.config(search__warmStart=True, search__parallelism=1, **several)

    result = desk.train(second)

    assert result["trials"]["begunWith"] == first["trainingRun"]
    tried = desk.artifact(second, "trials.json")
    drawn = {f"linear.{name}": value for name, value in found.items()}
    assert tried[0]["params"] == {"algorithm": "linear", **drawn}
    assert tried[1]["params"]["algorithm"] == "extra-trees"


def test_a_query_may_return_booleans_decimals_and_row_numbers(desk: Desk) -> None:
    query = """SELECT row_number() OVER () AS nth, *, period > 0.5 AS late, 2^60::numeric AS big,
        CASE WHEN period > 0.2 THEN nsw_price::numeric(9, 4) END AS price
        FROM prices ORDER BY "timestamp" LIMIT 1000"""

    result = desk.train(desk.config(data__query=query, search__trials=1))

    numbering, constant, rights = result["warnings"]
    assert numbering == "no features, as they number or name the rows: nth"
    assert constant == ("columns vic_price, vic_demand, transfer, big are the same in every row")
    assert "is a superuser" in rights


def test_a_killed_worker_is_resumed(desk: Desk) -> None:
    config = desk.config(search__trials=8, validation__folds=5)
    worker = desk.start("search", config, 0)
    _wait_for_trials(desk, config, finished=1)
    worker.kill()
    worker.wait()

    code, _ = desk.run("search", config)

    assert code == 0
    states = [state for state, _ in _trials(desk, config)]
    assert states.count("COMPLETE") + states.count("PRUNED") == 8
    assert "RUNNING" not in states
    _, result = desk.run("finish", config)
    assert result["trials"] == {"finished": 8, "pruned": states.count("PRUNED"), "failed": 0}


def test_a_worker_killed_before_its_first_heartbeat_is_resumed(desk: Desk) -> None:
    """Its trial once counted as running for ever, and the others waited for the time limit."""
    config = desk.config(search__trials=3)
    assert desk.run("search", config)[0] == 0
    with psycopg.connect(desk.variables["FAIRLEAD_DATABASE_URL"]) as connection:
        connection.execute(
            f"""UPDATE {SEARCHES}.trials SET state = 'RUNNING', datetime_complete = NULL,
            datetime_start = now() - interval '1 minute'
            WHERE number = 1 AND study_id = (SELECT study_id FROM {SEARCHES}.studies
            WHERE study_name = %s)""".encode(),
            (_study_name(config),),
        )
        connection.execute(f"DELETE FROM {SEARCHES}.trial_heartbeats".encode())

    code, _ = desk.run("search", config)

    assert code == 0
    states = [state for state, _ in _trials(desk, config)]
    assert states.count("COMPLETE") + states.count("PRUNED") == 3
    assert states[1] == "FAIL"


def test_sigterm_ends_a_worker_with_143(desk: Desk) -> None:
    config = desk.config(search__trials=500)
    worker = desk.start("search", config, 0)
    _wait_for_trials(desk, config, finished=1)

    worker.send_signal(signal.SIGTERM)

    assert worker.wait(PATIENCE) == 143


def test_finish_again_reports_the_same_version(desk: Desk) -> None:
    """A finishing pod may be killed between the registration and its last word."""
    config = desk.config(search__trials=1)
    first = desk.train(config)

    code, second = desk.run("finish", config)

    assert (code, second) == (0, first)


def test_the_time_limit_ends_the_search_with_the_best_so_far(desk: Desk) -> None:
    config = desk.config(
        data__query='SELECT * FROM prices ORDER BY "timestamp" LIMIT 1000',
        search__trials=2000,
        search__timeoutSeconds=5,
    )

    code, _ = desk.run("search", config)

    assert code == 0
    _, result = desk.run("finish", config)
    assert 0 < result["trials"]["finished"] < 2000


def test_a_grown_table_does_not_change_a_training_under_way(postgres: Postgres, desk: Desk) -> None:
    market = load_prices(postgres, 1000)
    query = 'SELECT * FROM prices ORDER BY "timestamp"'
    config = desk.config(
        data__uri=postgres.uri(market, credentials=False), data__query=query, search__trials=1
    )
    desk.run("search", config)
    with psycopg.connect(postgres.uri(market)) as connection:
        connection.execute(
            """INSERT INTO prices SELECT "timestamp" + interval '1 year', period, nsw_price,
            nsw_demand, vic_price, vic_demand, transfer, price_up FROM prices"""
        )

    code, result = desk.run("finish", config)

    assert (code, result["data"]["rows"]) == (0, 1000)

    with psycopg.connect(postgres.uri(market)) as connection:
        connection.execute("UPDATE prices SET nsw_price = nsw_price + 1")
    config["trainingRunUid"] += "-again"
    desk.run("search", config)
    with psycopg.connect(postgres.uri(market)) as connection:
        connection.execute("UPDATE prices SET nsw_price = nsw_price - 1")

    code, result = desk.run("finish", config)

    assert (code, result["reason"]) == (3, "DataChanged")


@pytest.mark.parametrize(
    ("trouble", "expected"),
    [
        pytest.param("gone", "is no longer in the registry", id="deleted from the registry"),
        pytest.param("altered", "has digest sha256:", id="altered on the server"),
        pytest.param("columns", "needs the column nsw_price", id="wants a column that is gone"),
        pytest.param("rows", "0 rows of the hold-out are later", id="saw all of the hold-out"),
    ],
)
def test_a_champion_that_cannot_be_scored_leaves_the_judgment_open(
    desk: Desk, mlflow_server: MlflowServer, trouble: str, expected: str
) -> None:
    champion = _champion(desk.train(desk.config(search__trials=1)))
    changes: dict[str, Any] = {"search__trials": 1, "champion": champion}
    match trouble:
        case "gone":
            name = f"energy.{desk.model}"
            MlflowClient(desk.mlflow).delete_model_version(name, champion["registryVersion"])
        case "altered":
            newest = mlflow_server.artifact_files("model.ubj")[-1]
            newest.write_bytes(newest.read_bytes()[:-1] + b"\0")
        case "columns":
            changes["data__query"] = """SELECT "timestamp", period, nsw_demand, price_up
                FROM prices ORDER BY "timestamp" LIMIT 2000"""
        case _:
            changes["data__query"] = 'SELECT * FROM prices ORDER BY "timestamp" LIMIT 1500'

    result = desk.train(desk.config(**changes))

    assert result["champion"] == {"version": "1.0.0", "value": None}
    assert result["difference"] is None
    assert expected in result["championUnavailable"]


def test_a_champion_of_other_columns_is_compared_on_its_own(desk: Desk) -> None:
    """A cut list of features was never compared again."""
    champion = _champion(desk.train(desk.config(search__trials=1)))

    fewer = desk.train(
        desk.config(champion=champion, data__features=["period", "nsw_demand"], search__trials=1)
    )

    assert fewer["version"] == "2.0.0"
    assert 0.5 < fewer["champion"]["value"] < 1
    assert fewer["comparedRows"] == fewer["data"]["holdoutRows"]


def test_a_champion_is_compared_where_it_never_learned(desk: Desk) -> None:
    """With a larger hold-out it was scored on rows that it had learned from."""
    champion = _champion(desk.train(desk.config(validation__holdoutFraction=0.05)))

    larger = desk.train(desk.config(champion=champion, validation__holdoutFraction=0.4))

    assert larger["data"]["holdoutRows"] == 800
    assert larger["comparedRows"] == 100


def test_labels_may_be_words_and_missing(desk: Desk) -> None:
    """The second training has the other class as its positive one, and the first as champion."""
    query = """SELECT "timestamp", period, nsw_price, nsw_demand,
        CASE WHEN period < 0.02 THEN NULL WHEN price_up = 1 THEN 'up' ELSE 'Down' END AS outlook
        FROM prices ORDER BY "timestamp" LIMIT 1500"""
    changes: dict[str, Any] = {
        "data__query": query,
        "data__target": "outlook",
        "data__missingLabels": 0.05,
        "search__trials": 2,
    }
    first = desk.train(desk.config(**changes))

    second = desk.train(
        desk.config(champion=_champion(first), data__positiveClass="Down", **changes)
    )

    unlabelled = first["data"]["rowsWithoutLabel"]
    assert first["data"]["rows"] == 1500 - unlabelled
    assert f"{unlabelled} rows have no label, and were left out" in first["warnings"]
    assert (first["data"]["classes"], first["data"]["positiveClass"]) == ("Down, up", "up")
    assert (second["data"]["classes"], second["data"]["positiveClass"]) == ("up, Down", "Down")
    assert second["version"] == "2.0.0", "its answers are others"
    assert second["difference"]["value"] == pytest.approx(0, abs=0.05), "no ranking was reversed"
    uri = f"models:/energy.{desk.model}/{second['registryVersion']}"
    assert read_classes(mlflow.models.get_model_info(uri).metadata) == ("up", "Down")


def test_rows_need_no_times(desk: Desk) -> None:
    """Sorted by the target, and in groups."""
    query = """SELECT period, nsw_price, nsw_demand, price_up, (period * 48)::int % 12 AS trader
        FROM (SELECT * FROM prices LIMIT 400) AS rows ORDER BY price_up"""
    changes: dict[str, Any] = {
        "data__timestampColumn": None,
        "data__query": query,
        "data__groupBy": "trader",
        "validation__strategy": "random",
        "search__trials": 1,
    }
    first = desk.train(desk.config(**changes))

    second = desk.train(desk.config(champion=_champion(first), **changes))

    assert set(first["data"]) == {"rows", "holdoutRows", "draw", "digest"}
    assert second["comparedRows"] == second["data"]["holdoutRows"] > 20
    assert second["difference"]["value"] == 0, "the same split"


def test_a_new_class_is_compared_too(desk: Desk) -> None:
    query = """SELECT "timestamp", period, nsw_price, nsw_demand,
        CASE WHEN nsw_demand > 0.5 THEN {many} ELSE (nsw_demand > 0.4)::int END AS kind
        FROM prices ORDER BY "timestamp" LIMIT 1500"""
    changes: dict[str, Any] = {
        "task": "multiclass-classification",
        "data__target": "kind",
        "search__metric": "log_loss",
        "search__trials": 1,
    }
    first = desk.train(desk.config(data__query=query.format(many=1), **changes))

    second = desk.train(
        desk.config(data__query=query.format(many=2), champion=_champion(first), **changes)
    )

    assert second["champion"]["value"] > second["candidate"]["value"]


@pytest.mark.filterwarnings("ignore")  # MLflow's advice to authors of such models
@pytest.mark.parametrize(
    ("predictions", "said"),
    [
        pytest.param("demand.clip(0.01, 0.99)", "", id="probabilities"),
        pytest.param("(demand > 0.5).astype(float)", "not probabilities", id="classes"),
        pytest.param("demand.clip(0.01, 0.99)", "runs code", id="may not run its code"),
    ],
)
def test_a_champion_of_another_kind_is_scored_beside_the_trainer(
    desk: Desk,
    predictions: str,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    champion = _register_by_hand(desk, predictions, tmp_path)
    for name in ("question", "answer"):
        (tmp_path / "room" / name).mkdir(parents=True)
    room = {"FAIRLEAD_CHAMPION_ROOM": str(tmp_path / "room")} if said != "runs code" else {}
    for name, value in room.items():
        monkeypatch.setenv(name, value)

    with _scorer(room):
        result = desk.train(desk.config(search__trials=1, champion=champion))

    assert result["version"] == "5.0.0", "its signature differs from 4.2.0, registered by hand"
    assert said in result.get("championUnavailable", "")
    if not said:
        assert 0 < result["champion"]["value"] < 1


@pytest.mark.parametrize(
    ("changes", "reason", "named"),
    [
        pytest.param({"data__target": "up"}, "ColumnMissing", "spec.data.target", id="target"),
        pytest.param({"data__features": ["wind"]}, "ColumnMissing", "column wind", id="feature"),
        pytest.param(
            {"data__query": "SELECT *, 1 AS one FROM prices", "data__target": "one"},
            "TargetConstant",
            "column one",
            id="constant target",
        ),
        pytest.param(
            {"data__target": "period"}, "TargetInvalid", "different labels", id="not binary"
        ),
        pytest.param({"data__minRows": 5000}, "TooFewRows", "2000 rows", id="too few rows"),
        pytest.param(
            {"data__timestampColumn": "period"}, "TimestampInvalid", "column period", id="no times"
        ),
        pytest.param(
            {"data__query": "SELECT *, ARRAY[1] AS weather FROM prices"},
            "FeatureInvalid",
            "column weather",
            id="feature of lists",
        ),
        pytest.param(
            {"data__query": "SELECT *, price_up AS label, price_up FROM prices"},
            "DataFormatInvalid",
            "column price_up appears more than once",
            id="a column twice",
        ),
        pytest.param(
            {"data__query": "SELECT *, price_up AS label FROM prices"},
            "FeatureInvalid",
            "column label equals the target",
            id="the target under another name",
        ),
        *(
            pytest.param(
                {
                    "data__query": f"""SELECT CASE WHEN period = 0 THEN {never}
                        ELSE "timestamp"{kind} END AS at, * FROM prices"""
                }
                | {"data__timestampColumn": "at", "data__features": ["period"]},
                reason,
                named,
                id=f"{never} for no time",
            )
            for never, kind, reason, named in (
                ("'9999-12-31'::date", "::date", "TimestampInvalid", "9999-12-31 where a time"),
                ("'0001-01-01'::timestamp", "::timestamp", "TimestampInvalid", "0001-01-01"),
                ("'9999-12-31'::timestamptz", "", "TimestampInvalid", "9999-12-31"),
                ("'infinity'::timestamptz", "", "QueryInvalid", "too large"),
                ("'0044-03-15 BC'::date", "::date", "QueryInvalid", "too small"),
                ("NULL", "", "TimestampInvalid", "is empty in"),
            )
        ),
        *(
            pytest.param(
                {
                    "data__query": f"""SELECT *, CASE WHEN period = 0 THEN {missing}
                    ELSE period{kind} END AS wind FROM prices"""
                },
                "FeatureInvalid",
                f"column wind holds {shown}",
                id=f"{missing} for no number",
            )
            for missing, kind, shown in (
                ("'-1.7e308'::float8", "", "-1.7e+308 beyond"),
                ("'infinity'::float8", "", "inf beyond"),
                ("'1e39'::numeric", "::numeric", "1e+39 beyond"),
            )
        ),
        pytest.param(
            {
                "data__query": "SELECT *, ARRAY[1] AS sky, interval '1 day' AS day, NULL AS wind "
                "FROM prices"
            },
            "FeatureInvalid",
            "column sky holds [1] where a number belongs, in every row; column day holds",
            id="several columns at once",
        ),
        pytest.param(
            {"data__query": "SELECT * FROM prices WHERE false"}, "DataEmpty", "no rows", id="empty"
        ),
        pytest.param(
            {"data__query": "SELECT *, 1e400::numeric AS wind FROM prices"},
            "QueryInvalid",
            "too large",
            id="a number of hundreds of digits",
        ),
        pytest.param(
            {"data__query": "SELECT * FROM weather"}, "QueryInvalid", '"weather"', id="no table"
        ),
        pytest.param(
            {"data__query": "DELETE FROM prices"},
            "QueryInvalid",
            "begin with SELECT",
            id="a query that writes",
        ),
        pytest.param(
            {"data__query": "SET timezone = 'UTC'"}, "QueryInvalid", "SELECT", id="no select"
        ),
        pytest.param({"data__query": None}, "QueryInvalid", "is missing", id="no query"),
        pytest.param({"search__metric": "speed"}, "ConfigInvalid", "search.metric", id="config"),
    ],
)
def test_bad_input_ends_with_its_reason(
    desk: Desk, changes: dict[str, Any], reason: str, named: str
) -> None:
    code, result = desk.run("search", desk.config(**changes))

    assert (code, result["outcome"], result["stage"]) == (3, "Failed", "data")
    assert result["reason"] == reason
    assert named in result["message"]
    assert desk.variables["FAIRLEAD_DATA_PASSWORD"] not in result["message"]


def test_a_check_says_what_would_be_learned_from_and_keeps_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    monkeypatch.delenv("FAIRLEAD_DATABASE_URL")

    code, said = desk.run("check", desk.config(mlflowRunId=None))

    assert (code, said["outcome"]) == (0, "Succeeded")
    assert said["message"] == "2000 rows with 6 features can be learned from"
    assert (said["data"]["rows"], said["data"]["from"]) == (2000, "1996-05-07T00:00:00Z")
    types = {column["name"]: column["type"] for column in said["columns"]}
    assert (types["price_up"], types["timestamp"], types["nsw_price"]) == (
        "class",
        "time",
        "number",
    )
    assert [warning for warning in said["warnings"] if "superuser" in warning]


def test_a_check_tells_all_that_is_wrong_in_one_run(desk: Desk) -> None:
    """Columns, labels and the split: each cost a training."""
    query = """SELECT "timestamp", 1e40 AS wind, nsw_price * 1e42 AS far, nsw_price,
        CASE WHEN row_number() OVER (ORDER BY "timestamp") <= 1000 THEN price_up ELSE 1 END
        AS price_up FROM prices ORDER BY "timestamp" LIMIT 2000"""

    code, said = desk.run("check", desk.config(mlflowRunId=None, data__query=query))

    assert (code, said["reason"], said["rows"]) == (3, "FeatureInvalid", 2000)
    wind, far, split = said["faults"]
    assert "column wind" in wind
    assert "column far" in far
    assert ("largest number" in wind, "largest number" in far) == (True, True)
    assert "the target is the same in all 400 rows in the hold-out" in split
    assert [column["name"] for column in said["columns"]] == ["price_up", "timestamp", "nsw_price"]


def test_refused_credentials(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAIRLEAD_DATA_PASSWORD", "wrong-secret")

    code, result = desk.run("search", desk.config())

    assert (code, result["reason"]) == (3, "CredentialsRefused")
    assert "wrong-secret" not in result["message"]


def test_a_silent_data_source_may_be_tried_again(desk: Desk) -> None:
    code, result = desk.run(
        "search", desk.config(data__uri=f"postgresql://127.0.0.1:{refusing_port()}/market")
    )

    assert (code, result["reason"]) == (1, "DataSourceUnavailable")


def test_a_silent_database_may_be_tried_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "FAIRLEAD_DATABASE_URL", f"postgresql://u:hush@127.0.0.1:{refusing_port()}/x"
    )

    code, result = desk.run("search", desk.config())

    assert (code, result["reason"]) == (1, "DatabaseUnavailable")
    assert "hush" not in result["message"]


@pytest.mark.parametrize("stage", ["search", "finish"])
def test_a_silent_mlflow_may_be_tried_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    config = desk.config()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{refusing_port()}")

    code, result = desk.run(stage, config)

    assert (code, result["reason"]) == (1, "TrackingUnavailable")


def test_finish_without_a_search_finds_nothing(desk: Desk) -> None:
    code, result = desk.run("finish", desk.config())

    assert (code, result["reason"]) == (1, "SearchFoundNothing")


def test_a_gzipped_file_needs_no_database_of_its_own(desk: Desk) -> None:
    config = desk.config(
        data__uri=PRICES.as_uri(),
        data__query=None,
        data__features=["nsw_price", "nsw_demand"],
        search__trials=1,
    )

    result = desk.train(config)

    assert result["data"]["rows"] == 45312


class _Files(http.server.BaseHTTPRequestHandler):
    """Prices for who knows the password, also behind a redirect; remembers what it was shown."""

    shown: ClassVar[list[tuple[str, str | None]]] = []

    def do_GET(self) -> None:
        self.shown.append((self.path, self.headers["Authorization"]))
        known = "Basic " + base64.b64encode(b"reader:open-sesame").decode()
        if self.path.startswith("/moved"):
            self.send_response(302)
            self.send_header("Location", "/free/prices.csv.gz")
            self.end_headers()
        elif self.path.startswith("/gone"):
            self.send_error(404)
        elif self.path.startswith("/free") or self.headers["Authorization"] == known:
            content = PRICES.read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
        else:
            self.send_error(401)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  as http.server has it
        """Say nothing."""


@pytest.fixture(name="files", scope="module")
def _files() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Files) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("path", "password", "code", "reason"),
    [
        pytest.param("/prices.csv.gz", "open-sesame", 0, None, id="with the password"),
        pytest.param("/prices.csv.gz", "wrong", 3, "CredentialsRefused", id="wrong password"),
        pytest.param("/gone.csv", "open-sesame", 3, "DataSourceUnavailable", id="not there"),
        pytest.param("/moved.csv", "open-sesame", 0, None, id="redirected"),
    ],
)
def test_a_file_over_http(  # noqa: PLR0917  pytest passes by name
    desk: Desk,
    files: str,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    password: str,
    code: int,
    reason: str | None,
) -> None:
    monkeypatch.setenv("FAIRLEAD_DATA_USERNAME", "reader")
    monkeypatch.setenv("FAIRLEAD_DATA_PASSWORD", password)
    _Files.shown.clear()
    config = desk.config(
        data__uri=files + path,
        data__format="csv",
        data__query=None,
        search__trials=1,
        search__timeoutSeconds=60,
    )

    found, result = desk.run("search", config)

    assert (found, result.get("reason")) == (code, reason)
    assert password not in json.dumps(result)
    assert all(header is None for shown, header in _Files.shown if shown.startswith("/free"))


class _Slow(http.server.BaseHTTPRequestHandler):
    """Puts the rows together for half a second before it answers, others until it is told."""

    told: ClassVar[threading.Event]

    def do_GET(self) -> None:
        self.told.wait(0.5 if self.path == "/slow.csv" else None)
        self.send_response(200)
        self.end_headers()
        with contextlib.suppress(OSError):  # who asked may have gone
            self.wfile.write(b"rows")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  as http.server has it
        """Say nothing."""


def _open(host: str, port: int, timeout: float | None) -> socket.socket:
    return socket.create_connection((host, port), timeout)


def test_a_server_may_take_longer_to_answer_than_to_be_reached() -> None:
    """An export that took more than 30 s could not be read."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Slow) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        address = f"http://127.0.0.1:{server.server_port}"
        _Slow.told = threading.Event()
        try:
            slow = urllib.request.Request(f"{address}/slow.csv")
            with ask(slow, open_socket=_open, connect=0.1, silence=60) as answer:
                assert answer.read() == b"rows"
            silent = urllib.request.Request(f"{address}/silent.csv")
            with pytest.raises(TimeoutError):
                ask(silent, open_socket=_open, silence=0.1)
        finally:
            _Slow.told.set()
            server.shutdown()
            thread.join()


def test_a_silent_file_server_may_be_tried_again(desk: Desk) -> None:
    code, result = desk.run(
        "search",
        desk.config(data__uri=f"http://127.0.0.1:{refusing_port()}/d.csv", data__query=None),
    )

    assert (code, result["reason"]) == (1, "DataSourceUnavailable")


def test_an_unknown_run_ends_the_training_before_it_costs_anything(desk: Desk) -> None:
    code, result = desk.run("search", desk.config(mlflowRunId="0" * 32))

    assert (code, result["reason"]) == (1, "TrackingUnavailable")
    assert "HTTP 404" in result["message"]


def _champion(result: dict[str, Any]) -> dict[str, str]:
    return {name: result[name] for name in ("version", "registryVersion", "digest")}


_CODE = """
import os
import mlflow

class ByDemand(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        if any("DATABASE" in name or "MLFLOW_TRACKING" in name for name in os.environ):
            raise RuntimeError("it found an address")
        demand = model_input["nsw_demand"]
        return PREDICTIONS

mlflow.models.set_model(ByDemand())
"""


@contextlib.contextmanager
def _scorer(room: dict[str, str]) -> Iterator[None]:
    """Run a champion's code as its container does, with nothing of the trainer's environment."""
    if not room:
        yield
        return
    command = [sys.executable, "-m", "fairlead_training.scorer"]
    process = subprocess.Popen(command, env={"PATH": os.environ["PATH"], **room})
    try:
        yield
    finally:
        process.terminate()
        assert process.wait(PATIENCE) == 0


def _register_by_hand(desk: Desk, predictions: str, folder: Path) -> dict[str, str]:
    """Register a model of Python code with the two tags the contract asks for."""
    code = folder / "by_demand.py"
    code.write_text(_CODE.replace("PREDICTIONS", predictions))
    mlflow.set_tracking_uri(desk.mlflow)
    example = pd.DataFrame({"nsw_demand": [0.1, 0.9]})
    mlflow.set_experiment(experiment_id="0")
    with mlflow.start_run(run_id=desk.config()["mlflowRunId"]):
        info = mlflow.pyfunc.log_model(
            name="model",
            python_model=str(code),
            signature=infer_signature(example, np.array([0.1, 0.9])),
            pip_requirements=[],
        )
    client, name = MlflowClient(desk.mlflow), f"energy.{desk.model}"
    client.create_registered_model(name)
    digest = digest_directory(Path(mlflow.artifacts.download_artifacts(info.model_uri)))
    tags = {"fairlead.version": "4.2.0", "fairlead.digest": digest}
    source = f"models:/{info.model_id}"
    number = client.create_model_version(name, source, tags=tags, model_id=info.model_id).version
    return {"version": "4.2.0", "registryVersion": str(number), "digest": digest}


def _study_name(config: dict[str, Any]) -> str:
    return f"energy/{config['trainingRun']}/{config['trainingRunUid']}"


def _trials(desk: Desk, config: dict[str, Any]) -> list[tuple[str, int]]:
    with psycopg.connect(desk.variables["FAIRLEAD_DATABASE_URL"]) as connection:
        return connection.execute(
            f"""SELECT state::text, number FROM {SEARCHES}.trials
            JOIN {SEARCHES}.studies USING (study_id)
            WHERE study_name = %s ORDER BY number""".encode(),
            (_study_name(config),),
        ).fetchall()


def _wait_for_trials(desk: Desk, config: dict[str, Any], *, finished: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            states = [state for state, _ in _trials(desk, config)]
        except psycopg.errors.UndefinedTable:
            states = []
        if states.count("COMPLETE") >= finished and "RUNNING" in states:
            return
        time.sleep(0.05)
    raise AssertionError(f"no {finished} trials within {PATIENCE} s")
