"""A table as people keep it: trained on a real PostgreSQL, registered in MLflow, and served."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import mlflow
import pytest

from support.mlflow_server import MlflowServer
from support.model_server import Registered, ServerProcess, model_server
from support.training import Desk

pytestmark = pytest.mark.integration

# Who leaves has a plan called silver, or wrote of a slow branch; and one in eleven does otherwise.
CUSTOMERS = """SELECT n + 1 AS id, n / 2 AS household,
    CASE WHEN n % 17 <> 0 THEN (ARRAY['gold', 'silver', 'größte'])[n % 3 + 1] END AS plan,
    'city ' || n * 7919 % 41 AS city,
    CASE WHEN n % 4 = 0 THEN 'a slow answer from branch ' || n ELSE 'all good with branch ' || n END
        AS note,
    CASE WHEN n % 13 <> 0 THEN n % 2 = 0 END AS member,
    CASE WHEN n % 7 <> 0 THEN timestamptz '2020-01-01' + n * 7919 % 900 * interval '1 day' END
        AS since,
    CASE WHEN n % 11 <> 0 THEN 20 + n * 31 % 60 END AS age,
    {code} AS code,
    'never changes' AS always,
    CASE WHEN n % 19 = 5 THEN NULL
        WHEN (n % 3 = 1 OR n % 4 = 0) <> (n * 7 % 11 = 3) THEN 'yes' ELSE 'no' END AS churned
    FROM generate_series(0, 899) AS n"""
CHANGES: dict[str, Any] = {
    "data__timestampColumn": None,
    "data__groupBy": "household",
    "data__query": CUSTOMERS.format(code="n % 5"),
    "data__target": "churned",
    "data__missingLabels": 0.1,
    "validation__strategy": "random",
    "search__trials": 1,
}
ROW = {
    "plan": "gold",
    "city": "city 7",
    "note": "All good",
    "member": True,
    "since": "2021-03-04T05:06:07Z",
    "age": 33,
    "code": 2,
    "always": "never changes",
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """A training's result, what it registered, and a server of that."""

    desk: Desk
    result: dict[str, Any]
    server: ServerProcess


@pytest.fixture(name="shop", scope="module")
def _shop(desk_of_module: Desk, mlflow_server: MlflowServer) -> Iterator[Shop]:
    desk = desk_of_module
    result = desk.train(desk.config(**CHANGES))
    version = Registered(
        tracking_uri=mlflow_server.uri,
        name=f"energy.{desk.model}",
        version=result["registryVersion"],
        digest=result["digest"],
    )
    # The trainer's variables are set; the server keeps no record.
    environment = {"FAIRLEAD_VERSION": result["version"], "FAIRLEAD_DATABASE_URL": ""}
    with model_server(version, timeout_seconds=60, environment=environment) as server:
        server.wait_until_ready()
        yield Shop(desk=desk, result=result, server=server)


def test_what_the_columns_are_is_told(shop: Shop) -> None:
    data = shop.result["data"]
    assert data["columns"] == (
        "category: plan, city, always; text: note; time: since; boolean: member; number: age, code"
    )
    assert (data["classes"], data["positiveClass"]) == ("no, yes", "yes")
    warnings = shop.result["warnings"]
    assert "no features, as they number or name the rows: id" in warnings
    assert "column always is the same in every row" in warnings
    assert shop.result["candidate"]["value"] > 0.8


def test_the_signature_says_types_and_what_may_be_missing(shop: Shop) -> None:
    uri = f"models:/energy.{shop.desk.model}/{shop.result['registryVersion']}"
    signature = mlflow.models.get_model_info(uri).signature

    assert {one.name: (one.type.name, one.required) for one in signature.inputs.inputs} == {
        "plan": ("string", False),
        "city": ("string", True),
        "note": ("string", True),
        "member": ("boolean", False),
        "since": ("datetime", False),
        "age": ("double", False),
        "code": ("double", True),
        "always": ("string", True),
    }


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="a whole row"),
        pytest.param({"plan": "platinum", "city": "elsewhere"}, id="categories never seen"),
        pytest.param(dict.fromkeys(ROW), id="null wherever it may be"),
        pytest.param({"plan": ..., "member": ..., "since": ..., "age": ...}, id="left out"),
        pytest.param({"member": 1}, id="a number for a boolean"),
        pytest.param({"age": True}, id="a boolean for a number"),
        pytest.param({"since": 1_614_834_367}, id="seconds for a time"),
        pytest.param({"since": "2021-03-04"}, id="a day for a time"),
        pytest.param({"city": 7}, id="a number for a category"),
        pytest.param({"note": ""}, id="a text of nothing"),
    ],
)
def test_the_server_answers_in_the_users_words(shop: Shop, changes: dict[str, Any]) -> None:
    row = {name: value for name, value in {**ROW, **changes}.items() if value is not ...}

    answer = shop.server.predict(row)

    assert answer.status_code == 200, answer.text
    (prediction,) = answer.json()["predictions"]
    assert prediction["label"] in {"no", "yes"}
    assert prediction["probabilities"].keys() == {"no", "yes"}
    assert sum(prediction["probabilities"].values()) == pytest.approx(1, abs=1e-6)


