"""Token and CA follow their files; waits grow and begin anew."""

import os
import ssl
from pathlib import Path

import pytest

from fairlead_serving.gateway.cluster.backoff import Backoff
from fairlead_serving.gateway.cluster.credentials import Credentials


def test_a_rotated_token_is_read_again(tmp_path: Path) -> None:
    credentials = Credentials(token=None, directory=tmp_path)
    (tmp_path / "token").write_text("first\n")
    first = credentials.headers()

    (tmp_path / "token").write_text("second\n")

    assert first == {"Authorization": "Bearer first"}
    assert credentials.headers() == {"Authorization": "Bearer second"}


def test_a_given_token_wins(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("file")

    assert Credentials(token="given", directory=tmp_path).headers() == {
        "Authorization": "Bearer given"
    }


@pytest.mark.parametrize("token", [None, ""])
def test_without_a_token_there_is_no_header(tmp_path: Path, token: str | None) -> None:
    assert Credentials(token=token, directory=tmp_path).headers() == {}


def test_without_a_ca_the_system_is_trusted(tmp_path: Path) -> None:
    assert Credentials(token=None, directory=tmp_path).trust() is True


def test_a_rotated_ca_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    contexts = iter([ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) for _ in range(2)])
    monkeypatch.setattr(ssl, "create_default_context", lambda **_: next(contexts))
    authority = tmp_path / "ca.crt"
    authority.write_text("first")
    credentials = Credentials(token=None, directory=tmp_path)

    first, again = credentials.trust(), credentials.trust()
    os.utime(authority, ns=(1, 1))

    assert first is again
    assert credentials.trust() is not first


def test_waits_double_up_to_the_most_and_begin_anew() -> None:
    backoff = Backoff(first=1.0, most=4.0)

    waits = [backoff.next_delay() for _ in range(5)]
    backoff.reset()
    anew = backoff.next_delay()

    for wait, most in zip(waits, (1, 2, 4, 4, 4), strict=True):
        assert most / 2 <= wait <= most
    assert anew <= 1.0
