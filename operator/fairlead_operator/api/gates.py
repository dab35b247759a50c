"""What a version must pass beside the comparison with the champion: its gates, and what they said.

A gate is a number of the held-out rows with a 95 % interval, and a bound.  It counts what is not
known against the version: the end of the interval decides that is worse for it.
"""

from enum import StrEnum
from typing import Annotated, Final

from pydantic import Field

from fairlead_contract.metric import METRICS
from fairlead_operator.api.base import Column, Message, Rule, Spec, Status, above

MOST_COLUMNS: Final = 4  # of one gate
COLUMN_CHARACTERS: Final = 80  # of their names together: the trainer's result has little room
MOST_METRICS: Final = 4
MOST_RESULTS: Final = 20
MetricName = StrEnum(  # type: ignore[misc]  # the table says which there are
    "MetricName", {name: name for names in METRICS.values() for name in names}
)

_Columns = Annotated[
    tuple[Column, ...],
    Rule(
        f"self.map(c, size(c)).sum() <= {COLUMN_CHARACTERS}",
        f"must not have names of more than {COLUMN_CHARACTERS} characters in all",
    ),
    Field(
        min_length=1,
        max_length=MOST_COLUMNS,
        json_schema_extra={"x-kubernetes-list-type": "set"},
        description="Columns of the data by whose values the rows are parted, for example "
        "[region]; they need not be features. Of numbers with more than 20 values, the parts are "
        "four, of as many rows each.",
    ),
]
_MinRows = Annotated[
    int,
    Field(
        default=100,
        ge=10,
        le=1_000_000,
        description="Fewest held-out rows of a part that is judged. Smaller ones are counted and "
        "not judged; where all are smaller, the gate is not passed. Defaults to 100.",
    ),
]


class SlicesGate(Spec):
    """In no part of the rows may a version be worse than the champion."""

    columns: _Columns
    max_loss: Annotated[
        float,
        above(0.0),
        Field(
            ge=0,
            le=1_000_000,
            description="Largest loss against the champion that is tolerated in a part, in the "
            "unit of the metric, for example 0.02: the lower end of the gain's 95 % interval must "
            "be above its negative, in every part.",
        ),
    ]
    min_rows: _MinRows


class MetricGate(Spec):
    """In one more metric a version must not be worse than the champion."""

    name: Annotated[
        MetricName,
        Field(
            description="Metric of the task beside training.search.metric, for example recall.",
        ),
    ]
    max_loss: Annotated[
        float,
        above(0.0),
        Field(
            ge=0,
            le=1_000_000,
            description="Largest loss against the champion that is tolerated, in the unit of the "
            "metric, for example 0.02: the lower end of the gain's 95 % interval must be above "
            "its negative.",
        ),
    ]


class FairnessGate(Spec):
    """How far groups of rows may be apart in what a version says of them."""

    rules = (
        Rule(
            "has(self.demographicParity) || has(self.equalizedOdds)",
            "set demographicParity, equalizedOdds or both, for example demographicParity: 0.1",
        ),
    )

    columns: _Columns
    demographic_parity: Annotated[
        float | None,
        Field(
            default=None,
            ge=0,
            le=1,
            description="Largest demographic parity difference, for example 0.1: the share of "
            "rows told to be positive, in the group with most less in that with fewest. The upper "
            "end of its 95 % interval must be at most this.",
        ),
    ]
    equalized_odds: Annotated[
        float | None,
        Field(
            default=None,
            ge=0,
            le=1,
            description="Largest equalized odds difference, for example 0.1: the larger of the "
            "differences between groups in the share of positive and of negative rows that are "
            "told to be positive. The upper end of its 95 % interval must be at most this.",
        ),
    ]
    min_rows: _MinRows


class CalibrationGate(Spec):
    """How far the probabilities of a version may be from how often it is right."""

    max_error: Annotated[
        float,
        Field(
            ge=0,
            le=1,
            description="Largest expected calibration error, over ten bins of equal width, for "
            "example 0.05. The upper end of its 95 % interval must be at most this.",
        ),
    ]


class GatesSpec(Spec):
    """What a version must pass beside the comparison with the champion, the first one too."""

    baseline: Annotated[
        bool,
        Field(
            default=False,
            description="When true, a version must be better on the held-out rows than always "
            "giving the same answer: the lower end of the 95 % interval of its gain must be above "
            "0. When false, a version that is no better comes with a warning. Defaults to false.",
        ),
    ]
    slices: Annotated[
        SlicesGate | None,
        Field(
            default=None,
            description="Parts of the rows in which a version must not be worse than the "
            "champion, for example {columns: [region], maxLoss: 0.02}. A first version has no "
            "champion and passes.",
        ),
    ]
    metrics: Annotated[
        tuple[MetricGate, ...],
        Field(
            default=(),
            max_length=MOST_METRICS,
            json_schema_extra={
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"],
            },
            description="Further metrics in which a version must not be worse than the champion, "
            "for example [{name: recall, maxLoss: 0.02}]; that of the search decides what is "
            "better. A first version has no champion and passes.",
        ),
    ]
    fairness: Annotated[
        FairnessGate | None,
        Field(
            default=None,
            description="Groups of rows that a version must treat alike, for example "
            "{columns: [sex], demographicParity: 0.1}. Only for task: binary-classification.",
        ),
    ]
    calibration: Annotated[
        CalibrationGate | None,
        Field(
            default=None,
            description="How well probabilities must tell how often they are right, for example "
            "{maxError: 0.05}. For classification only.",
        ),
    ]


class GateOutcome(StrEnum):
    """What became of one gate; part of the API."""

    PASSED = "Passed"
    FAILED = "Failed"
    NOT_ASKED = "NotAsked"  # of the champion, where there is none


class GateResult(Status):
    """One gate, with its numbers."""

    gate: Annotated[
        str,
        Field(
            max_length=32,
            description="Gate: baseline, slices, metrics, demographicParity, equalizedOdds or "
            "calibration.",
        ),
    ]
    column: Annotated[
        str,
        Field(
            default="", max_length=128, description="Column by which it parts the rows, if it does."
        ),
    ]
    metric: Annotated[
        str, Field(default="", max_length=32, description="Metric that it is about, of metrics.")
    ]
    outcome: Annotated[
        GateOutcome,
        Field(
            description="Passed; Failed, also where a number is missing; or NotAsked, of a first "
            "version about the champion."
        ),
    ]
    value: Annotated[
        float | None,
        Field(default=None, description="Value on the held-out rows; of slices, the worst part's."),
    ]
    low: Annotated[float | None, Field(default=None, description="Lower end of its 95 % interval.")]
    high: Annotated[
        float | None, Field(default=None, description="Upper end of its 95 % interval.")
    ]
    bound: Annotated[
        float | None, Field(default=None, description="What the deciding end is held against.")
    ]
    rows: Annotated[int | None, Field(default=None, description="Held-out rows it is about.")]
    message: Annotated[Message, Field(default="", description="The same in a sentence.")]
