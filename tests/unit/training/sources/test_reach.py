"""Which addresses a source may have, wherever their names come from."""

import dataclasses
import socket
from ipaddress import ip_address
from typing import Any

import pytest

from fairlead_contract.hosts import parse_hosts
from fairlead_training.failure import Reason
from fairlead_training.sources import reach
from fairlead_training.sources.reach import (
    NotAllowedError,
    Way,
    admit,
    connect,
    find_way,
    refuse_place,
    resolve,
)
from support.reading import API, resolver, surroundings, use_names

NEVER = "0.0.0.0/0, ::/0, *.example, *.svc"  # whatever a platform allows
LEADS = {
    "data.example": "93.184.216.34 2606:2800:220:1::1",
    "corp.example": "10.20.30.40",
    "alias.example": "corp.example=10.20.30.40",
    "half.example": "93.184.216.34 10.20.30.40",
    "evil.example": "169.254.169.254",
    "local.example": "127.0.0.1",
    "market-db": "market-db.energy.svc.cluster.local=10.96.4.4",
    "market-db.energy": "market-db.energy.svc.cluster.local=10.96.4.4",
    "external.energy": "victim.other.svc.cluster.local=10.96.7.7",
    "metadata.energy": "metadata.energy.svc.cluster.local=169.254.169.254",
    "imposter.energy": "10.96.7.7",
    "10-96-7-7.energy.pod": "10-96-7-7.energy.pod.cluster.local=10.96.7.7",
    "victim.other": "victim.other.svc.cluster.local=10.96.7.7",
    "victim.other.svc": "public.example=93.184.216.34",
    "alias-of-victim.example": "victim.other.svc.cluster.local=10.96.7.7",
    "shared.other": "shared.other.svc.cluster.local=10.96.8.8",
    "kubernetes.default": "kubernetes.default.svc.cluster.local=10.96.0.9",
    "api.example": API,
}


@pytest.fixture(autouse=True)
def _names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach, "resolve", resolver(LEADS))


@pytest.mark.parametrize(
    ("host", "allowed", "first"),
    [
        pytest.param("data.example", "", "93.184.216.34", id="on the internet"),
        pytest.param("93.184.216.34", "", "93.184.216.34", id="by its address"),
        pytest.param("market-db", "", "10.96.4.4", id="a Service of the Model's namespace"),
        pytest.param("market-db.energy", "", "10.96.4.4", id="by its namespace, too"),
        pytest.param("corp.example", "corp.example", "10.20.30.40", id="private, allowed by name"),
        pytest.param("corp.example", "*.example:443", "10.20.30.40", id="by names and port"),
        pytest.param("corp.example", "10.20.0.0/16", "10.20.30.40", id="by its network"),
        pytest.param("alias.example", "corp.example", "10.20.30.40", id="by its last name"),
        pytest.param("alias.example", "alias.example", "10.20.30.40", id="by its first name"),
        pytest.param("victim.other", "victim.other.svc", "10.96.7.7", id="a Service, allowed"),
        pytest.param("victim.other", "*.other.svc", "10.96.7.7", id="all of a namespace"),
        pytest.param("local.example", "127.0.0.1", "127.0.0.1", id="loopback, by its address"),
        pytest.param("::ffff:127.0.0.1", "127.0.0.1", "::ffff:127.0.0.1", id="within IPv6"),
    ],
)
def test_a_source_may_be(host: str, allowed: str, first: str) -> None:
    assert ip_address(admit(host, 443, surroundings(allowed))[0]) == ip_address(first)


