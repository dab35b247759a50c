"""The fast guard on a real Envoy: a bad version loses its traffic without anybody's help."""

import asyncio
import contextlib
import dataclasses
import functools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from cluster.ports import refusing_port
from fairlead_serving.gateway.process import running
from support.gateway import (
    MODEL,
    Caller,
    Conduct,
    EnvoyProcess,
    eventually,
    local_settings,
    model_server,
)
from support.gateway_world import NEW, OLD, READY, World

pytestmark = pytest.mark.integration

THIRD = "2.0.0"
GUARD: dict[str, Any] = {
    "id": "rollout-1",
    "versions": [NEW],
    "fallback": OLD,
    "minRequests": 10,
    "maxFailureRatio": 0.5,
    "windowSeconds": 2,
}
REFUSING = GUARD | {"maxRefusalRatio": 0.5}
SLOW = GUARD | {"slowMilliseconds": 250, "maxSlowRatio": 0.5}
PATIENT = SLOW | {"slowMilliseconds": 5000}


@pytest.fixture
async def candidate(world: World) -> AsyncIterator[Conduct]:
    """The candidate's server, which can be told to misbehave."""
    conduct = Conduct()
    async with model_server(NEW, conduct) as port:
        world.servers[NEW] = port
        await world.pods(NEW, READY)
        yield conduct


async def is_out(caller: Caller) -> bool:
    """Whether the candidate has no traffic."""
    return not (await caller.tally(60)).versions.get(NEW, 0)


async def until_out(caller: Caller) -> None:
    await eventually(lambda: _gone(caller))


async def _gone(caller: Caller) -> bool:
    answers = await caller.tally(40)
    return not answers.failures and answers.versions == {OLD: 40}


async def _both(caller: Caller) -> bool:
    return set((await caller.tally(40)).versions) == {NEW, OLD}


async def test_a_version_that_fails_is_out_and_reported(
    candidate: Conduct, gateway: World, caller: Caller
) -> None:
    revision = await gateway.route({NEW: 50, OLD: 50}, guard=GUARD)
    await gateway.until_applied(revision)
    candidate.status = 500

    await until_out(caller)

    async def is_reported() -> bool:
        return "tripped" in gateway.applied()

    await eventually(is_reported)
    report = gateway.applied()
    trip = report["tripped"][NEW]
    assert (report["revision"], report["weights"]) == (revision, {NEW: 0, OLD: 100})
    assert trip["guard"] == "rollout-1"
    assert trip["failures"] > trip["requests"] / 2 >= 5
    assert f"{trip['failures']} of {trip['requests']} answers failed" in trip["message"]
    url = f"http://127.0.0.1:{gateway.settings.ports.agent}/metrics"
    async with aiohttp.ClientSession() as http, http.get(url) as response:
        metrics = await response.text()
    assert f'fairlead_gateway_guard_trips_total{{model="{MODEL}",version="{NEW}"}} 1.0' in metrics
    assert "fairlead_gateway_guarded_versions 0.0" in metrics


@pytest.mark.parametrize(
    ("guard", "status", "seconds"),
    [
        pytest.param(GUARD, 200, 0.0, id="a good version"),
        pytest.param(GUARD, 422, 0.0, id="refusals nobody asked to compare"),
        pytest.param(REFUSING, 429, 0.0, id="too much at once"),
        pytest.param(REFUSING, 401, 0.0, id="who asks is not known"),
        pytest.param(GUARD, 200, 0.3, id="a slow version nobody asked to be fast"),
        pytest.param(PATIENT, 200, 0.1, id="a version that is fast enough"),
        pytest.param(None, 500, 0.0, id="no guard"),
    ],
)
async def test_what_is_no_burst_stays(
    candidate: Conduct,
    gateway: World,
    caller: Caller,
    *,
    guard: dict[str, Any] | None,
    status: int,
    seconds: float,
) -> None:
    await gateway.until_applied(await gateway.route({NEW: 50, OLD: 50}, guard=guard))
    candidate.status, candidate.seconds = status, seconds

    async with caller.load(rate=60) as tally:

        async def is_enough() -> bool:
            return tally.total > 200

        await eventually(is_enough)

    assert "tripped" not in gateway.applied()
    assert gateway.applied()["weights"] == {NEW: 50, OLD: 50}


