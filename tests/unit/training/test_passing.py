"""What may pass by itself, and what stays until somebody corrects it."""

import errno
import http.client
import os
import socket
import ssl
import urllib.error

import psycopg
import pytest

from fairlead_training.passing import answer_may_pass, database_may_pass, may_pass


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        pytest.param(ConnectionRefusedError(errno.ECONNREFUSED, "x"), True, id="refused"),
        pytest.param(OSError(errno.EHOSTUNREACH, os.strerror(errno.EHOSTUNREACH)), True,
                     id="no way there"),
        pytest.param(TimeoutError(), True, id="silent"),
        pytest.param(socket.gaierror(socket.EAI_NONAME, "x"), True, id="a name not known yet"),
        pytest.param(ConnectionResetError(), True, id="reset"),
        pytest.param(http.client.RemoteDisconnected(), True, id="closed without an answer"),
        pytest.param(http.client.IncompleteRead(b""), True, id="gone in the middle of a read"),
        pytest.param(ssl.SSLEOFError(8, "x"), True, id="gone in the middle of TLS"),
        pytest.param(ssl.SSLCertVerificationError(1, "x"), False, id="no trust"),
        pytest.param(ssl.SSLError(1, "x"), False, id="no TLS"),
        pytest.param(http.client.BadStatusLine("x"), False, id="no HTTP"),
        pytest.param(OSError(errno.EACCES, "x"), False, id="no right"),
        pytest.param(OSError("the name of its host is not one"), False, id="no name"),
        pytest.param(ValueError("x"), False, id="no address"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("wrapped", [False, True])
def test_a_connection(error: Exception, passes: bool, wrapped: bool) -> None:
    assert may_pass(urllib.error.URLError(error) if wrapped else error) is passes  # type: ignore[arg-type]


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_server_in_trouble(status: int) -> None:
    assert answer_may_pass(status)


@pytest.mark.parametrize("status", [200, 301, 400, 401, 403, 404, 410, 501, 505])
def test_a_server_that_means_it(status: int) -> None:
    assert not answer_may_pass(status)


@pytest.mark.parametrize(
    "error",
    [
        psycopg.OperationalError("connection failed: Connection refused"),
        psycopg.OperationalError("FATAL:  the database system is starting up"),
        psycopg.OperationalError("FATAL:  sorry, too many clients already"),
        psycopg.OperationalError("FATAL:  remaining connection slots are reserved"),
        psycopg.errors.ConnectionTimeout("connection timeout expired"),
        psycopg.errors.AdminShutdown("terminating connection due to administrator command"),
        psycopg.OperationalError("consuming input failed: SSL SYSCALL error: EOF detected"),
        psycopg.InterfaceError("the connection is closed"),
    ],
)
def test_a_database_that_is_not_up(error: Exception) -> None:
    assert database_may_pass(error)


@pytest.mark.parametrize(
    "error",
    [
        psycopg.OperationalError('FATAL:  password authentication failed for user "x"'),
        psycopg.OperationalError("fe_sendauth: no password supplied"),
        psycopg.OperationalError('FATAL:  no pg_hba.conf entry for host "10.0.0.7"'),
        psycopg.OperationalError('FATAL:  database "market" does not exist'),
        psycopg.OperationalError("SSL error: certificate verify failed"),
        psycopg.OperationalError('root certificate file "x" does not exist'),
        psycopg.OperationalError("server does not support SSL, but SSL was required"),
        psycopg.errors.UndefinedTable('relation "x" does not exist'),
        psycopg.errors.InsufficientPrivilege("permission denied"),
        RuntimeError("x"),
    ],
)
def test_a_database_that_means_it(error: Exception) -> None:
    assert not database_may_pass(error)
