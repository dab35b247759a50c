"""What is generated, and what stays."""

import base64
import logging
from collections.abc import Mapping
from typing import Any, cast

import pytest

from fairlead_operator.errors import ClusterRefusalError, ConflictError, TransientError
from fairlead_operator.kube.client import KubeClient
from fairlead_operator.passwords import fill_in

KEYS = ("postgres-password", "fairlead-password")
NAMESPACE, NAME = "fairlead-system", "fairlead-postgresql"


def encoded(**data: str) -> dict[str, str]:
    return {
        key.replace("_", "-"): base64.b64encode(value.encode()).decode()
        for key, value in data.items()
    }


class OneSecret:
    """An API server with one Secret, which takes a write only of the newest version."""

    def __init__(self, data: Mapping[str, str] | None, *, faster: Mapping[str, str] = {}) -> None:
        self._faster = dict(faster)  # what another writes between our first read and write
        self.data = data
        self.version = 1
        self.writes = 0

    async def get(self, kind: str, namespace: str, name: str) -> dict[str, Any]:
        assert (kind, namespace, name) == ("Secret", NAMESPACE, NAME)
        read = {
            "kind": kind,
            "metadata": {"name": name, "resourceVersion": str(self.version)},
            **({} if self.data is None else {"data": self.data}),
        }
        if self._faster:
            self.data, self._faster = self._faster, {}
            self.version += 1
        return read

    async def replace(self, manifest: Mapping[str, Any]) -> None:
        if manifest["metadata"]["resourceVersion"] != str(self.version):
            raise ConflictError("409")
        self.data = manifest["data"]
        self.version += 1
        self.writes += 1

    async def fill_in(self) -> dict[str, str]:
        await fill_in(cast("KubeClient", self), NAMESPACE, NAME, KEYS)
        assert self.data is not None
        return {key: base64.b64decode(value).decode() for key, value in self.data.items()}


@pytest.mark.parametrize(
    ("before", "generated"),
    [
        pytest.param(None, {*KEYS}, id="an empty Secret, as the chart renders it"),
        pytest.param({}, {*KEYS}, id="a Secret without keys"),
        pytest.param(encoded(postgres_password=""), {*KEYS}, id="a blank password"),
        pytest.param(
            encoded(postgres_password="old"), {"fairlead-password"}, id="one that is there stays"
        ),
        pytest.param(encoded(fairlead_url="address"), {*KEYS}, id="a key of others stays"),
        pytest.param(
            encoded(postgres_password="old", fairlead_password="old", mlflow_url="address"),
            set(),
            id="the Secret of an earlier release",
        ),
    ],
)
async def test_only_what_is_missing_is_generated(
    before: Mapping[str, str] | None, generated: set[str]
) -> None:
    secret = OneSecret(before)

    after = await secret.fill_in()

    assert secret.data is not None
    kept = {key: value for key, value in secret.data.items() if key not in generated}
    assert kept == {key: value for key, value in (before or {}).items() if key not in generated}
    made = {after[key] for key in generated}
    assert len(made) == len(generated)
    assert all(len(password) >= 32 and password.isalnum() for password in made)
    assert secret.writes == bool(generated)


async def test_a_second_run_changes_nothing() -> None:
    secret = OneSecret(None)

    first = await secret.fill_in()

    assert await secret.fill_in() == first
    assert secret.writes == 1


async def test_of_two_pods_at_once_the_first_s_passwords_stay() -> None:
    others = encoded(postgres_password="theirs", fairlead_password="theirs")
    secret = OneSecret(None, faster=others)

    await secret.fill_in()

    assert secret.data == others
    assert secret.writes == 0


async def test_no_password_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    made = await OneSecret(None).fill_in()

    told = "".join(f"{vars(record)}" for record in caplog.records)
    assert NAME in told
    assert [password for password in made.values() if password in told] == []


@pytest.mark.parametrize(
    ("failure", "named"),
    [
        pytest.param(None, NAME, id="the Secret is not there yet"),
        pytest.param(TransientError("503 etcd"), "etcd", id="no answer"),
        pytest.param(ClusterRefusalError("403 forbidden"), "forbidden", id="the Role is missing"),
    ],
)
async def test_a_failure_says_what_is_missing(failure: Exception | None, named: str) -> None:
    class Broken:
        async def get(self, *_: str) -> None:
            if failure:
                raise failure

    with pytest.raises((LookupError, TransientError, ClusterRefusalError), match=named):
        await fill_in(cast("KubeClient", Broken()), NAMESPACE, NAME, KEYS)
