"""A trainer's environment in a cluster whose names lead where a test says."""

import ipaddress
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from fairlead_contract.hosts import parse_hosts, read_address, tidy
from fairlead_contract.mlflow import Access
from fairlead_training.config import Environment, Surroundings
from fairlead_training.sources import reach
from fairlead_training.sources.reach import Resolved

API = "10.96.0.1"
Resolve = Callable[[str, int], Resolved]


def surroundings(allowed: str = "") -> Surroundings:
    return Surroundings(namespace="energy", api=API, allowed=parse_hosts(allowed))


def environment(*, allowed: str = "", **changes: Any) -> Environment:
    given: dict[str, Any] = {"data_secret": "market-reader", **changes}
    return Environment(
        mlflow=Access(address="http://mlflow"),
        database_url="",
        surroundings=surroundings(allowed),
        **given,
    )


def resolver(leads: Mapping[str, str]) -> Resolve:
    """Return a resolver for ``{name: "last name=address address"}``, the last name if it differs.

    An address leads to itself; any other name is unknown.
    """

    def resolve(host: str, _port: int) -> Resolved:
        name = tidy(host)
        if read_address(name) is not None:
            return Resolved(name=name, addresses=(ipaddress.ip_address(name),))
        if name not in leads:
            raise OSError("Name or service not known")
        last, mark, addresses = leads[name].rpartition("=")
        return Resolved(
            name=last if mark else name,
            addresses=tuple(map(ipaddress.ip_address, addresses.split())),
        )

    return resolve


def use_names(monkeypatch: pytest.MonkeyPatch, **leads: str) -> None:
    """Let names lead to addresses; a dot in a name is written as two underscores."""
    names = {name.replace("__", "."): where for name, where in leads.items()}
    monkeypatch.setattr(reach, "resolve", resolver(names))
