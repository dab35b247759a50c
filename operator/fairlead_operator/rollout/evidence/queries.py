"""PromQL for the built-in checks, and a user's query with its names filled in.  Pure text.

``prometheus.counting`` has the counts that they are made of.  A comparison asks for the counts of
both versions in one query, so that all of them are of the same scrape: a page more of one version's
failures would be evidence.
"""

import dataclasses
from collections.abc import Mapping
from datetime import timedelta
from typing import Literal, assert_never

from fairlead_contract import series
from fairlead_contract.histogram import MILLISECONDS
from fairlead_contract.statistics.sequential import Counts
from fairlead_operator.api.builtins import Counted, Quantile
from fairlead_operator.api.promql import fill_names
from fairlead_operator.prometheus import counting
from fairlead_operator.prometheus.counting import COUNT, Series, Span, Target


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


def counts(
    counted: Counted, targets: Mapping[str, tuple[Target, Span]], bound: float | None
) -> Tallying | None:
    """Ask what a built-in check compares; None where quick and slow cannot be told apart."""
    match counted:
        case "success-rate":
            return success_counts(targets)
        case "acceptance-rate":
            return acceptance_counts(targets)
        case Quantile():
            return None if bound is None else latency_counts(targets, bound)
    raise AssertionError(f"its row says that {counted} can be compared, and nothing counts it")


def success_rate(target: Target, span: Span) -> str:
    """Write the share of answers below 500 over the span, from 0 to 1."""
    return _share_without(counting.failed(target, span), target, span)


def acceptance_rate(target: Target, span: Span) -> str:
    """Write the share of answers that refused nothing over the span, from 0 to 1."""
    return _share_without(counting.refused(target, span), target, span)


def latency(quantile: float, target: Target, span: Span) -> str:
    """Write a quantile of the answer time over the span, in milliseconds."""
    buckets = counting.gained(target.series.buckets, counting.match_series(target), span)
    return _quantile(quantile, buckets, target)


def latency_ever(quantile: float, target: Target) -> str:
    """Write the same over the life of the pods that count."""
    buckets = f"{target.series.buckets}{{{counting.match_series(target)}}}"
    return _quantile(quantile, buckets, target)


def saturation(target: Target, span: Span) -> str:
    """Write how many requests are at work in a pod of the version at a time, on average."""
    names = counting.match_version(target)
    return f"avg(rate({series.PREDICTION_SECONDS}_sum{{{names}}}[{counting.seconds(span.length)}]))"


def success_counts(targets: Mapping[str, tuple[Target, Span]]) -> Tallying:
    """Count the answers of each, and those that failed."""
    counts = {
        f"{name}-{part}": count(target, span)
        for name, (target, span) in targets.items()
        for part, count in (("total", counting.requests), ("bad", counting.failed))
    }
    return Tallying(promql=_labelled(counts), part="bad")


def acceptance_counts(targets: Mapping[str, tuple[Target, Span]]) -> Tallying:
    """Count the answers of each, and those that refused what was sent."""
    counts = {
        f"{name}-{part}": count(target, span)
        for name, (target, span) in targets.items()
        for part, count in (("total", counting.requests), ("refused", counting.refused))
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
        window=counting.seconds(length),
    )


def _share_without(bad: str, target: Target, span: Span) -> str:
    finished = counting.requests(target, span)
    return f"clamp_min(1 - ({bad} or 0 * {finished}) / ({finished} > 0), 0)"


def _bucket(target: Target, span: Span, le: str) -> str:
    labels = f'{counting.match_series(target)},le=~"{le}"'
    return counting.gained(target.series.buckets, labels, span)


def _le(milliseconds: float, series: Series) -> str:
    """Write a bound as the series has it: a whole one is 5.0 in Prometheus 3, and was 5 before."""
    text = f"{milliseconds / series.milliseconds:g}".replace(".", r"\\.")
    return rf"{text}(\\.0)?"


def _quantile(quantile: float, buckets: str, target: Target) -> str:
    """Write the quantile in milliseconds, whatever the unit of the buckets."""
    time = f"histogram_quantile({quantile}, sum by (le) ({buckets}))"
    unit = target.series.milliseconds
    return time if unit == 1 else f"{unit} * {time}"


def _labelled(counts: Mapping[str, str]) -> str:
    """Ask for several numbers in one answer, told apart by a label."""
    return " or ".join(
        f'label_replace({query}, "{COUNT}", "{name}", "", "")' for name, query in counts.items()
    )
