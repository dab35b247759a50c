"""A Prometheus that answers what the operator may ask, and fails the test on anything else.

It knows the operator's questions by their texts, which it writes with the functions that the
operator writes them with: whatever the names and times, the words must be the same.  A user's
query has to be told beforehand.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from itertools import product

from fairlead_contract import series
from fairlead_contract.histogram import MILLISECONDS
from fairlead_operator.api.builtins import BUILTINS, Counted, Quantile, Unit
from fairlead_operator.errors import TransientError
from fairlead_operator.prometheus import counting
from fairlead_operator.prometheus.counting import GATEWAY, SERVERS, Span, Target
from fairlead_operator.rollout.evidence import queries

_HOUR = timedelta(hours=1)
_PART = re.compile(rf'label_replace\((.+?), "{counting.COUNT}", "([^"]+)", "", ""\)(?: or |$)')


_ROWS = [row for row in BUILTINS.values() if not row.is_recorded]
_GOOD = {Unit.SHARE: 1.0, Unit.MILLISECONDS: 20.0, Unit.REQUESTS: 0.5}


class FakePrometheus:
    """Silent until told."""

    def __init__(self) -> None:
        # What a question of a row yields: ``success_rate``, ``latency`` and so on.
        for field in _HEALTHY:
            setattr(self, field, None)
        self.requests: float | None = None
        self.own: dict[str, float | None] = {}  # users' queries, their names filled in
        self.counts: dict[str, float] = {}  # of several versions, for a comparison or a trial
        # Of all versions, as ``outcomes`` names them: how many, failed, refused.
        self.versions: dict[str, tuple[float, float, float]] = {}
        self.down = False
        self.refusal: str | None = None
        self.mistakes: dict[str, str] = {}  # what can never be answered, and why, by part of it
        self.asked: list[str] = []
        self.checked: list[str] = []  # what it was asked whether it can read

    def healthy(self) -> None:
        """Tell it of a version with plenty of good, quick answers."""
        for field, value in _HEALTHY.items():
            setattr(self, field, value)
        self.requests = 500.0

    async def query(self, promql: str) -> float | None:
        self._take(promql)
        if promql in self.own:
            return self.own[promql]
        field = _FIELDS.get(_words(promql))
        if field is None:
            raise AssertionError(f"nobody told what this yields: {promql}")
        value: float | None = getattr(self, field)
        return value

    async def query_by(self, promql: str, label: str) -> dict[str, float]:
        self._take(promql)
        if label != counting.COUNT:
            raise AssertionError(f"nobody told what this yields by {label}: {promql}")
        if (place := _OUTCOMES.get(_words(promql))) is not None:
            return {path: counts[place] for path, counts in self.versions.items()}
        asked = dict(_parts(promql))
        for name, part in asked.items():
            if _COUNTS.get(_words(part)) != name.rpartition("-")[2]:
                raise AssertionError(f"nobody told what this counts as {name}: {part}")
        return {name: self.counts[name] for name in asked if name in self.counts}

    async def find_mistake(self, promql: str) -> str | None:
        self.checked.append(promql)
        if self.down:
            raise TransientError("Prometheus did not answer: connection refused")
        return next((why for part, why in self.mistakes.items() if part in promql), None)

    def _take(self, promql: str) -> None:
        self.asked.append(promql)
        if self.down:
            raise TransientError("Prometheus did not answer: connection refused")
        if self.refusal is not None:
            raise ValueError(self.refusal)


def _words(promql: str) -> str:
    """Return a question without the names, times and bounds in it."""
    names = f"{series.NAMESPACE}|{series.MODEL}|{series.VERSION}"
    promql = re.sub(rf'\b({names})="[^"]+"', r'\1="*"', promql)
    promql = re.sub(r'le=~"\d[^"]*"', 'le=~"*"', promql)
    return re.sub(r"\b\d+s\b", "*s", promql)


def _parts(promql: str) -> Iterator[tuple[str, str]]:
    """Yield each name in a question for several numbers, and what is counted under it."""
    at = 0
    while at < len(promql):
        part = _PART.match(promql, at)
        if part is None:
            raise AssertionError(f"nobody told what this counts: {promql[at:]}")
        yield part[2], part[1]
        at = part.end()


def _scenes() -> Iterator[tuple[Target, Span]]:
    """Yield all of whom and when that make the words of a question differ."""
    names = {"namespace": "n", "model": "m", "version": "v"}
    for counts, mirrored, ago in product((GATEWAY, SERVERS), (False, True), (0, 1)):
        target = Target(**names, series=counts, mirrored=mirrored)
        yield target, Span(length=_HOUR, ago=ago * _HOUR)


def _field(counted: Counted) -> str:
    """Return the field with the answer: all quantiles have one."""
    return "latency" if isinstance(counted, Quantile) else counted.replace("-", "_")


def _fields() -> Mapping[str, str]:
    """Return the field that answers, by the words of the question."""
    fields = {}
    for target, span in _scenes():
        fields[_words(counting.requests(target, span))] = "requests"
        for counted in (row.query for row in _ROWS):
            fields[_words(queries.value(counted, target, span))] = _field(counted)
            if isinstance(counted, Quantile):
                fields[_words(queries.latency_ever(counted.rank, target))] = "latency"
    return fields


def _counts() -> Mapping[str, str]:
    """Return total, good, bad or refused, by the words of what is counted."""
    return {
        _words(part): name.rpartition("-")[2]
        for scene in _scenes()
        for row in _ROWS
        if row.comparison is not None
        for name, part in _parts(queries.counts(row.query, {"v": scene}, MILLISECONDS[0]).promql)
    }


def _outcomes() -> Mapping[str, int]:
    """Return the place in ``FakePrometheus.versions``, by the words of the question."""
    asked = [counting.outcomes(counts, Span(length=_HOUR)) for counts in (GATEWAY, SERVERS)]
    return {
        _words(question): place
        for each in asked
        for place, question in enumerate((each.total, each.failed, each.refused))
    }


_HEALTHY = {_field(row.query): _GOOD[row.unit] for row in _ROWS}
_OUTCOMES = _outcomes()
_FIELDS = _fields()
_COUNTS = _counts()
