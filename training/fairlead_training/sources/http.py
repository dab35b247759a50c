"""A file over HTTP or HTTPS, with Basic authentication where the Model names a Secret.

What a server answers is nobody's to read in a message: it may be a page of a service that only the
trainer can reach.  So a message tells what happened, in words of our own.
"""

import base64
import contextlib
import functools
import http.client
import io
import os
import socket
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from typing import IO, Any, Final, cast

from fairlead_training.config import Environment
from fairlead_training.failure import Reason, TrainingFailure, Trouble
from fairlead_training.passing import answer_may_pass, may_pass
from fairlead_training.sources import reach
from fairlead_training.sources.address import public_uri
from fairlead_training.sources.secret import check_credentials, has_credentials, trust

_CONNECT_SECONDS: Final = 10.0
_SILENCE_SECONDS: Final = 600.0  # a server may have to put the rows together first, like a database
_OTHER_NAME: Final = (62, 64)  # of a certificate: X509_V_ERR_HOSTNAME_MISMATCH, …_IP_ADDRESS_…

OpenSocket = Callable[[str, int, float | None], socket.socket]


def open_url(uri: str, environment: Environment) -> IO[bytes]:
    """Return the file, to be read from its beginning to its end.

    Raises:
        TrainingFailure: SourceNotAllowed, SecretNotAllowed, CredentialsRefused or
            DataSourceUnavailable; the last one also from reading.
    """
    source = public_uri(uri)
    request = urllib.request.Request(to_ascii(uri))  # noqa: S310  the table lets http and https through only
    if has_credentials(environment):
        pair = f"{environment.data_username or ''}:{environment.data_password or ''}"
        token = base64.b64encode(pair.encode()).decode()
        # Unredirected, so that another host never sees it.
        request.add_unredirected_header("Authorization", f"Basic {token}")
    hops = _Hops(source, environment)
    try:
        answer = ask(request, open_socket=hops.open_socket, context=trust(environment))
    except urllib.error.HTTPError as error:
        error.close()
        raise explain_answer(error.code, source) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _explain(error, source) from error
    return cast("IO[bytes]", _Body(answer, source))


class _Body(io.RawIOBase):
    """The body of an answer, whose end is told from its being cut."""

    def __init__(self, answer: http.client.HTTPResponse, source: str) -> None:
        self._answer = answer
        self._source = source

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            count = self._answer.readinto(buffer)
            if not count and self._answer.length:
                raise http.client.IncompleteRead(b"", self._answer.length)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise _explain(error, self._source) from error
        return count

    def close(self) -> None:
        self._answer.close()
        super().close()


def _explain(error: Exception, source: str) -> TrainingFailure:
    if isinstance(error, TimeoutError):
        said = words = f"said nothing for {_SILENCE_SECONDS:g} s"
    else:
        words = describe(error)
        said = f"cannot be read: {words}"
    return TrainingFailure(
        Reason.DATA_SOURCE_UNAVAILABLE,
        f"{source} {said}; check spec.data.source.uri",
        trouble=Trouble(source, words) if may_pass(error) else None,
    )


def to_ascii(uri: str) -> str:
    """Write letters beyond ASCII as HTTP needs them; leave everything else as it is."""
    start, separator, rest = uri.partition("://")
    end = next((at for at, letter in enumerate(rest) if letter in "/?#"), len(rest))
    host, path = rest[:end], rest[end:]
    if not host.isascii() and "@" not in host:
        with contextlib.suppress(UnicodeError):  # no name of a host, which is said later
            host = host.encode("idna").decode("ascii")
    return f"{start}{separator}{host}{_quote(path)}"


def _quote(text: str) -> str:
    return "".join(letter if letter.isascii() else urllib.parse.quote(letter) for letter in text)


class _Hops:
    """The connections of one download: the first with the credentials, the others redirected."""

    def __init__(self, source: str, environment: Environment) -> None:
        self._source = source
        self._environment = environment
        self._is_first = True

    def open_socket(self, host: str, port: int, timeout: float | None) -> socket.socket:
        is_first, self._is_first = self._is_first, False
        try:
            if is_first:
                check_credentials(host, port, self._environment)
            return reach.connect(host, port, timeout, self._environment.surroundings)
        except reach.NotAllowedError as error:
            raise reach.refuse_place(self._source, error, redirected=not is_first) from error


def ask(
    request: urllib.request.Request,
    *,
    open_socket: OpenSocket,
    context: ssl.SSLContext | None = None,
    connect: float = _CONNECT_SECONDS,
    silence: float = _SILENCE_SECONDS,
) -> http.client.HTTPResponse:
    """Return the answer.

    Args:
        open_socket: connects to a host and port, or refuses to.
        context: whom to trust; None: whom this machine trusts.
        connect: seconds for a connection to be made.
        silence: seconds between two signs of life afterwards.

    Raises:
        TimeoutError: after such a silence.
        OSError: also for what the server answers, and for a connection that is not made.
    """
    opener = urllib.request.OpenerDirector()
    # No proxy that variables name, and no scheme but these, also redirected.
    for handler in (
        _Handler(open_socket, silence, context),
        _Redirects(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    answer: http.client.HTTPResponse = opener.open(request, timeout=connect)
    return answer


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, and leaves no connection open where one leads nowhere."""

    def http_error_302(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any
    ) -> Any:
        try:
            return super().http_error_302(req, fp, code, msg, headers)
        finally:
            fp.close()

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


class _Handler(urllib.request.HTTPSHandler, urllib.request.HTTPHandler):
    """Opens connections to judged addresses, whose time to be made is not the time to answer."""

    def __init__(
        self, open_socket: OpenSocket, silence: float, context: ssl.SSLContext | None
    ) -> None:
        super().__init__()
        self._options: dict[str, Any] = {"open_socket": open_socket, "silence": silence}
        self._context = context

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(functools.partial(_Connection, **self._options), req)

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        options = {**self._options, "context": self._context}
        return self.do_open(functools.partial(_TlsConnection, **options), req)


class _Connection(http.client.HTTPConnection):
    def __init__(
        self, host: str, *, open_socket: OpenSocket, silence: float, **options: Any
    ) -> None:
        super().__init__(host, **options)
        self._open_socket = open_socket
        self._silence = silence
        self._create_connection = self._open

    def connect(self) -> None:
        super().connect()
        self.sock.settimeout(self._silence)

    def _open(
        self, address: tuple[str, int], timeout: float | None, _source: object
    ) -> socket.socket:
        return self._open_socket(*address, timeout)


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
        trouble=Trouble(source, f"it answered {status}") if answer_may_pass(status) else None,
    )


def describe(error: BaseException) -> str:
    """Say what went wrong without a word of what the server said."""
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    match cause:
        case ssl.SSLCertVerificationError() if cause.verify_code in _OTHER_NAME:
            return "its certificate is for another name"
        case ssl.SSLCertVerificationError():
            return f"its certificate is not trusted: {cause.verify_message}"
        case ssl.SSLError():
            return f"TLS failed ({getattr(cause, 'reason', None) or 'without a reason'})"
        case reach.ProxyError():
            return str(cause)
        case socket.gaierror():
            return f"its name is not known: {cause.strerror}"
        case TimeoutError():
            return "no connection was made in time"
        case OSError() if cause.errno is not None:
            return os.strerror(cause.errno)
        case http.client.IncompleteRead() | http.client.RemoteDisconnected():
            return "the answer ended early"
        case http.client.HTTPException():
            return "the answer is not HTTP"
        case _:
            return "it is not, or redirects to what is not, an address of http:// or https://"
