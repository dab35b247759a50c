"""Whether Prometheus can read the PromQL that people wrote, before anything depends on it."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

from fairlead_operator.api.promql import Written
from fairlead_operator.errors import TransientError
from fairlead_operator.ports import Prometheus
from fairlead_operator.text import write_list

_ARGUMENT: Final = "{{arguments."


async def find_mistakes(
    queries: Iterable[Written], fill: Callable[[str], str], prometheus: Prometheus
) -> str | None:
    """Say which queries can never be answered, and why: empty when all can, None: not known.

    Args:
        fill: writes a query with its names; the arguments of a template stand in it already.
    """
    asked = tuple(queries)

    async def find(query: Written) -> str | None:
        if _ARGUMENT in query.text:  # within a label's quotes it would be text like any other
            return "only an AnalysisTemplate has arguments; write the value instead"
        mistake = await prometheus.find_mistake(fill(query.text))
        return mistake and f"Prometheus refuses it: {mistake}"

    try:
        mistakes = await asyncio.gather(*(find(query) for query in asked))
    except TransientError:
        return None
    return write_list(
        f"{query.place}: {mistake}"
        for query, mistake in zip(asked, mistakes, strict=True)
        if mistake
    )
