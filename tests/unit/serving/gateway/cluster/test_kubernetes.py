"""The agent's calls to an API server, over real HTTP.

What this client and the operator's have in common is in
`tests/unit/contracts/test_kubernetes_clients.py`.
"""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fairlead_serving.gateway.cluster.credentials import Credentials
from fairlead_serving.gateway.cluster.kubernetes import (
    GONE,
    NOT_FOUND,
    ApiError,
    KubernetesClient,
    Patience,
    Selection,
)
from support.fake_api import FakeApi

PATH = "/api/v1/namespaces/n/configmaps"
ROUTES = Selection(path=PATH, labels="kind=route")


@pytest.fixture
async def api() -> AsyncIterator[FakeApi]:
    server = FakeApi(bookmark_seconds=0.01, page_size=2)
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def client(api: FakeApi, tmp_path: Path) -> AsyncIterator[KubernetesClient]:
    credentials = Credentials(token="secret", directory=tmp_path)
    patience = Patience(watch_seconds=1, silence_seconds=0.1)
    async with KubernetesClient(api.url, credentials, patience) as each:
        yield each


async def put(api: FakeApi, name: str, *, kind: str = "route") -> None:
    metadata = {"name": name, "namespace": "n", "labels": {"kind": kind}}
    await api.apply("configmaps", {"metadata": metadata})


async def test_a_list_is_all_pages_of_what_carries_the_label(
    api: FakeApi, client: KubernetesClient
) -> None:
    for number in range(5):
        await put(api, f"m{number}")
    await put(api, "stranger", kind="other")

    listing = await client.list(ROUTES)

    assert [item["metadata"]["name"] for item in listing.items] == ["m0", "m1", "m2", "m3", "m4"]
    assert listing.resource_version == "7"
    assert api.tokens == {"Bearer secret"}


async def test_a_watch_tells_what_came_after_the_list(
    api: FakeApi, client: KubernetesClient
) -> None:
    await put(api, "a")
    listing = await client.list(ROUTES)
    await put(api, "b")
    await api.remove("configmaps", "n", "a")

    events = client.watch(ROUTES, listing.resource_version)
    told = [await anext(events) for _ in range(3)]
    await events.aclose()

    assert [kind for kind, _ in told] == ["ADDED", "DELETED", "BOOKMARK"]


async def test_a_watch_that_falls_silent_is_given_up(
    api: FakeApi, client: KubernetesClient
) -> None:
    api.silent = True

    with pytest.raises(ApiError, match=r"watch of .* broke"):
        await anext(client.watch(ROUTES, "1"))


async def test_a_version_that_is_forgotten_is_told_apart(
    api: FakeApi, client: KubernetesClient
) -> None:
    await api.forget_history()

    with pytest.raises(ApiError) as refusal:
        await anext(client.watch(ROUTES, "1"))

    assert refusal.value.status == GONE


async def test_a_merge_patch_changes_what_it_names(api: FakeApi, client: KubernetesClient) -> None:
    metadata = {"name": "a", "namespace": "n"}
    await api.apply("configmaps", {"metadata": metadata, "data": {"x": "1", "y": "2"}})

    await client.merge_patch(f"{PATH}/a", {"data": {"x": None, "z": "3"}})

    assert (await client.get(f"{PATH}/a"))["data"] == {"y": "2", "z": "3"}


async def test_an_object_that_is_missing_is_told_apart(client: KubernetesClient) -> None:
    with pytest.raises(ApiError, match=r"GET .*/a answered 404: .*not found") as refusal:
        await client.get(f"{PATH}/a")

    assert refusal.value.status == NOT_FOUND


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refusal_is_kept_until_the_same_call_succeeds(
    api: FakeApi, client: KubernetesClient, status: int
) -> None:
    await put(api, "a")
    await client.list(ROUTES)
    before = client.refusal
    api.refusing = status

    with pytest.raises(ApiError):
        await client.list(ROUTES)
    with pytest.raises(ApiError):
        await anext(client.watch(ROUTES, "1"))
    refused = client.refusal
    api.refusing = None
    await client.get(f"{PATH}/a")  # another call
    still = client.refusal
    await client.list(ROUTES)

    assert before is None
    assert refused is not None
    assert f"answered {status}: " in refused
    assert still == refused
    assert client.refusal is None


async def test_an_object_that_is_missing_is_no_refusal(client: KubernetesClient) -> None:
    with pytest.raises(ApiError):
        await client.get(f"{PATH}/a")

    assert client.refusal is None


async def test_a_token_that_was_refused_is_read_again(api: FakeApi, tmp_path: Path) -> None:
    """Whatever the time of the file: a mount may set the token's to that of the one before."""
    file, times = tmp_path / "token", (1, 1)
    file.write_text("old")
    os.utime(file, times)
    credentials = Credentials(token=None, directory=tmp_path)
    async with KubernetesClient(api.url, credentials, Patience()) as client:
        await client.list(ROUTES)
        file.write_text("new")
        os.utime(file, times)
        api.refusing = 401
        with pytest.raises(ApiError):
            await client.list(ROUTES)
        api.refusing = None
        await client.list(ROUTES)

    assert api.tokens == {"Bearer old", "Bearer new"}


async def test_outside_its_context_it_is_a_bug(tmp_path: Path) -> None:
    credentials = Credentials(token=None, directory=tmp_path)

    with pytest.raises(RuntimeError, match="outside its context"):
        await KubernetesClient("http://127.0.0.1", credentials, Patience()).get("/")
