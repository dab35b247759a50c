"""PgBouncer before a test's PostgreSQL, with sessions that clients share by transaction.

Needs Debian's package ``pgbouncer``; no service of it has to run.
"""

import contextlib
import dataclasses
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.ports import free_port
from support.postgres import Postgres
from support.servers import answers_postgres, wait_until_answering

_BINARY = "/usr/sbin/pgbouncer"
# Fewer sessions than clients, so that one client's next transaction is in another session.
_SETTINGS = """
[databases]
* = host=127.0.0.1 port={server.port} user={server.user} password={server.password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 3
"""


@contextlib.contextmanager
def pooled(server: Postgres) -> Iterator[Postgres]:
    """Run PgBouncer; yields the server as it is seen through it."""
    if not os.access(_BINARY, os.X_OK):
        pytest.skip("no PgBouncer on this machine; run: apt-get install pgbouncer")
    # PgBouncer refuses to run as root.
    account = "postgres" if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="fairlead-pgbouncer-"))
    try:
        port = free_port()
        settings = folder / "pgbouncer.ini"
        settings.write_text(_SETTINGS.format(server=server, port=port))
        if account is not None:
            owner = pwd.getpwnam(account)
            for path in (folder, settings):
                os.chown(path, owner.pw_uid, owner.pw_gid)
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [_BINARY, settings], stdout=log, stderr=log, user=account, cwd=folder
            )
        through = dataclasses.replace(server, port=port)
        try:
            url = through.uri("postgres")
            wait_until_answering(process, lambda: answers_postgres(url), folder / "log")
            yield through
        finally:
            process.kill()
            process.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
