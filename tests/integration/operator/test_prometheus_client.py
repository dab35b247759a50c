"""The client on a real Prometheus that scrapes what a gateway's Envoy exposes."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import timedelta

import aiohttp
import pytest
from aiohttp import web

from cluster.ports import refusing_port
from fairlead_operator.errors import TransientError
from fairlead_operator.prometheus import client as prometheus_client
from fairlead_operator.prometheus import counting
from fairlead_operator.prometheus.client import PrometheusClient
from fairlead_operator.rollout.evidence import queries
from support.conformance import PROMETHEUS, PrometheusCheck, Queries
from support.prometheus_server import PrometheusServer

pytestmark = pytest.mark.integration

# Scrapes are a second apart, and now and then one is late.
SPAN = counting.Span(length=timedelta(seconds=5))
ENVOY = """
# TYPE envoy_cluster_upstream_rq_completed counter
envoy_cluster_upstream_rq_completed{{{labels}}} COUNT
# TYPE envoy_cluster_upstream_rq counter
envoy_cluster_upstream_rq{{{labels},envoy_response_code="200"}} COUNT
# TYPE envoy_cluster_upstream_rq_time histogram
envoy_cluster_upstream_rq_time_bucket{{{labels},le="10"}} 0
envoy_cluster_upstream_rq_time_bucket{{{labels},le="25"}} COUNT
envoy_cluster_upstream_rq_time_bucket{{{labels},le="+Inf"}} COUNT
"""
BUSY = ENVOY.format(labels='model_namespace="energy",model="busy",version="1.1.0",role=""')


def built(model: str) -> dict[str, str]:
    target = counting.Target(namespace="energy", model=model, version="1.1.0")
    return {
        "success-rate": queries.success_rate(target, SPAN),
        "latency": queries.latency(0.95, target, SPAN),
        "requests": counting.requests(target, SPAN),
    }


class Prometheus:
    """``support.conformance.PrometheusDesk`` on a real server."""

    queries = Queries(busy=built("busy"), silent=built("silent") | {"own": "sum(absent_series)"})

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self._session = session
        self.port = PrometheusClient(url, session)

    async def forget(self) -> None:
        """Nobody ever sent traffic to the silent model."""

    async def refuse(self) -> str:
        return "sum(up"

    async def go_down(self) -> None:
        self.port = PrometheusClient(f"http://127.0.0.1:{refusing_port()}", self._session)


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait as long for whether a query can be read as for an answer: the machine may be busy."""
    monkeypatch.setattr(prometheus_client, "_BRIEF", prometheus_client._TIMEOUT)


@pytest.fixture(name="desk")
async def _desk(prometheus_server: PrometheusServer) -> AsyncIterator[Prometheus]:
    await asyncio.to_thread(
        prometheus_server.show, BUSY, until=Prometheus.queries.busy["success-rate"]
    )
    async with aiohttp.ClientSession() as session:
        yield Prometheus(prometheus_server.url, session)


@pytest.mark.parametrize("check", PROMETHEUS, ids=lambda check: check.__name__)
async def test_prometheus(check: PrometheusCheck, desk: Prometheus) -> None:
    await check(desk)


@pytest.mark.parametrize(
    ("promql", "value"),
    [
        pytest.param("vector(2.5)", 2.5, id="a vector of one"),
        pytest.param("2.5", 2.5, id="a scalar"),
        pytest.param("vector(0)", 0.0, id="zero is a number"),
        pytest.param("vector(0) / 0", None, id="not a number"),
        pytest.param("0 / 0", None, id="a scalar that is not a number"),
        pytest.param("vector(1) > 2", None, id="no sample"),
    ],
)
async def test_the_number_of_an_answer(desk: Prometheus, promql: str, value: float | None) -> None:
    assert await desk.port.query(promql) == value


