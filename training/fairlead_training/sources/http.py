"""A file over HTTP or HTTPS, with Basic authentication where the Model names a Secret."""

import base64
import functools
import http.client
import urllib.error
import urllib.request
from typing import Any, Final

from fairlead_training.config import Environment
from fairlead_training.failure import Reason, TrainingFailure, first_line
from fairlead_training.sources.address import public_uri

_CONNECT_SECONDS: Final = 10.0
_SILENCE_SECONDS: Final = 600.0  # a server may have to put the rows together first, like a database


def download(uri: str, environment: Environment) -> bytes:
    """Return the content of the file.

    Raises:
        TrainingFailure: CredentialsRefused or DataSourceUnavailable.
    """
    source = public_uri(uri)
    request = urllib.request.Request(uri)  # noqa: S310  the table lets http and https through only
    if environment.data_username is not None:
        pair = f"{environment.data_username}:{environment.data_password or ''}"
        token = base64.b64encode(pair.encode()).decode()
        # Unredirected, so that another host never sees it.
        request.add_unredirected_header("Authorization", f"Basic {token}")
    try:
        return read(request)
    except urllib.error.HTTPError as error:
        raise explain_answer(error.code, source) from error
    except TimeoutError as error:
        raise TrainingFailure(
            Reason.DATA_SOURCE_UNAVAILABLE,
            f"{source} said nothing for {_SILENCE_SECONDS:g} s; check spec.data.source.uri",
        ) from error
    except (OSError, http.client.HTTPException) as error:
        raise TrainingFailure(
            Reason.DATA_SOURCE_UNAVAILABLE,
            f"{source} cannot be read: {first_line(error)}; check spec.data.source.uri",
        ) from error


def read(
    request: urllib.request.Request,
    *,
    connect: float = _CONNECT_SECONDS,
    silence: float = _SILENCE_SECONDS,
) -> bytes:
    """Return the body of the answer.

    Args:
        connect: seconds for a connection to be made.
        silence: seconds between two signs of life afterwards.

    Raises:
        TimeoutError: after such a silence.
        OSError: also for what the server answers, and for a connection that is not made.
    """
    opener = urllib.request.build_opener(_Handler(silence))
    with opener.open(request, timeout=connect) as response:
        content: bytes = response.read()
    return content


class _Handler(urllib.request.HTTPSHandler, urllib.request.HTTPHandler):
    """Opens connections whose time to be made is not the time to answer."""

    def __init__(self, silence: float) -> None:
        super().__init__()
        self._silence = silence

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(functools.partial(_Connection, silence=self._silence), req)

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(functools.partial(_TlsConnection, silence=self._silence), req)


class _Connection(http.client.HTTPConnection):
    def __init__(self, host: str, *, silence: float, **options: Any) -> None:
        super().__init__(host, **options)
        self._silence = silence

    def connect(self) -> None:
        super().connect()
        self.sock.settimeout(self._silence)


class _TlsConnection(_Connection, http.client.HTTPSConnection):
    """The same over TLS."""


def explain_answer(status: int, source: str) -> TrainingFailure:
    """Tell a server that refuses the user from one that has no such file or is in trouble."""
    if status in {401, 403}:
        return TrainingFailure(
            Reason.CREDENTIALS_REFUSED,
            f"{source} answered {status}; correct the Secret in spec.data.source.credentials",
        )
    return TrainingFailure(
        Reason.DATA_SOURCE_UNAVAILABLE,
        f"{source} answered {status}; check spec.data.source.uri",
    )
