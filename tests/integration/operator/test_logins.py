"""Each namespace logs in to a real PostgreSQL as itself, through what a live operator makes."""

import secrets
from base64 import b64decode
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from cluster.control_plane import ControlPlane
from fairlead_operator.kube.client import KubeClient
from support.backends import Backends
from support.kube_desk import create_namespace
from support.live_operator import Launcher, Stage, until
from support.postgres import Postgres

pytestmark = pytest.mark.integration

RECORDED = {"version": "1.0.0", "serving": {"predictionLog": {"enabled": True}}}


@pytest.fixture(name="operators")
def _operators(postgres: Postgres) -> str:
    """Address of a database that a user owns who may make logins, and no more."""
    database, user = postgres.create_database("fairlead"), f"operator_{secrets.token_hex(4)}"
    with psycopg.connect(postgres.uri("postgres"), autocommit=True) as connection:
        for statement in (
            "CREATE ROLE {user} LOGIN CREATEROLE PASSWORD 'hush'",
            "ALTER DATABASE {database} OWNER TO {user}",
        ):
            names = {"user": sql.Identifier(user), "database": sql.Identifier(database)}
            connection.execute(sql.SQL(statement).format(**names))  # type: ignore[arg-type]
    return f"postgresql://{user}:hush@127.0.0.1:{postgres.port}/{database}"


async def test_two_namespaces_have_two_logins_and_neither_is_the_operators(
    launcher: Launcher, plane: ControlPlane, kube: KubeClient, backends: Backends, operators: str
) -> None:
    namespaces = [launcher.namespace, create_namespace(plane, "shop")]
    await launcher.lead(
        "operator-0",
        FAIRLEAD_DATABASE_URL=operators,
        FAIRLEAD_SHARE_OPERATOR_LOGIN="",
        FAIRLEAD_WATCH_NAMESPACES=",".join(namespaces),
    )
    urls = []
    for namespace in namespaces:
        backends.registry.register(f"{namespace}.nsw-price", "1.0.0")
        await Stage(kube, namespace).apply_model(**RECORDED)
        urls.append(await _provided(kube, namespace, launcher.started[0].log))

    users = [_user(url) for url in urls]
    assert len({*users, _user(operators)}) == 3
    assert not any("hush" in url for url in urls)

    await kube.delete("Model", namespaces[1], "nsw-price")
    await until(
        lambda: _is_gone(kube, namespaces[1]), "the Secret to go", log=launcher.started[0].log
    )

    assert _is_refused(urls[1]), "the login goes before what tells of it"
    assert _user(urls[0]) == users[0], "the other stays"


async def test_a_secret_that_somebody_deletes_is_there_again_while_nothing_else_happens(
    launcher: Launcher, kube: KubeClient, backends: Backends, operators: str
) -> None:
    """That for MLflow waited half an hour, and the release's own for the next upgrade."""
    namespace, token = launcher.namespace, {"token": "aHVzaA=="}
    meta = {"name": "fairlead-webhook", "namespace": namespace}
    await kube.create({"apiVersion": "v1", "kind": "Secret", "metadata": meta, "data": token})
    operator = await launcher.lead(
        "operator-0",
        FAIRLEAD_DATABASE_URL=operators,
        FAIRLEAD_SHARE_OPERATOR_LOGIN="",
        FAIRLEAD_WATCH_NAMESPACES=namespace,
        FAIRLEAD_MLFLOW_SECRETS="shared",
        MLFLOW_TRACKING_TOKEN="hush",
        FAIRLEAD_GENERATED_SECRETS="fairlead-webhook=token",
    )
    backends.registry.register(f"{namespace}.nsw-price", "1.0.0")
    await Stage(kube, namespace).apply_model(**RECORDED)
    before = await _provided(kube, namespace, operator.log)
    await _whole(kube, namespace, "fairlead-mlflow", operator.log)

    for name in ("fairlead-database", "fairlead-mlflow", "fairlead-webhook"):
        gone = await kube.get("Secret", namespace, name) or {}
        await kube.delete("Secret", namespace, name)
        made = await _whole(kube, namespace, name, operator.log)
        assert made["metadata"]["uid"] != gone["metadata"]["uid"]
        assert (made["data"] == gone["data"]) is (name != "fairlead-database")

    assert _is_refused(before)
    assert _user(await _provided(kube, namespace, operator.log))


async def _whole(kube: KubeClient, namespace: str, name: str, log: Path) -> dict[str, Any]:
    """Wait until the Secret is there."""

    async def is_there() -> bool:
        return await kube.get("Secret", namespace, name) is not None

    await until(is_there, f"Secret {name}", log=log)
    return await kube.get("Secret", namespace, name) or {}


async def _provided(kube: KubeClient, namespace: str, log: Path) -> str:
    """Wait for the address that the namespace's pods read."""
    secret = await _whole(kube, namespace, "fairlead-database", log)
    return b64decode(secret["data"]["url"]).decode()


def _user(url: str) -> str:
    with psycopg.connect(url) as connection:
        ((user,),) = connection.execute("SELECT session_user").fetchall()
    return str(user)


async def _is_gone(kube: KubeClient, namespace: str) -> bool:
    return await kube.get("Secret", namespace, "fairlead-database") is None


def _is_refused(url: str) -> bool:
    try:
        _user(url)
    except psycopg.OperationalError:
        return True
    return False
