"""The examples' Models learn from their real tables, as the operator would tell the trainer to."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest
import yaml

from fairlead_contract.search import search_schema
from fairlead_operator.api.model import ModelSpec
from fairlead_operator.kube.metadata import Owner
from fairlead_operator.training_run.config import build_config
from support.postgres import Postgres
from support.training import REPO, Desk

pytestmark = pytest.mark.integration

TABLES: Final = REPO / "examples" / "tables"


@pytest.fixture(name="tables", scope="module")
def _tables(postgres: Postgres) -> str:
    """Address of a database that was set up as the example says, without credentials."""
    database = postgres.create_database("tables")
    documents = yaml.safe_load_all((TABLES / "tables-db.yaml").read_text())
    (schema,) = (item["data"]["schema.sql"] for item in documents if item["kind"] == "ConfigMap")
    with psycopg.connect(postgres.uri(database)) as connection:
        connection.execute(schema.partition("\\getenv")[0])  # its reader would be the server's
        for table in ("tumors", "wines", "half_hours"):
            with connection.cursor().copy(f"COPY {table} FROM STDIN (FORMAT csv)") as copy:
                copy.write(_rows(table))
    return postgres.uri(database, credentials=False)


def _rows(table: str) -> bytes:
    command = [sys.executable, str(TABLES / "rows.py"), table]
    return subprocess.run(command, capture_output=True, check=True).stdout


def told(file: Path, desk: Desk, tables: str) -> dict[str, Any]:
    """What the trainer is told of this Model, with the database that is here."""
    spec = ModelSpec.model_validate(yaml.safe_load(file.read_text())["spec"])
    mine = desk.config()
    run = Owner(
        kind="TrainingRun", namespace="tables", name=mine["trainingRun"], uid=mine["trainingRunUid"]
    )
    config: dict[str, Any] = json.loads(
        build_config(spec, model=desk.model, run=run, mlflow_run_id="run-1", champion=None)
    )
    assert config["searchSchema"] == search_schema("tables")
    config["data"]["uri"] = tables
    config["search"]["trials"] = 3  # a starting point of each learner is among them
    return config | {"mlflowRunId": mine["mlflowRunId"]}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    rows: int  # that are learned from or held out
    least: float = 0.0  # of the way from always the same answer to the best there is
    data: str = ""  # that is said of it


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("tumors", Expected(rows=569, least=0.6, data="yes"), id="yes and no, no time"),
        pytest.param("wines", Expected(rows=178, least=0.6, data="grignolino"), id="classes"),
        pytest.param("prices", Expected(rows=9072, least=0.2), id="a heavy tail"),
        pytest.param("demand", Expected(rows=9071, least=0.6), id="a forecast"),
    ],
)
def test_an_example_learns(name: str, expected: Expected, desk: Desk, tables: str) -> None:
    config = told(TABLES / f"{name}.yaml", desk, tables)

    code, checked = desk.run("check", config)
    result = desk.train(config)

    assert (code, checked["data"]["rows"]) == (0, expected.rows), checked
    assert expected.data in json.dumps(result["data"])
    gained = (result["trivial"] - result["candidate"]["value"]) / result["trivial"]
    assert gained > expected.least, result
