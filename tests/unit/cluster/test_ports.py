"""Ports that are given once, and ports that refuse."""

import socket

import pytest

from cluster import ports
from cluster.ports import free_port, own_range, refusing_port


def test_no_port_is_given_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    few = range(ports._RANGE.start, ports._RANGE.start + 40)
    monkeypatch.setattr(ports, "_RANGE", few)
    monkeypatch.setattr(ports, "_GIVEN", set())

    given = [free_port() for _ in range(10)]

    assert len(set(given)) == 10
    assert set(given) <= set(few)


def test_processes_that_share_a_run_give_different_ports() -> None:
    workers = [
        own_range({"PYTEST_XDIST_WORKER": f"gw{number}", "PYTEST_XDIST_WORKER_COUNT": "3"})
        for number in range(3)
    ]

    assert sorted(port for ports_of in workers for port in ports_of) == list(own_range({}))


def test_a_port_that_is_in_use_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    used, free = free_port(), free_port()
    monkeypatch.setattr(ports, "_RANGE", (used, free))
    monkeypatch.setattr(ports, "_GIVEN", set())

    with socket.create_server(("127.0.0.1", used)):
        assert free_port() == free


def test_a_refusing_port_is_bound_and_refuses() -> None:
    port = refusing_port()

    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind(("127.0.0.1", port))
