"""Which addresses a source may have, judged where its name has led.

A trainer stands inside the cluster and may be told any address.  So each connection is made to an
address that was judged, never to a name, which could lead elsewhere a moment later.  A proxy of the
platform is told that address, too; a name it is told only where the platform allows the name.
"""

import dataclasses
import ipaddress
import socket
from collections.abc import Sequence
from typing import Final

from fairlead_contract.hosts import Address, any_has, read_address, tidy, write_place
from fairlead_training.config import Surroundings
from fairlead_training.failure import Reason, TrainingFailure
from fairlead_training.passing import answer_may_pass

# What machines of clouds ask for credentials, where that is not link-local.
_METADATA: Final = frozenset(
    map(
        ipaddress.ip_address,
        ("fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "168.63.129.16", "192.0.0.192"),
    )
)
_THIS_HOST: Final = ipaddress.ip_network("0.0.0.0/8")
# Networks of IPv6 whose last 32 bits are an address of IPv4.
_WRAPPED: Final = tuple(map(ipaddress.IPv6Network, ("64:ff9b::/96", "::/96")))
_LARGEST_WRAPPED: Final = 0xFFFF  # of ::/96, where ::1 is the loopback address
_OF_A_SITE: Final = ipaddress.ip_network("fec0::/10")  # private once, which Python calls global
_LONGEST_HEAD: Final = 2**14  # of a proxy's answer
_API_NAMES: Final = ("kubernetes.default", "kubernetes.default.svc")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """Where a name leads."""

    name: str  # the last of its aliases
    addresses: tuple[Address, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How to get to a host."""

    places: tuple[str, ...]  # addresses; or the name, for a proxy to look up
    by_proxy: bool


class ProxyError(OSError):
    """The platform's proxy does not lead to a host."""


class ProxyAwayError(ProxyError, ConnectionError):
    """It does not do so now: it cannot be reached, or cannot reach the host."""


class NotAllowedError(Exception):
    """A place that no source may have, or none that the platform does not allow."""

    def __init__(self, place: str, *, allowed_as: str | None) -> None:
        super().__init__(place)
        self.place = place
        self.allowed_as = allowed_as  # how to allow it; None: it cannot be


def resolve(host: str, port: int) -> Resolved:
    """Ask the resolver, which also reads forms such as 127.1 and 0x7f000001.

    Raises:
        OSError: it does not know the name.
    """
    try:
        answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_CANONNAME)
    except UnicodeError as error:
        raise OSError("the name of its host is not one") from error
    names = [answer[3] for answer in answers if answer[3]]
    addresses = dict.fromkeys(ipaddress.ip_address(str(answer[4][0])) for answer in answers)
    return Resolved(name=tidy(names[0] if names else host), addresses=tuple(addresses))


def admit(host: str, port: int, surroundings: Surroundings) -> tuple[str, ...]:
    """Return the addresses to connect to: all that the host has, none of them refused.

    Raises:
        NotAllowedError: one of them is.
        OSError: the name is not known.
    """
    resolved = resolve(host, port)
    names = _names(host, resolved.name, surroundings)
    api = _find_api(surroundings)
    for address in map(_unwrap, resolved.addresses):
        _refuse_always(address, names, api)
        _refuse_unless_allowed(address, names, port, surroundings)
    return tuple(map(str, resolved.addresses))


def connect(
    host: str, port: int, timeout: float | None, surroundings: Surroundings
) -> socket.socket:
    """Connect to the first address of the host that answers.

    Raises:
        NotAllowedError: a source may not be there.
        OSError: it cannot be reached.
    """
    failure: OSError | None = None
    way = find_way(host, port, surroundings)
    for place in way.places:
        try:
            if way.by_proxy and surroundings.proxy is not None:
                return _connect_by(surroundings.proxy, place, port, timeout)
            return socket.create_connection((place, port), timeout)
        except OSError as error:
            failure = error
    raise failure or OSError("its name has no address")


def find_way(host: str, port: int, surroundings: Surroundings) -> Way:
    """Judge where a host leads, and choose how to get there: by the proxy to what is outside.

    Raises:
        NotAllowedError: a source may not be there.
        OSError: the name is not known, and is none that the platform allows.
    """
    name = tidy(host).removesuffix(f".{surroundings.cluster_domain}")
    # A name within the cluster is none that a proxy outside should know.
    is_foreign = read_address(name) is None and _namespace_of(name) is None
    is_named = is_foreign and any_has(surroundings.allowed, host, port)
    is_direct = surroundings.proxy is None or any_has(surroundings.direct, host, port)
    try:
        places = admit(host, port, surroundings)
    except OSError:
        # Where a cluster knows no names of outside, its proxy does.
        if is_direct or not is_named:
            raise
        return Way(places=(tidy(host),), by_proxy=True)
    addresses = tuple(map(ipaddress.ip_address, places))
    if (
        is_direct
        or not all(map(_is_public, map(_unwrap, addresses)))
        or any(
            each.has_address(address, port) for each in surroundings.direct for address in addresses
        )
    ):
        return Way(places=places, by_proxy=False)
    return Way(places=(tidy(host),) if is_named else places, by_proxy=True)


def _connect_by(
    proxy: tuple[str, int], host: str, port: int, timeout: float | None
) -> socket.socket:
    """Let a proxy connect, to an address or to a name that it looks up.

    Raises:
        ProxyError: it does not.
    """
    name, place = write_place(*proxy), write_place(host, port)
    try:
        connection = socket.create_connection(proxy, timeout)
    except OSError as error:
        raise ProxyAwayError(f"the proxy {name} cannot be reached") from error
    try:
        connection.sendall(f"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n\r\n".encode("ascii"))
        _await_tunnel(connection, name)
    except BaseException:
        connection.close()
        raise
    return connection


def _await_tunnel(connection: socket.socket, name: str) -> None:
    head = b""
    # One by one, as what follows the head belongs to the connection.
    while not head.endswith(b"\r\n\r\n"):
        letter = connection.recv(1)
        if not letter or len(head) > _LONGEST_HEAD:
            raise ProxyError(f"the proxy {name} did not answer as one")
        head += letter
    status = head.split(b" ", 2)[1:2]
    if status != [b"200"]:
        said = status[0].decode("ascii", "replace")[:3] if status else "nothing"
        passes = said.isdigit() and answer_may_pass(int(said))
        raise (ProxyAwayError if passes else ProxyError)(f"the proxy {name} answered {said}")


def refuse_place(
    source: str, error: NotAllowedError, *, redirected: bool = False
) -> TrainingFailure:
    """Say why, and who can change it; of a redirect, not where it leads: the server said that."""
    if redirected:
        way_out = "name the address of the file itself in spec.data.source.uri"
        said = f"{source} redirects to {error.place}, where no source may be"
    elif error.allowed_as is None:
        way_out = "use another address in spec.data.source.uri"
        said = f"{source} leads to {error.place}, where no source may be"
    else:
        way_out = (
            "use another address in spec.data.source.uri, or let an administrator add "
            f"{error.allowed_as} to training.allowedSources in the values of Fairlead's chart"
        )
        said = f"{source} leads to {error.place}, where a source may be only if it is allowed"
    return TrainingFailure(Reason.SOURCE_NOT_ALLOWED, f"{said}; {way_out}")


def _refuse_always(address: Address, names: Sequence[str], api: frozenset[Address]) -> None:
    place = _describe_never(address, api)
    if place is None and any(name in _API_NAMES for name in names):
        place = "the cluster's API"
    if place is not None:
        raise NotAllowedError(place, allowed_as=None)


def _refuse_unless_allowed(
    address: Address, names: Sequence[str], port: int, surroundings: Surroundings
) -> None:
    if any(each.has_address(address, port) for each in surroundings.allowed):
        return
    if address.is_loopback:  # by its address alone, as a name may lead there by mistake
        raise NotAllowedError("a loopback address", allowed_as=str(address))
    if any(any_has(surroundings.allowed, name, port) for name in names):
        return
    for name in names:
        if _namespace_of(name) not in {None, surroundings.namespace}:
            raise NotAllowedError(
                "an address of another namespace of the cluster", allowed_as=f"{name}:{port}"
            )
    is_ours = _namespace_of(names[0]) is not None
    if not (_is_public(address) or is_ours):
        raise NotAllowedError(
            "a private address, as other namespaces have", allowed_as=write_place(names[-1], port)
        )


def _is_public(address: Address) -> bool:
    return address.is_global and address not in _OF_A_SITE


def _describe_never(address: Address, api: frozenset[Address]) -> str | None:
    if address in api:
        return "the cluster's API"
    if address.is_link_local:
        return "a link-local address"
    if address in _METADATA:
        return "the metadata service of a cloud"
    if address.is_unspecified or address in _THIS_HOST:
        return "an unspecified address"
    if address.is_multicast:
        return "a multicast address"
    if address.is_reserved and not address.is_loopback:
        return "a reserved address"
    return None


def _unwrap(address: Address) -> Address:
    """Return the address of IPv4 that one of IPv6 leads to."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    inner = address.ipv4_mapped or address.sixtofour
    if inner is not None:
        return inner
    if int(address) > _LARGEST_WRAPPED and any(address in network for network in _WRAPPED):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _names(host: str, name: str, surroundings: Surroundings) -> Sequence[str]:
    """Return the names to judge by, the one that counts first, without the cluster's domain.

    Whoever may create a Service may let its name lead anywhere, so that within the cluster only
    the last name tells where an address belongs.
    """
    last, asked = (
        each.removesuffix(f".{surroundings.cluster_domain}") for each in (name, tidy(host))
    )
    if _namespace_of(last) is not None or last == asked:
        return (last,)
    return (last, asked)


def _namespace_of(name: str) -> str | None:
    """Return the namespace of a Service's name, without the cluster's domain; None of another.

    Not of a pod's: DNS answers 10-0-0-7.energy.pod with 10.0.0.7, whoever has it.
    """
    *others, kind = name.split(".")
    return others[-1] if others and kind == "svc" else None


def _find_api(surroundings: Surroundings) -> frozenset[Address]:
    """Return the addresses of the cluster's API, by the name or address that pods are told."""
    if not surroundings.api:
        return frozenset()
    address = read_address(tidy(surroundings.api))
    if address is not None:
        return frozenset({address})
    try:
        return frozenset(map(_unwrap, resolve(surroundings.api, 443).addresses))
    except OSError:
        return frozenset()