async def test_requests_that_choose_their_version_speak_against_nobody(
    candidate: Conduct, gateway: World, caller: Caller
) -> None:
    """Forced or previewed: who sends them could end any rollout, or hide its failures."""
    preview = {"version": NEW, "hosts": ["nsw-next"]}
    revision = await gateway.route({NEW: 1, OLD: 99}, guard=GUARD, preview=preview)
    await gateway.until_applied(revision)
    candidate.status = 500

    forced = [(await caller.call(x_fairlead_version=NEW))[0] for _ in range(60)]
    previewed = [(await caller.call("nsw-next"))[0] for _ in range(60)]

    assert forced == previewed == [500] * 60
    assert all(headers["x-fairlead-uncounted"] == "true" for headers in candidate.headers)
    assert "tripped" not in gateway.applied()


async def test_no_client_can_keep_its_failures_from_being_counted(
    candidate: Conduct, gateway: World, caller: Caller
) -> None:
    await gateway.until_applied(await gateway.route({NEW: 100, OLD: 0}, guard=GUARD))
    candidate.headers.clear()

    await caller.call(x_fairlead_uncounted="true")

    assert "x-fairlead-uncounted" not in candidate.headers[0]


async def test_pods_that_are_not_reached_speak_against_nobody(
    gateway: World, caller: Caller
) -> None:
    """Not even where each request to them fails, with its retries."""
    gateway.servers[NEW] = refusing_port()
    await gateway.pods(NEW, READY)
    await gateway.until_applied(await gateway.route({NEW: 50, OLD: 50}, guard=GUARD))
    await eventually(lambda: _fails(caller))

    async with caller.load(rate=60) as tally:

        async def is_enough() -> bool:
            return len(tally.failures) > 60

        await eventually(is_enough)

    assert "tripped" not in gateway.applied()
    assert gateway.applied()["weights"] == {NEW: 50, OLD: 50}


async def test_the_fallback_answers_while_no_pod_of_the_candidate_is_ready(
    candidate: Conduct, gateway: World, caller: Caller
) -> None:
    revision = await gateway.route({NEW: 50, OLD: 50}, guard=GUARD)
    await gateway.until_applied(revision)
    await eventually(lambda: _both(caller))
    unready = {"ready": False, "serving": False, "terminating": False}

    async def gives(weights: dict[str, int]) -> bool:
        return bool(gateway.applied()["weights"] == weights)

    async with caller.load(rate=60) as tally:
        for conditions in ((), (unready,), (unready | {"terminating": True},)):
            await gateway.pods(NEW, *conditions)
            await eventually(functools.partial(gives, {NEW: 0, OLD: 100}))
            await gateway.pods(NEW, READY)
            await eventually(functools.partial(gives, {NEW: 50, OLD: 50}))

    assert tally.failures == []
    assert "tripped" not in gateway.applied()
    assert gateway.applied()["revision"] == revision
    assert await _both(caller)


async def _fails(caller: Caller) -> bool:
    return bool((await caller.tally(10)).failures)


@pytest.mark.parametrize(
    ("seconds", "message"),
    [
        pytest.param(0.6, "answers took over 250 ms", id="slow"),
        pytest.param(60.0, "requests have waited over 250 ms for an answer", id="hangs"),
    ],
)
async def test_a_version_that_is_slow_is_out(
    candidate: Conduct, gateway: World, caller: Caller, seconds: float, message: str
) -> None:
    await gateway.until_applied(await gateway.route({NEW: 50, OLD: 50}, guard=SLOW))
    candidate.seconds = seconds

    async with caller.load(rate=60):

        async def is_reported() -> bool:
            return "tripped" in gateway.applied()

        await eventually(is_reported)

    trip = gateway.applied()["tripped"][NEW]
    assert any(words in trip["message"] for words in (message, "requests have waited"))
    assert (await caller.tally(40)).versions == {OLD: 40}


SENDERS = 30  # three times what the guard asks for
LENGTH = b"Content-Length: 100"
CHUNKED = b"Transfer-Encoding: chunked"
LONG = b"Content-Length: 1000000"


