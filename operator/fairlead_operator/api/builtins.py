"""The built-in checks, one row each.

A row says all there is to say of a check but how its question is worded: the PromQL stands in
``rollout.evidence.queries``, what is asked of the record in ``rollout.evidence.measurement``, and
both choose by ``Builtin.query``.  The CRD's enum and rules, the table in ``docs/evidence.md``,
descriptions, messages, samples, comparisons and the tests' Prometheus follow from the rows.
"""

import dataclasses
from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

Loss = Literal["absolute", "squared", "log-loss"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Quantile:
    """A quantile of the answer times."""

    rank: float  # 0 to 1


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MeanLoss:
    """The mean loss of the predictions whose label is there."""

    loss: Loss


Counted = Literal["success-rate", "acceptance-rate", "saturation"] | Quantile  # asked of Prometheus
Recorded = Literal["accuracy", "drift", "agreement"] | MeanLoss  # asked of the record


class Unit(StrEnum):
    """What a value is counted in."""

    SHARE = "share, 0 to 1"
    MILLISECONDS = "milliseconds"
    REQUESTS = "requests"
    LOSS = "loss"
    STABILITY_INDEX = "population stability index"

    @property
    def sign(self) -> str:
        """Return what follows a number in a message; empty for what is written without a unit."""
        return {Unit.MILLISECONDS: " ms", Unit.REQUESTS: " per pod"}.get(self, "")


class Direction(StrEnum):
    """Which bound a good answer keeps."""

    AT_LEAST = "atLeast"
    AT_MOST = "atMost"


class Source(StrEnum):
    """Who is asked."""

    GATEWAY = "the gateway's counts"
    SERVERS = "the model servers' counts"
    PREDICTIONS = "the record of predictions"
    LABELS = "the record, where it has labels"


class Needs(StrEnum):
    """What the stable version must do meanwhile."""

    TRAFFIC = "a stable version with traffic"
    COPIES = "requests that both versions answer"


class Comparison(StrEnum):
    """What ``relative`` compares, and so what its margin is."""

    COUNTS = "counts"  # of good ones among all: the margin is a share
    LOSSES = "losses"  # the margin is in the unit of the loss


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """How many a verdict needs unless the check says so, and of what."""

    least: int
    of: str


REQUESTS: Final = Samples(least=20, of="requests")
LABELS: Final = Samples(least=100, of="labels")
PREDICTIONS: Final = Samples(least=200, of="predictions")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Builtin:
    """One built-in check."""

    name: str
    family: str  # the check and its like, in messages
    meaning: str  # of its value
    unit: Unit
    direction: Direction
    source: Source
    samples: Samples
    query: Counted | Recorded
    comparison: Comparison | None
    relative: str  # what is compared, or why nothing is
    outputs: Literal["classes", "numbers"] | None = None  # of the models it fits; None: of all
    needs: Needs | None = None
    # A comparison that only speaks against a candidate: while nothing does, it holds nothing.
    is_veto: bool = False

    @property
    def is_recorded(self) -> bool:
        """Tell whether the record of predictions is asked, since the step began, not Prometheus."""
        return self.source in {Source.PREDICTIONS, Source.LABELS}

    @property
    def tasks(self) -> str:
        """Name the tasks it fits."""
        names = {"classes": "classification", "numbers": "task: regression", None: "every task"}
        return names[self.outputs]

    def fits(self, task: str) -> bool:
        """Tell whether a model of this task has what is asked."""
        return self.outputs in {None, "numbers" if task == "regression" else "classes"}


def _latency(percent: int) -> Builtin:
    return Builtin(
        name=f"latency-p{percent}",
        family="latency (milliseconds)",
        meaning=f"time within which {percent} % of the answers come",
        unit=Unit.MILLISECONDS,
        direction=Direction.AT_MOST,
        source=Source.GATEWAY,
        samples=REQUESTS,
        query=Quantile(rank=percent / 100),
        comparison=Comparison.COUNTS,
        relative="share of answers no slower than the stable version's quantile",
    )


def _loss(
    name: str, loss: Loss, *, meaning: str, outputs: Literal["classes", "numbers"]
) -> Builtin:
    return Builtin(
        name=name,
        family="losses",
        meaning=meaning,
        unit=Unit.LOSS,
        direction=Direction.AT_MOST,
        source=Source.LABELS,
        samples=LABELS,
        query=MeanLoss(loss=loss),
        comparison=Comparison.LOSSES,
        relative="the loss",
        outputs=outputs,
    )


_ROWS: Final = (
    Builtin(
        name="success-rate",
        family="success-rate",
        meaning="answers with a status below 500",
        unit=Unit.SHARE,
        direction=Direction.AT_LEAST,
        source=Source.GATEWAY,
        samples=REQUESTS,
        query="success-rate",
        comparison=Comparison.COUNTS,
        relative="share of good answers",
    ),
    Builtin(
        name="acceptance-rate",
        family="acceptance-rate",
        meaning="answers that do not refuse what was sent",
        unit=Unit.SHARE,
        direction=Direction.AT_LEAST,
        source=Source.GATEWAY,
        samples=REQUESTS,
        query="acceptance-rate",
        comparison=Comparison.COUNTS,
        relative="share of requests that are not refused; it holds nothing by itself",
        is_veto=True,
    ),
    _latency(50),
    _latency(95),
    _latency(99),
    Builtin(
        name="saturation",
        family="saturation",
        meaning="in progress in a pod, on average",
        unit=Unit.REQUESTS,
        direction=Direction.AT_MOST,
        source=Source.SERVERS,
        samples=REQUESTS,
        query="saturation",
        comparison=None,
        relative="no: it depends on the weight",
    ),
    Builtin(
        name="live-accuracy",
        family="live-accuracy",
        meaning="predictions that match their label",
        unit=Unit.SHARE,
        direction=Direction.AT_LEAST,
        source=Source.LABELS,
        samples=LABELS,
        query="accuracy",
        comparison=Comparison.COUNTS,
        relative="share of right predictions",
        outputs="classes",
    ),
    _loss("live-log-loss", "log-loss", meaning="mean log loss of classes", outputs="classes"),
    _loss("live-mae", "absolute", meaning="mean absolute error of numbers", outputs="numbers"),
    _loss("live-rmse", "squared", meaning="root mean squared error of numbers", outputs="numbers"),
    Builtin(
        name="prediction-drift",
        family="prediction-drift",
        meaning="distance of its predictions from the stable version's",
        unit=Unit.STABILITY_INDEX,
        direction=Direction.AT_MOST,
        source=Source.PREDICTIONS,
        samples=PREDICTIONS,
        query="drift",
        comparison=None,
        relative="no: it compares already",
        needs=Needs.TRAFFIC,
    ),
    Builtin(
        name="prediction-agreement",
        family="prediction-agreement",
        meaning="requests that both versions answer alike",
        unit=Unit.SHARE,
        direction=Direction.AT_LEAST,
        source=Source.PREDICTIONS,
        samples=PREDICTIONS,
        query="agreement",
        comparison=None,
        relative="no: it compares already",
        needs=Needs.COPIES,
    ),
)
BUILTINS: Final = {row.name: row for row in _ROWS}

SHARES: Final = [row for row in _ROWS if row.unit is Unit.SHARE]
RECORDED: Final = [row for row in _ROWS if row.is_recorded]
FOR_CLASSES: Final = [row for row in _ROWS if row.outputs == "classes"]
FOR_NUMBERS: Final = [row for row in _ROWS if row.outputs == "numbers"]
FOR_COPIES: Final = [row for row in _ROWS if row.needs is Needs.COPIES]
FOR_TRAFFIC: Final = [row for row in _ROWS if row.needs is Needs.TRAFFIC]


def find_builtin(name: object) -> Builtin:
    """Return the row of this name, or the row itself.

    Raises:
        ValueError: there is none.
    """
    if isinstance(name, Builtin):
        return name
    row = BUILTINS.get(str(name))
    if row is None:
        raise ValueError(f"there is no built-in check {name!r}; there are {', '.join(BUILTINS)}")
    return row


# A name in a manifest, its row in Python.
BuiltinName = Annotated[
    Builtin,
    PlainValidator(find_builtin),
    PlainSerializer(lambda row: row.name, return_type=str),
    WithJsonSchema({"type": "string", "enum": list(BUILTINS)}),
]


def spoken(words: Iterable[str]) -> str:
    """Join words as people do: ``a, b and c``, each once."""
    *most, last = dict.fromkeys(words)
    return f"{', '.join(most)} and {last}" if most else last


def spoken_names(rows: Iterable[Builtin]) -> str:
    """Join the names of rows as people do."""
    return spoken(row.name for row in rows)


def describe(rows: Iterable[Builtin]) -> str:
    """Say what the value of each row is, those of one unit together."""
    by_unit: dict[Unit, list[str]] = {}
    for row in rows:
        by_unit.setdefault(row.unit, []).append(f"{row.name} ({row.meaning})")
    return " ".join(
        f"{unit[:1].upper()}{unit[1:]}: {', '.join(texts)}." for unit, texts in by_unit.items()
    )


def cel_names(rows: Iterable[Builtin]) -> str:
    """Write the names as a list in CEL."""
    return str([row.name for row in rows])


def cel_is_other(check: str, rows: Iterable[Builtin]) -> str:
    """Write in CEL that this check is none of the rows."""
    names = [row.name for row in rows]
    asked = f"{check}.?builtin.orValue('')"
    return f"{asked} != '{names[0]}'" if len(names) == 1 else f"!({asked} in {names})"
