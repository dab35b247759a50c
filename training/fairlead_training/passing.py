"""Which troubles of a server may pass by themselves: it is not up yet, or has too much to do.

Not so what stays until somebody corrects it: a password, a certificate, a name that it does not
have.
"""

import errno
import http.client
import socket
import ssl
import urllib.error
from typing import Final

import psycopg

_ERRNOS: Final = frozenset(
    {
        errno.ECONNABORTED, errno.ECONNREFUSED, errno.ECONNRESET, errno.EHOSTDOWN,
        errno.EHOSTUNREACH, errno.ENETDOWN, errno.ENETUNREACH, errno.EPIPE, errno.ETIMEDOUT,
    }
)  # fmt: skip
_BUSY: Final = frozenset({408, 425, 429})
_IN_TROUBLE: Final = range(500, 600)
_NEVER: Final = frozenset({501, 505, 511})  # not implemented; a network that wants a login
# How libpq tells that the server does not let this user in; before a session there is no SQLSTATE.
_REFUSALS: Final = (
    "authentication failed",
    "no password supplied",
    "pg_hba.conf",
    "does not exist",
)
_NOT_TRUSTED: Final = ("certificate", "does not support SSL")


def may_pass(error: BaseException) -> bool:
    """Tell whether a connection that was not made, or broke, may hold at another time."""
    if isinstance(error, urllib.error.URLError) and isinstance(error.reason, BaseException):
        return may_pass(error.reason)
    if isinstance(error, ssl.SSLError):
        return isinstance(error, ssl.SSLEOFError)
    if isinstance(error, (ConnectionError, TimeoutError, socket.gaierror)):
        return True
    if isinstance(error, http.client.IncompleteRead):
        return True
    return isinstance(error, OSError) and error.errno in _ERRNOS


def answer_may_pass(status: int) -> bool:
    """Tell whether a server that answers with this HTTP status may answer otherwise soon."""
    return status in _BUSY or (status in _IN_TROUBLE and status not in _NEVER)


def database_may_pass(error: BaseException) -> bool:
    """Tell it of what PostgreSQL's driver raises."""
    if not isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError)):
        return False
    said = str(error)
    return not is_refused(error) and not any(word in said for word in _NOT_TRUSTED)


def is_refused(error: psycopg.Error) -> bool:
    """Tell whether PostgreSQL does not let this user in."""
    return any(refusal in str(error) for refusal in _REFUSALS)
