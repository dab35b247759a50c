"""Lists of hosts: whom a Secret may be sent to, and where sources may be.  Pure.

An entry is a name (``data.example.org``), every name below one (``*.example.org``), an address or
a network (``10.20.0.0/16``), with a port (``data.example.org:8443``, ``[fd00::7]:5432``) or without
one, which means every port.
"""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

ALLOWED_SOURCES: Final = "FAIRLEAD_ALLOWED_SOURCES"
SOURCE_PROXY: Final = "FAIRLEAD_SOURCE_PROXY"
NO_PROXY: Final = "FAIRLEAD_SOURCE_NO_PROXY"
CLUSTER_DOMAIN: Final = "FAIRLEAD_CLUSTER_DOMAIN"

_LABEL: Final = r"[a-z0-9_](?:[-a-z0-9_]*[a-z0-9_])?"
# A last label that is a number makes a name that resolvers read as an address, such as 127.1.
_NAME: Final = re.compile(rf"(?:\*\.)?(?:{_LABEL}\.)*(?!(?:\d+|0x[0-9a-f]*)$){_LABEL}")
_PORT: Final = re.compile(r"(?P<host>\[[^\]]*\]|[^:\[\]]*):(?P<port>\d{1,5})")
_PROXY: Final = re.compile(r"http://(?P<place>[^/@\s]+)/?")
_HIGHEST_PORT: Final = 65_535


class InvalidHostError(ValueError):
    """An entry that cannot be meant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """One entry of a list."""

    name: str = ""  # lower case; empty where it is a network
    network: Network | None = None
    port: int | None = None  # None: every port

    def has(self, host: str, port: int) -> bool:
        """Tell whether a host, by name or address as it is written, is meant."""
        written = tidy(host)
        address = read_address(written)
        if address is not None:
            return self.has_address(address, port)
        if not self.name or self.port not in {None, port}:
            return False
        if self.name.startswith("*."):
            return written.endswith(self.name[1:])
        return written == self.name

    def has_address(self, address: Address, port: int) -> bool:
        return (
            self.network is not None
            and self.port in {None, port}
            and address.version == self.network.version
            and address in self.network
        )


def parse_hosts(text: str) -> tuple[Host, ...]:
    """Read entries that commas, blanks or line breaks separate.

    Raises:
        InvalidHostError: naming the entry.
    """
    return tuple(_parse_host(word) for word in re.split(r"[\s,]+", text) if word)


def parse_proxy(text: str) -> tuple[str, int] | None:
    """Read the host and port of a proxy; nothing where none is named.

    Raises:
        InvalidHostError: saying how it is written.
    """
    if not text:
        return None
    match = _PROXY.fullmatch(text)
    place = _PORT.fullmatch(match["place"]) if match else None
    if place is None or not 1 <= int(place["port"]) <= _HIGHEST_PORT:
        raise InvalidHostError(
            "it is no proxy; write one such as http://proxy.example.org:3128, without user and "
            "password, which every namespace could read"
        )
    return tidy(place["host"]), int(place["port"])


def any_has(hosts: Iterable[Host], host: str, port: int) -> bool:
    return any(each.has(host, port) for each in hosts)


def tidy(host: str) -> str:
    """Return a host without what may be written around it and means nothing."""
    return host.lower().removeprefix("[").removesuffix("]").removesuffix(".")


def write_place(host: str, port: int) -> str:
    """Write a host with its port, as an entry of a list has them."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def read_address(text: str) -> Address | None:
    """Return the address that is written in full; None of a name."""
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _parse_host(word: str) -> Host:
    match = _PORT.fullmatch(word)
    host, port = (match["host"], int(match["port"])) if match else (word, None)
    name = tidy(host)
    is_port = port is None or 1 <= port <= _HIGHEST_PORT
    if is_port and _NAME.fullmatch(name):
        return Host(name=name, port=port)
    try:
        network = ipaddress.ip_network(name)
    except ValueError:
        network = None
    if network is None or not is_port:
        raise InvalidHostError(
            f"{word!r} is no host; write a name such as data.example.org or *.example.org, or an "
            "address or network such as 10.20.0.0/16, each with or without a port (:5432)"
        )
    return Host(network=network, port=port)
