"""The gateway as a whole: fake API server → agent → real Envoy → model servers."""

import asyncio
import contextlib
import os
import signal
import threading
from typing import Any

import aiohttp
import pytest

from fairlead_contract.cluster import ENVOY_MEBIBYTES, GATEWAY
from fairlead_serving.gateway import drain as drain_command
from fairlead_serving.gateway.__main__ import run
from fairlead_serving.gateway.process import running
from fairlead_serving.gateway.xds import bootstrap
from fairlead_serving.gateway.xds import target as targets
from support.gateway import (
    MODEL,
    NAMESPACE,
    POD,
    Caller,
    EnvoyProcess,
    agent_process,
    eventually,
    is_ready,
    service_of,
)
from support.gateway_world import NEW, OLD, READY, World, reports_config_map

pytestmark = pytest.mark.integration


async def test_traffic_is_split_by_the_weights(gateway: World, caller: Caller) -> None:
    tally = await caller.tally(1000)

    assert tally.failures == []
    assert 50 <= tally.versions[NEW] <= 160  # 100 expected, five standard deviations around


async def test_the_header_forces_a_version_also_one_without_weight(
    gateway: World, caller: Caller
) -> None:
    await gateway.until_applied(await gateway.route({NEW: 0, OLD: 100}))

    status, _, headers = await caller.call(x_fairlead_version=NEW)

    assert (status, headers["x-fairlead-version"]) == (200, NEW)
    assert (await caller.tally(100)).versions == {OLD: 100}


async def test_no_request_chooses_its_version_unless_the_model_lets_it(
    gateway: World, caller: Caller
) -> None:
    await gateway.until_applied(await gateway.route({NEW: 10, OLD: 90}, forcing=False))

    status, text, _ = await caller.call(x_fairlead_version=NEW)

    assert status == 403
    assert "spec.serving.forceVersionSecret" in text


async def test_an_unknown_version_or_host_is_named_in_the_answer(
    gateway: World, caller: Caller
) -> None:
    assert (await caller.call(x_fairlead_version="9.9.9"))[:2] == (
        404,
        f"model {MODEL} has no version 9.9.9 to serve\n",
    )
    assert (await caller.call("stranger.example.com"))[:2] == (
        404,
        (
            "no model is served under host stranger.example.com in namespace energy; send the name "
            "of a Model as host, also through a port-forward: "
            "curl -H 'Host: <model>' http://localhost:<port>/predict ...\n"
        ),
    )


@pytest.mark.parametrize(
    "host", ["localhost:8080", "127.0.0.1:8080", "[::1]:8080", "[::1]", "10.0.0.9"]
)
async def test_who_comes_by_a_port_forward_is_told_how_to_name_the_model(
    gateway: World, caller: Caller, host: str
) -> None:
    status, text, _ = await caller.call(host)

    assert status == 404
    assert f"under host {host} in namespace energy" in text
    assert "curl -H 'Host: <model>'" in text


@pytest.mark.parametrize(
    "host",
    [
        f"{MODEL}:8080",
        MODEL.upper(),
        f"{MODEL.title()}.Energy:80",
        f"{MODEL}.{NAMESPACE}.svc.",
        f"{MODEL}.:8080",
        f"{MODEL.upper()}.{NAMESPACE}.:80",
    ],
)
async def test_a_host_is_known_in_capitals_with_a_port_and_with_a_dot_at_its_end(
    gateway: World, caller: Caller, host: str
) -> None:
    assert (await caller.call(host))[0] == 200


async def test_who_speaks_http_1_0_is_answered(gateway: World) -> None:
    url = f"http://127.0.0.1:{gateway.settings.ports.traffic}/predict"
    async with (
        aiohttp.ClientSession(version=aiohttp.HttpVersion10) as http,
        http.post(url, json={"instances": [{}]}, headers={"Host": MODEL}) as response,
    ):
        assert response.status == 200, await response.text()


