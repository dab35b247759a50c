"""Seeing what changes, the moment it does: a list, then a watch, in a task of its own."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import aiohttp

from fairlead_operator.kube.kinds import RESOURCES, Selector
from support.kube_desk import admin_client, admin_of

_LONGEST_LINE = 8 * 1024 * 1024
Seen = Callable[[dict[str, Any], bool], None]  # the object, and whether it is gone


@contextlib.asynccontextmanager
async def following(
    kubeconfig: Path, kind: str, seen: Seen, *, labels: str = ""
) -> AsyncIterator[None]:
    """Tell of every object of a kind, in all namespaces, until the block ends."""
    version = ""
    async with admin_client(kubeconfig) as client:
        async for page in client.pages(kind, "", Selector(labels=labels)):
            version = page.version
            for item in page.items:
                seen(item, False)
    async with in_background(_follow(kubeconfig, kind, seen, labels, version)):
        yield


@contextlib.asynccontextmanager
async def in_background(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Work that lasts as long as the block; when it fails, so does the block, at once."""
    async with asyncio.TaskGroup() as group:
        task = group.create_task(work)
        yield
        task.cancel()


async def _follow(kubeconfig: Path, kind: str, seen: Seen, labels: str, version: str) -> None:
    server, context = admin_of(kubeconfig)
    async with aiohttp.ClientSession(server, read_bufsize=_LONGEST_LINE) as session:
        while True:
            query = {"watch": "true", "resourceVersion": version, "labelSelector": labels}
            path = RESOURCES[kind].path("")
            forever = aiohttp.ClientTimeout(total=None)
            async with session.get(path, params=query, ssl=context, timeout=forever) as response:
                async for line in response.content:
                    event = json.loads(line)
                    seen(event["object"], event["type"] == "DELETED")
                    version = event["object"]["metadata"]["resourceVersion"]