@contextlib.asynccontextmanager
async def half_sent(world: World, length: bytes) -> AsyncIterator[list[asyncio.StreamWriter]]:
    """Open requests whose bodies have begun and do not go on."""
    senders = []
    begin = b"POST /predict HTTP/1.1\r\nHost: nsw-price\r\n" + length + b"\r\n\r\n5\r\n"
    try:
        for _ in range(SENDERS):
            _, sender = await asyncio.open_connection("127.0.0.1", world.settings.ports.traffic)
            sender.write(begin)
            senders.append(sender)
        yield senders
    finally:
        for sender in senders:
            sender.close()


async def statistic(world: World, name: str) -> int:
    """Read one of Envoy's numbers of the candidate's live traffic."""
    url = f"http://127.0.0.1:{world.settings.ports.admin}/stats"
    query = {"filter": rf"^cluster\..*\|{NEW}\|\.{name}$"}
    async with aiohttp.ClientSession() as http, http.get(url, params=query) as response:
        text = await response.text()
    return int(text.rpartition(": ")[2] or 0)


@pytest.mark.parametrize(
    ("length", "reaches"),
    [
        pytest.param(LENGTH, 0, id="short: kept until it is whole"),
        pytest.param(CHUNKED, SENDERS, id="of unknown length: passes through, and is not asked"),
        pytest.param(LONG, SENDERS, id="long: passes through, and is not asked"),
    ],
)
async def test_senders_who_are_slow_take_no_version_out(
    candidate: Conduct, gateway: World, caller: Caller, length: bytes, reaches: int
) -> None:
    """Whoever chose the version by a cookie could end any rollout, without sending much."""
    hanging = GUARD | {"slowMilliseconds": 1000, "maxSlowRatio": 0.8}
    await gateway.until_applied(await gateway.route({NEW: 100, OLD: 0}, guard=hanging))
    candidate.seconds = 0.25  # so that few answers in a second stand against the senders

    async with half_sent(gateway, length):

        async def are_under_way() -> bool:
            return await statistic(gateway, "upstream_rq_active") == reaches

        async def have_begun() -> bool:
            active = r"http.gw.downstream_rq_active"
            url = f"http://127.0.0.1:{gateway.settings.ports.admin}/stats"
            async with (
                aiohttp.ClientSession() as http,
                http.get(url, params={"filter": f"^{active}$"}) as response,
            ):
                return int((await response.text()).rpartition(": ")[2]) >= SENDERS

        await eventually(have_begun)
        await eventually(are_under_way)
        tally = await caller.tally(12)

    assert tally.versions == {NEW: 12}
    assert "tripped" not in gateway.applied()


@pytest.mark.parametrize("status", [400, 413, 415, 422])
async def test_a_version_that_refuses_what_the_fallback_accepts_is_out(
    candidate: Conduct, gateway: World, caller: Caller, status: int
) -> None:
    await gateway.until_applied(await gateway.route({NEW: 50, OLD: 50}, guard=REFUSING))
    candidate.status = status

    async with caller.load(rate=60):

        async def is_reported() -> bool:
            return "tripped" in gateway.applied()

        await eventually(is_reported)

    trip = gateway.applied()["tripped"][NEW]
    assert "answers refused the request with a 4xx" in trip["message"]
    assert f"{OLD} refused 0 of" in trip["message"]


async def test_a_version_that_refuses_all_after_a_switch_is_out(
    candidate: Conduct, gateway: World, caller: Caller
) -> None:
    """Nobody asks the fallback any more: what it did just before counts."""
    await gateway.until_applied(await gateway.route({NEW: 0, OLD: 100}, guard=REFUSING))
    candidate.status = 400
    async with caller.load(rate=60) as tally:

        async def is_known() -> bool:
            return tally.total > 300

        await eventually(is_known)
        await gateway.until_applied(await gateway.route({NEW: 100, OLD: 0}, guard=REFUSING))

        async def is_reported() -> bool:
            return "tripped" in gateway.applied()

        await eventually(is_reported)


async def test_callers_who_are_wrong_with_both_versions_take_none_out(
    candidate: Conduct, gateway: World, caller: Caller
) -> None:
    async with model_server(OLD, Conduct(status=422)) as port:
        gateway.servers[OLD] = port
        await gateway.pods(OLD, READY)
        await gateway.until_applied(await gateway.route({NEW: 50, OLD: 50}, guard=REFUSING))
        candidate.status = 422

        async with caller.load(rate=60) as tally:

            async def is_enough() -> bool:
                return tally.total > 300

            await eventually(is_enough)

    assert "tripped" not in gateway.applied()