@pytest.mark.parametrize(
    ("host", "place"),
    [
        pytest.param("169.254.169.254", "a link-local", id="an address of a cloud"),
        pytest.param("evil.example", "a link-local", id="by a name"),
        pytest.param("metadata.energy", "a link-local", id="by a Service of the namespace"),
        pytest.param("::ffff:169.254.169.254", "a link-local", id="within IPv6"),
        pytest.param("64:ff9b::a9fe:a9fe", "a link-local", id="by NAT64"),
        pytest.param("2002:a9fe:a9fe::1", "a link-local", id="by 6to4"),
        pytest.param("::a9fe:a9fe", "a link-local", id="the old way within IPv6"),
        pytest.param("fe80::1", "a link-local", id="of IPv6"),
        pytest.param("fd00:ec2::254", "metadata", id="metadata of IPv6"),
        pytest.param("100.100.100.200", "metadata", id="metadata elsewhere"),
        pytest.param("168.63.129.16", "metadata", id="metadata at a public address"),
        pytest.param("0.0.0.0", "an unspecified", id="unspecified"),
        pytest.param("0.0.0.1", "an unspecified", id="this network"),
        pytest.param("::", "an unspecified", id="unspecified of IPv6"),
        pytest.param("64:ff9b:1::a9fe:a9fe", "a reserved", id="by a NAT64 of one's own"),
        pytest.param("::ffff:0:a9fe:a9fe", "a reserved", id="translated within IPv6"),
        pytest.param("224.0.0.1", "a multicast", id="multicast"),
        pytest.param("ff02::1", "a multicast", id="multicast of IPv6"),
        pytest.param("255.255.255.255", "a reserved", id="broadcast"),
        pytest.param(API, "the cluster's API", id="the API's address"),
        pytest.param("api.example", "the cluster's API", id="by a name"),
        pytest.param("::ffff:10.96.0.1", "the cluster's API", id="the API within IPv6"),
        pytest.param("kubernetes.default", "the cluster's API", id="the API's name"),
    ],
)
def test_no_source_may_be(host: str, place: str) -> None:
    with pytest.raises(NotAllowedError, match=place) as caught:
        admit(host, 443, surroundings(NEVER))

    failure = refuse_place("https://h/d.csv", caught.value)
    assert failure.reason is Reason.SOURCE_NOT_ALLOWED
    assert "use another address in spec.data.source.uri" in failure.message
    assert "allowedSources" not in failure.message


@pytest.mark.parametrize(
    ("host", "allowed", "place", "as_"),
    [
        pytest.param("10.1.2.3", "", "private", "10.1.2.3:443", id="private"),
        pytest.param("192.168.0.1", "10.0.0.0/8", "private", "192.168.0.1:443", id="another net"),
        pytest.param("100.64.0.1", "", "private", "100.64.0.1:443", id="of a carrier"),
        pytest.param("fd12::1", "", "private", "[fd12::1]:443", id="of IPv6"),
        pytest.param("fec0::1", "", "private", "[fec0::1]:443", id="of a site of IPv6"),
        pytest.param("corp.example", "", "private", "corp.example:443", id="by a name"),
        pytest.param("half.example", "", "private", "half.example:443", id="one of two addresses"),
        pytest.param("corp.example", "corp.example:80", "private", "corp.example:443", id="port"),
        pytest.param(
            "victim.other", "", "another namespace", "victim.other.svc:443", id="a Service"
        ),
        pytest.param(
            "victim.other.svc", "", "another namespace", "victim.other.svc:443", id="of anywhere"
        ),
        pytest.param(
            "external.energy", "*.energy.svc", "another namespace", "victim.other.svc:443",
            id="by a Service of the Model's namespace that only names it",
        ),
        pytest.param(
            "alias-of-victim.example", "*.example", "another namespace", "victim.other.svc:443",
            id="by an alias elsewhere",
        ),
        pytest.param(
            "imposter.energy", "", "private", "imposter.energy:443",
            id="a domain called like the namespace",
        ),
        pytest.param(
            "10-96-7-7.energy.pod", "", "private", "10-96-7-7.energy.pod:443",
            id="the name of a pod, which DNS makes of any address",
        ),
        pytest.param("127.0.0.1", "", "loopback", "127.0.0.1", id="loopback"),
        pytest.param("::1", "", "loopback", "::1", id="loopback of IPv6"),
        pytest.param("local.example", "*.example", "loopback", "127.0.0.1", id="not by a name"),
    ],
)  # fmt: skip
def test_a_source_may_be_if_it_is_allowed(host: str, allowed: str, place: str, as_: str) -> None:
    with pytest.raises(NotAllowedError, match=place) as caught:
        admit(host, 443, surroundings(allowed))

    message = refuse_place("https://h/d.csv", caught.value).message
    assert f"add {as_} to training.allowedSources" in message
    assert admit(host, 443, surroundings(f"{allowed},{as_},10.20.0.0/16"))


def test_a_cluster_whose_api_has_a_name_is_refused_by_it() -> None:
    here = reach.Surroundings(namespace="energy", api="api.example")

    with pytest.raises(NotAllowedError, match="the cluster's API"):
        admit(API, 443, here)


PROXY = ("proxy.example", 3128)


