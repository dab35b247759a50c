"""Whether the versions that serve answer anything but failures.

A rollout judges its candidate; a version at rest, a first one too, has no judge.  All versions are
asked about at once, every minute, into memory: nobody asks Prometheus for a quiet Model.  What is
found changes nothing for traffic; a condition says it.
"""

import asyncio
import dataclasses
import logging
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Final

from fairlead_operator.api.builtins import REQUESTS
from fairlead_operator.api.gateway import GatewayKind
from fairlead_operator.errors import TransientError
from fairlead_operator.ports import Prometheus
from fairlead_operator.prometheus.counting import (
    COUNT,
    GATEWAY,
    SERVERS,
    Outcomes,
    Series,
    Span,
    outcomes,
)

_LOGGER = logging.getLogger(__name__)
_EVERY: Final = 60.0  # seconds
_MINUTES: Final = 10  # that are looked at
_SPAN: Final = Span(length=timedelta(minutes=_MINUTES))
_FEW: Final = 0.05  # share of good answers below which it is no answering
_SERIES: Final[Mapping[GatewayKind, Series]] = {"BuiltIn": GATEWAY, "GatewayAPI": SERVERS}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """The requests of a version, and what became of them."""

    total: float
    failed: float
    refused: float


Version = tuple[GatewayKind, str]  # who counts its answers, and its path
Versions = Mapping[Version, Answered]


def find_problem(version: str, answered: Answered | None) -> str | None:
    """Say that a version only fails; empty when it does not, None when too little is known."""
    if answered is None or answered.total < REQUESTS.least:
        return None
    good = answered.total - answered.failed - answered.refused
    if good >= _FEW * answered.total:
        return ""
    return (
        f"of {answered.total:.0f} requests in {_MINUTES} minutes {version} answered "
        f"{max(0.0, good):.0f} well, failed {answered.failed:.0f} and refused "
        f"{answered.refused:.0f} with a 4xx; see the log of its pods and what callers send, or "
        "move to another version"
    )


class Answers:
    """What was counted last."""

    def __init__(self) -> None:
        self._versions: Versions = {}
        self._failing: set[Version] | None = None  # as told last; None: nothing was

    def take(self, versions: Versions) -> set[tuple[str, str]]:
        """Replace the counts; return namespace and name of the Models of which there is news."""
        self._versions = dict(versions)
        problems = {
            version: find_problem(version[1], answered) for version, answered in versions.items()
        }
        failing = {version for version, problem in problems.items() if problem}
        well = {version for version, problem in problems.items() if problem == ""}
        before = self._failing
        news = failing | well if before is None else (failing - before) | (before & well)
        if problems or before is not None:
            self._failing = ((before or set()) - well) | failing
        return {_model(path) for _, path in news}

    def problem(self, gateway: GatewayKind, namespace: str, model: str, version: str) -> str | None:
        """Say that a version only fails; empty when it does not, None when that is not known."""
        path = Outcomes.path(namespace, model, version)
        return find_problem(version, self._versions.get((gateway, path)))


async def keep_counting(
    answers: Answers, prometheus: Prometheus, tell: Callable[[str, str], None]
) -> None:
    """Count again and again, and tell of which Models there is news; never return.

    While Prometheus is away nothing is known.
    """
    while True:
        try:
            counted = await _count(prometheus)
        except (TransientError, ValueError) as error:
            _LOGGER.debug("answers not counted", extra={"error": str(error)})
            counted = {}
        for namespace, model in sorted(answers.take(counted)):
            tell(namespace, model)
        await asyncio.sleep(_EVERY)


async def _count(prometheus: Prometheus) -> dict[Version, Answered]:
    counted = {}
    for kind, series in _SERIES.items():
        asked = outcomes(series, _SPAN)
        total, failed, refused = [
            await prometheus.query_by(promql, COUNT)
            for promql in (asked.total, asked.failed, asked.refused)
        ]
        for path, count in total.items():
            counted[kind, path] = Answered(
                total=count, failed=failed.get(path, 0.0), refused=refused.get(path, 0.0)
            )
    return counted


def _model(path: str) -> tuple[str, str]:
    namespace, model, _ = path.split("/", 2)
    return namespace, model