async def test_a_host_that_moves_from_model_to_model_is_always_served(
    gateway: World, caller: Caller
) -> None:
    """Models are served by routes of their own; the first by name has the host."""
    for model in ("a", "b"):
        for version in (OLD, NEW):
            await gateway.pods(version, READY, model=model)
    revision = await gateway.route({OLD: 100}, model="b", hosts=["b", "shared"])
    await gateway.until_applied(revision, model="b")

    async with caller.load(rate=200, host="shared") as tally:
        for _ in range(5):
            revision = await gateway.route({NEW: 100}, model="a", hosts=["a", "shared"])
            await gateway.until_applied(revision, model="a")
            await gateway.api.remove("configmaps", NAMESPACE, "a-route")
            await eventually(lambda: _is_without_error(gateway, "b"))

    assert tally.failures == []
    assert tally.versions.keys() == {OLD, NEW}


async def _is_without_error(gateway: World, model: str) -> bool:
    return "error" not in gateway.applied(model)


async def test_what_somebody_deleted_of_the_reports_is_reported_again(gateway: World) -> None:
    revision = await gateway.route({NEW: 50, OLD: 50})
    await gateway.until_applied(revision)

    await gateway.api.remove("configmaps", NAMESPACE, GATEWAY)
    await gateway.api.apply("configmaps", reports_config_map())

    await gateway.until_applied(revision)


async def test_the_applied_route_is_reported(gateway: World) -> None:
    revision = await gateway.route({NEW: 50, OLD: 50})

    report = await gateway.until_applied(revision)

    assert report["weights"] == {NEW: 50, OLD: 50}
    assert report["at"].endswith("Z")
    assert gateway.api.tokens == {"Bearer secret"}


async def test_metrics_carry_model_and_version(gateway: World, caller: Caller) -> None:
    await gateway.until_applied(await gateway.route({NEW: 100, OLD: 0}))
    await caller.call()
    for _ in range(2):
        await caller.call(x_fairlead_version=NEW)
    url = f"http://127.0.0.1:{gateway.settings.ports.metrics}/metrics"

    async with aiohttp.ClientSession() as http, http.get(url) as response:
        text = await response.text()

    labels = f'model_namespace="{NAMESPACE}",model="{MODEL}",version="{NEW}"'
    name = f'envoy_cluster_name="{NAMESPACE}|{MODEL}|{NEW}"'
    assert f'envoy_cluster_upstream_rq{{envoy_response_code="200",{name},{labels}}} 1' in text
    assert f"envoy_cluster_upstream_rq_completed{{{name},{labels}}} 1" in text
    assert f'envoy_cluster_upstream_rq_time_bucket{{{name},{labels},le="5"}}' in text
    # A request that chooses its version is no live traffic.
    direct = f'{name},{labels},role="direct"'
    assert f"envoy_cluster_upstream_rq_completed{{{direct}}} 2" in text


async def test_200_weight_changes_under_load_lose_no_request(
    gateway: World, caller: Caller
) -> None:
    async with caller.load(rate=200) as tally:
        for number in range(200):
            weight = number % 101
            revision = await gateway.route({NEW: weight, OLD: 100 - weight})
            await asyncio.sleep(0.04)
        await gateway.until_applied(revision)

    assert tally.failures == []
    assert tally.total > 1000


async def test_versions_come_and_go_under_load_without_a_lost_request(
    gateway: World, caller: Caller
) -> None:
    """Nothing waits for the agent: route and endpoints reach it in any order."""
    async with caller.load(rate=200) as tally:
        for _ in range(50):
            await gateway.pods(NEW, READY)
            revision = await gateway.route({NEW: 50, OLD: 50})
            await asyncio.sleep(0.06)
            revision = await gateway.route({OLD: 100})
            await gateway.until_applied(revision)
            await gateway.api.remove("endpointslices", NAMESPACE, f"{service_of(MODEL, NEW)}-abcde")
            await asyncio.sleep(0.02)
        await gateway.pods(NEW, READY)
        await gateway.until_applied(await gateway.route({NEW: 50, OLD: 50}))

        async def both_answer() -> bool:
            return set(tally.versions) == {NEW, OLD}

        await eventually(both_answer)

    assert tally.failures == []


async def test_a_version_gets_traffic_only_when_it_has_pods(gateway: World, caller: Caller) -> None:
    await _until_without_pods(gateway, caller)
    await gateway.pods(NEW, READY | {"ready": False})
    await gateway.until_applied(await gateway.route({NEW: 0, OLD: 100}))
    revision = await gateway.route({NEW: 50, OLD: 50})

    async def is_waiting() -> bool:
        return "waiting" in gateway.applied()

    await eventually(is_waiting)
    before = await caller.tally(50)
    report = gateway.applied()
    await gateway.pods(NEW, READY)
    after = await gateway.until_applied(revision)

    assert before.versions == {OLD: 50}
    assert report["waiting"] == f"no ready endpoint for version {NEW}"
    assert "waiting" not in after