@pytest.mark.parametrize(
    ("host", "allowed", "direct", "places", "by_proxy"),
    [
        pytest.param("open.example", "", "", ("93.184.216.34",), True,
                     id="outside: the proxy is told the address that was judged"),
        pytest.param("93.184.216.34", "", "", ("93.184.216.34",), True, id="an address"),
        pytest.param("open.example", "open.example", "", ("open.example",), True,
                     id="outside and allowed: the name, for a proxy that judges by it"),
        pytest.param("open.example", "open.example:80", "", ("93.184.216.34",), True,
                     id="allowed at another port"),
        pytest.param("nowhere.example", "*.example", "", ("nowhere.example",), True,
                     id="a name that only the proxy knows, and that is allowed"),
        pytest.param("open.example", "", "*.example", ("93.184.216.34",), False,
                     id="outside, but not by the proxy"),
        pytest.param("open.example", "", "93.184.0.0/16", ("93.184.216.34",), False,
                     id="the same by its address"),
        pytest.param("corp.example", "corp.example", "", ("10.20.0.5",), False, id="private"),
        pytest.param("market-db.energy.svc", "", "", ("10.96.4.4",), False, id="in the cluster"),
        pytest.param("127.0.0.1", "127.0.0.1", "", ("127.0.0.1",), False, id="loopback"),
    ],
)  # fmt: skip
def test_the_way_past_a_proxy_of_the_platform(  # noqa: PLR0917  pytest passes by name
    host: str,
    allowed: str,
    direct: str,
    places: tuple[str, ...],
    by_proxy: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use_names(
        monkeypatch,
        open__example="93.184.216.34",
        corp__example="10.20.0.5",
        **{"market-db__energy__svc": "market-db.energy.svc.cluster.local=10.96.4.4"},
    )
    here = dataclasses.replace(surroundings(allowed), proxy=PROXY, direct=parse_hosts(direct))

    assert find_way(host, 443, here) == Way(places=places, by_proxy=by_proxy)
    without = dataclasses.replace(here, proxy=None)
    if host != "nowhere.example":
        assert not find_way(host, 443, without).by_proxy


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        pytest.param("evil.example", "*.example", id="a name that leads to a forbidden address"),
        pytest.param("169.254.169.254", "0.0.0.0/0", id="a forbidden address"),
        pytest.param("nowhere.example", "", id="a name that nobody knows and nobody allowed"),
        pytest.param("nowhere.shared.svc", "*.shared.svc", id="a name of the cluster"),
        pytest.param("victim.other", "", id="another namespace's"),
    ],
)
def test_a_proxy_is_told_of_no_other_place(
    host: str, allowed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_names(
        monkeypatch,
        evil__example="169.254.169.254",
        victim__other="victim.other.svc.cluster.local=10.96.5.5",
    )
    here = dataclasses.replace(surroundings(allowed), proxy=PROXY)

    with pytest.raises((NotAllowedError, OSError)):
        find_way(host, 443, here)


@pytest.mark.parametrize("written", ["127.1", "0x7f000001", "2130706433", "0177.0.0.1"])
def test_other_forms_of_an_address_are_judged_as_what_they_lead_to(
    written: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reach, "resolve", resolve)

    with pytest.raises(NotAllowedError, match="loopback"):
        admit(written, 443, surroundings())


def test_the_last_of_the_aliases_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(*_: object, **options: Any) -> list[Any]:
        assert options["flags"] & socket.AI_CANONNAME
        last = ("last.example.", "")
        return [
            (0, 0, 0, last[number], (address, 443))
            for number, address in enumerate(("93.184.216.34", "93.184.216.35"))
        ]

    monkeypatch.setattr(socket, "getaddrinfo", answer)

    assert resolve("first.example", 443).name == "last.example"
    assert len(resolve("first.example", 443).addresses) == 2


def test_a_connection_is_made_to_the_address_that_was_judged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A resolver may answer otherwise the next time."""
    answers = iter(("127.0.0.1", "169.254.169.254"))
    monkeypatch.setattr(
        reach, "resolve", lambda host, port: resolver({host: next(answers)})(host, port)
    )
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        with connect("rebinding.example", port, 5, surroundings("127.0.0.1")) as connection:
            assert connection.getpeername() == ("127.0.0.1", port)
        with pytest.raises(NotAllowedError, match="link-local"):
            connect("rebinding.example", port, 5, surroundings("127.0.0.1"))
