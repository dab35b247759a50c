"""PromQL for the built-in checks, and a user's query with its names filled in.  Pure text.

The gateway's Envoy counts every answer of every version.  A code's series does
not exist before its first occurrence, and ``increase`` leaves out what a series
held at its first sample: it would miss the first failures of a version, which
are the ones that matter.  So a window's count is taken as last sample minus the
sample before the window, and where there is none, or a restart of the gateway
took the counter back, the last sample itself.  A Prometheus that has only just
started knows nothing from before the window: then there is no sample, since a
lifetime's count is none of a window.  Nor is there one where there was no traffic.
"""

from datetime import timedelta
from typing import Final

from fairlead_operator.api.checks import Check

_QUANTILES: Final = {"latency-p50": 0.5, "latency-p95": 0.95, "latency-p99": 0.99}


def requests(*, namespace: str, model: str, version: str, window: timedelta) -> str:
    """Requests the version finished in the window."""
    return f"sum({_finished(namespace, model, version, window)})"


def success_rate(*, namespace: str, model: str, version: str, window: timedelta) -> str:
    """Share of answers below 500 over the window, from 0 to 1."""
    finished = f"sum({_finished(namespace, model, version, window)})"
    failed = _counted(
        "envoy_cluster_upstream_rq",
        f'{_labels(namespace, model, version)},envoy_response_code=~"5.."',
        window,
    )
    return f"clamp_min(1 - (sum({failed}) or 0 * {finished}) / ({finished} > 0), 0)"


def latency(quantile: float, *, namespace: str, model: str, version: str, window: timedelta) -> str:
    """Quantile of the answer time over the window, in milliseconds."""
    buckets = _counted(
        "envoy_cluster_upstream_rq_time_bucket", _labels(namespace, model, version), window
    )
    return f"histogram_quantile({quantile}, sum by (le) ({buckets}))"


def request_rate(*, namespace: str, model: str, version: str) -> str:
    """Requests a second over the last minute, mirrored ones included: the load of its pods."""
    names = f'model_namespace="{namespace}",model="{model}",version="{version}"'
    return f"sum(rate(envoy_cluster_upstream_rq_completed{{{names}}}[1m]))"


def for_check(check: Check, *, namespace: str, model: str, version: str, stable: str) -> str:
    """The PromQL of one check."""
    names = {"namespace": namespace, "model": model, "version": version}
    if check.query is not None:
        window = _range(check.window)
        return _fill(check.query, **names, stable=stable, window=window)
    if check.builtin in _QUANTILES:
        return latency(_QUANTILES[check.builtin], **names, window=check.window)
    return success_rate(**names, window=check.window)


def _finished(namespace: str, model: str, version: str, window: timedelta) -> str:
    return _counted(
        "envoy_cluster_upstream_rq_completed", _labels(namespace, model, version), window
    )


def _labels(namespace: str, model: str, version: str) -> str:
    return f'model_namespace="{namespace}",model="{model}",version="{version}",role=""'


def _counted(metric: str, labels: str, window: timedelta) -> str:
    """What each series gained in the window, its very first count included."""
    series, span = f"{metric}{{{labels}}}", _range(window)
    known = f"count(up offset {span})"
    return f"(({series} - {series} offset {span}) >= 0 or {series} and on () {known})"


def _fill(query: str, **names: str) -> str:
    for name, value in names.items():
        query = query.replace("{{" + name + "}}", value)
    return query


def _range(window: timedelta) -> str:
    return f"{max(1, int(window.total_seconds()))}s"
