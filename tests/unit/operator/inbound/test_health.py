"""Probes: a standby is well; a leader is as long as its watches run."""

import asyncio

from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from fairlead_operator.inbound.health import Probes
from fairlead_operator.telemetry import metrics


async def ask(health: Probes, path: str) -> web.Response:
    request = make_mocked_request("GET", path)
    match = await health.application().router.resolve(request)
    response = await match.handler(request)
    assert isinstance(response, web.Response)
    return response


async def test_a_standby_is_well() -> None:
    assert (await ask(Probes(), "/healthz")).text == "standing by"
    assert (await ask(Probes(), "/readyz")).status == 200


async def test_a_leader_is_well_while_its_watches_run() -> None:
    health = Probes()
    watches = asyncio.create_task(asyncio.sleep(60))
    health.leading(watches)
    leading = await ask(health, "/healthz")
    watches.cancel()
    await asyncio.gather(watches, return_exceptions=True)

    assert leading.text == "leading"
    assert (await ask(health, "/healthz")).status == 503


async def test_a_leader_that_lost_its_lease_is_a_standby() -> None:
    health = Probes()
    watches = asyncio.create_task(asyncio.sleep(0))
    health.leading(watches)
    await watches

    health.standing_by()

    assert (await ask(health, "/healthz")).text == "standing by"


async def test_metrics_are_exposed() -> None:
    metrics.IS_LEADER.set(1)

    response = await ask(Probes(), "/metrics")

    assert isinstance(response.body, bytes)
    assert b"# TYPE fairlead_reconciles_total counter" in response.body
    assert b"fairlead_leader 1.0" in response.body
