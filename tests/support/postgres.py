"""A PostgreSQL server for tests: a fresh cluster in a temporary folder, on a loopback port.

Needs Debian's package ``postgresql``; no service of it has to run.  A conftest that imports
``postgres`` has the fixture.
"""

import contextlib
import dataclasses
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from cluster.ports import free_port
from support.servers import answers_postgres, end, wait_until_answering

_USER = "fairlead"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Postgres:
    """A running server."""

    port: int
    user: str
    password: str

    def uri(self, database: str, *, credentials: bool = True) -> str:
        account = f"{self.user}:{self.password}@" if credentials else ""
        return f"postgresql://{account}127.0.0.1:{self.port}/{database}"

    def create_database(self, prefix: str = "test") -> str:
        """Create an empty database; return its name."""
        name = f"{prefix}_{secrets.token_hex(4)}"
        with psycopg.connect(self.uri("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return name


@pytest.fixture(name="postgres", scope="session")
def postgres() -> Iterator[Postgres]:
    """Run one server for the session; tests keep apart by databases of their own."""
    with running_postgres() as server:
        yield server


@contextlib.contextmanager
def running_postgres() -> Iterator[Postgres]:
    """Start a server, and remove it with its data afterwards."""
    binaries = _find_binaries()
    # PostgreSQL refuses to run as root.
    account = "postgres" if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="fairlead-postgres-"))
    try:
        server = Postgres(port=free_port(), user=_USER, password=secrets.token_hex(8))
        secret = folder / "password"
        secret.write_text(server.password)
        if account is not None:
            owner = pwd.getpwnam(account)
            for path in (folder, secret):
                os.chown(path, owner.pw_uid, owner.pw_gid)
        _initialize(binaries, folder, secret, account)
        with _serving(binaries, folder, server, account):
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _find_binaries() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=_major)
    if not found:
        pytest.fail("PostgreSQL is not installed; run: apt-get install postgresql")
    return found[-1].parent


def _major(binary: Path) -> int:
    return int(binary.parent.parent.name)


def _initialize(binaries: Path, folder: Path, secret: Path, account: str | None) -> None:
    command: list[str | Path] = [binaries / "initdb", "-D", folder / "data", "-U", _USER]
    command += [f"--pwfile={secret}", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"]
    subprocess.run(
        [*command, "--no-sync"], check=True, capture_output=True, user=account, cwd=folder
    )


@contextlib.contextmanager
def _serving(binaries: Path, folder: Path, server: Postgres, account: str | None) -> Iterator[None]:
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": str(server.port),
        "unix_socket_directories": "",
        "fsync": "off",
        "synchronous_commit": "off",
        "full_page_writes": "off",
    }
    command: list[str | Path] = [binaries / "postgres", "-D", folder / "data"]
    for name, value in settings.items():
        command += ["-c", f"{name}={value}"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, user=account, cwd=folder, start_new_session=True
        )
    try:
        url = server.uri("postgres")
        wait_until_answering(process, lambda: answers_postgres(url), folder / "log")
        yield
    finally:
        # Fast shutdown; SIGTERM would wait for every client to leave.
        end(process, signal.SIGINT)
