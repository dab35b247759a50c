"""A proxy within the trainer, by which libraries that connect by themselves reach a source.

They look up names on their own, at any moment; so they are given this proxy, and each connection
goes through ``reach``, to an address that was judged.  It listens on the loopback address while
rows are read, knows no credentials, and leads to nowhere but the hosts of the source.
"""

import contextlib
import socket
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from typing import Final

from fairlead_training.config import Environment
from fairlead_training.failure import TrainingFailure
from fairlead_training.sources import reach
from fairlead_training.sources.secret import check_credentials

_CONNECT_SECONDS: Final = 10.0
_SILENCE_SECONDS: Final = 600.0
_LONGEST_HEAD: Final = 2**16
_PIECE: Final = 2**16
_PORTS: Final = {"http": 80, "https": 443}
_REFUSED: Final = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_UNREACHABLE: Final = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_CONNECTED: Final = b"HTTP/1.1 200 OK\r\n\r\n"
# Of a request, what is between the client and us.
_OURS: Final = ("connection", "proxy-connection", "proxy-authorization", "keep-alive")

LeadsTo = Callable[[str, int], bool]


class Relay:
    """The proxy while it listens."""

    def __init__(self, source: str, environment: Environment, leads_to: LeadsTo) -> None:
        self._source = source
        self._environment = environment
        self._leads_to = leads_to
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self.failure: TrainingFailure | None = None  # the first place that was refused
        self.trouble: OSError | None = None  # the last connection that was not made

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def serve(self) -> None:
        """Take connections until it is closed."""
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._handle, args=(client,), daemon=True).start()

    def close(self) -> None:
        """Take no more connections, and end those there are."""
        # The first wakes up who waits in accept, the second does not.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for each in tuple(self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _handle(self, client: socket.socket) -> None:
        with self._kept(client), contextlib.suppress(OSError, ValueError):
            client.settimeout(_SILENCE_SECONDS)
            head, body = _read_head(client)
            method, target, _version = head.split(b"\r\n", 1)[0].decode("ascii").split(" ")
            is_tunnel = method == "CONNECT"
            if target.startswith("/"):  # as Azure's client asks over plain HTTP
                target = f"http://{_find_host(head)}{target}"
            parts = urllib.parse.urlsplit(f"//{target}" if is_tunnel else target)
            host, port = parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 443)
            upstream = self._connect(client, host, port)
            if upstream is None:
                return
            with self._kept(upstream):
                upstream.settimeout(_SILENCE_SECONDS)
                if is_tunnel:
                    client.sendall(_CONNECTED)
                else:
                    body = _rewrite(head, target) + body
                upstream.sendall(body)
                _join(client, upstream)

    def _connect(self, client: socket.socket, host: str, port: int) -> socket.socket | None:
        try:
            if not self._leads_to(host, port):
                client.sendall(_REFUSED)
                return None
            check_credentials(host, port, self._environment)
            return reach.connect(host, port, _CONNECT_SECONDS, self._environment.surroundings)
        except reach.NotAllowedError as error:
            self.failure = self.failure or reach.refuse_place(self._source, error)
            client.sendall(_REFUSED)
        except TrainingFailure as failure:
            self.failure = self.failure or failure
            client.sendall(_REFUSED)
        except OSError as error:
            self.trouble = error
            client.sendall(_UNREACHABLE)
        return None

    @contextlib.contextmanager
    def _kept(self, connection: socket.socket) -> Iterator[None]:
        self._open.add(connection)
        try:
            yield
        finally:
            self._open.discard(connection)
            connection.close()


@contextlib.contextmanager
def relay(source: str, environment: Environment, leads_to: LeadsTo) -> Iterator[Relay]:
    """Run the proxy.

    Args:
        source: what a message calls it.
        leads_to: whether a host and port is one of the source's.
    """
    proxy = Relay(source, environment, leads_to)
    thread = threading.Thread(target=proxy.serve, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.close()
        thread.join()


def _read_head(client: socket.socket) -> tuple[bytes, bytes]:
    """Return a request's head with its end, and what came after it."""
    read = b""
    while b"\r\n\r\n" not in read:
        piece = client.recv(_PIECE)
        if not piece or len(read) > _LONGEST_HEAD:
            raise ValueError("no request")
        read += piece
    head, end, body = read.partition(b"\r\n\r\n")
    return head + end, body


def _find_host(head: bytes) -> str:
    named = (line.partition(b":") for line in head.split(b"\r\n")[1:])
    return next(
        (value.strip().decode("ascii") for name, _, value in named if name.lower() == b"host"), ""
    )


def _rewrite(head: bytes, target: str) -> bytes:
    """Turn a request to a proxy into one to the server, which closes after its answer.

    So each request comes in a connection of its own, and each is judged.
    """
    first, *lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    method, _target, version = first.split(b" ")
    parts = urllib.parse.urlsplit(target)
    path = target.partition("://")[2][len(parts.netloc) :]
    kept = [line for line in lines if line.partition(b":")[0].strip().lower().decode() not in _OURS]
    start = b" ".join((method, (path or "/").encode(), version))
    return b"\r\n".join((start, *kept, b"Connection: close", b"", b""))


def _join(client: socket.socket, upstream: socket.socket) -> None:
    """Pass on what either says until both have ended."""
    back = threading.Thread(target=_pass_on, args=(upstream, client), daemon=True)
    back.start()
    _pass_on(client, upstream)
    back.join()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(_PIECE):
            target.sendall(piece)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
