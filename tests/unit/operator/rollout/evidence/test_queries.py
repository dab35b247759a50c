"""The built-in PromQL, evaluated by promtool on series as a gateway's Envoy exposes them.

Each sample is 10 s apart, and each question is asked one minute in.
"""

import dataclasses
import json
import subprocess
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from fairlead_operator.api.builtins import BUILTINS
from fairlead_operator.prometheus import counting
from fairlead_operator.rollout.evidence import queries
from images.prometheus import promtool_path

SPAN = counting.Span(length=timedelta(seconds=30))
TARGET = counting.Target(namespace="energy", model="nsw-price", version="1.1.0")
STABLE = counting.Target(namespace="energy", model="nsw-price", version="1.0.0")
Series = Mapping[str, str]
SCRAPED = {'up{job="gateway"}': "1x6"}  # Prometheus has been there all the time


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Series, a query, and what it yields: one value, None for no sample, or several by name."""

    series: Series
    query: str
    value: float | Mapping[str, float] | None


def labels(**changed: str) -> str:
    all_labels = {
        "model_namespace": "energy",
        "model": "nsw-price",
        "version": "1.1.0",
        "pod": "gateway-a",
        **changed,
    }
    return ",".join(f'{name}="{value}"' for name, value in all_labels.items())


def finished(values: str, **changed: str) -> dict[str, str]:
    return {f"envoy_cluster_upstream_rq_completed{{{labels(**changed)}}}": values}


def answers(code: int, values: str, **changed: str) -> dict[str, str]:
    return {
        f'envoy_cluster_upstream_rq{{{labels(**changed)},envoy_response_code="{code}"}}': values
    }


def bucket(le: str, values: str, **changed: str) -> dict[str, str]:
    return {f'envoy_cluster_upstream_rq_time_bucket{{{labels(**changed)},le="{le}"}}': values}


def success_rate(*series: Series, value: float | None) -> Case:
    merged = {name: values for part in series for name, values in part.items()}
    return Case(series=merged, query=queries.success_rate(TARGET, SPAN), value=value)


def acceptance_rate(*series: Series, value: float | None) -> Case:
    merged = {name: values for part in series for name, values in part.items()}
    return Case(series=merged, query=queries.acceptance_rate(TARGET, SPAN), value=value)


def requests(*series: Series, value: float | None) -> Case:
    merged = {name: values for part in series for name, values in part.items()}
    return Case(series=merged, query=counting.requests(TARGET, SPAN), value=value)


def latency(quantile: float, *series: Series, value: float | None) -> Case:
    merged = {name: values for part in series for name, values in part.items()}
    query = queries.latency(quantile, TARGET, SPAN)
    return Case(series=merged, query=query, value=value)


def run_promtool(case: Case, folder: Path) -> None:
    if isinstance(case.value, Mapping):
        samples = [
            {"labels": f'{{{counting.COUNT}="{name}"}}', "value": value}
            for name, value in case.value.items()
        ]
    else:
        samples = [] if case.value is None else [{"labels": "{}", "value": case.value}]
    test = {
        "interval": "10s",
        "input_series": [
            {"series": name, "values": values} for name, values in (SCRAPED | case.series).items()
        ],
        "promql_expr_test": [{"expr": case.query, "eval_time": "60s", "exp_samples": samples}],
    }
    file = folder / "tests.yml"
    file.write_text(json.dumps({"rule_files": [], "evaluation_interval": "10s", "tests": [test]}))
    program = promtool_path()
    if program is None:
        pytest.fail("promtool is not built; run: make tools")
    done = subprocess.run(
        [program, "test", "rules", file], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def success_counts(*series: Series, value: Mapping[str, float], past: bool = False) -> Case:
    """Both versions; the stable one in the first half minute only, when it is past."""
    merged = {name: values for part in series for name, values in part.items()}
    before = counting.Span(length=SPAN.length, ago=SPAN.length) if past else SPAN
    targets = {"candidate": (TARGET, SPAN), "stable": (STABLE, before)}
    return Case(series=merged, query=queries.success_counts(targets).promql, value=value)


def latency_counts(bound: float, *series: Series, value: Mapping[str, float]) -> Case:
    merged = {name: values for part in series for name, values in part.items()}
    targets = {"candidate": (TARGET, SPAN), "stable": (STABLE, SPAN)}
    return Case(series=merged, query=queries.latency_counts(targets, bound).promql, value=value)


def mirrored(*series: Series, value: float | None) -> Case:
    """The success rate of copies."""
    merged = {name: values for part in series for name, values in part.items()}
    copies = dataclasses.replace(TARGET, mirrored=True)
    return Case(series=merged, query=queries.success_rate(copies, SPAN), value=value)


def dropped(values: str) -> dict[str, str]:
    return {f"envoy_cluster_upstream_rq_pending_overflow{{{labels(role='shadow')}}}": values}


def without_pod(values: str, **changed: str) -> dict[str, str]:
    return {f"envoy_cluster_upstream_cx_none_healthy{{{labels(**changed)}}}": values}


def without_connection(values: str, **changed: str) -> dict[str, str]:
    return {f"envoy_cluster_upstream_rq_pending_failure_eject{{{labels(**changed)}}}": values}


def saturation(*series: Series, value: float | None) -> Case:
    merged = {name: values for part in series for name, values in part.items()}
    return Case(series=merged, query=queries.saturation(TARGET, SPAN), value=value)


def busy(values: str, **changed: str) -> dict[str, str]:
    return {f"fairlead_prediction_seconds_sum{{{labels(**changed)}}}": values}


# -- the model servers' own counts


def predicted(outcome: str, values: str, **changed: str) -> dict[str, str]:
    return {f'fairlead_predictions_total{{{labels(**changed)},outcome="{outcome}"}}': values}


def seconds(le: str, values: str, **changed: str) -> dict[str, str]:
    return {f'fairlead_prediction_seconds_bucket{{{labels(**changed)},le="{le}"}}': values}


def by_servers(query: str, *series: Series, value: float | None) -> Case:
    merged = {name: values for part in series for name, values in part.items()}
    return Case(series=merged, query=query, value=value)


BY_SERVERS = dataclasses.replace(TARGET, series=counting.SERVERS)
SERVERS_RATE = queries.success_rate(BY_SERVERS, SPAN)
SERVERS_REQUESTS = counting.requests(dataclasses.replace(BY_SERVERS, mirrored=True), SPAN)
SERVERS_P95 = queries.latency(0.95, BY_SERVERS, SPAN)
SERVERS_QUICK = queries.latency_counts({"candidate": (BY_SERVERS, SPAN)}, 2500).promql
SERVERS_CASES = [
    pytest.param(
        by_servers(
            SERVERS_RATE,
            predicted("success", "0+16x6"),
            predicted("bad_input", "0+2x6"),
            predicted("error", "0+1x6"),
            predicted("timeout", "0+1x6"),
            predicted("error", "0+50x6", version="1.0.0"),
            predicted("error", "0+50x6", model_namespace="b"),
            value=0.9,
        ),
        id="servers: errors and time-outs count, the client's mistakes do not",
    ),
    pytest.param(
        by_servers(
            queries.acceptance_rate(BY_SERVERS, SPAN),
            predicted("success", "0+16x6"),
            predicted("bad_input", "0+2x6"),
            predicted("unread", "0+1x6"),
            predicted("error", "0+1x6"),
            value=0.9,
        ),
        id="servers: what was sent is refused, and not what did not arrive",
    ),
    pytest.param(by_servers(SERVERS_RATE, value=None), id="servers: no series"),
    pytest.param(
        by_servers(SERVERS_RATE, predicted("success", "50+0x6"), value=None),
        id="servers: no traffic in the window",
    ),
    pytest.param(
        by_servers(
            SERVERS_REQUESTS,
            predicted("success", "0+10x6"),
            predicted("error", "0+1x6", pod="server-b"),
            value=33,
        ),
        id="servers: requests of every pod",
    ),
    pytest.param(
        by_servers(
            SERVERS_P95,
            seconds("0.01", "0+0x6"),
            seconds("0.02", "0+20x6"),
            seconds("+Inf", "0+20x6"),
            value=19.5,
        ),
        id="servers: p95 in milliseconds",
    ),
    pytest.param(
        Case(
            series=seconds("2.5", "0+9x6") | seconds("+Inf", "0+10x6") | seconds("25", "0+10x6"),
            query=SERVERS_QUICK,
            value={"candidate-total": 30, "candidate-good": 27},
        ),
        id="servers: answers within a bound",
    ),
]

OTHERS = (
    (finished("0+100x6", version="1.0.0"), answers(503, "0+100x6", version="1.0.0")),
    (finished("0+100x6", model="other"), answers(503, "0+100x6", model="other")),
    (finished("0+100x6", model_namespace="b"), answers(503, "0+100x6", model_namespace="b")),
    # Requests that name their version by a header have a role: no live traffic.
    (finished("0+100x6", role="direct"), answers(503, "0+100x6", role="direct")),
)
CASES = [
    pytest.param(
        success_rate(finished("0+10x6"), answers(200, "0+9x6"), answers(503, "0+1x6"), value=0.9),
        id="some errors",
    ),
    pytest.param(success_rate(finished("0+10x6"), answers(200, "0+10x6"), value=1), id="no errors"),
    pytest.param(
        success_rate(finished("0+10x6"), answers(500, "0+10x6"), value=0), id="only errors"
    ),
    pytest.param(
        success_rate(finished("0+20x6"), answers(500, "0+1x6"), answers(503, "0+1x6"), value=0.9),
        id="errors of several codes",
    ),
    pytest.param(
        success_rate(finished("0+10x6"), answers(404, "0+10x6"), value=1),
        id="the client's errors are the client's",
    ),
    pytest.param(
        success_rate(finished("0+10x6"), answers(503, "5+0x6"), value=1),
        id="errors before the window are over",
    ),
    # The first failures of a version are in no earlier sample.
    pytest.param(
        success_rate(finished("0+10x6"), answers(503, "_ _ _ _ _ _ 15"), value=0.5),
        id="the first scrape of a code has errors already",
    ),
    pytest.param(
        success_rate(finished("_ _ _ _ _ _ 20"), answers(503, "_ _ _ _ _ _ 5"), value=0.75),
        id="the first scrape of a version has errors already",
    ),
    pytest.param(
        success_rate(finished("0 10 20 30 40 5 20"), answers(503, "0 0 0 0 0 1 2"), value=0.9),
        id="the gateway restarted: counters began anew",
    ),
    pytest.param(
        success_rate(finished("0 10 20 30 40 5 20"), answers(503, "9 9 9 9 _ _ _"), value=1),
        id="the gateway restarted: no errors since",
    ),
    pytest.param(
        success_rate(
            finished("0+10x6"),
            answers(503, "0+2x6"),
            finished("0+30x6", pod="gateway-b"),
            answers(503, "0+2x6", pod="gateway-b"),
            value=0.9,
        ),
        id="several gateway pods are one",
    ),
    pytest.param(
        success_rate(
            finished("0+10x6"),
            answers(503, "0+1x6"),
            *(part for other in OTHERS for part in other),
            value=0.9,
        ),
        id="traffic of others counts nothing",
    ),
    *(
        pytest.param(success_rate(*other, value=None), id=f"only traffic of others, {number}")
        for number, other in enumerate(OTHERS)
    ),
    pytest.param(
        success_rate(finished("0+10x6"), answers(503, "0+4x6"), without_pod("0+4x6"), value=1),
        id="no pod was there: no failure of the version",
    ),
    pytest.param(
        success_rate(
            finished("0+10x6"),
            answers(500, "0+1x6"),
            answers(503, "0+5x6"),
            without_pod("0+1x6"),
            without_connection("0+4x6"),
            value=0.8,
        ),
        id="a failure is one, whatever was not reached beside it",
    ),
    pytest.param(
        success_rate(
            finished("0+10x6"), answers(500, "0+5x6"), without_connection("0+9x6"), value=0.5
        ),
        id="attempts that another pod made good excuse no failure",
    ),
    pytest.param(
        success_rate(
            finished("0+10x6"), answers(503, "0+5x6"), without_connection("0+1x6"), value=5 / 9
        ),
        id="its own 503 stays a failure",
    ),
    pytest.param(
        success_rate(finished("0+10x6"), answers(503, "0+10x6"), without_pod("0+10x6"), value=None),
        id="nothing was reached: no evidence at all",
    ),
    pytest.param(
        success_rate(
            finished("0+10x6"),
            answers(503, "0+1x6"),
            without_pod("0+9x6", version="1.0.0"),
            without_connection("0+9x6", role="shadow"),
            value=0.9,
        ),
        id="what others did not reach excuses nothing",
    ),
    pytest.param(
        requests(finished("0+10x6"), answers(503, "0+4x6"), without_connection("0+12x6"), value=18),
        id="a request that was tried three times was one",
    ),
    pytest.param(
        mirrored(
            finished("0+10x6", role="shadow"),
            answers(503, "0+6x6", role="shadow"),
            dropped("0+2x6"),
            without_connection("0+4x6", role="shadow"),
            value=1,
        ),
        id="copies that reached no pod, beside those that were dropped",
    ),
    pytest.param(success_rate(value=None), id="no series"),
    pytest.param(
        requests(
            {'up{job="gateway"}': "_ _ _ _ 1 1 1"}, finished("_ _ _ _ 900 910 920"), value=None
        ),
        id="a Prometheus that has only just started",
    ),
    pytest.param(success_rate(finished("50+0x6"), value=None), id="no traffic in the window"),
    pytest.param(
        success_rate(finished("50+0x6"), answers(503, "50+0x6"), value=None),
        id="errors before the window, and no traffic in it",
    ),
    pytest.param(success_rate(finished("0x6"), value=None), id="never any traffic"),
    pytest.param(
        # Two pages of one scrape may be a request apart; a share is never below 0.
        success_rate(finished("0+10x6"), answers(503, "0+11x6"), value=0),
        id="more errors than answers",
    ),
    pytest.param(requests(finished("0+10x6"), value=30), id="requests in the window"),
    pytest.param(requests(finished("_ _ _ _ _ 7 9"), value=9), id="requests of a new series"),
    pytest.param(requests(finished("50 50 50 50 50 5 8"), value=8), id="requests after a restart"),
    pytest.param(
        requests(finished("100 100 100 100 5 105 150"), value=150),
        id="requests after a restart that are more than there were before",
    ),
    pytest.param(requests(finished("5+0x6"), value=0), id="no requests in the window"),
    pytest.param(requests(value=None), id="no requests known"),
    pytest.param(
        latency(
            0.5,
            bucket("10", "0+10x6"),
            bucket("20", "0+20x6"),
            bucket("+Inf", "0+20x6"),
            value=10,
        ),
        id="p50 at a bound",
    ),
    pytest.param(
        latency(
            0.95,
            bucket("10", "0+0x6"),
            bucket("20", "0+20x6"),
            bucket("+Inf", "0+20x6"),
            value=19.5,
        ),
        id="p95 between bounds",
    ),
    pytest.param(
        latency(
            0.99,
            bucket("10", "0+20x6"),
            bucket("20", "0+20x6"),
            bucket("+Inf", "0+40x6"),
            value=20,
        ),
        id="p99 beyond the last bound",
    ),
    pytest.param(
        latency(
            0.5,
            bucket("10", "_ _ _ _ _ _ 0"),
            bucket("20", "_ _ _ _ _ _ 30"),
            bucket("+Inf", "_ _ _ _ _ _ 30"),
            value=15,
        ),
        id="latency of a new version",
    ),
    pytest.param(
        latency(
            0.5,
            bucket("10", "100 100 100 100 100 0 0"),
            bucket("20", "100 100 100 100 100 0 20"),
            bucket("+Inf", "100 100 100 100 100 0 20"),
            value=15,
        ),
        id="latency after a restart",
    ),
    pytest.param(
        latency(
            0.5,
            bucket("10", "0+10x6"),
            bucket("+Inf", "0+10x6"),
            bucket("10", "0+0x6", pod="gateway-b"),
            bucket("+Inf", "0+0x6", pod="gateway-b"),
            bucket("10", "0+0x6", version="1.0.0"),
            bucket("+Inf", "0+900x6", version="1.0.0"),
            value=5,
        ),
        id="latency over several gateway pods, of this version",
    ),
    pytest.param(latency(0.5, value=None), id="no latency known"),
    pytest.param(
        success_counts(
            finished("0+10x6"),
            answers(503, "0+1x6"),
            finished("0+30x6", version="1.0.0"),
            answers(500, "0+2x6", version="1.0.0"),
            value={
                "candidate-total": 30,
                "candidate-bad": 3,
                "stable-total": 90,
                "stable-bad": 6,
            },
        ),
        id="counts of both versions in one answer",
    ),
    *(
        pytest.param(
            acceptance_rate(finished("0+10x6"), answers(code, "0+2x6"), value=0.8),
            id=f"{code}: refused for what is in it",
        )
        for code in (400, 404, 413, 415, 422)
    ),
    *(
        pytest.param(
            acceptance_rate(finished("0+10x6"), answers(code, "0+2x6"), value=1),
            id=f"{code}: says nothing of what is in it",
        )
        for code in (200, 401, 403, 408, 429, 499, 500, 503)
    ),
    pytest.param(
        acceptance_rate(
            finished("0+10x6"), answers(400, "0+3x6"), answers(422, "_ _ _ _ _ _ 3"), value=0.6
        ),
        id="two kinds of refusals, one of them new",
    ),
    pytest.param(acceptance_rate(finished("0x6"), value=None), id="nobody to refuse"),
    pytest.param(
        Case(
            series=finished("0+10x6", role="shadow")
            | answers(400, "0+9x6", role="shadow")
            | answers(503, "0+1x6", role="shadow")
            | dropped("0+1x6")
            | finished("0+10x6", version="1.0.0"),
            query=queries.acceptance_counts(
                {
                    "candidate": (dataclasses.replace(TARGET, mirrored=True), SPAN),
                    "stable": (STABLE, SPAN),
                }
            ).promql,
            value={"candidate-total": 27, "candidate-refused": 27, "stable-total": 30},
        ),
        id="refused copies beside accepted requests",
    ),
    pytest.param(
        success_counts(finished("0+10x6"), value={"candidate-total": 30}),
        id="counts while the stable version is silent and nothing failed",
    ),
    pytest.param(
        success_counts(
            finished("0 0 0 0 10 20 30"),
            finished("0 10 20 30 30 30 30", version="1.0.0"),
            answers(500, "_ _ _ 4 4 4 4", version="1.0.0"),
            past=True,
            value={"candidate-total": 30, "stable-total": 30, "stable-bad": 4},
        ),
        id="counts of a stable version that had its traffic before",
    ),
    pytest.param(
        mirrored(
            finished("0+20x6", role="shadow"),
            answers(503, "0+11x6", role="shadow"),
            dropped("0+10x6"),
            finished("0+90x6"),
            value=0.9,
        ),
        id="copies that were dropped are no answers",
    ),
    pytest.param(
        mirrored(
            finished("0+10x6", role="shadow"), answers(500, "0+1x6", role="shadow"), value=0.9
        ),
        id="copies of which none was dropped",
    ),
    pytest.param(
        mirrored(
            finished("0+10x6", role="shadow"),
            answers(503, "0+10x6", role="shadow"),
            dropped("0+10x6"),
            value=None,
        ),
        id="copies that were all dropped prove nothing",
    ),
    pytest.param(
        latency_counts(
            10,
            bucket("10", "0+8x6"),
            bucket("100", "0+9x6"),
            bucket("+Inf", "0+10x6"),
            bucket("10.0", "0+20x6", version="1.0.0"),
            bucket("+Inf", "0+30x6", version="1.0.0"),
            value={
                "candidate-total": 30,
                "candidate-good": 24,
                "stable-total": 90,
                "stable-good": 60,
            },
        ),
        id="quick answers of both versions, however the bound is written",
    ),
    pytest.param(
        saturation(
            busy("0+5x6", pod="a"),
            busy("0+15x6", pod="b"),
            busy("0+90x6", pod="c", version="1.0.0"),
            value=1,
        ),
        id="half a request at work in one pod, one and a half in the other",
    ),
    pytest.param(saturation(value=None), id="no pod known"),
]


def of_all(query: str, *series: Series, value: Mapping[str, float]) -> Case:
    merged = {name: values for part in series for name, values in part.items()}
    return Case(series=merged, query=f"sum by ({counting.COUNT}) ({query})", value=value)


BY_GATEWAY, BY_ALL_SERVERS = (
    counting.outcomes(series, SPAN) for series in (counting.GATEWAY, counting.SERVERS)
)
TRAFFIC = (
    finished("0+10x6"),
    finished("0+10x6", pod="gateway-b"),
    answers(500, "0+10x6"),
    answers(400, "0+4x6", pod="gateway-b"),
    answers(429, "0+6x6", pod="gateway-b"),  # the caller's own haste
    finished("0+10x6", role="shadow"),
    answers(500, "0+10x6", role="shadow"),
    finished("0+2x6", model="other"),
    answers(503, "0+2x6", model="other"),  # all of them because no pod was there
    without_pod("0+2x6", model="other"),
    finished("7x6", model="quiet"),
)
OF_ALL_CASES = [
    pytest.param(
        of_all(
            BY_GATEWAY.total,
            *TRAFFIC,
            value={"energy/nsw-price/1.1.0": 60, "energy/other/1.1.0": 0, "energy/quiet/1.1.0": 0},
        ),
        id="of all versions: what reached them",
    ),
    pytest.param(
        of_all(
            BY_GATEWAY.failed,
            *TRAFFIC,
            value={"energy/nsw-price/1.1.0": 30, "energy/other/1.1.0": 0},
        ),
        id="of all versions: what failed",
    ),
    pytest.param(
        of_all(BY_GATEWAY.refused, *TRAFFIC, value={"energy/nsw-price/1.1.0": 12}),
        id="of all versions: what was refused",
    ),
    pytest.param(
        of_all(
            BY_ALL_SERVERS.failed,
            predicted("error", "0+1x6"),
            predicted("timeout", "0+1x6", pod="b"),
            predicted("bad_input", "0+5x6"),
            value={"energy/nsw-price/1.1.0": 6},
        ),
        id="of all versions: what the servers failed",
    ),
]


@pytest.mark.parametrize("case", [*CASES, *SERVERS_CASES, *OF_ALL_CASES])
def test_query(case: Case, tmp_path: Path) -> None:
    run_promtool(case, tmp_path)


@pytest.mark.parametrize(
    ("builtin", "part"),
    [
        ("success-rate", "envoy_response_code"),
        ("latency-p50", "histogram_quantile(0.5,"),
        ("latency-p95", "histogram_quantile(0.95,"),
        ("latency-p99", "histogram_quantile(0.99,"),
        ("saturation", "fairlead_prediction_seconds_sum"),
    ],
)
def test_a_builtin_check_asks_for_its_version_and_window(builtin: str, part: str) -> None:
    query = queries.value(
        BUILTINS[builtin].query, TARGET, counting.Span(length=timedelta(seconds=45))
    )

    assert part in query
    assert 'version="1.1.0"' in query
    assert "45s" in query


@pytest.mark.parametrize(
    "unknown",
    ["uptime", *sorted({row.query for row in BUILTINS.values() if row.is_recorded}, key=str)],
)
def test_what_prometheus_does_not_count_is_not_asked_of_it(unknown: Any) -> None:
    with pytest.raises(AssertionError):
        queries.value(unknown, TARGET, SPAN)


def test_a_mirrored_candidate_is_judged_by_the_copies() -> None:
    mirrored = dataclasses.replace(TARGET, mirrored=True)

    query = queries.success_rate(mirrored, SPAN)

    assert 'version="1.1.0",role="shadow"' in query
    assert 'role=""' not in query


@pytest.mark.parametrize(
    ("numbers", "good", "quick"),
    [
        pytest.param({}, None, None, id="silence"),
        pytest.param({"v-bad": 3, "v-good": 3}, None, None, id="parts of nothing"),
        pytest.param({"v-total": 10}, 10, 0, id="none bad, or none quick"),
        pytest.param({"v-total": 10, "v-bad": 3, "v-good": 4}, 7, 4, id="some"),
        pytest.param({"v-total": 10, "v-bad": 12, "v-good": 12}, 0, 10, id="more than there are"),
    ],
)
def test_counts_are_read_as_they_were_asked(
    numbers: Mapping[str, float], good: float | None, quick: float | None
) -> None:
    scenes = {"v": (TARGET, SPAN)}
    answers = (
        queries.success_counts(scenes).read(numbers, "v"),
        queries.latency_counts(scenes, 50).read(numbers, "v"),
    )

    assert [answer and answer.good for answer in answers] == [good, quick]


def test_the_names_in_a_query_are_filled_in() -> None:
    query = queries.fill(
        'x{n="{{namespace}}",m="{{model}}",v=~"{{version}}|{{stable}}"}[{{window}}]',
        TARGET,
        stable="1.0.0",
        length=timedelta(minutes=2),
    )

    assert query == 'x{n="energy",m="nsw-price",v=~"1.1.0|1.0.0"}[120s]'


@pytest.mark.parametrize(
    ("quantile", "bound"), [(0.2, 5), (5, 5), (5.1, 10), (99, 100), (70000, 60000)]
)
def test_a_bound_is_one_of_the_histograms(quantile: float, bound: float) -> None:
    assert queries.next_bucket(quantile) == bound
