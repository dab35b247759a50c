"""Two namespaces on one MLflow, as the chart runs it: what one of them tries gives it nothing.

Every attack is made by the user that trainers and servers of a namespace sign in as, and by a
person to whom the administrator gave an account and no rights.  The attacks that MLflow's own
permissions refuse are here too: a later MLflow must go on refusing them.
"""

import asyncio
import base64
import contextlib
import dataclasses
import http.client
import json
import os
import secrets
import urllib.parse
from base64 import b64decode
from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import pytest

from fairlead_contract.digest import digest_directory
from fairlead_contract.mlflow import Access, read_access, with_secret
from fairlead_operator.errors import TransientError
from fairlead_operator.kube.store import Store
from fairlead_operator.kube.watched import WatchedKube
from fairlead_operator.mlflow.client import MlflowClient
from fairlead_operator.mlflow.directory import MlflowDirectory, name_user
from fairlead_operator.mlflow.logins import OwnLogins
from fairlead_serving.server.failure import StartupError
from fairlead_serving.server.registry import MlflowRegistry
from fairlead_training.__main__ import main
from fairlead_training.failure import TrainingFailure
from fairlead_training.progress import tag_writer
from support.fakes import START, Clock, FakeKube
from support.mlflow_server import MlflowServer, running_mlflow_with_users
from support.postgres import Postgres
from support.trainer_config import config_document
from support.training import load_prices

pytestmark = pytest.mark.integration

