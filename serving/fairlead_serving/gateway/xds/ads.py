"""The Delta ADS server that Envoy connects to over a Unix socket.

The shell around `delta.Session`: gRPC in and out, one session per stream.  Nothing is sent before
the first `publish`, so that an agent that knows nothing never empties a serving Envoy.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Protocol

import grpc.aio
from envoy.service.discovery.v3 import ads_pb2_grpc, discovery_pb2
from google.protobuf import any_pb2

from fairlead_serving.gateway.xds.delta import Push, Rejection, Request, Session
from fairlead_serving.gateway.xds.target import Target

logger = logging.getLogger(__name__)


class Listener(Protocol):
    """Who wants to know what Envoy made of a target."""

    def settled(self, target: Target) -> None:
        """Take note that Envoy has acknowledged the target."""

    def rejected(self, rejection: Rejection) -> None:
        """Take note that Envoy refused a push and keeps what it had."""


class AdsServer(ads_pb2_grpc.AggregatedDiscoveryServiceServicer):  # type: ignore[misc]
    """Brings every connected Envoy to the published target."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._listener: Listener | None = None
        self._server: Any = None
        self._target: Target | None = None
        self._reported: Target | None = None
        self._streams: dict[Session, asyncio.Event] = {}
        self._serving: set[Session] = set()

    async def start(self, listener: Listener) -> None:
        """Listen; a socket left by a process that is gone is replaced."""
        self._listener = listener
        self._server = grpc.aio.server()
        ads_pb2_grpc.add_AggregatedDiscoveryServiceServicer_to_server(self, self._server)
        self._server.add_insecure_port(f"unix:{self._socket}")
        await self._server.start()

    async def stop(self) -> None:
        """Close every stream at once; Envoy keeps what it has."""
        if self._server is not None:
            await self._server.stop(grace=0)

    def publish(self, target: Target) -> None:
        """Make this the state that every Envoy is brought to."""
        self._target = target
        for wake in self._streams.values():
            wake.set()

    def is_serving(self) -> bool:
        """Say whether a connected Envoy has acknowledged a whole target."""
        return bool(self._serving)

    async def DeltaAggregatedResources(  # noqa: N802 - the name in the protocol
        self, requests: AsyncIterator[Any], context: Any
    ) -> None:
        """Serve one Envoy until it goes away."""
        session, wake = Session(), asyncio.Event()
        self._streams[session] = wake
        reader = asyncio.create_task(self._read(requests, session, wake))
        logger.info("envoy connected")
        try:
            while not reader.done():
                await wake.wait()
                wake.clear()
                await self._advance(session, context)
        finally:
            del self._streams[session]
            self._serving.discard(session)
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)
            logger.info("envoy disconnected")

    async def _read(
        self, requests: AsyncIterator[Any], session: Session, wake: asyncio.Event
    ) -> None:
        try:
            async for message in requests:
                rejection = session.receive(_to_request(message))
                if rejection is not None and self._listener is not None:
                    self._listener.rejected(rejection)
                wake.set()
        finally:
            wake.set()

    async def _advance(self, session: Session, context: Any) -> None:
        while self._target is not None and (push := session.next_push(self._target)):
            await context.write(_to_message(push))
        target = self._target
        if target is None or not session.is_settled(target):
            return
        self._serving.add(session)
        if target is not self._reported and self._listener is not None:
            self._reported = target
            self._listener.settled(target)


def _to_request(message: Any) -> Request:
    return Request(
        type_url=message.type_url,
        subscribe=tuple(message.resource_names_subscribe),
        unsubscribe=tuple(message.resource_names_unsubscribe),
        initial_versions=dict(message.initial_resource_versions),
        nonce=message.response_nonce,
        error=message.error_detail.message if message.HasField("error_detail") else None,
    )


def _to_message(push: Push) -> Any:
    return discovery_pb2.DeltaDiscoveryResponse(
        type_url=push.type_url,
        nonce=push.nonce,
        resources=[
            discovery_pb2.Resource(
                name=name,
                version=packed.version,
                resource=any_pb2.Any(type_url=push.type_url, value=packed.body),
            )
            for name, packed in push.packed.items()
        ],
        removed_resources=push.removed,
    )
