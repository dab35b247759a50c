"""``sslmode=verify-full`` with an authority of one's own, on a real PostgreSQL with a certificate.

Operator, model server and trainer each open their connections with another library's help, and
the two in a namespace by the address in its Secret.
"""

import asyncio
import dataclasses
import os
import secrets
import shutil
from base64 import b64decode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import optuna
import psycopg
import pytest

from cluster.certificates import Certificate, make_certificates
from cluster.command import run
from cluster.wait import wait_until
from fairlead_contract.database import rewrite
from fairlead_contract.search import search_schema, study_name
from fairlead_operator.errors import TransientError
from fairlead_operator.kube.database_secret import Passwords, build_own_secret
from fairlead_operator.ports import Limits
from fairlead_operator.record.client import RecordClient
from fairlead_operator.record.tenants import login_name
from fairlead_serving.server import record_store
from fairlead_serving.server.prediction_log import Answer, UnavailableError
from fairlead_serving.server.record_store import RecordStore
from fairlead_training import database
from fairlead_training.failure import TrainingFailure
from fairlead_training.study import open_storage
from support.postgres import Postgres
from support.server_settings import record_settings, server_settings

pytestmark = pytest.mark.integration

NAMESPACE = f"tls-{secrets.token_hex(4)}"
PASSWORD = "0123456789abcdef0123456789abcdef"  # of the namespace's login
SERVER = Certificate(
    name="server", subject="/CN=postgres", usage="serverAuth", names=("IP:127.0.0.1",)
)
STRANGER = dataclasses.replace(SERVER, name="stranger", authority="another-ca")
_REFUSALS = (TransientError, UnavailableError, TrainingFailure)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """A database whose server has a certificate for 127.0.0.1, and the authorities there are."""

    address: str  # with the operator's login, and the right authority
    certificates: Path

    def trusting(self, authority: str) -> str:
        return rewrite(self.address, {"sslrootcert": str(self.certificates / f"{authority}.crt")})

    def of_namespace(self, address: str, folder: Path) -> str:
        """Return the address in a namespace's Secret, whose files are in this folder."""
        secret = build_own_secret(
            NAMESPACE,
            address,
            user=login_name(NAMESPACE),
            passwords=Passwords(current=PASSWORD),
            ca=Path(str(read_authority(address))).read_text(),
        )
        for key, value in secret["data"].items():
            (folder / key).write_bytes(b64decode(value))
        url = (folder / "own-url").read_text()
        mounted = read_authority(url)
        assert mounted == "/var/run/fairlead/database/ca.crt"
        return rewrite(url, {"sslrootcert": str(folder / "ca.crt")})


def read_authority(address: str) -> str | None:
    return psycopg.conninfo.conninfo_to_dict(address).get("sslrootcert")  # type: ignore[return-value]


