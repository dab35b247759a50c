"""Servers that are real, and a desk from which trainings are started."""

import secrets
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
    variables = {
        "MLFLOW_TRACKING_URI": mlflow_server.uri,
        "FAIRLEAD_DATABASE_URL": postgres.uri("postgres"),
        "FAIRLEAD_DATA_USERNAME": postgres.user,
        "FAIRLEAD_DATA_PASSWORD": postgres.password,
        "FAIRLEAD_DATA_SECRET": "market-reader",
        "FAIRLEAD_DATA_HOSTS": "127.0.0.1",
        "FAIRLEAD_ALLOWED_SOURCES": "127.0.0.1",
        "FAIRLEAD_TERMINATION_LOG": str(tmp_path / "termination-log"),
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
        "HOME": str(tmp_path),
        "MPLCONFIGDIR": str(tmp_path),
        "TMPDIR": str(tmp_path),
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return Desk(
        folder=tmp_path,
        mlflow=mlflow_server.uri,
        variables=variables,
        market=market,
        model=f"nsw-{secrets.token_hex(3)}",
    )