async def test_it_works_and_lasts_with_the_api_server_down(
    candidate: Conduct, world: World, envoy: EnvoyProcess, caller: Caller
) -> None:
    """Also over the agent's death; newer weights of the same rollout do not bring it back."""
    async with running(world.settings):
        await world.until_ready()
        await world.until_applied(await world.route({NEW: 50, OLD: 50}, guard=GUARD))
        await world.api.stop()
        candidate.status = 500
        await until_out(caller)
    async with running(world.settings):
        assert await is_out(caller)
        await world.api.start()
        newer = await world.until_applied(await world.route({NEW: 80, OLD: 20}, guard=GUARD))
        assert await is_out(caller)
        assert newer["weights"] == {NEW: 0, OLD: 100}
        assert newer["tripped"][NEW]["guard"] == "rollout-1"
        candidate.status = 200
        following = GUARD | {"id": "rollout-2"}
        fresh = await world.until_applied(await world.route({NEW: 80, OLD: 20}, guard=following))
        assert "tripped" not in fresh
        assert (await caller.tally(40)).versions[NEW] > 10


async def test_every_gateway_pod_guards_by_itself(
    candidate: Conduct, gateway: World, caller: Caller, tmp_path: Path
) -> None:
    """The one that sees no bad answers keeps the version, until it does."""
    directory = tmp_path / "other"
    directory.mkdir()
    other = dataclasses.replace(local_settings(directory, gateway.api), pod="other-pod")
    async with EnvoyProcess(other), running(other), Caller(other) as elsewhere:
        route = await gateway.route({NEW: 50, OLD: 50}, guard=GUARD)
        await gateway.until_applied(route)
        await eventually(lambda: _both(elsewhere))
        candidate.status = 500
        await until_out(caller)
        untouched = await elsewhere.call(x_fairlead_version=OLD)
        share = await elsewhere.tally(18)
        await until_out(elsewhere)

    assert untouched[0] == 200
    assert share.failures


async def test_users_and_mirror_of_what_has_tripped_go_with_it(
    candidate: Conduct, gateway: World, caller: Caller
) -> None:
    document = {
        "guard": GUARD,
        "sticky": {"by": "cookie", "maxAgeSeconds": 600},
        "mirror": {"version": NEW, "percent": 100},
    }
    await gateway.until_applied(await gateway.route({NEW: 50, OLD: 50}, **document))
    candidate.status = 500
    await until_out(caller)
    candidate.headers.clear()

    _, _, headers = await caller.call(cookie=f"fairlead-{MODEL}={NEW}")

    assert headers["x-fairlead-version"] == OLD
    assert candidate.headers == []


async def test_when_all_candidates_trip_the_fallback_serves(
    candidate: Conduct, gateway: World, caller: Caller
) -> None:
    third = Conduct(status=503)
    candidate.status = 500
    async with contextlib.AsyncExitStack() as stack:
        gateway.servers[THIRD] = await stack.enter_async_context(model_server(THIRD, third))
        await gateway.pods(THIRD, READY)
        guard = GUARD | {"versions": [NEW, THIRD]}
        await gateway.until_applied(await gateway.route({NEW: 40, THIRD: 40, OLD: 20}, guard=guard))

        await until_out(caller)

        async def are_reported() -> bool:
            return set(gateway.applied().get("tripped", {})) == {NEW, THIRD}

        await eventually(are_reported)
        assert gateway.applied()["weights"] == {NEW: 0, THIRD: 0, OLD: 100}


async def test_a_fallback_that_fails_keeps_its_traffic(gateway: World, caller: Caller) -> None:
    async with model_server(OLD, Conduct(status=500)) as port:
        gateway.servers[OLD] = port
        await gateway.pods(OLD, READY)
        await gateway.until_applied(await gateway.route({NEW: 50, OLD: 50}, guard=GUARD))
        tally = await caller.tally(100)

    assert 20 < len(tally.failures) < 80
    assert gateway.applied()["weights"] == {NEW: 50, OLD: 50}
