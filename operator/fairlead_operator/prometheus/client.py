"""An instant query to Prometheus: numbers, nothing, or an error that says what is wrong."""

import json
import math
from collections.abc import Mapping
from typing import Any, Final

import aiohttp

from fairlead_operator.bounded_answer import read_bounded
from fairlead_operator.errors import TransientError
from fairlead_operator.text import shorten

_TIMEOUT: Final = aiohttp.ClientTimeout(total=5, connect=2)
# Bytes: of a tenant's query one number is wanted, of our own some hundred bytes for each version.
_LARGEST: Final = 8 * 1024 * 1024
_BRIEF: Final = aiohttp.ClientTimeout(total=2, connect=1)  # what waits for it can do without


class TooLargeError(ValueError):
    """An answer that is longer than the operator has room for."""


class PrometheusClient:
    """``ports.Prometheus`` over HTTP."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self._url = url.rstrip("/") + "/api/v1/query"
        self._session = session

    async def query(self, promql: str) -> float | None:
        return parse_number(await self._ask(promql))

    async def query_by(self, promql: str, label: str) -> dict[str, float]:
        return parse_numbers(await self._ask(promql), label)

    async def find_mistake(self, promql: str) -> str | None:
        # It parses the query first, and at the beginning of time there is nothing to add up.  What
        # formats or parses a query by itself is missing in older ones and in what stands in for it.
        try:
            status, reason, body = await self._send({"query": promql, "time": "0"}, _BRIEF)
            if _is_bad_data(
                status, body
            ):  # what keeps only some time may refuse the moment instead
                status, reason, body = await self._send({"query": promql}, _BRIEF)
        except TooLargeError as error:
            return str(error)
        if _is_bad_data(status, body):
            return _error(body)
        if status != 200:
            raise TransientError(_unusable(status, reason, body))
        return None

    async def _ask(self, promql: str) -> Any:
        """Send the query; return the body of an answer that holds a result."""
        status, reason, body = await self._send({"query": promql}, _TIMEOUT)
        if status in {400, 422}:
            raise ValueError(f"Prometheus refused the query: {_error(body)}")
        if status != 200:
            raise TransientError(_unusable(status, reason, body))
        if body is None:
            raise TransientError("Prometheus did not answer with JSON")
        return body

    async def _send(
        self, form: Mapping[str, str], timeout: aiohttp.ClientTimeout
    ) -> tuple[int, str | None, Any]:
        """Return status, its words, and the body of the answer; None where it is no JSON.

        Raises:
            TooLargeError: of a query whose answer is no number, nor a list that anybody wants.
        """
        try:
            async with self._session.post(self._url, data=form, timeout=timeout) as response:
                content = await read_bounded(response.content.iter_any(), _LARGEST)
                status, reason = response.status, response.reason
        except (TimeoutError, aiohttp.ClientError, OSError, LookupError) as error:
            what = str(error) or type(error).__name__
            raise TransientError(f"Prometheus did not answer: {what}") from error
        if content is None:
            raise TooLargeError(
                f"the query returns more than {_LARGEST} bytes; aggregate them into one number, "
                "for example with sum()"
            )
        return status, reason, _json(content.decode(errors="replace"))


def parse_number(body: Any) -> float | None:
    """Return the only number of an answer.

    Raises:
        ValueError: the answer holds several series, or is no number.
    """
    kind, result = _result(body)
    match kind, result:
        case "scalar", [_, value]:
            number = _number(value)
        case "vector", []:
            return None
        case "vector", [{"value": [_, value]}]:
            number = _number(value)
        case "vector", [_]:
            raise ValueError("the query returns a histogram; it must return one number")
        case "vector", _:
            raise ValueError(
                f"the query returns {len(result)} series; aggregate them into one, "
                "for example with sum()"
            )
        case _:
            raise ValueError(f"the query returns a {kind}; it must return one number")
    return None if math.isnan(number) else number


def parse_numbers(body: Any, label: str) -> dict[str, float]:
    """Return the numbers of an answer by a label that each of them has, NaN left out.

    Raises:
        ValueError: the answer holds something else.
    """
    kind, result = _result(body)
    if kind != "vector":
        raise ValueError(f"the query returns a {kind}; it must return a vector")
    numbers = {}
    for sample in result:
        match sample:
            case {"metric": {**labels}, "value": [_, value]} if label in labels:
                numbers[str(labels[label])] = _number(value)
            case _:
                raise ValueError(
                    f"the query returns a sample without the label {label} or a number"
                )
    return {name: number for name, number in numbers.items() if not math.isnan(number)}


def _result(body: Any) -> tuple[str, Any]:
    match body:
        case {"data": {"resultType": str(kind), "result": list(result)}}:
            return kind, result
    raise ValueError("Prometheus answered without a query result")


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise ValueError(f"Prometheus answered {str(value)[:50]!r} instead of a number") from error


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _is_bad_data(status: int, body: Any) -> bool:
    """Tell whether Prometheus refuses the question, and did not only fail to answer it."""
    return status == 400 and isinstance(body, dict) and body.get("errorType") == "bad_data"


def _unusable(status: int, reason: str | None, body: Any) -> str:
    """Say what came instead of a result: often a proxy's word, and no JSON."""
    return f"Prometheus answered with HTTP {status}: {_error(body) or reason}"


def _error(body: Any) -> str:
    return shorten(str(body.get("error", "")), 300) if isinstance(body, dict) else ""