HUSH = "hush"  # what nobody but the other namespace may read
API, AJAX = "/api/2.0/mlflow", "/ajax-api/2.0/mlflow"
UP = "/%252e%252e" * 3
PASSWORD = secrets.token_hex(24)  # of the administrator
T = TypeVar("T")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int
    text: str

    @property
    def body(self) -> dict[str, Any]:
        return dict(json.loads(self.text))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Someone who signs in, and sends what they like: nothing is put in order on the way."""

    uri: str
    name: str
    password: str

    @property
    def access(self) -> Access:
        return Access(address=self.uri, username=self.name, password=self.password)

    def ask(self, method: str, path: str, body: object = None, /, **query: str) -> Answer:
        pair = base64.b64encode(f"{self.name}:{self.password}".encode()).decode()
        headers = {"Authorization": f"Basic {pair}", "Content-Type": "application/json"}
        data = body if isinstance(body, bytes) else json.dumps(body or {}).encode()
        target = path + (f"?{urllib.parse.urlencode(query)}" if query else "")
        connection = http.client.HTTPConnection(urllib.parse.urlsplit(self.uri).netloc, timeout=60)
        try:
            sent = None if method == "GET" else data
            connection.request(method, target, sent, headers)
            answer = connection.getresponse()
            return Answer(status=answer.status, text=answer.read().decode(errors="replace"))
        finally:
            connection.close()

    def done(self, method: str, path: str, body: object = None, /, **query: str) -> dict[str, Any]:
        answer = self.ask(method, f"{API}/{path}", body, **query)
        assert answer.status == 200, answer
        return answer.body


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What a namespace has in MLflow."""

    experiment: str
    run: str
    model: str  # registered
    version: str
    logged: str  # model
    files: str  # of that model, in the store


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One MLflow, two namespaces, and what one has and the other wants."""

    server: MlflowServer
    cluster: FakeKube
    admin: User
    energy: User
    person: User
    own: Place  # of energy
    other: Place  # of shop

    def attacker(self, who: str) -> User:
        return self.energy if who == "tenant" else self.person

    def others(self) -> object:
        """Return all that must be as it was."""
        place = self.other
        files = self.server.folder / place.experiment
        return (
            self.admin.done("GET", "runs/get", run_id=place.run),
            self.admin.done("GET", "experiments/get", experiment_id=place.experiment),
            self.admin.done("GET", "registered-models/get", name=place.model),
            self.admin.done("GET", "model-versions/get", name=place.model, version=place.version),
            self.admin.done("GET", f"logged-models/{place.logged}"),
            {path: path.read_bytes() for path in files.rglob("*") if path.is_file()},
            names(self.admin, "experiments", "shop/"),
            names(self.admin, "registered-models", "shop."),
        )


def names(admin: User, what: str, prefix: str) -> set[str]:
    query = {"filter": f"name LIKE '{prefix}%'", "max_results": "1000", "view_type": "ALL"}
    found = admin.done("GET", f"{what}/search", **query)
    return {str(entry["name"]) for entry in found.get(what.replace("-", "_"), [])}


def with_client(admin: User, work: Callable[[MlflowClient], Awaitable[T]]) -> T:
    async def run() -> T:
        async with aiohttp.ClientSession() as session:
            return await work(MlflowClient(admin.access, session, operator="uid-lease"))

    return asyncio.run(run())


def admit(
    admin: User, *models: tuple[str, str], cluster: FakeKube | None = None
) -> Mapping[str, User]:
    """Let the operator see to these Models; return who their namespaces sign in as.

    Args:
        cluster: with the Secrets of before; without, every namespace gets another password.
    """
    cluster = cluster or FakeKube(Clock())

    async def work(client: MlflowClient) -> None:
        kube, logins = (
            WatchedKube(cluster, Store()),
            OwnLogins(MlflowDirectory(client), now=Clock()),
        )
        for namespace, model in models:
            await logins.admit(namespace, kube, model=model)

    with_client(admin, work)
    users = {}
    for namespace, _ in models:
        data = cluster.objects["Secret", namespace, "fairlead-mlflow"]["data"]
        told = {key: b64decode(value).decode() for key, value in data.items()}
        users[namespace] = User(uri=admin.uri, name=told["username"], password=told["password"])
    return users


def settle(admin: User, namespace: str, mark: str) -> Place:
    """Have a run with files and a version, as after a training, with a mark on all of it."""
    experiment, model = f"{namespace}/price", f"{namespace}.price"
    run = with_client(
        admin,
        lambda client: client.start_run(experiment=experiment, name=mark, key=namespace, now=START),
    )
    admin.done("POST", "runs/set-tag", {"run_id": run, "key": "secret", "value": mark})
    admin.done("POST", "runs/log-metric", {"run_id": run, "key": mark, "value": 1, "timestamp": 1})
    number = admin.done("GET", "runs/get", run_id=run)["run"]["info"]["experiment_id"]
    made = admin.done(
        "POST",
        "logged-models",
        {
            "experiment_id": number,
            "name": mark,
            "source_run_id": run,
            "tags": [{"key": "secret", "value": mark}],
        },
    )
    logged = made["model"]["info"]["model_id"]
    files = f"{number}/models/{logged}/artifacts"
    for place in (f"{number}/{run}/artifacts/{mark}.txt", f"{files}/MLmodel"):
        put = admin.ask("PUT", f"/api/2.0/mlflow-artifacts/artifacts/{place}", mark.encode())
        assert put.status == 200, put
    version = admin.done(
        "POST",
        "model-versions/create",
        {
            "name": model,
            "source": f"models:/{logged}",
            "run_id": run,
            "model_id": logged,
            "tags": [{"key": "secret", "value": mark}],
        },
    )["model_version"]["version"]
    return Place(
        experiment=number, run=run, model=model, version=str(version), logged=logged, files=files
    )


@pytest.fixture(name="admin", scope="module")
def _admin(server: MlflowServer) -> User:
    return User(uri=server.uri, name="admin", password=PASSWORD)


@pytest.fixture(name="server", scope="module")
def _server() -> Iterator[MlflowServer]:
    with running_mlflow_with_users(PASSWORD) as server:
        yield server


@pytest.fixture(name="scene", scope="module")
def _scene(server: MlflowServer, admin: User) -> Scene:
    cluster = FakeKube(Clock())
    users = admit(admin, ("energy", "price"), ("shop", "price"), cluster=cluster)
    person = User(uri=server.uri, name="anna", password="anna's own password")
    admin.done("POST", "users/create", {"username": person.name, "password": person.password})
    return Scene(
        server=server,
        cluster=cluster,
        admin=admin,
        energy=users["energy"],
        person=person,
        own=settle(admin, "energy", "own"),
        other=settle(admin, "shop", HUSH),
    )


Attack = Callable[[Scene, User], Answer]
ATTACKS: dict[str, Attack] = {}


def attack(name: str) -> Callable[[Attack], Attack]:
    def note(function: Attack) -> Attack:
        ATTACKS[name] = function
        return function

    return note


def calls(*, prefix: str, **rows: tuple[str, str, Callable[[Scene], dict[str, Any]]]) -> None:
    """Note attacks of one call each: method, path, and what goes with it."""
    for name, (method, path, given) in rows.items():

        @attack(f"{prefix}: {name}")
        def run(
            scene: Scene,
            user: User,
            method: str = method,
            path: str = path,
            given: Callable[[Scene], dict[str, Any]] = given,
        ) -> Answer:
            where = f"{prefix}/{path}".format(own=scene.own, other=scene.other)
            if method == "GET":
                return user.ask(method, where, **given(scene))
            return user.ask(method, where, given(scene))


def run_of(scene: Scene) -> dict[str, Any]:
    return {"run_id": scene.other.run}


def model_of(scene: Scene) -> dict[str, Any]:
    return {"name": scene.other.model}


def version_of(scene: Scene) -> dict[str, Any]:
    return {"name": scene.other.model, "version": scene.other.version}


def experiment_of(scene: Scene) -> dict[str, Any]:
    return {"experiment_id": scene.other.experiment}


for _prefix in (API, AJAX):
    calls(
        prefix=_prefix,
        run_read=("GET", "runs/get", run_of),
        run_by_its_old_name=("GET", "runs/get", lambda s: {"run_uuid": s.other.run}),
        runs_of_an_experiment=(
            "POST",
            "runs/search",
            lambda s: {"experiment_ids": [s.other.experiment]},
        ),
        runs_of_all=("POST", "runs/search", lambda _: {}),
        run_tagged=("POST", "runs/set-tag", lambda s: run_of(s) | {"key": "a", "value": "b"}),
        run_untagged=("POST", "runs/delete-tag", lambda s: run_of(s) | {"key": "secret"}),
        metric_logged=(
            "POST",
            "runs/log-metric",
            lambda s: run_of(s) | {"key": "a", "value": 1, "timestamp": 1},
        ),
        parameter_logged=(
            "POST",
            "runs/log-parameter",
            lambda s: run_of(s) | {"key": "a", "value": "1"},
        ),
        batch_logged=(
            "POST",
            "runs/log-batch",
            lambda s: run_of(s) | {"tags": [{"key": "a", "value": "b"}]},
        ),
        **{
            f"{call}_judged_by_another_name": (
                "POST",
                f"runs/{call}",
                lambda s, more=more: more | {"run_uuid": s.own.run, "runId": s.other.run},
            )
            for call, more in {
                "set-tag": {"key": "a", "value": "b"},
                "log-metric": {"key": "a", "value": 1, "timestamp": 1},
                "log-parameter": {"key": "a", "value": "1"},
                "log-batch": {"tags": [{"key": "a", "value": "b"}]},
                "log-inputs": {
                    "datasets": [
                        {
                            "dataset": {
                                "name": "a",
                                "digest": "b",
                                "source_type": "c",
                                "source": "d",
                            }
                        }
                    ]
                },
                "outputs": {"models": [{"model_id": "m-" + "0" * 32, "step": 0}]},
            }.items()
        },
        inputs_logged=("POST", "runs/log-inputs", run_of),
        outputs_logged=("POST", "runs/outputs", run_of),
        run_ended=("POST", "runs/update", lambda s: run_of(s) | {"status": "FAILED"}),
        run_deleted=("POST", "runs/delete", run_of),
        run_begun=("POST", "runs/create", lambda s: experiment_of(s) | {"run_name": "mine"}),
        metrics_read=("GET", "metrics/get-history", lambda s: run_of(s) | {"metric_key": HUSH}),
        files_listed=("GET", "artifacts/list", run_of),
        experiment_read=("GET", "experiments/get", experiment_of),
        experiment_by_name=(
            "GET",
            "experiments/get-by-name",
            lambda _: {"experiment_name": "shop/price"},
        ),
        experiment_tagged=(
            "POST",
            "experiments/set-experiment-tag",
            lambda s: experiment_of(s) | {"key": "a", "value": "b"},
        ),
        experiment_renamed=(
            "POST",
            "experiments/update",
            lambda s: experiment_of(s) | {"new_name": "x"},
        ),
        experiment_deleted=("POST", "experiments/delete", experiment_of),
        own_experiment_takes_a_future_name=(
            "POST",
            "experiments/update",
            lambda s: {"experiment_id": s.own.experiment, "new_name": "shop/future"},
        ),
        experiment_of_a_future_model=(
            "POST",
            "experiments/create",
            lambda _: {"name": "shop/future"},
        ),
        experiment_whose_files_are_the_others=(
            "POST",
            "experiments/create",
            lambda s: {
                "name": "energy/x",
                "artifact_location": f"mlflow-artifacts:/{s.other.experiment}",
            },
        ),
        model_read=("GET", "registered-models/get", model_of),
        model_tagged=(
            "POST",
            "registered-models/set-tag",
            lambda s: model_of(s) | {"key": "a", "value": "b"},
        ),
        model_described=(
            "PATCH",
            "registered-models/update",
            lambda s: model_of(s) | {"description": "x"},
        ),
        model_renamed=(
            "POST",
            "registered-models/rename",
            lambda s: model_of(s) | {"new_name": "energy.x"},
        ),
        model_deleted=("DELETE", "registered-models/delete", model_of),
        model_aliased=(
            "POST",
            "registered-models/alias",
            lambda s: version_of(s) | {"alias": "champion"},
        ),
        own_model_takes_a_future_name=(
            "POST",
            "registered-models/rename",
            lambda s: {"name": s.own.model, "new_name": "shop.future"},
        ),
        future_model=("POST", "registered-models/create", lambda _: {"name": "shop.future"}),
        prompt_of_a_future_name=(
            "POST",
            "registered-models/create",
            lambda _: {
                "name": "shop.future",
                "tags": [{"key": "mlflow.prompt.is_prompt", "value": "true"}],
            },
        ),
        versions_listed=(
            "GET",
            "model-versions/search",
            lambda s: {"filter": f"name='{s.other.model}'"},
        ),
        versions_of_all=("GET", "model-versions/search", lambda _: {}),
        latest_versions=("GET", "registered-models/get-latest-versions", model_of),
        version_read=("GET", "model-versions/get", version_of),
        version_placed=("GET", "model-versions/get-download-uri", version_of),
        version_tagged=(
            "POST",
            "model-versions/set-tag",
            lambda s: version_of(s) | {"key": "fairlead.digest", "value": "b"},
        ),
        version_untagged=(
            "DELETE",
            "model-versions/delete-tag",
            lambda s: version_of(s) | {"key": "secret"},
        ),
        version_described=(
            "PATCH",
            "model-versions/update",
            lambda s: version_of(s) | {"description": "x"},
        ),
        version_staged=(
            "POST",
            "model-versions/transition-stage",
            lambda s: version_of(s) | {"stage": "Production"},
        ),
        version_deleted=("DELETE", "model-versions/delete", version_of),
        version_registered_as_theirs=(
            "POST",
            "model-versions/create",
            lambda s: {
                "name": s.other.model,
                "source": f"models:/{s.own.logged}",
                "model_id": s.own.logged,
            },
        ),
        version_copied=(
            "POST",
            "model-versions/create",
            lambda s: {"name": s.own.model, "source": f"models:/{s.other.model}/{s.other.version}"},
        ),
        version_of_their_logged_model=(
            "POST",
            "model-versions/create",
            lambda s: {
                "name": s.own.model,
                "source": f"models:/{s.other.logged}",
                "model_id": s.other.logged,
            },
        ),
        version_of_their_logged_model_with_own_run=(
            "POST",
            "model-versions/create",
            lambda s: {
                "name": s.own.model,
                "source": f"models:/{s.other.logged}",
                "run_id": s.own.run,
                "model_id": s.own.logged,
            },
        ),
        version_of_their_run=(
            "POST",
            "model-versions/create",
            lambda s: {
                "name": s.own.model,
                "source": f"runs:/{s.other.run}/",
                "run_id": s.other.run,
            },
        ),
        version_of_their_files=(
            "POST",
            "model-versions/create",
            lambda s: {"name": s.own.model, "source": f"mlflow-artifacts:/{s.other.files}"},
        ),
        version_of_their_files_with_own_run=(
            "POST",
            "model-versions/create",
            lambda s: {
                "name": s.own.model,
                "source": f"mlflow-artifacts:/{s.other.files}",
                "run_id": s.own.run,
            },
        ),
        version_of_a_way_up=(
            "POST",
            "model-versions/create",
            lambda s: {
                "name": s.own.model,
                "run_id": s.own.run,
                "source": f"mlflow-artifacts:/{s.own.experiment}/{s.own.run}/artifacts"
                f"{UP}/{s.other.files}",
            },
        ),
        version_of_a_file_of_the_server=(
            "POST",
            "model-versions/create",
            lambda s: {
                "name": s.own.model,
                "run_id": s.own.run,
                "source": f"file://{s.server.folder}/{s.other.files}",
            },
        ),
        version_with_tags_without_end=(
            "POST",
            "model-versions/create",
            lambda s: {
                "name": s.own.model,
                "source": f"models:/{s.own.logged}",
                "run_id": s.own.run,
                "model_id": s.own.logged,
                "tags": [{"key": "x", "value": "x" * 40_000}],
            },
        ),
        version_of_a_way_up_from_a_run=(
            "POST",
            "model-versions/create",
            lambda s: {
                "name": s.own.model,
                "run_id": s.own.run,
                "source": f"runs:/{s.own.run}/../../../{s.other.files}",
            },
        ),
        version_of_an_encoded_way_up_from_a_run=(
            "POST",
            "model-versions/create",
            lambda s: {
                "name": s.own.model,
                "run_id": s.own.run,
                "source": f"runs:/{s.own.run}{UP}/{s.other.files}",
            },
        ),
        version_of_a_way_up_from_a_logged_model=(
            "POST",
            "model-versions/create",
            lambda s: {
                "name": s.own.model,
                "source": f"models:/{s.own.logged}/../../../../{s.other.files}",
                "model_id": s.own.logged,
            },
        ),
        version_of_an_alias_of_theirs=(
            "POST",
            "model-versions/create",
            lambda s: {"name": s.own.model, "source": f"models:/{s.other.model}@champion"},
        ),
        version_of_files_at_a_host=(
            "POST",
            "model-versions/create",
            lambda s: {
                "name": s.own.model,
                "run_id": s.own.run,
                "source": f"mlflow-artifacts://127.0.0.1:5000/{s.other.files}",
            },
        ),
        version_of_a_link_in_other_letters=(
            "POST",
            "model-versions/create",
            lambda s: {
                "name": s.own.model,
                "run_id": s.own.run,
                "source": f"FILE://{s.server.folder}/{s.other.files}",
            },
        ),
        version_of_another_store=(
            "POST",
            "model-versions/create",
            lambda s: {"name": s.own.model, "run_id": s.own.run, "source": "s3://shop/model"},
        ),
        version_whose_answer_is_asked_for_twice=(
            "POST",
            "model-versions/create",
            lambda s: {
                "name": s.own.model,
                "source": f"models:/{s.own.logged}",
                "run_id": s.other.run,
                "model_id": s.own.logged,
            },
        ),
        logged_model_read=("GET", "logged-models/{other.logged}", lambda _: {}),
        logged_model_tagged=(
            "PATCH",
            "logged-models/{other.logged}/tags",
            lambda _: {"tags": [{"key": "a", "value": "b"}]},
        ),
        logged_model_ended=(
            "PATCH",
            "logged-models/{other.logged}",
            lambda _: {"status": "LOGGED_MODEL_UPLOAD_FAILED"},
        ),
        logged_model_parameters=(
            "POST",
            "logged-models/{other.logged}/params",
            lambda _: {"params": [{"key": "a", "value": "b"}]},
        ),
        logged_model_files=(
            "GET",
            "logged-models/{other.logged}/artifacts/directories",
            lambda _: {},
        ),
        logged_model_file=(
            "GET",
            "logged-models/{other.logged}/artifacts/files",
            lambda _: {"artifact_file_path": "MLmodel"},
        ),
        logged_model_deleted=("DELETE", "logged-models/{other.logged}", lambda _: {}),
        logged_models_of_theirs=(
            "POST",
            "logged-models/search",
            lambda s: {"experiment_ids": [s.other.experiment]},
        ),
        logged_model_among_theirs=(
            "POST",
            "logged-models",
            lambda s: experiment_of(s) | {"name": "mine"},
        ),
        logged_model_of_their_run=(
            "POST",
            "logged-models",
            lambda s: {
                "experiment_id": s.other.experiment,
                "source_run_id": s.own.run,
                "name": "mine",
            },
        ),
        metric_of_their_logged_model=(
            "POST",
            "runs/log-metric",
            lambda s: {
                "run_id": s.own.run,
                "model_id": s.other.logged,
                "key": "a",
                "value": 1,
                "timestamp": 1,
            },
        ),
        traces=("GET", "traces", lambda s: {"experiment_ids": s.other.experiment}),
        webhook=(
            "POST",
            "webhooks",
            lambda _: {
                "name": "w",
                "url": "https://example.com",
                "events": [{"entity": "REGISTERED_MODEL", "action": "CREATED"}],
            },
        ),
        user_made=(
            "POST",
            "users/create",
            lambda _: {"username": "mallory", "password": "0123456789ab"},
        ),
        administrators_password=(
            "PATCH",
            "users/update-password",
            lambda _: {"username": "admin", "password": "0123456789ab"},
        ),
        others_password=(
            "PATCH",
            "users/update-password",
            lambda _: {"username": name_user("shop"), "password": "0123456789ab"},
        ),
        promoted=(
            "PATCH",
            "users/update-admin",
            lambda s: {"username": s.energy.name, "is_admin": True},
        ),
        user_deleted=("DELETE", "users/delete", lambda _: {"username": name_user("shop")}),
        user_read=("GET", "users/get", lambda _: {"username": name_user("shop")}),
    )
calls(
    prefix="/api/3.0/mlflow",
    right_taken=(
        "POST",
        "users/permissions/grant",
        lambda s: {
            "username": s.energy.name,
            "resource_type": "experiment",
            "resource_id": s.other.experiment,
            "permission": "MANAGE",
        },
    ),
    right_to_all=(
        "POST",
        "users/permissions/grant",
        lambda s: {
            "username": s.energy.name,
            "resource_type": "registered_model",
            "resource_id": "*",
            "permission": "READ",
        },
    ),
    rights_of_others=("GET", "users/permissions/list", lambda _: {"username": name_user("shop")}),
    role_made=("POST", "roles/create", lambda _: {"workspace": "default", "name": "all"}),
    roles_listed=("GET", "roles/list", lambda _: {"workspace": "default"}),
    traces_found=(
        "POST",
        "traces/search",
        lambda s: {
            "locations": [
                {
                    "type": "MLFLOW_EXPERIMENT",
                    "mlflow_experiment": {"experiment_id": s.other.experiment},
                }
            ]
        },
    ),
    prompts_optimized=(
        "POST",
        "prompt-optimization/jobs",
        lambda s: experiment_of(s) | {"source_prompt_uri": "prompts:/a/1"},
    ),
    scorers=("GET", "scorers/list", experiment_of),
)


@attack("GraphQL: a run")
def _graphql(scene: Scene, user: User) -> Answer:
    query = (
        'query { mlflowGetRun(input: {runId: "%s"}) '
        "{ run { data { tags { key value } } } apiError { code } } }"
    )
    return user.ask("POST", "/graphql", {"query": query % scene.other.run})


@attack("GraphQL: runs")
def _graphql_search(scene: Scene, user: User) -> Answer:
    query = (
        'query { mlflowSearchRuns(input: {experimentIds: ["%s"]}) '
        "{ runs { data { tags { key value } } } apiError { code } } }"
    )
    return user.ask("POST", "/graphql", {"query": query % scene.other.experiment})


@attack("files: of a run, beside the API")
def _get_artifact(scene: Scene, user: User) -> Answer:
    return user.ask("GET", "/get-artifact", run_id=scene.other.run, path="hush.txt")


@attack("files: of a version, beside the API")
def _get_version_artifact(scene: Scene, user: User) -> Answer:
    return user.ask("GET", "/model-versions/get-artifact", **version_of(scene), path="MLmodel")


@attack("files: put beside a run")
def _upload(scene: Scene, user: User) -> Answer:
    query = urllib.parse.urlencode({"run_uuid": scene.other.run, "path": "x.txt"})
    return user.ask("POST", f"{AJAX}/upload-artifact?{query}", b"x")


@attack("traces: sent to their experiment")
def _otel(scene: Scene, user: User) -> Answer:
    return user.ask("POST", "/v1/traces", b"")


@attack("the page where users sign up")
def _signup(_: Scene, user: User) -> Answer:
    return user.ask("GET", "/signup")


def _files(name: str, place: str, *, method: str = "GET", **query: str) -> None:
    """Note an attack on the store of files, through either API."""
    for api in ("/api/2.0/mlflow-artifacts", "/ajax-api/2.0/mlflow-artifacts"):

        @attack(f"{api}: {name}")
        def run(scene: Scene, user: User, api: str = api) -> Answer:
            file = f"{scene.other.experiment}/{scene.other.run}/artifacts/hush.txt"
            given = {"own": scene.own, "other": scene.other, "file": file}
            given["hidden"] = file.replace("/", "%2F", 1)
            given["digits"] = "".join(f"%{ord(c):x}" for c in scene.other.experiment)
            told = {key: value.format(**given) for key, value in query.items()}
            where = f"{api}/{place}".format(**given)
            target = where + (f"?{urllib.parse.urlencode(told)}" if told else "")
            return user.ask(method, target, b"mine" if method == "PUT" else {})


_files("read", "artifacts/{file}")
_files("read by a way up", "artifacts/{own.experiment}/../{file}")
_files("read by an encoded way up", "artifacts/{own.experiment}/%2e%2e/{file}")
_files("read by one encoded twice", "artifacts/{own.experiment}/%252e%252e/{file}")
_files("read by one encoded thrice", "artifacts/{own.experiment}/%25252e%25252e/{file}")
_files("read with an encoded slash", "artifacts/{hidden}")
_files("read with an encoded number", "artifacts/{digits}/{other.run}/artifacts/hush.txt")
_files("read with a slash more", "artifacts//{file}")
_files("read from here", "artifacts/./{file}")
_files("read beside a folder of one's own", "artifacts/{file}", path="{own.experiment}/a")
_files("listed", "artifacts", path="{other.experiment}/{other.run}/artifacts")
_files("listed by a way up", "artifacts", path="{own.experiment}/../{other.experiment}")
_files(
    "listed by an encoded way up", "artifacts", path="{own.experiment}/%2e%2e/{other.experiment}"
)
_files("listed, all of them", "artifacts")
_files("listed, the root", "artifacts", path=".")
_files("written", "artifacts/{file}", method="PUT")
_files("written by an encoded way up", "artifacts/{own.experiment}/%2e%2e/{file}", method="PUT")
_files("deleted", "artifacts/{other.experiment}/{other.run}", method="DELETE")
_files("deleted by a way up", "artifacts/{own.experiment}/../{other.experiment}", method="DELETE")
_files("sent in parts", "mpu/create/{file}", method="POST")
_files("read from the store itself", "presigned/{file}")
_files("the users", "artifacts/users.db")


def is_refused(name: str, answer: Answer, scene: Scene) -> bool:
    """Tell whether nothing came of it: it was refused, or it was a search that found nothing."""
    searches = any(word in name for word in ("runs", "versions", "models_of", "GraphQL", "traces"))
    found = HUSH in answer.text or scene.other.run in answer.text
    return answer.status >= 300 or (searches and not found)


@pytest.mark.parametrize("who", ["tenant", "person"])
def test_nothing_of_another_namespace_is_read_or_changed(scene: Scene, who: str) -> None:
    user, before = scene.attacker(who), scene.others()

    answers = {name: attempt(scene, user) for name, attempt in ATTACKS.items()}

    assert {k: a for k, a in answers.items() if not is_refused(k, a, scene)} == {}
    assert scene.others() == before


# Reads alone: they leave everything as it is, whoever makes them.
READS = (
    f"{API}: run_read",
    f"{AJAX}: run_read",
    f"{API}: runs_of_an_experiment",
    f"{API}: files_listed",
    f"{API}: versions_listed",
    f"{API}: versions_of_all",
    f"{API}: model_read",
    f"{API}: logged_model_read",
    f"{API}: logged_models_of_theirs",
    f"{AJAX}: logged_model_file",
    "GraphQL: a run",
    "GraphQL: runs",
    "files: of a run, beside the API",
    "files: of a version, beside the API",
    "/api/2.0/mlflow-artifacts: read",
    "/ajax-api/2.0/mlflow-artifacts: read",
    "/api/2.0/mlflow-artifacts: read with an encoded number",
    "/api/2.0/mlflow-artifacts: read beside a folder of one's own",
    "/api/2.0/mlflow-artifacts: listed",
)


def test_what_an_attack_asks_for_is_there(scene: Scene) -> None:
    """Else that it was refused would prove nothing."""
    answers = {name: ATTACKS[name](scene, scene.admin) for name in READS}

    assert {name: answer for name, answer in answers.items() if HUSH not in answer.text} == {}


def test_who_does_not_sign_in_gets_nothing(scene: Scene) -> None:
    nobody = User(uri=scene.admin.uri, name="nobody", password="")

    assert {ATTACKS[name](scene, nobody).status for name in READS} == {401}
    assert nobody.ask("GET", "/health").text == "OK"


# --- what a namespace may ------------------------------------------------------------------


@pytest.fixture(name="namespace")
def _namespace(scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> User:
    """Be a pod of the namespace: its Secret is mounted."""
    for key, value in (("username", scene.energy.name), ("password", scene.energy.password)):
        (tmp_path / key).write_text(value)
        monkeypatch.setenv(f"MLFLOW_TRACKING_{key.upper()}", "restored afterwards")
    monkeypatch.setenv("FAIRLEAD_MLFLOW_SECRET", str(tmp_path))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", scene.server.uri)
    return scene.energy


def test_a_namespace_trains_compares_and_serves(
    scene: Scene,
    namespace: User,
    postgres: Postgres,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    market = postgres.uri(load_prices(postgres, 1500), credentials=False)
    for name, value in {
        "FAIRLEAD_DATABASE_URL": postgres.uri("postgres"),
        "FAIRLEAD_DATA_USERNAME": postgres.user,
        "FAIRLEAD_DATA_PASSWORD": postgres.password,
        "FAIRLEAD_DATA_SECRET": "market-reader",
        "FAIRLEAD_DATA_HOSTS": "127.0.0.1",
        "FAIRLEAD_ALLOWED_SOURCES": "127.0.0.1",
        "FAIRLEAD_TERMINATION_LOG": str(tmp_path / "log"),
        "MPLCONFIGDIR": str(tmp_path),
        "TMPDIR": str(tmp_path),
    }.items():
        monkeypatch.setenv(name, value)
    admit(scene.admin, ("energy", "trained"), cluster=scene.cluster)

    first = train(scene, tmp_path, market, rows=900)
    second = train(scene, tmp_path, market, rows=1500, champion=first)

    assert second["champion"]["value"] is not None, "it was loaded and scored"
    with registry(read_access(with_secret(os.environ))) as server:
        version = server.find("energy.trained", second["registryVersion"])
        server.download(version, tmp_path / "model")
    assert digest_directory(tmp_path / "model") == second["digest"] == version.digest


def train(
    scene: Scene,
    folder: Path,
    market: str,
    *,
    rows: int,
    champion: dict[str, Any] | None = None,
) -> dict[str, Any]:
    key = f"run-{secrets.token_hex(3)}"
    run = with_client(
        scene.admin,
        lambda client: client.start_run(experiment="energy/trained", name=key, key=key, now=START),
    )
    config = config_document(
        model="trained",
        trainingRun=key,
        trainingRunUid=f"uid-{key}",
        registeredModel="energy.trained",
        experiment="energy/trained",
        mlflowRunId=run,
        data__uri=market,
        data__query=f'SELECT * FROM prices ORDER BY "timestamp" LIMIT {rows}',
        data__target="price_up",
        search__trials=2,
        validation__folds=2,
        champion=champion and {key: champion[key] for key in CHAMPION},
    )
    for stage in ("search", "finish"):
        assert main([stage, "--config", json.dumps(config)]) == 0, (folder / "log").read_text()
    return dict(json.loads((folder / "log").read_text()))


CHAMPION = ("version", "registryVersion", "digest")


@contextlib.contextmanager
def registry(access: Access) -> Iterator[MlflowRegistry]:
    """Ask as a model server, which closes its connections by ending."""
    found = MlflowRegistry.at(access)
    try:
        yield found
    finally:
        found._client.close()


def find(user: User, model: str) -> None:
    with registry(user.access) as server:
        server.find(model, "1")


def test_every_part_says_that_mlflow_does_not_let_it_in_and_what_to_look_at(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fairlead_serving.server.registry._WAITS", ())
    wrong = dataclasses.replace(scene.energy, password="0123456789ab")
    way_out = "check the user and password.*Secret fairlead-mlflow"

    with pytest.raises(StartupError, match=f"HTTP 401.*{way_out}"):
        find(wrong, scene.own.model)
    with pytest.raises(TrainingFailure, match=f"HTTP 401.*{way_out}"):
        tag_writer(wrong.access, scene.own.run)("{}")
    with pytest.raises(TransientError, match=f"HTTP 401.*{way_out}"):
        with_client(wrong, lambda client: client.progress(scene.own.run))
    with pytest.raises(StartupError, match=f"HTTP 403.*{way_out}"):
        find(scene.energy, scene.other.model)
    with pytest.raises(TrainingFailure, match=f"HTTP 403.*{way_out}"):
        tag_writer(scene.energy.access, scene.other.run)("{}")
    with pytest.raises(TransientError, match=f"HTTP 403.*{way_out}"):
        with_client(scene.energy, lambda client: client.progress(scene.other.run))


# --- what the operator sees to -------------------------------------------------------------


def test_another_password_is_the_users_from_then_on(admin: User) -> None:
    before = admit(admin, ("rotating", "price"))["rotating"]
    after = admit(admin, ("rotating", "price"))["rotating"]  # whose Secret was deleted meanwhile

    assert before.ask("GET", f"{API}/registered-models/get", name="rotating.price").status == 401
    assert after.done("GET", "registered-models/get", name="rotating.price")


def test_what_was_there_before_is_given_to_its_namespace(admin: User) -> None:
    """As after an upgrade from an MLflow that asked nobody to sign in."""
    older = f"older-{secrets.token_hex(3)}"
    made = admin.done("POST", "experiments/create", {"name": f"{older}/price"})
    for name in (f"{older}.price", f"{older}-not.price"):
        admin.done("POST", "registered-models/create", {"name": name})

    user = admit(admin, (older, "other"))[older]

    assert user.done("GET", "experiments/get", experiment_id=made["experiment_id"])
    assert user.done("GET", "registered-models/get", name=f"{older}.price")
    closed = user.ask("GET", f"{API}/registered-models/get", name=f"{older}-not.price")
    assert closed.status == 403


def test_a_registered_model_that_is_made_anew_is_the_namespaces_again(admin: User) -> None:
    admit(admin, ("anew", "price"))
    admin.done("DELETE", "registered-models/delete", {"name": "anew.price"})

    user = admit(admin, ("anew", "price"))["anew"]

    assert user.done("GET", "registered-models/get", name="anew.price")


def test_a_right_that_is_too_small_is_raised(admin: User) -> None:
    admit(admin, ("raised", "price"))
    right = {
        "username": name_user("raised"),
        "resource_type": "registered_model",
        "resource_id": "raised.price",
    }
    path = "/api/3.0/mlflow/users/permissions"
    assert admin.ask("POST", f"{path}/revoke", right).status == 200
    assert admin.ask("POST", f"{path}/grant", right | {"permission": "READ"}).status == 200

    admit(admin, ("raised", "price"))

    told = admin.ask("GET", f"{path}/list", username=name_user("raised")).body["permissions"]
    assert {row["permission"] for row in told} == {"EDIT"}


def test_who_is_renewed_does_what_the_one_before_did_and_that_one_goes_on_for_a_while(
    admin: User,
) -> None:
    clock = Clock()
    cluster = FakeKube(clock)
    kube = WatchedKube(cluster, Store())
    month = timedelta(days=30)

    def account() -> User:
        data = cluster.objects["Secret", "aged", "fairlead-mlflow"]["data"]
        told = {key: base64.b64decode(value).decode() for key, value in data.items()}
        return User(uri=admin.uri, name=told["username"], password=told["password"])

    async def look(client: MlflowClient) -> None:
        logins = OwnLogins(MlflowDirectory(client), now=clock, age=month)
        await logins.admit("aged", kube)
        clock.advance(month)
        assert await logins.admit("aged", kube)

    async def look_again(client: MlflowClient) -> None:
        clock.advance(timedelta(minutes=10))
        await OwnLogins(MlflowDirectory(client), now=clock).admit("aged", kube)

    admin.done("POST", "registered-models/create", {"name": "by-hand"})
    first = admit(admin, ("aged", "price"), ("apart", "price"), cluster=cluster)["aged"]
    run = with_client(
        admin,
        lambda client: client.start_run(experiment="aged/price", name="r", key="r", now=START),
    )
    right = {"username": first.name, "resource_type": "registered_model"}
    grant = "/api/3.0/mlflow/users/permissions/grant"
    by_hand = right | {"resource_id": "by-hand", "permission": "READ"}
    assert admin.ask("POST", grant, by_hand).status == 200

    with_client(admin, look)

    second = account()
    assert first.name != second.name
    for user in (first, second):
        for model in ("aged.price", "by-hand"):
            user.done("GET", "registered-models/get", name=model)
        user.done("POST", "runs/set-tag", {"run_id": run, "key": user.name, "value": "x"})
        other = user.ask("GET", f"{API}/registered-models/get", name="apart.price")
        assert other.status == 403
    with_client(admin, look_again)
    assert second.ask("GET", f"{API}/registered-models/get", name="aged.price").status == 200
    assert first.ask("GET", f"{API}/registered-models/get", name="aged.price").status == 401


def test_a_namespace_without_models_has_no_user(admin: User) -> None:
    cluster = FakeKube(Clock())

    async def work(client: MlflowClient) -> None:
        kube, logins = (
            WatchedKube(cluster, Store()),
            OwnLogins(MlflowDirectory(client), now=Clock()),
        )
        await logins.admit("leaving", kube, model="price")
        await logins.dismiss("leaving", kube)
        await MlflowDirectory(client).remove_user("fairlead/never-there")

    with_client(admin, work)

    gone = admin.ask("GET", f"{API}/users/get", username=name_user("leaving"))
    assert (gone.status, cluster.objects) == (404, {})
    assert admin.done("GET", "registered-models/get", name="leaving.price")  # for who comes back
