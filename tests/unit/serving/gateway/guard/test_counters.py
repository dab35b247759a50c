"""Envoy's statistics as counts."""

import re

import aiohttp
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from cluster.ports import refusing_port
from fairlead_serving.gateway.guard.burst import Counts
from fairlead_serving.gateway.guard.counters import AdminCounters, CountersError, build_query, parse
from fairlead_serving.gateway.xds.clusters import MOST_REQUESTS

NAME = "energy|nsw-price|1.1.0"
TEXT = f"""\
cluster.{NAME}|.circuit_breakers.high.remaining_rq: {MOST_REQUESTS - 3}
cluster.{NAME}|.membership_total: 1
cluster.{NAME}|.upstream_cx_none_healthy: 1
cluster.{NAME}|.upstream_rq_200: 9
cluster.{NAME}|.upstream_rq_400: 4
cluster.{NAME}|.upstream_rq_401: 100
cluster.{NAME}|.upstream_rq_413: 2
cluster.{NAME}|.upstream_rq_422: 1
cluster.{NAME}|.upstream_rq_429: 100
cluster.{NAME}|.upstream_rq_500: 5
cluster.{NAME}|.upstream_rq_503: 2
cluster.{NAME}|.upstream_rq_completed: 25
cluster.{NAME}|.upstream_rq_pending_failure_eject: 4
cluster.{NAME}|.upstream_rq_time: B500(1,20) B1000(1,21) B60000(1,25)
cluster.{NAME}|.upstream_rq_total: 29
cluster.other.upstream_rq_completed: 7
"""


def test_counts_are_read() -> None:
    within = {500: 20, 1000: 21, 60_000: 25}

    assert parse(TEXT) == {
        NAME: Counts(
            finished=25,
            failed=7,
            refused=7,
            unavailable=2,
            unreached=5,
            begun=29,
            asked=3,
            within=within,
        )
    }


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        pytest.param("", {}, id="no cluster"),
        pytest.param(
            f"cluster.{NAME}|.membership_total: 1\n", {NAME: Counts()}, id="no request yet"
        ),
        pytest.param(f"cluster.{NAME}|.upstream_rq_completed: 25\n", {}, id="half an answer"),
        pytest.param(
            f"cluster.{NAME}|.membership_total: 1\n"
            f"cluster.{NAME}|.upstream_rq_time: No recorded values\n",
            {NAME: Counts()},
            id="no time recorded yet",
        ),
    ],
)
def test_what_is_missing_is_not_made_up(text: str, counts: dict[str, Counts]) -> None:
    assert parse(text) == counts


@pytest.mark.parametrize("value", ["nan", "", "-", "1.5", "many"])
def test_a_value_that_is_no_number_is_refused(value: str) -> None:
    with pytest.raises(CountersError):
        parse(TEXT.replace("upstream_rq_completed: 25", f"upstream_rq_completed: {value}"))


@given(st.text())
def test_no_text_does_anything_but_parse_or_be_refused(text: str) -> None:
    try:
        parse(text)
    except CountersError:
        return


@pytest.mark.parametrize(
    "clusters",
    [
        pytest.param([NAME, "a|b|1"], id="by name"),
        pytest.param([NAME, *(f"a|b|{number}" for number in range(200))], id="by form"),
    ],
)
def test_the_question_finds_live_clusters_and_no_shadow(clusters: list[str]) -> None:
    pattern = re.compile(build_query(clusters)["filter"])

    assert pattern.search(f"cluster.{NAME}|.upstream_rq_503")
    assert pattern.search(f"cluster.{NAME}|.upstream_rq_422")
    assert pattern.search(f"cluster.{NAME}|.membership_total")
    assert pattern.search(f"cluster.{NAME}|.circuit_breakers.high.remaining_rq")
    assert not pattern.search(f"cluster.{NAME}|shadow.upstream_rq_503")
    assert not pattern.search(f"cluster.{NAME}|.upstream_rq_200")
    assert len(pattern.pattern) < 8000


async def test_an_envoy_that_is_away_or_unwell_is_an_error() -> None:
    async def unwell(_: web.Request) -> web.Response:
        return web.Response(status=503)

    app = web.Application()
    app.router.add_get("/stats", unwell)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    ports = [runner.addresses[0][1], refusing_port()]
    try:
        async with aiohttp.ClientSession() as http:
            for port in ports:
                with pytest.raises(CountersError):
                    await AdminCounters(http, f"http://127.0.0.1:{port}").read([NAME])
    finally:
        await runner.cleanup()