@pytest.fixture(autouse=True)
def _patient(patient_record: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a busy machine take its time."""
    for seconds in ("_LOGIN_SECONDS", "_STUDY_SECONDS"):
        monkeypatch.setattr(f"fairlead_operator.record.client.{seconds}", 120.0)
    for defaults in (record_store._DEFAULTS, database._DEFAULTS):
        monkeypatch.setitem(defaults, "connect_timeout", 120)  # type: ignore[arg-type]


@pytest.fixture(name="house", scope="module")
def _house(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Let the session's server speak TLS, for as long as this module needs it."""
    certificates = tmp_path_factory.mktemp("tls") / "certificates"
    make_certificates(certificates, (SERVER, STRANGER), run)
    name = postgres.create_database("tls")
    admin = postgres.uri(name)
    with psycopg.connect(admin, autocommit=True) as connection:
        ((data,),) = connection.execute("SHOW data_directory").fetchall()
        _give(certificates, Path(data))
        role = f"CREATE ROLE {name} LOGIN CREATEROLE PASSWORD '{name}'"
        connection.execute(role.encode())
        connection.execute(f"ALTER DATABASE {name} OWNER TO {name}".encode())
        _speak_tls(connection, admin, "on")
        try:
            operator = dataclasses.replace(postgres, user=name, password=name)
            address = f"{operator.uri(name)}?sslmode=verify-full"
            house = House(address=address, certificates=certificates)
            yield dataclasses.replace(house, address=house.trusting("ca"))
        finally:
            _speak_tls(connection, admin, "off")


def _give(certificates: Path, data: Path) -> None:
    """Put the server's certificate where it looks for it, as its own."""
    owner = data.stat()
    for suffix in ("crt", "key"):
        file = data / f"server.{suffix}"
        shutil.copyfile(certificates / f"server.{suffix}", file)
        file.chmod(0o600)
        os.chown(file, owner.st_uid, owner.st_gid)


def _speak_tls(connection: "psycopg.Connection[tuple[object, ...]]", url: str, wanted: str) -> None:
    connection.execute(f"ALTER SYSTEM SET ssl = {wanted}".encode())
    connection.execute("SELECT pg_reload_conf()")

    def speaks() -> str:
        with psycopg.connect(url) as other:
            ((value,),) = other.execute("SHOW ssl").fetchall()
            return str(value)

    wait_until(lambda: speaks() == wanted, timeout=60, otherwise=lambda: f"ssl is not {wanted}")


def operate(address: str) -> None:
    """Be an operator that provides the namespace's login."""

    async def work() -> None:
        record = RecordClient(address)
        try:
            await record.history("", "", 1)  # brings the schema up to date
            await record.provide_login(NAMESPACE, PASSWORD, limits=Limits())
        finally:
            await record.close()

    asyncio.run(work())


def serve(address: str) -> None:
    store = RecordStore(record_settings(address), server_settings(namespace=NAMESPACE))
    now = datetime.now(UTC)
    store.add([Answer("00000000-0000-0000-0000-000000000001", None, now, False, [0.9])], [])
    store.close()


def train(address: str) -> None:
    with open_storage(address, search_schema(NAMESPACE)) as storage:
        optuna.create_study(storage=storage, study_name=study_name(NAMESPACE, "run", "uid"))


Part = Callable[[str], None]
IN_A_NAMESPACE = (serve, train)


def test_every_part_connects_to_a_server_whose_certificate_it_has_checked(
    house: House, tmp_path: Path
) -> None:
    operate(house.address)
    address = house.of_namespace(house.address, tmp_path)

    serve(address)
    train(address)
    asyncio.run(forget(house.address))

    with psycopg.connect(address) as connection:
        kept = connection.execute("SELECT count(*) FROM fairlead_record.predictions").fetchall()
        studies = f'SELECT count(*) FROM "{search_schema(NAMESPACE)}".studies'
        left = connection.execute(studies.encode()).fetchall()
        assert connection.pgconn.ssl_in_use
    assert (kept, left) == ([(1,)], [(0,)])


async def forget(address: str) -> None:
    """Remove the study as its tenant, over a connection that is bounded."""
    record = RecordClient(address)
    try:
        await record.provide_login(NAMESPACE, PASSWORD, limits=Limits())
        await record.forget_study(NAMESPACE, "uid")
    finally:
        await record.close()


@pytest.mark.parametrize("part", [operate, serve, train])
@pytest.mark.parametrize(
    ("authority", "host", "words"),
    [
        pytest.param("another-ca", None, "certificate verify failed", id="another authority's"),
        pytest.param("ca", "localhost", "does not match host name", id="of another name"),
    ],
)
def test_nobody_connects_to_a_server_with_another_certificate(
    house: House, part: Part, *, authority: str, host: str | None, words: str, tmp_path: Path
) -> None:
    address = house.trusting(authority)
    if host is not None:
        address = address.replace("@127.0.0.1:", f"@{host}:")
    if part in IN_A_NAMESPACE:
        address = house.of_namespace(address, tmp_path)

    with pytest.raises(_REFUSALS, match=words):
        part(address)
