"""Lists of hosts: what an entry means, and what cannot be meant."""

import pytest

from fairlead_contract.hosts import InvalidHostError, any_has, parse_hosts


@pytest.mark.parametrize(
    ("entries", "host", "port", "expected"),
    [
        pytest.param("data.example.org", "data.example.org", 443, True, id="a name"),
        pytest.param("data.example.org", "DATA.example.org.", 443, True, id="written otherwise"),
        pytest.param("Data.Example.org.", "data.example.org", 443, True, id="the entry, too"),
        pytest.param("data.example.org", "evil.org", 443, False, id="another name"),
        pytest.param("example.org", "data.example.org", 443, False, id="a name below it"),
        pytest.param("data.example.org", "xdata.example.org", 443, False, id="a longer name"),
        pytest.param("data.example.org", "data.example.org.evil", 1, False, id="a name it begins"),
        pytest.param("db:5432", "db", 5432, True, id="its port"),
        pytest.param("db:5432", "db", 5433, False, id="another port"),
        pytest.param("*.example.org", "a.b.example.org", 1, True, id="all below a name"),
        pytest.param("*.example.org", "example.org", 1, False, id="not the name itself"),
        pytest.param("*.example.org", "evilexample.org", 1, False, id="nor what ends like it"),
        pytest.param("*.example.org:80", "a.example.org", 443, False, id="all below, by port"),
        pytest.param("10.1.2.3", "10.1.2.3", 1, True, id="an address"),
        pytest.param("10.0.0.0/8", "10.1.2.3", 1, True, id="a network"),
        pytest.param("10.0.0.0/8:80", "10.1.2.3", 443, False, id="a network, by port"),
        pytest.param("fd00::7", "[FD00:0::7]", 1, True, id="an address of IPv6"),
        pytest.param("[fd00::7]:5432", "fd00::7", 5432, True, id="and its port"),
        pytest.param("fd00::/8", "fd12::1", 1, True, id="a network of IPv6"),
        pytest.param("10.0.0.0/8", "fd12::1", 1, False, id="an address of the other kind"),
        pytest.param("a, b\nc", "c", 1, True, id="several"),
        pytest.param("", "a", 1, False, id="none"),
    ],
)
def test_what_an_entry_means(entries: str, host: str, port: int, expected: bool) -> None:
    assert any_has(parse_hosts(entries), host, port) is expected


@pytest.mark.parametrize(
    "entry",
    [
        "*",
        "*.",
        "a.*.org",
        "*org",
        "https://data.example.org",
        "data.example.org/path",
        "user@host",
        "host:0",
        "host:70000",
        "host:http",
        "127.1",
        "2130706433",
        "0x7f000001",
        "10.0.0.1/8",
        "fd00::7:99999",
        ":5432",
    ],
)
def test_what_cannot_be_meant_is_named(entry: str) -> None:
    with pytest.raises(InvalidHostError, match="is no host"):
        parse_hosts(f"good.example, {entry}")