def test_what_matters_moves_the_answer(shop: Shop) -> None:
    rows = [ROW, {**ROW, "plan": "silver"}, {**ROW, "note": "a SLOW answer"}]

    stays, leaves, complains = (
        one["label"] for one in shop.server.predict(*rows).json()["predictions"]
    )

    assert (stays, leaves, complains) == ("no", "yes", "yes")


def test_an_answer_is_explained_by_the_columns_of_the_table(shop: Shop) -> None:
    row = {**ROW, "plan": "silver", "member": None}

    answer = shop.server.post("/explain", json={"instances": [row]})

    assert answer.status_code == 200, answer.text
    (one,) = answer.json()["explanations"]
    (prediction,) = shop.server.predict(row).json()["predictions"]
    added = one["attributions"]
    assert (one["class"], added.keys()) == ("yes", ROW.keys())
    assert one["score"] == pytest.approx(prediction["probabilities"]["yes"], abs=1e-6)
    assert one["base"] + sum(added.values()) == pytest.approx(one["score"], abs=1e-6)
    assert max(added, key=lambda name: added[name]) == "plan"
    assert added["always"] == 0


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param({"age": "old"}, "column 'age': 'old' is not a number", id="a word"),
        pytest.param({"member": "yes"}, "column 'member': 'yes' is not true", id="no boolean"),
        pytest.param(
            {"since": "yesterday"}, "column 'since': 'yesterday' is neither a time", id="day"
        ),
        pytest.param({"note": 7}, "column 'note': 7 is not a string", id="a number for a text"),
        pytest.param({"plan": ["gold"]}, "column 'plan': ['gold'] is not", id="a list"),
        pytest.param({"city": ...}, "has no column 'city'", id="one that may not be left out"),
        pytest.param({"tier": 1}, "unknown column 'tier'", id="one that is not known"),
    ],
)
def test_wrong_input_is_named_by_column(shop: Shop, changes: dict[str, Any], said: str) -> None:
    row = {name: value for name, value in {**ROW, **changes}.items() if value is not ...}

    answer = shop.server.predict(row)

    assert answer.status_code == 400
    assert said in answer.text.replace('\\"', '"')


def test_a_champion_is_compared_though_a_column_has_changed_its_type(shop: Shop) -> None:
    """Numbers have become words since; the champion is asked with what it can read of them."""
    champion = {name: shop.result[name] for name in ("version", "registryVersion", "digest")}
    now = {**CHANGES, "data__columns": {"code": "category", "city": "ignore"}}

    second = shop.desk.train(shop.desk.config(champion=champion, **now))

    assert second["version"] == "2.0.0", "callers give other columns"
    assert second["data"]["columns"] == (
        "category: plan, code, always; text: note; time: since; boolean: member; number: age"
    )
    assert second["comparedRows"] == second["data"]["holdoutRows"], second
    assert second["champion"]["value"] == shop.result["candidate"]["value"], "on the same rows"


def test_a_champion_that_cannot_read_a_column_any_more_leaves_the_judgment_open(
    shop: Shop,
) -> None:
    champion = {name: shop.result[name] for name in ("version", "registryVersion", "digest")}
    now = {**CHANGES, "data__query": CUSTOMERS.format(code="'no' || n % 5")}

    second = shop.desk.train(shop.desk.config(champion=champion, **now))

    assert "its column code" in second["championUnavailable"]


def test_models_of_words_may_answer_together_as_one_version(shop: Shop) -> None:
    told = {"search__algorithms": ["linear", "lightgbm"], "search__trials": 3}
    config = shop.desk.config(**{**CHANGES, **told}, search__ensemble=True)

    result = shop.desk.train(config)

    best = shop.desk.artifact(config, "best_hyperparameters.json")
    assert result["candidate"]["value"] > 0.8
    assert "better than the best model alone by" in best["ensemble"]
    assert best["ensemble"].startswith("not kept: ") is (best["algorithm"] != "ensemble")
    assert not any("was better by the search" in said for said in result["warnings"])