async def test_without_ready_pods_a_version_answers_503(gateway: World, caller: Caller) -> None:
    await _until_without_pods(gateway, caller)
    await gateway.pods(NEW, READY | {"ready": False})

    status, text, _ = await caller.call(x_fairlead_version=NEW)
    assert (status, text) == (503, "no healthy upstream")  # for no cluster it has no words


async def _until_without_pods(gateway: World, caller: Caller) -> None:
    """The last pod of the new version ends."""
    await gateway.pods(NEW, {"ready": False, "serving": False, "terminating": True})

    async def is_unavailable() -> bool:
        return (await caller.call(x_fairlead_version=NEW))[0] == 503

    await eventually(is_unavailable)


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({}, id="their node's word has not got through for a while"),
        pytest.param({"terminating": True}, id="they end, and have not stopped yet"),
    ],
)
async def test_pods_that_all_turn_unready_at_once_go_on_answering(
    gateway: World, caller: Caller, changed: dict[str, bool]
) -> None:
    await gateway.until_applied(await gateway.route({NEW: 50, OLD: 50}))
    async with caller.load(rate=200) as tally:
        for version in (OLD, NEW):
            await gateway.pods(version, READY | {"ready": False} | changed)
        await gateway.until_applied(await gateway.route({NEW: 25, OLD: 75}))
        after = tally.total + 200  # a second, in which the agent hears of both

        async def has_gone_on() -> bool:
            return tally.total >= after

        await eventually(has_gone_on)

    assert tally.failures == []
    assert set(tally.versions) == {NEW, OLD}


async def test_a_dead_pod_in_the_list_costs_no_request(gateway: World, caller: Caller) -> None:
    """127.0.0.2 refuses connections: the model servers listen on 127.0.0.1 only."""
    await gateway.pods(OLD, READY, READY)
    await gateway.until_applied(await gateway.route({OLD: 100}))

    tally = await caller.tally(200)

    assert tally.failures == []


async def test_an_invalid_route_keeps_the_last_good_one(gateway: World, caller: Caller) -> None:
    good = await gateway.until_applied(await gateway.route({NEW: 0, OLD: 100}))
    await gateway.route({NEW: 60, OLD: 60})

    async def is_refused() -> bool:
        return "error" in gateway.applied()

    await eventually(is_refused)
    report = gateway.applied()

    assert report == good | {"error": "weights add up to 120, expected 100"}
    assert (await caller.tally(50)).versions == {OLD: 50}


