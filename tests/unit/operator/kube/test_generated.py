"""What a Secret of the release loses comes back as it was."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from typing import Any, cast

import pytest

from fairlead_operator.errors import ClusterRefusalError, ConflictError, TransientError
from fairlead_operator.kube.client import KubeClient
from fairlead_operator.kube.generated import Keeper, keep_all
from support.quick_time import quick_time

__all__ = ["quick_time"]  # fixtures

NAMESPACE, NAME = "fairlead-system", "fairlead-postgresql"
KEYS = ("fairlead-password", "postgres-password")
MARKS = {
    "labels": {"app.kubernetes.io/managed-by": "Helm"},
    "annotations": {"meta.helm.sh/release-name": "fairlead"},
}


def data(**values: str) -> dict[str, str]:
    return {
        key.replace("_", "-"): b64encode(value.encode()).decode() for key, value in values.items()
    }


WHOLE = data(fairlead_password="ours", postgres_password="theirs", mlflow_url="of a person")


class Cluster:
    """An API server with one Secret, and a watch of it."""

    def __init__(self) -> None:
        self.serial = 0
        self.fails: list[Exception] = []
        self.secret: dict[str, Any] | None = None
        self.writes = 0
        self._news: asyncio.Queue[None] = asyncio.Queue()

    def put(self, contents: Mapping[str, str] | None) -> None:
        """Change the Secret as somebody else does; None deletes it."""
        self.serial += 1
        meta = {"name": NAME, "namespace": NAMESPACE, "uid": "u", **MARKS}
        self.secret = (
            None
            if contents is None
            else {
                "kind": "Secret",
                "type": "Opaque",
                "metadata": {**meta, "resourceVersion": str(self.serial)},
                "data": dict(contents),
            }
        )
        self._news.put_nowait(None)

    async def get(self, kind: str, namespace: str, name: str) -> dict[str, Any] | None:
        assert (kind, namespace, name) == ("Secret", NAMESPACE, NAME)
        return self.secret

    async def changes(self, kind: str, namespace: str, name: str) -> AsyncIterator[None]:
        assert (kind, namespace, name) == ("Secret", NAMESPACE, NAME)
        if self.fails:
            raise self.fails.pop(0)
        yield
        while True:
            await self._news.get()
            yield

    async def replace(self, manifest: Mapping[str, Any]) -> None:
        assert self.secret is not None
        if manifest["metadata"]["resourceVersion"] != self.secret["metadata"]["resourceVersion"]:
            raise ConflictError("409")
        self._write(manifest)

    async def apply(self, manifest: Mapping[str, Any]) -> None:
        if self.secret is not None:
            raise ConflictError("409")
        self._write(manifest)

    def _write(self, manifest: Mapping[str, Any]) -> None:
        self.writes += 1
        self.put(manifest["data"])
        assert manifest["metadata"].items() >= MARKS.items(), "Helm takes it for its own"


@pytest.fixture(name="cluster")
def _cluster() -> Cluster:
    return Cluster()


@pytest.fixture(name="keeper")
def _keeper(cluster: Cluster) -> Keeper:
    return Keeper(cast("KubeClient", cluster), NAMESPACE)


@pytest.mark.parametrize(
    ("change", "after"),
    [
        pytest.param(None, WHOLE, id="deleted"),
        pytest.param({}, WHOLE | {"mlflow-url": None}, id="emptied, as by a replacement"),
        pytest.param(WHOLE | {"fairlead-password": ""}, WHOLE, id="one key blank: the others stay"),
        pytest.param(
            data(fairlead_password="new"),
            WHOLE | data(fairlead_password="new") | {"mlflow-url": None},
            id="one key gone, another rotated: both hold",
        ),
        pytest.param(
            WHOLE | data(postgres_password="new"),
            WHOLE | data(postgres_password="new"),
            id="a person's rotation",
        ),
    ],
)
async def test_what_is_lost_is_put_back_and_what_is_changed_stays(
    cluster: Cluster,
    keeper: Keeper,
    change: Mapping[str, str] | None,
    after: Mapping[str, str | None],
) -> None:
    cluster.put(WHOLE)
    await keeper.look(NAME, KEYS)
    cluster.put(change)
    await keeper.look(NAME, KEYS)

    assert cluster.secret is not None
    assert cluster.secret["data"] == {key: value for key, value in after.items() if value}


async def test_what_a_person_rotated_to_is_what_comes_back(
    cluster: Cluster, keeper: Keeper
) -> None:
    for contents in (WHOLE, data(fairlead_password="new", postgres_password="newer"), None):
        cluster.put(contents)
        await keeper.look(NAME, KEYS)

    assert cluster.secret is not None
    assert cluster.secret["data"] == data(fairlead_password="new", postgres_password="newer")


@pytest.mark.parametrize("contents", [None, {}], ids=["absent", "empty"])
async def test_what_was_never_seen_is_not_made_up(
    cluster: Cluster, keeper: Keeper, contents: Mapping[str, str] | None
) -> None:
    """A new password would lock everybody out of the data that the old one opens."""
    cluster.put(contents)
    await keeper.look(NAME, KEYS)

    assert cluster.writes == 0


@pytest.mark.usefixtures("quick_time")
@pytest.mark.parametrize(
    "fails",
    [
        pytest.param([], id="at once"),
        pytest.param([TransientError("away")], id="after an API server that was away"),
        pytest.param([ClusterRefusalError("403")], id="after a right that came late"),
        pytest.param([ConflictError("409")], id="after somebody else's write"),
    ],
)
async def test_it_comes_back_within_seconds(cluster: Cluster, fails: list[Exception]) -> None:
    cluster.put(WHOLE)
    cluster.fails = fails
    keeping = asyncio.create_task(keep_all(cast("KubeClient", cluster), NAMESPACE, {NAME: KEYS}))
    await asyncio.sleep(10)
    assert cluster.writes == 0, "what is whole is left alone"

    cluster.put(None)
    await asyncio.sleep(2)

    assert cluster.secret is not None
    assert cluster.secret["data"] == WHOLE
    keeping.cancel()


async def test_where_nothing_is_generated_nothing_is_watched(cluster: Cluster) -> None:
    await keep_all(cast("KubeClient", cluster), NAMESPACE, {})
