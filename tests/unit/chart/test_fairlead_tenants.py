"""What the users of namespaces may call of the bundled MLflow: nothing beside what is listed."""

import runpy
from collections.abc import Callable

import pytest

from support.mlflow_server import FILES

GUARD = runpy.run_path(str(FILES / "fairlead_tenants.py"))
refuse: Callable[..., str | None] = GUARD["refuse"]
refuse_words: Callable[[str, object], str | None] = GUARD["refuse_words"]
names: Callable[[str], bool] = GUARD["names"]

API, FILES_API = "/api/2.0/mlflow", "/api/2.0/mlflow-artifacts/artifacts"
MODEL = f"m-{'0123456789abcdef' * 2}"


@pytest.mark.parametrize(
    ("method", "path", "folder"),
    [
        ("GET", f"{API}/runs/get", None),
        ("POST", f"{API}/runs/set-tag", None),
        ("POST", f"{API}/model-versions/create", None),
        ("POST", f"{API}/logged-models", None),
        ("PATCH", f"{API}/logged-models/{MODEL}", None),
        ("PATCH", f"{API}/logged-models/{MODEL}/tags", None),
        ("GET", f"{API}/logged-models/{MODEL}/artifacts/directories", None),
        ("GET", FILES_API, "12/models/m-1/artifacts"),
        ("GET", f"{FILES_API}/12/models/m-1/artifacts/MLmodel", None),
        ("PUT", f"{FILES_API}/12/run/artifacts/report.html", None),
    ],
)
def test_what_trainers_and_servers_need(method: str, path: str, folder: str | None) -> None:
    assert refuse("fairlead/energy", method, path, folder, 2000) is None


@pytest.mark.parametrize(
    ("path", "length", "is_taken"),
    [
        pytest.param("model-versions/create", 32_768, True, id="a version with its tags"),
        pytest.param("model-versions/create", 32_769, False, id="tags without end"),
        pytest.param("runs/log-batch", 1_000_000, True, id="a batch as large as MLflow takes it"),
        pytest.param("runs/log-batch", 2_000_000, False, id="a larger one"),
        pytest.param("runs/set-tag", None, False, id="what comes in pieces"),
        pytest.param(f"logged-models/{MODEL}/params", None, False, id="parameters in pieces"),
    ],
)
def test_how_much_is_taken(path: str, length: int | None, *, is_taken: bool) -> None:
    """Who lists the versions of all namespaces reads what each of them wrote."""
    place = f"{API}/{path}"

    assert (refuse("fairlead/energy", "POST", place, None, length) is None) is is_taken
    assert refuse("anna", "POST", place, None, length) is None