@pytest.mark.parametrize(
    ("promql", "message"),
    [
        pytest.param("sum(up", "parse error", id="bad PromQL"),
        pytest.param("envoy_cluster_upstream_rq_time_bucket", "3 series", id="several series"),
        pytest.param("up[1m]", "matrix", id="a range"),
        pytest.param('"text"', "string", id="text"),
        pytest.param("up * on (le) group_left up{a=", "parse error", id="cut off"),
    ],
)
async def test_what_is_not_one_number_is_refused(
    desk: Prometheus, promql: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        await desk.port.query(promql)


async def test_counts_of_several_versions_come_in_one_answer(desk: Prometheus) -> None:
    busy, silent = (
        counting.Target(namespace="energy", model=model, version="1.1.0")
        for model in ("busy", "silent")
    )
    both = {"candidate": (busy, SPAN), "stable": (silent, SPAN)}

    async def ask(promql: str) -> Mapping[str, float]:
        return await desk.port.query_by(promql, counting.COUNT)

    counts, again = await ask(queries.success_counts(both).promql), dict[str, float]()
    while counts != pytest.approx(again):  # a scrape came between the answers
        again = counts
        quick = await ask(queries.latency_counts(both, 25).promql)
        slow = await ask(queries.latency_counts(both, 10).promql)
        counts = await ask(queries.success_counts(both).promql)

    assert counts.keys() == {"candidate-total"}
    assert quick["candidate-good"] == quick["candidate-total"]
    assert quick["candidate-total"] == pytest.approx(counts["candidate-total"])
    assert slow["candidate-good"] == 0


async def test_a_long_query_fits(desk: Prometheus) -> None:
    assert await desk.port.query(" + ".join(["1"] * 4000)) == 4000.0


@pytest.mark.parametrize(
    ("limit", "ask"),
    [
        pytest.param("_TIMEOUT", PrometheusClient.query, id="for a number"),
        pytest.param("_BRIEF", PrometheusClient.find_mistake, id="for a mistake: not as long"),
    ],
)
async def test_a_silent_server_is_transient(
    monkeypatch: pytest.MonkeyPatch, limit: str, ask: Callable[..., Awaitable[object]]
) -> None:
    monkeypatch.setattr(prometheus_client, limit, aiohttp.ClientTimeout(total=0.1))

    ended = asyncio.Event()

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()  # until who asked has gone
        writer.close()
        ended.set()

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    async with server, aiohttp.ClientSession() as session:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(TransientError):
            await ask(PrometheusClient(f"http://127.0.0.1:{port}", session), "up")
        await ended.wait()


@pytest.mark.parametrize(
    ("promql", "words"),
    [
        pytest.param("sum(up", "unclosed left parenthesis", id="a parenthesis that is open"),
        pytest.param("sum(up{a=})", "parse error", id="nothing to match"),
        pytest.param("rat(up[1m])", "unknown function", id="no such function"),
        pytest.param("rate(up)", "expected type range vector", id="a range is missing"),
        pytest.param("up[]", "parse error", id="an empty range"),
        pytest.param("up[5m] offset -1w", None, id="no number, and no mistake"),
        pytest.param("vector(1) + on() vector(2)", None, id="sound"),
    ],
)
async def test_what_can_never_be_answered(desk: Prometheus, promql: str, words: str | None) -> None:
    mistake = await desk.port.find_mistake(promql)

    assert mistake is None if words is None else words in (mistake or "")


@pytest.mark.parametrize(
    ("status", "body"),
    [
        pytest.param(404, "404 page not found", id="it knows no such address"),
        pytest.param(400, "unsupported path requested", id="no word of Prometheus"),
        pytest.param(422, '{"errorType": "execution", "error": "too many samples"}',
                     id="it failed, and may not next time"),
        pytest.param(503, '{"errorType": "unavailable", "error": "starting"}', id="it starts"),
        pytest.param(403, '{"error": "forbidden"}', id="a proxy refuses"),
    ],
)  # fmt: skip
async def test_what_says_nothing_of_a_query(status: int, body: str) -> None:
    async with answering(status, body) as port:
        with pytest.raises(TransientError):
            await port.find_mistake("sum(up")


BAD_DATA = '{"errorType": "bad_data", "error": "%s"}'


@pytest.mark.parametrize(
    ("status", "body", "mistake"),
    [
        pytest.param(200, "{}", None, id="the moment was refused: older than what is kept"),
        pytest.param(400, BAD_DATA % "parse error", "parse error", id="the query was"),
    ],
)
async def test_what_is_refused_at_the_beginning_of_time_is_asked_of_now(
    status: int, body: str, mistake: str | None
) -> None:
    async with answering(status, body, at_zero=(400, BAD_DATA % "time is too old")) as port:
        assert await port.find_mistake("sum(up)") == mistake


async def test_a_query_that_was_refused_only_with_its_moment_and_then_failed_is_unknown() -> None:
    async with answering(503, "", at_zero=(400, BAD_DATA % "time is too old")) as port:
        with pytest.raises(TransientError):
            await port.find_mistake("sum(up)")


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        pytest.param(
            503, '{"error": "starting"}', "answered with HTTP 503: starting", id="unavailable"
        ),
        pytest.param(502, "<html>", "answered with HTTP 502: Bad Gateway", id="a proxy's page"),
        pytest.param(200, "<html>", "did not answer with JSON", id="another server's page"),
    ],
)
async def test_an_answer_of_another_is_transient(status: int, body: str, said: str) -> None:
    async with answering(status, body) as port:
        with pytest.raises(TransientError, match=said):
            await port.query("up")


@contextlib.asynccontextmanager
async def answering(
    status: int, body: str, *, at_zero: tuple[int, str] | None = None
) -> AsyncIterator[PrometheusClient]:
    """Serve this answer to whatever is asked; another to what is asked of the beginning of time."""

    async def answer(request: web.Request) -> web.Response:
        is_at_zero = (await request.post()).get("time") == "0"
        code, text = at_zero if at_zero and is_at_zero else (status, body)
        return web.Response(status=code, text=text)

    application = web.Application()
    application.router.add_post("/api/v1/query", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        async with aiohttp.ClientSession() as session:
            yield PrometheusClient(f"http://127.0.0.1:{port}", session)
    finally:
        await runner.cleanup()
