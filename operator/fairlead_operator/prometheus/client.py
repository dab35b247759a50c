"""One instant query to Prometheus: a number, nothing, or an error that says which."""

import math
from typing import Any, Final

import aiohttp

from fairlead_operator.errors import TransientError

_TIMEOUT: Final = aiohttp.ClientTimeout(total=5, connect=2)


class PrometheusClient:
    """``ports.Prometheus`` over HTTP."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self._url = url.rstrip("/") + "/api/v1/query"
        self._session = session

    async def query(self, promql: str) -> float | None:
        try:
            async with self._session.post(
                self._url, data={"query": promql}, timeout=_TIMEOUT
            ) as response:
                body = await response.json(content_type=None)
                status = response.status
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
            what = str(error) or type(error).__name__
            raise TransientError(f"prometheus: {what}", reason="PrometheusUnreachable") from error
        if status in {400, 422}:
            raise ValueError(f"prometheus refuses the query: {_error(body)}")
        if status != 200:
            raise TransientError(
                f"prometheus: HTTP {status} {_error(body)}", reason="PrometheusUnreachable"
            )
        return parse_number(body)


def parse_number(body: Any) -> float | None:
    """The only number of an answer.

    Raises:
        ValueError: the answer holds several series, or is no number.
    """
    try:
        kind, result = body["data"]["resultType"], body["data"]["result"]
    except (TypeError, KeyError) as error:
        raise ValueError("prometheus answered something else than a result") from error
    if kind == "scalar":
        value = float(result[1])
    elif kind == "vector":
        if len(result) > 1:
            raise ValueError(f"the query yields {len(result)} series; aggregate them to one")
        value = float(result[0]["value"][1]) if result else math.nan
    else:
        raise ValueError(f"the query yields a {kind}; it must yield one number")
    return None if math.isnan(value) else value


def _error(body: Any) -> str:
    return str(body.get("error", ""))[:300] if isinstance(body, dict) else ""
