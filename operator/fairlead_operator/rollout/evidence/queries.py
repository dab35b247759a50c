"""PromQL for the built-in checks, and a user's query with its names filled in.  Pure text.

The gateway's Envoy counts every answer of every version.  Where another gateway carries the
traffic, the model servers' own counts stand in (``SERVERS``): they have every request that
reached a server, and cannot have one that never did (a refused or broken connection, a
time-out at the proxy).

A code's series does not exist before its first occurrence, and ``increase`` leaves
out what a series held at its first sample: it would miss the first failures of a
version, which are the ones that matter.  So a window's count is taken as last sample minus the
sample before the window, and where there is none, or a restart of the gateway
took the counter back, the last sample itself.  A Prometheus that has only just
started knows nothing from before the window: then there is no sample, since a
lifetime's count is none of a window.  Nor is there one where there was no traffic.

A request that reaches no pod says nothing of the version: its pods are not there yet, or were
evicted.  Envoy answers it with 503 itself and counts each attempt apart, so of the answers with
503 as many are left out.  The same goes for a copy of a live request that it drops, since too many
are under way.

A comparison asks for the counts of both versions in one query, so that all of them
are of the same scrape: a page more of one version's failures would be evidence.
"""

import dataclasses
from collections.abc import Mapping
from datetime import timedelta
from typing import Final, Literal, assert_never

from fairlead_contract import series
from fairlead_contract.histogram import MILLISECONDS
from fairlead_contract.http import EXCUSED_STATUSES
from fairlead_contract.statistics.sequential import Counts
from fairlead_operator.api.builtins import Counted, Quantile
from fairlead_operator.api.promql import fill_names

COUNT: Final = "fairlead_count"  # label that names a count in an answer of several
_VERSION: Final = (series.NAMESPACE, series.MODEL, series.VERSION)  # labels
_NONE: Final = timedelta(0)
# What Envoy counts of attempts that found no pod, or no connection to one, and of dropped copies.
_UNREACHED: Final = (
    "envoy_cluster_upstream_cx_none_healthy",
    "envoy_cluster_upstream_rq_pending_failure_eject",
)
_DROPPED: Final = "envoy_cluster_upstream_rq_pending_overflow"
_SCRAPE: Final = timedelta(seconds=15)  # at most this long before the span is its first sample


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Who counts a version's answers, and under which names."""

    finished: str
    answered: str  # the same by outcome
    failed: str  # the outcomes that are failures, as matchers
    unavailable: str  # the one of them that may stand for a pod that was not reached; or none
    refused: str  # the outcomes that are refusals of what was sent
    buckets: str  # of the answer time
    milliseconds: int  # in one unit of the buckets
    has_roles: bool  # tells copies of live requests apart


