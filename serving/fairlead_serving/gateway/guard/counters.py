"""Envoy's own statistics of some clusters, from its admin interface on loopback."""

import re
from collections.abc import Collection, Iterator, Mapping

import aiohttp

from fairlead_contract.http import EXCUSED_STATUSES
from fairlead_serving.gateway.guard.burst import Counts
from fairlead_serving.gateway.xds.clusters import MOST_REQUESTS

# Attempts that reached no pod.
_UNREACHED = ("upstream_cx_none_healthy", "upstream_rq_pending_failure_eject")
# What is left of the limit of requests that Envoy sends on when their bodies are whole.
_ROOM = "circuit_breakers.high.remaining_rq"
_STATISTICS = (
    rf"(upstream_rq_([45]\d\d|completed|total|time)|membership_total|{re.escape(_ROOM)}"
    rf"|{'|'.join(_UNREACHED)})"
)
_NAMED_AT_MOST = 100  # in one question; more would not fit into its first line
_LINE = re.compile(r"cluster\.(?P<cluster>.+)\|\.(?P<statistic>[a-z][\w.]*): (?P<value>.*)")
_BUCKET = re.compile(r"B(\d+)\(\d+,(\d+)\)")  # in the interval, in all
_ANSWER_SECONDS = 1.0
_CODE = re.compile(r"upstream_rq_([45]\d\d)")
_FIRST_FAILURE = 500


class CountersError(Exception):
    """Envoy did not answer, or not with statistics."""


class AdminCounters:
    """Reads over one kept connection."""

    def __init__(self, http: aiohttp.ClientSession, admin: str) -> None:
        self._http = http
        self._url = f"{admin}/stats"

    async def read(self, clusters: Collection[str]) -> dict[str, Counts]:
        """Read counts by cluster name, without clusters that Envoy does not have.

        Raises:
            CountersError: nothing can be said now.
        """
        timeout = aiohttp.ClientTimeout(total=_ANSWER_SECONDS)
        try:
            async with self._http.get(
                self._url, params=build_query(clusters), timeout=timeout
            ) as response:
                response.raise_for_status()
                text = await response.text()
        except (aiohttp.ClientError, TimeoutError, UnicodeDecodeError) as error:
            raise CountersError(f"no statistics from Envoy: {error!r}") from error
        counts = parse(text)
        return {name: counts[name] for name in clusters if name in counts}


def build_query(clusters: Collection[str]) -> dict[str, str]:
    """Build the query, which asks for few clusters by name and for many by their form."""
    names = "|".join(re.escape(name) for name in sorted(clusters))
    if len(clusters) > _NAMED_AT_MOST:
        names = r"[^|.]+\|[^|.]+\|[^|]+"
    return {
        "filter": rf"^cluster\.({names})\|\.{_STATISTICS}$",
        "histogram_buckets": "cumulative",
    }


def parse(text: str) -> dict[str, Counts]:
    """Read counts by cluster name.  A cluster that Envoy has not counted for yet has zeros.

    Raises:
        CountersError: a value is not a number.
    """
    statistics: dict[str, dict[str, str]] = {}
    for cluster, statistic, value in _lines(text):
        statistics.setdefault(cluster, {})[statistic] = value
    return {
        cluster: _counts(values)
        for cluster, values in statistics.items()
        if "membership_total" in values  # or it may be half an answer
    }


def _lines(text: str) -> Iterator[tuple[str, str, str]]:
    for line in text.splitlines():
        if (match := _LINE.fullmatch(line)) is not None:
            yield match["cluster"], match["statistic"], match["value"]


def _counts(values: Mapping[str, str]) -> Counts:
    buckets = _BUCKET.findall(values.get("upstream_rq_time", ""))
    codes = [
        (int(code[1]), value)
        for name, value in values.items()
        if (code := _CODE.fullmatch(name)) is not None
    ]
    try:
        return Counts(
            finished=int(values.get("upstream_rq_completed", 0)),
            failed=sum(int(value) for code, value in codes if code >= _FIRST_FAILURE),
            refused=sum(int(value) for code, value in codes if _is_refusal(code)),
            unavailable=int(values.get("upstream_rq_503", 0)),
            unreached=sum(int(values.get(name, 0)) for name in _UNREACHED),
            begun=int(values.get("upstream_rq_total", 0)),
            asked=MOST_REQUESTS - int(values.get(_ROOM, MOST_REQUESTS)),
            within={int(bound): int(count) for bound, count in buckets},
        )
    except ValueError as error:
        raise CountersError(f"a statistic is not a number: {error}") from error


def _is_refusal(code: int) -> bool:
    """Tell whether a code of an answer says that the request is not one to be had."""
    return code < _FIRST_FAILURE and code not in EXCUSED_STATUSES
