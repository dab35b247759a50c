"""Servers that are real, and a desk from which trainings are started."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.mlflow_server import MlflowServer
from support.postgres import Postgres
from support.training import Desk, load_prices


@pytest.fixture(name="market", scope="session")
def _market(postgres: Postgres) -> str:
    """Address of a database with prices that no test changes, without credentials."""
    return postgres.uri(load_prices(postgres, 4000), credentials=False)


@pytest.fixture(name="desk")
def _desk(
    postgres: Postgres,
    mlflow_server: MlflowServer,
    market: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Desk:
    return _open_desk(postgres, mlflow_server, market, tmp_path, monkeypatch)


@pytest.fixture(name="desk_of_module", scope="module")
def _desk_of_module(
    postgres: Postgres,
    mlflow_server: MlflowServer,
    market: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Desk]:
    """A desk for tests that share what one training has brought."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        folder = tmp_path_factory.mktemp("desk")
        yield _open_desk(postgres, mlflow_server, market, folder, monkeypatch)


def _open_desk(
    postgres: Postgres,
    mlflow_server: MlflowServer,
    market: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Desk:
    variables = {
        "MLFLOW_TRACKING_URI": mlflow_server.uri,
        "FAIRLEAD_DATABASE_URL": postgres.uri("postgres"),
        "FAIRLEAD_DATA_USERNAME": postgres.user,
        "FAIRLEAD_DATA_PASSWORD": postgres.password,
        "FAIRLEAD_DATA_SECRET": "market-reader",
        "FAIRLEAD_DATA_HOSTS": "127.0.0.1",
        "FAIRLEAD_ALLOWED_SOURCES": "127.0.0.1",
        "FAIRLEAD_TERMINATION_LOG": str(folder / "termination-log"),
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
        "HOME": str(folder),
        "MPLCONFIGDIR": str(folder),
        "TMPDIR": str(folder),
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return Desk(
        folder=folder,
        mlflow=mlflow_server.uri,
        variables=variables,
        market=market,
        model=f"nsw-{secrets.token_hex(3)}",
    )