GATEWAY: Final = Series(
    finished="envoy_cluster_upstream_rq_completed",
    answered="envoy_cluster_upstream_rq",
    failed='envoy_response_code=~"5.."',
    unavailable='envoy_response_code="503"',
    refused='envoy_response_code=~"4..",'
    f'envoy_response_code!~"{"|".join(map(str, EXCUSED_STATUSES))}"',
    buckets="envoy_cluster_upstream_rq_time_bucket",
    milliseconds=1,
    has_roles=True,
)
SERVERS: Final = Series(
    finished=series.PREDICTIONS,
    answered=series.PREDICTIONS,
    failed=f'{series.OUTCOME}=~"{"|".join(series.FAILURES)}"',
    unavailable="",
    refused=f'{series.OUTCOME}="{series.Outcome.BAD_INPUT}"',
    buckets=f"{series.PREDICTION_SECONDS}_bucket",
    milliseconds=1000,
    has_roles=False,
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Whose answers, and who counts them."""

    namespace: str  # empty: every version of every Model, each by itself
    model: str
    version: str
    mirrored: bool = False  # answers to copies of live requests, which nobody gets
    series: Series = GATEWAY

    @classmethod
    def every(cls, series: Series) -> "Target":
        """Return every version of every Model."""
        return cls(namespace="", model="", version="", series=series)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Which minutes: this long, ended so long ago."""

    length: timedelta
    ago: timedelta = _NONE


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Tallying:
    """One question for the counts of several versions, and how its answer is read."""

    promql: str  # yields numbers told apart by ``COUNT``: NAME-total, and NAME-PART
    part: Literal["good", "bad", "refused"]  # a version that never had one has no such number

    def read(self, numbers: Mapping[str, float], name: str) -> Counts | None:
        """Return what is counted under this name; None where nothing is."""
        total = numbers.get(f"{name}-total")
        if total is None:
            return None
        part = numbers.get(f"{name}-{self.part}", 0.0)
        good = part if self.part == "good" else total - part
        return Counts(good=min(max(good, 0.0), total), total=total)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes:
    """Questions for a count of every version; in their answers ``COUNT`` names it as ``path``."""

    total: str
    failed: str
    refused: str

    @staticmethod
    def path(namespace: str, model: str, version: str) -> str:
        return f"{namespace}/{model}/{version}"


def value(counted: Counted, target: Target, span: Span) -> str:
    """Write what a built-in check asks of Prometheus for its value."""
    match counted:
        case "success-rate":
            return success_rate(target, span)
        case "acceptance-rate":
            return acceptance_rate(target, span)
        case "saturation":
            return saturation(target, span)
        case Quantile(rank=rank):
            return latency(rank, target, span)
    assert_never(counted)


def requests(target: Target, span: Span) -> str:
    """Count the requests that the version answered in the span, or was to answer and did not."""
    count = f"{_sum(target)}({_counted(target.series.finished, _labels(target), span)})"
    return _reached(count, target, span)


def outcomes(series: Series, span: Span) -> Outcomes:
    """Ask how many requests every version had, and how many of them it failed and refused."""
    every = Target.every(series)
    return Outcomes(
        total=_named(requests(every, span)),
        failed=_named(_failed(every, span)),
        refused=_named(_refused(every, span)),
    )


def success_rate(target: Target, span: Span) -> str:
    """Write the share of answers below 500 over the span, from 0 to 1."""
    return _share_without(_failed(target, span), target, span)


def acceptance_rate(target: Target, span: Span) -> str:
    """Write the share of answers that refused nothing over the span, from 0 to 1."""
    return _share_without(_refused(target, span), target, span)


def latency(quantile: float, target: Target, span: Span) -> str:
    """Write a quantile of the answer time over the span, in milliseconds."""
    buckets = _counted(target.series.buckets, _labels(target), span)
    return _quantile(quantile, buckets, target)


def latency_ever(quantile: float, target: Target) -> str:
    """Write the same over the life of the pods that count."""
    return _quantile(quantile, f"{target.series.buckets}{{{_labels(target)}}}", target)


def saturation(target: Target, span: Span) -> str:
    """Write how many requests are at work in a pod of the version at a time, on average."""
    names = _names(target)
    return f"avg(rate({series.PREDICTION_SECONDS}_sum{{{names}}}[{_range(span.length)}]))"


def success_counts(targets: Mapping[str, tuple[Target, Span]]) -> Tallying:
    """Count the answers of each, and those that failed."""
    counts = {
        f"{name}-{part}": count(target, span)
        for name, (target, span) in targets.items()
        for part, count in (("total", requests), ("bad", _failed))
    }
    return Tallying(promql=_labelled(counts), part="bad")


def acceptance_counts(targets: Mapping[str, tuple[Target, Span]]) -> Tallying:
    """Count the answers of each, and those that refused what was sent."""
    counts = {
        f"{name}-{part}": count(target, span)
        for name, (target, span) in targets.items()
        for part, count in (("total", requests), ("refused", _refused))
    }
    return Tallying(promql=_labelled(counts), part="refused")


def latency_counts(targets: Mapping[str, tuple[Target, Span]], bound: float) -> Tallying:
    """Count the answers of each, and those no later than one of ``MILLISECONDS``."""
    counts = {
        f"{name}-{part}": f"sum({_bucket(target, span, le)})"
        for name, (target, span) in targets.items()
        for part, le in (("total", r"\\+Inf"), ("good", _le(bound, target.series)))
    }
    return Tallying(promql=_labelled(counts), part="good")


def next_bucket(milliseconds: float) -> float:
    """Return the first bound of the gateway's histogram that is not below."""
    return next((bound for bound in MILLISECONDS if bound >= milliseconds), MILLISECONDS[-1])


def fill(query: str, target: Target, *, stable: str, length: timedelta) -> str:
    """Write a user's query with the names it asks for."""
    return fill_names(
        query,
        namespace=target.namespace,
        model=target.model,
        version=target.version,
        stable=stable,
        window=_range(length),
    )


def _failed(target: Target, span: Span) -> str:
    """Count the failed answers: no sample where nothing ever failed."""
    return _reached(_answered(target.series.failed, target, span), target, span)


def _answered(outcome: str, target: Target, span: Span) -> str:
    labels = f"{_labels(target)},{outcome}"
    return f"{_sum(target)}({_counted(target.series.answered, labels, span)})"


def _refused(target: Target, span: Span) -> str:
    """Count the requests that were refused: no sample where none ever was."""
    return _answered(target.series.refused, target, span)


def _share_without(bad: str, target: Target, span: Span) -> str:
    finished = requests(target, span)
    return f"clamp_min(1 - ({bad} or 0 * {finished}) / ({finished} > 0), 0)"


def _reached(count: str, target: Target, span: Span) -> str:
    """Take off the answers that the gateway gave because it reached no pod."""
    if not target.series.unavailable:
        return count
    unavailable, total = _answered(target.series.unavailable, target, span), _sum(target)
    # Of several numbers without labels `or` would keep the first.
    attempts = " or ".join(
        f"label_replace({total}({_counted(name, _labels(target), span)}), "
        f'"{COUNT}", "{name}", "", "")'
        for name in (*_UNREACHED, *((_DROPPED,) if target.mirrored else ()))
    )
    none = f"0 * {unavailable}"
    # What the version itself said.
    spoken = f"clamp_min({unavailable} - ({total}({attempts}) or {none}), 0)"
    return f"clamp_min({count} - ({unavailable} - {spoken} or 0 * {count}), 0)"


def _bucket(target: Target, span: Span, le: str) -> str:
    labels = f'{_labels(target)},le=~"{le}"'
    return _counted(target.series.buckets, labels, span)


def _le(milliseconds: float, series: Series) -> str:
    """Write a bound as the series has it: a whole one is 5.0 in Prometheus 3, and was 5 before."""
    text = f"{milliseconds / series.milliseconds:g}".replace(".", r"\\.")
    return rf"{text}(\\.0)?"


def _quantile(quantile: float, buckets: str, target: Target) -> str:
    """Write the quantile in milliseconds, whatever the unit of the buckets."""
    time = f"histogram_quantile({quantile}, sum by (le) ({buckets}))"
    unit = target.series.milliseconds
    return time if unit == 1 else f"{unit} * {time}"


def _labels(target: Target) -> str:
    if not target.series.has_roles:
        return _names(target)
    role = series.SHADOW if target.mirrored else ""
    return f'{_names(target)},{series.ROLE}="{role}"'


def _sum(target: Target) -> str:
    """Add up what a version's series count, or what each version's do."""
    return "sum" if target.namespace else f"sum by ({', '.join(_VERSION)})"


def _named(count: str) -> str:
    """Name the counts of every version as ``Outcomes.path`` does."""
    labels = ", ".join(f'"{label}"' for label in _VERSION)
    return f'label_join({count}, "{COUNT}", "/", {labels})'


def _names(target: Target) -> str:
    if not target.namespace:
        return f'{series.NAMESPACE}!=""'
    return series.match_version(
        namespace=target.namespace, model=target.model, version=target.version
    )


def _counted(metric: str, labels: str, span: Span) -> str:
    """Write what each series gained in the span, its very first count included."""
    selector, ago = f"{metric}{{{labels}}}", _offset(span.ago)
    now, before = selector + ago, _offset(span.ago + span.length)
    # A counter that began anew may have grown beyond what it was: its resets tell.
    resets = f"resets({selector}[{_range(span.length + _SCRAPE)}]{ago}) == 0"
    gained = f"({now} - {selector}{before}) >= 0 and {resets}"
    return f"({gained} or {now} and on () count(up{before}))"


def _labelled(counts: Mapping[str, str]) -> str:
    """Ask for several numbers in one answer, told apart by a label."""
    return " or ".join(
        f'label_replace({query}, "{COUNT}", "{name}", "", "")' for name, query in counts.items()
    )


def _offset(ago: timedelta) -> str:
    return f" offset {_range(ago)}" if ago > _NONE else ""


def _range(span: timedelta) -> str:
    return f"{max(1, int(span.total_seconds()))}s"
