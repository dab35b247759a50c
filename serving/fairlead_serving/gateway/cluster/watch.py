"""Keep the objects of a selection up to date: list once, then watch, through every breakage.

The API server may end a watch, forget the version asked for (410), fall silent or be away.  The
objects that were read stay in use meanwhile.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping

from fairlead_serving.gateway.cluster.backoff import Backoff
from fairlead_serving.gateway.cluster.kubernetes import (
    GONE,
    ApiError,
    KubernetesClient,
    Manifest,
    Selection,
)

logger = logging.getLogger(__name__)

Objects = Mapping[str, Manifest]  # by name


async def follow(
    client: KubernetesClient, selection: Selection, changed: Callable[[Objects], None]
) -> None:
    """Call `changed` with all objects, first when the list is complete, then at each event."""
    backoff = Backoff()
    while True:
        try:
            await _list_and_watch(client, selection, changed, backoff)
        except ApiError as error:
            if error.status != GONE:
                logger.warning("lost the connection to the API server, will list again: %s", error)
            await asyncio.sleep(backoff.next_delay(at_least=error.retry_after))


async def _list_and_watch(
    client: KubernetesClient,
    selection: Selection,
    changed: Callable[[Objects], None],
    backoff: Backoff,
) -> None:
    listing = await client.list(selection)
    objects = {item["metadata"]["name"]: item for item in listing.items}
    version = listing.resource_version
    changed(objects)
    while True:
        async with contextlib.aclosing(client.watch(selection, version)) as events:
            async for kind, item in events:
                if kind == "ERROR":
                    raise ApiError(f"watch reported {item}", status=item.get("code"))
                backoff.reset()
                version = item["metadata"]["resourceVersion"]
                if kind != "BOOKMARK":
                    _take(objects, kind, item)
                    changed(objects)
        # The server ended the watch in good order: go on where it stopped.
        await asyncio.sleep(backoff.next_delay())


def _take(objects: dict[str, Manifest], kind: str, item: Manifest) -> None:
    name = item["metadata"]["name"]
    if kind == "DELETED":
        objects.pop(name, None)
    else:
        objects[name] = item
