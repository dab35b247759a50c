"""A gateway on loopback for the tests of this folder."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fairlead_serving.gateway.cluster.kubernetes import Patience
from fairlead_serving.gateway.process import running
from support.fake_api import FakeApi
from support.gateway import Caller, EnvoyProcess, local_settings, model_server
from support.gateway_world import NEW, OLD, READY, World, reports_config_map


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """An API server with a route 10 : 90 and a model server for each version; no gateway yet."""
    api = FakeApi()
    await api.start()
    async with model_server(OLD) as old, model_server(NEW) as new:
        servers = {OLD: old, NEW: new}
        world = World(api=api, settings=local_settings(tmp_path, api), servers=servers)
        await api.apply("configmaps", reports_config_map())
        await world.pods(OLD, READY)
        await world.pods(NEW, READY)
        await world.route({NEW: 10, OLD: 90})
        yield world
        await api.stop()


@pytest.fixture
async def envoy(world: World) -> AsyncIterator[EnvoyProcess]:
    async with EnvoyProcess(world.settings) as process:
        yield process


@pytest.fixture
async def gateway(world: World, envoy: EnvoyProcess) -> AsyncIterator[World]:
    """The world with an Envoy and an agent in this process."""
    async with running(world.settings, Patience(watch_seconds=20, silence_seconds=3)):
        await world.until_ready()
        yield world


@pytest.fixture
async def caller(world: World) -> AsyncIterator[Caller]:
    async with Caller(world.settings) as caller:
        yield caller
