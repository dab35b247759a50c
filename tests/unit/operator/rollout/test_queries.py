"""The built-in PromQL, evaluated by promtool on series as a gateway's Envoy exposes them.

Each sample is 10 s apart, and each question is asked one minute in.
"""

import dataclasses
import json
import subprocess
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from fairlead_operator.api.checks import Check
from fairlead_operator.rollout import queries
from images.prometheus import promtool_path

WINDOW = timedelta(seconds=30)
NAMES = {"namespace": "energy", "model": "nsw-price", "version": "1.1.0"}
Series = Mapping[str, str]
SCRAPED = {'up{job="gateway"}': "1x6"}  # Prometheus has been there all the time


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Series, a query, and the one value it yields; None is no sample."""

    series: Series
    query: str
    value: float | None


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
    return Case(series=merged, query=queries.success_rate(**NAMES, window=WINDOW), value=value)


def requests(*series: Series, value: float | None) -> Case:
    merged = {name: values for part in series for name, values in part.items()}
    return Case(series=merged, query=queries.requests(**NAMES, window=WINDOW), value=value)


def latency(quantile: float, *series: Series, value: float | None) -> Case:
    merged = {name: values for part in series for name, values in part.items()}
    query = queries.latency(quantile, **NAMES, window=WINDOW)
    return Case(series=merged, query=query, value=value)


def run_promtool(case: Case, folder: Path) -> None:
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
]


@pytest.mark.parametrize("case", CASES)
def test_query(case: Case, tmp_path: Path) -> None:
    run_promtool(case, tmp_path)


@pytest.mark.parametrize(
    ("builtin", "part"),
    [
        ("success-rate", "envoy_response_code"),
        ("latency-p50", "histogram_quantile(0.5,"),
        ("latency-p95", "histogram_quantile(0.95,"),
        ("latency-p99", "histogram_quantile(0.99,"),
    ],
)
def test_a_builtin_check_asks_for_its_version_and_window(builtin: str, part: str) -> None:
    check = Check.model_validate({"name": "c", "builtin": builtin, "atMost": 1, "window": "45s"})

    query = queries.for_check(check, **NAMES, stable="1.0.0")

    assert part in query
    assert 'version="1.1.0"' in query
    assert "offset 45s" in query


def test_the_names_in_a_query_are_filled_in() -> None:
    check = Check.model_validate(
        {
            "name": "own",
            "query": 'x{n="{{namespace}}",m="{{model}}",v=~"{{version}}|{{stable}}"}[{{window}}]',
            "atLeast": 1,
            "window": "2m",
        }
    )

    query = queries.for_check(check, **NAMES, stable="1.0.0")

    assert query == 'x{n="energy",m="nsw-price",v=~"1.1.0|1.0.0"}[120s]'
