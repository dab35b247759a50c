"""The example's files agree with the types, and with what the story does with them."""

import runpy
import subprocess
import sys

import pytest
import yaml

from e2e.story import energy
from e2e.story.rows import EXAMPLE, read_csv
from fairlead_operator.api.model import ModelSpec

MODEL = yaml.safe_load((EXAMPLE / "model.yaml").read_text())


def test_the_model_is_valid() -> None:
    spec = ModelSpec.model_validate(MODEL["spec"])

    assert spec.training.search.trials >= 20
    assert [step.weight for step in spec.rollout.steps] == [10, 50]


def test_the_story_speaks_of_this_model() -> None:
    assert (MODEL["metadata"]["namespace"], MODEL["metadata"]["name"]) == (
        energy.NAMESPACE,
        energy.MODEL,
    )


def test_everything_is_in_the_namespace_that_enforces_pod_security() -> None:
    namespace = yaml.safe_load((EXAMPLE / "00-namespace.yaml").read_text())
    database = yaml.safe_load_all((EXAMPLE / "market-db.yaml").read_text())

    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert {item["metadata"]["namespace"] for item in database} == {namespace["metadata"]["name"]}


def test_the_folder_can_be_applied_as_a_whole() -> None:
    """kubectl goes by the names of the files, and refuses what has no namespace yet."""
    first, *_ = sorted(EXAMPLE.glob("*.yaml"))

    assert yaml.safe_load(first.read_text())["kind"] == "Namespace"


def test_rows_py_prints_what_the_story_loads() -> None:
    script = str(EXAMPLE / "rows.py")

    done = subprocess.run(
        [sys.executable, script, "--first=5", "--count=3"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout == read_csv(first=5, count=3)


def test_the_database_has_the_data_sets_columns() -> None:
    rows = runpy.run_path(str(EXAMPLE / "rows.py"))
    schema = (EXAMPLE / "market-db.yaml").read_text()
    query = MODEL["spec"]["data"]["source"]["query"]

    for column in rows["columns"]():
        assert f"{column} " in schema
        assert column in query


def test_the_model_reads_as_a_user_who_may_only_read() -> None:
    documents = list(yaml.safe_load_all((EXAMPLE / "market-db.yaml").read_text()))
    names = {item["metadata"]["name"]: item for item in documents if item["kind"] == "Secret"}
    (schema,) = (item["data"]["schema.sql"] for item in documents if item["kind"] == "ConfigMap")

    source = MODEL["spec"]["data"]["source"]
    secret = names[source["credentials"]["name"]]["stringData"]
    user = secret["username"]

    assert f"//{secret['hosts']}/" in source["uri"]
    grants = [line.strip() for line in schema.splitlines() if line.strip().startswith("grant")]
    assert grants == [f"grant select on half_hours to {user};"]
    assert f"create role {user} login" in schema


@pytest.mark.parametrize("name", ["faulty", "slow"])
def test_the_bad_versions_code_is_there(name: str) -> None:
    assert energy.version_code(name).exists()