async def test_a_route_envoy_refuses_keeps_the_last_good_one(
    gateway: World, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Our own checks let nothing through that Envoy refuses, so the builder is bent here."""
    good = await gateway.until_applied(await gateway.route({NEW: 0, OLD: 100}))
    build = targets.hosts.build_route_configuration

    def bent(route: Any) -> dict[str, Any]:
        built = build(route)
        if route.timeout_seconds == 13:
            built["virtual_hosts"][0]["domains"] = ["twice", "twice"]
        return built

    monkeypatch.setattr(targets.hosts, "build_route_configuration", bent)
    await gateway.route({NEW: 50, OLD: 50}, timeoutSeconds=13)

    async def is_refused() -> bool:
        return "error" in gateway.applied()

    await eventually(is_refused)
    report = gateway.applied()
    better = await gateway.until_applied(await gateway.route({NEW: 100, OLD: 0}))

    assert report["revision"] == good["revision"]
    assert "Envoy refused the route" in report["error"]
    assert "twice" in report["error"]
    assert "error" not in better
    assert (await caller.tally(50)).versions == {NEW: 50}


async def test_a_model_that_goes_away_is_forgotten(gateway: World, caller: Caller) -> None:
    await gateway.pods(NEW, READY, model="vic-price")
    await gateway.until_applied(
        await gateway.route({NEW: 100}, model="vic-price"), model="vic-price"
    )
    assert (await caller.call("vic-price"))[0] == 200

    await gateway.api.remove("configmaps", NAMESPACE, "vic-price-route")

    async def is_gone() -> bool:
        return gateway.applied("vic-price") == {} and (await caller.call("vic-price"))[0] == 404

    await eventually(is_gone)
    assert (await caller.call())[0] == 200


async def test_envoy_serves_on_without_its_agent(world: World, envoy: EnvoyProcess) -> None:
    async with Caller(world.settings) as caller, agent_process(world.settings) as agent:
        await world.until_ready()
        async with caller.load(rate=100) as tally:

            async def has_gone_on(total: int) -> bool:
                return tally.total >= total

            await eventually(lambda: has_gone_on(50))
            agent.kill()
            await agent.wait()
            alone = tally.total + 150
            await eventually(lambda: has_gone_on(alone))
            async with agent_process(world.settings):
                await eventually(lambda: is_ready(world.settings.ports.agent, "/readyz"))
                await world.until_applied(await world.route({NEW: 100, OLD: 0}))

    assert tally.failures == []


async def test_a_restarted_pod_serves_the_kept_routes_while_the_api_server_is_away(
    world: World,
) -> None:
    async with EnvoyProcess(world.settings), running(world.settings):
        await world.until_ready()
        await world.until_applied(await world.route({NEW: 100, OLD: 0}))
    await world.api.stop()

    async with (
        EnvoyProcess(world.settings),
        running(world.settings),
        Caller(world.settings) as caller,
    ):
        await world.until_ready()
        away = await caller.tally(50)
        await world.api.start()
        await world.until_applied(await world.route({NEW: 0, OLD: 100}))
        back = await caller.tally(50)

    assert away.versions == {NEW: 50}
    assert back.versions == {OLD: 50}


async def test_an_envoy_that_is_ready_serves_every_model(world: World) -> None:
    """More of them than fit into one message: the listener must wait for all."""
    names = [f"model-{number}" for number in range(250)]
    for name in names:
        await world.pods(OLD, READY, model=name)
        await world.route({OLD: 100}, model=name)

    async with running(world.settings), Caller(world.settings) as caller:
        async with EnvoyProcess(world.settings):
            await world.until_ready()
        for _ in range(3):
            async with EnvoyProcess(world.settings):
                await world.until_ready()
                statuses = {(await caller.call(name))[0] for name in reversed(names)}
                assert statuses == {200}


async def test_nothing_is_served_before_the_cluster_was_read(
    world: World, envoy: EnvoyProcess
) -> None:
    """Neither file nor API server: Envoy stays not ready rather than answering 404."""
    await world.api.stop()

    async with running(world.settings):
        await asyncio.sleep(1.0)
        was_ready = await is_ready(world.settings.ports.metrics, "/ready")
        agent_was_ready = await is_ready(world.settings.ports.agent, "/readyz")
        await world.api.start()
        await world.until_ready()

    assert not was_ready
    assert not agent_was_ready


async def test_lost_history_is_read_anew(gateway: World) -> None:
    await gateway.api.forget_history()

    await gateway.until_applied(await gateway.route({NEW: 100, OLD: 0}))

    async def is_watched_again() -> bool:
        listed = [path for method, path in gateway.api.requests if path.endswith("/configmaps")]
        return len(listed) >= 4  # list and watch, twice

    await eventually(is_watched_again)


async def test_a_silent_watch_is_given_up(gateway: World) -> None:
    """A stream that says nothing, not even bookmarks, may be dead: changes must not get lost."""
    gateway.api.silent = True
    revision = await gateway.route({NEW: 100, OLD: 0})

    await gateway.until_applied(revision)


async def test_a_report_is_tried_until_it_is_written(gateway: World) -> None:
    gateway.api.refuse_patches = True
    gateway.api.requests.clear()
    revision = await gateway.route({NEW: 100, OLD: 0})

    async def is_refused() -> bool:
        return "PATCH" in {method for method, _ in gateway.api.requests}

    await eventually(is_refused)
    gateway.api.refuse_patches = False

    await gateway.until_applied(revision)


async def test_keys_left_by_an_earlier_agent_of_the_pod_are_removed(
    world: World, envoy: EnvoyProcess
) -> None:
    await world.api.apply(
        "configmaps",
        {
            "metadata": {"name": GATEWAY, "namespace": NAMESPACE},
            "data": {f"gone.{POD}": "{}", "gone.another-pod": "{}"},
        },
    )

    async with running(world.settings):

        async def is_removed() -> bool:
            return world.applied() != {} and set(
                world.api.read("configmaps", NAMESPACE, GATEWAY)["data"]
            ) == {f"{MODEL}.{POD}", "gone.another-pod"}

        await eventually(is_removed)


async def test_the_agent_tells_about_itself(gateway: World) -> None:
    await gateway.until_applied(await gateway.route({NEW: 100, OLD: 0}))
    base = f"http://127.0.0.1:{gateway.settings.ports.agent}"

    async with aiohttp.ClientSession() as http:
        async with http.get(f"{base}/metrics") as response:
            metrics = await response.text()
        async with http.get(f"{base}/healthz") as response:
            health = response.status

    assert "fairlead_gateway_routes 1.0" in metrics
    assert "fairlead_gateway_synced 1.0" in metrics
    assert health == 200


async def test_drain_waits_for_requests_in_flight(gateway: World, caller: Caller) -> None:
    admin = f"http://127.0.0.1:{gateway.settings.ports.admin}"
    loop = asyncio.get_running_loop()
    begun, over = asyncio.Event(), threading.Event()

    def grace(_: float) -> None:
        loop.call_soon_threadsafe(begun.set)
        over.wait(60)

    async with caller.load(rate=100) as tally:
        drained = asyncio.create_task(
            asyncio.to_thread(drain_command.drain, admin, grace=5, deadline=600, sleep=grace)
        )
        await begun.wait()
        during = tally.total + 40

        async def serves_on() -> bool:
            return tally.total >= during

        await eventually(serves_on)
        over.set()
    finished = await drained

    assert finished
    assert tally.failures == []


async def test_the_command_ends_on_sigterm(world: World) -> None:
    default = signal.getsignal(signal.SIGTERM)
    task = asyncio.create_task(run(world.settings))

    async def is_listening() -> bool:  # else the signal would end the tests
        heard = signal.getsignal(signal.SIGTERM) != default
        return heard and await is_ready(world.settings.ports.agent, "/healthz")

    await eventually(is_listening)

    os.kill(os.getpid(), signal.SIGTERM)

    async with asyncio.timeout(60):
        await task
    with contextlib.suppress(NotImplementedError):
        asyncio.get_running_loop().remove_signal_handler(signal.SIGTERM)
        asyncio.get_running_loop().remove_signal_handler(signal.SIGINT)


async def test_clients_that_take_all_connections_leave_readiness_and_metrics_alone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap, "_MAX_CONNECTIONS", 20)
    ports = world.settings.ports
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(EnvoyProcess(world.settings))
        await stack.enter_async_context(running(world.settings))
        await world.until_ready()
        for _ in range(40):
            _, writer = await asyncio.open_connection("127.0.0.1", ports.traffic)
            stack.callback(writer.close)

        async def refuses() -> bool:
            try:
                async with Caller(world.settings) as caller:
                    await caller.call()
            except aiohttp.ClientError:
                return True
            return False

        await eventually(refuses)
        answers = [
            await is_ready(port, path)
            for port, path in (
                (ports.metrics, "/ready"),
                (ports.metrics, "/metrics"),
                (ports.admin, "/ready"),
            )
            for _ in range(30)
        ]

    assert all(answers)


async def test_thousands_of_idle_clients_leave_room(gateway: World, caller: Caller) -> None:
    """Some have asked for nothing, some have begun a body and never end it."""
    begun = f"POST /predict HTTP/1.1\r\nHost: {MODEL}\r\nContent-Length: 99\r\n\r\n{{".encode()
    admin = f"http://127.0.0.1:{gateway.settings.ports.admin}/memory"
    async with contextlib.AsyncExitStack() as stack:
        for number in range(3000):
            _, writer = await asyncio.open_connection("127.0.0.1", gateway.settings.ports.traffic)
            stack.callback(writer.close)
            if number % 3 == 0:
                writer.write(begun)
        tally = await caller.tally(100)
        async with aiohttp.ClientSession() as http, http.get(admin) as response:
            memory = await response.json()

    assert tally.failures == []
    assert int(memory["heap_size"]) < ENVOY_MEBIBYTES * 1024 * 1024 * 0.7
