"""PromQL that counts what versions answered, failed and refused.  Pure text.

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
"""

import dataclasses
from datetime import timedelta
from typing import Final

from fairlead_contract import series
from fairlead_contract.http import EXCUSED_STATUSES

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
class Outcomes:
    """Questions for a count of every version; in their answers ``COUNT`` names it as ``path``."""

    total: str
    failed: str
    refused: str

    @staticmethod
    def path(namespace: str, model: str, version: str) -> str:
        return f"{namespace}/{model}/{version}"


def requests(target: Target, span: Span) -> str:
    """Count the requests that the version answered in the span, or was to answer and did not."""
    count = f"{_sum(target)}({gained(target.series.finished, match_series(target), span)})"
    return _reached(count, target, span)


def outcomes(series: Series, span: Span) -> Outcomes:
    """Ask how many requests every version had, and how many of them it failed and refused."""
    every = Target.every(series)
    return Outcomes(
        total=_named(requests(every, span)),
        failed=_named(failed(every, span)),
        refused=_named(refused(every, span)),
    )


def failed(target: Target, span: Span) -> str:
    """Count the failed answers: no sample where nothing ever failed."""
    return _reached(_answered(target.series.failed, target, span), target, span)


def refused(target: Target, span: Span) -> str:
    """Count the requests that were refused: no sample where none ever was."""
    return _answered(target.series.refused, target, span)


def match_series(target: Target) -> str:
    """Write the matchers of a version's series, copies of live requests apart from the rest."""
    if not target.series.has_roles:
        return match_version(target)
    role = series.SHADOW if target.mirrored else ""
    return f'{match_version(target)},{series.ROLE}="{role}"'


def match_version(target: Target) -> str:
    """Write the matchers of all that is counted of a version."""
    if not target.namespace:
        return f'{series.NAMESPACE}!=""'
    return series.match_version(
        namespace=target.namespace, model=target.model, version=target.version
    )


def gained(metric: str, labels: str, span: Span) -> str:
    """Write what each series gained in the span, its very first count included."""
    selector, ago = f"{metric}{{{labels}}}", _offset(span.ago)
    now, before = selector + ago, _offset(span.ago + span.length)
    # A counter that began anew may have grown beyond what it was: its resets tell.  Between two
    # scrapes there is none to see.
    resets = f"resets({selector}[{seconds(span.length + _SCRAPE)}]{ago}) > 0"
    grown = f"({now} - {selector}{before}) >= 0 unless {resets}"
    return f"({grown} or {now} and on () count(up{before}))"


def seconds(span: timedelta) -> str:
    """Write a time as PromQL has it: at least a second, and whole ones."""
    return f"{max(1, int(span.total_seconds()))}s"


def _answered(outcome: str, target: Target, span: Span) -> str:
    labels = f"{match_series(target)},{outcome}"
    return f"{_sum(target)}({gained(target.series.answered, labels, span)})"


def _reached(count: str, target: Target, span: Span) -> str:
    """Take off the answers that the gateway gave because it reached no pod."""
    if not target.series.unavailable:
        return count
    unavailable, total = _answered(target.series.unavailable, target, span), _sum(target)
    # Of several numbers without labels `or` would keep the first.
    attempts = " or ".join(
        f"label_replace({total}({gained(name, match_series(target), span)}), "
        f'"{COUNT}", "{name}", "", "")'
        for name in (*_UNREACHED, *((_DROPPED,) if target.mirrored else ()))
    )
    none = f"0 * {unavailable}"
    # What the version itself said.
    spoken = f"clamp_min({unavailable} - ({total}({attempts}) or {none}), 0)"
    return f"clamp_min({count} - ({unavailable} - {spoken} or 0 * {count}), 0)"


def _sum(target: Target) -> str:
    """Add up what a version's series count, or what each version's do."""
    return "sum" if target.namespace else f"sum by ({', '.join(_VERSION)})"


def _named(count: str) -> str:
    """Name the counts of every version as ``Outcomes.path`` does."""
    labels = ", ".join(f'"{label}"' for label in _VERSION)
    return f'label_join({count}, "{COUNT}", "/", {labels})'


def _offset(ago: timedelta) -> str:
    return f" offset {seconds(ago)}" if ago > _NONE else ""