@pytest.mark.parametrize(
    ("method", "path", "folder"),
    [
        pytest.param("GET", "/", None, id="the page"),
        pytest.param("GET", "/graphql", None, id="GraphQL"),
        pytest.param("GET", "/get-artifact", None, id="files beside the API"),
        pytest.param("GET", "/ajax-api/2.0/mlflow/runs/get", None, id="the page's own API"),
        pytest.param("GET", "/api/3.0/mlflow/runs/get", None, id="another version of it"),
        pytest.param("HEAD", f"{API}/runs/get", None, id="another method"),
        pytest.param("GET", f"{API}/runs/get/", None, id="a slash at the end"),
        pytest.param("GET", f"/{API}/runs/get", None, id="two at the start"),
        pytest.param("POST", f"{API}/runs/search", None, id="a search without an experiment"),
        pytest.param("POST", f"{API}/runs/create", None, id="a run, which the operator begins"),
        pytest.param("POST", f"{API}/registered-models/create", None, id="a name"),
        pytest.param("POST", f"{API}/model-versions/set-tag", None, id="a version's tag"),
        pytest.param("DELETE", f"{API}/logged-models/{MODEL}", None, id="a deletion"),
        pytest.param("POST", f"{API}/logged-models/search", None, id="others' logged models"),
        pytest.param("GET", f"{API}/logged-models/{MODEL}\n", None, id="a line break"),
        pytest.param("GET", FILES_API, None, id="all artifacts"),
        pytest.param("GET", FILES_API, "", id="all artifacts by name"),
        pytest.param("GET", FILES_API, "12", id="all of an experiment"),
        pytest.param("GET", FILES_API, "12/../13/a", id="a way up"),
        pytest.param("GET", FILES_API, "/12/a", id="from the root"),
        pytest.param("GET", FILES_API, "users.db", id="what is no experiment's"),
        pytest.param("GET", f"{FILES_API}/12/../13/a", None, id="a way up in the path"),
        pytest.param("GET", f"{FILES_API}/12/..%2F..%2F13/a", None, id="encoded once more"),
        pytest.param("GET", f"{FILES_API}/%31/a", None, id="an encoded number"),
        pytest.param("GET", f"{FILES_API}/12//a", None, id="an empty name"),
        pytest.param("GET", f"{FILES_API}/12\\..\\13/a", None, id="the other slash"),
        pytest.param("GET", f"{FILES_API}/13/a", "12/a", id="another folder beside the path"),
        pytest.param("GET", f"{FILES_API}-other/12/a", None, id="what only begins so"),
        pytest.param("DELETE", f"{FILES_API}/12/a", None, id="a file's deletion"),
        pytest.param("POST", "/api/2.0/mlflow-artifacts/mpu/create/12/a", None, id="in parts"),
        pytest.param("PUT", FILES_API, "12/a", id="an upload to no place"),
        pytest.param("GET", f"{FILES_API}/١٢/a", None, id="digits of another script"),
    ],
)
def test_and_nothing_else(method: str, path: str, folder: str | None) -> None:
    assert "need no" in (refuse("fairlead/energy", method, path, folder) or "")
    assert refuse("anna", method, path, folder) is None  # of people MLflow alone decides


@pytest.mark.parametrize(
    ("body", "is_taken"),
    [
        pytest.param({"run_id": "a", "key": "k", "value": "Any Words"}, True, id="a field"),
        pytest.param({"run_id": "a", "run_uuid": "a"}, True, id="both names, as MLflow sends them"),
        pytest.param({"run_id": "a", "metrics": [{"model_id": "m"}]}, True, id="fields within"),
        pytest.param({"run_uuid": "a", "runId": "b"}, False, id="the name in JSON"),
        pytest.param({"run_uuid": "a"}, False, id="the old name alone"),
        pytest.param({"run_uuid": "a", "run_id": "b"}, False, id="two names that disagree"),
        pytest.param({"metrics": [{"modelId": "m"}]}, False, id="the name in JSON, within"),
        pytest.param({"run_id ": "a"}, False, id="a blank"),
        pytest.param([{"run_id": "a"}], False, id="a list"),
        pytest.param('{"run_id": "a"}', False, id="encoded twice"),
        pytest.param(None, False, id="nothing, or no JSON"),
    ],
)
def test_a_field_has_one_name(body: object, *, is_taken: bool) -> None:
    """MLflow judges by one name of a field, and does what another says."""
    assert (refuse_words("fairlead/energy", body) is None) is is_taken


@pytest.mark.parametrize(
    ("body", "is_taken"),
    [
        pytest.param({"run_uuid": "a", "key": "k"}, True, id="as the page sends it"),
        pytest.param({"runId": "a"}, True, id="the name in JSON, by which MLflow does not judge"),
        pytest.param({"run_uuid": "a", "runId": "b"}, False, id="two names of a run"),
        pytest.param(None, True, id="nothing"),
    ],
)
def test_nor_do_people_name_a_run_twice(body: object, *, is_taken: bool) -> None:
    assert (refuse_words("anna", body) is None) is is_taken


@pytest.mark.parametrize(
    ("path", "is_so"),
    [
        (f"{API}/experiments/create", True),
        (f"{API}/experiments/update", True),
        (f"{API}/registered-models/rename", True),
        (f"{API}/registered-models/create", True),
        ("/ajax-api/2.0/mlflow/registered-models/rename", True),
        ("/prefix/api/3.0/mlflow/experiments/create/", True),
        (f"{API}/experiments/get", False),
        (f"{API}/registered-models/set-tag", False),
        (f"{API}/model-versions/create", False),
    ],
)
def test_only_the_administrator_names_things(path: str, is_so: bool) -> None:
    assert names(path) is is_so
