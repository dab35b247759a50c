"""How traffic moves to a new version.

Written by people in ``Model.spec.rollout``; copied into each ``Rollout``.
"""

from typing import Annotated, Literal

from pydantic import Field

from fairlead_operator.api.base import Duration, Rule, Spec, parse_duration
from fairlead_operator.api.checks import Analysis
from fairlead_operator.api.strategy import Guard, Step


class RolloutPolicy(Spec):
    """Strategy, steps, analysis and limits of a rollout."""

    rules = (
        Rule(
            "self.steps.map(s, s.weight).isSorted()",
            "the weights of steps must not decrease",
            ".steps",
        ),
        Rule(
            "duration(self.patience) >= duration('10s') && "
            "duration(self.patience) <= duration('168h')",
            "patience must be between 10s and 168h",
            ".patience",
        ),
        Rule(
            "duration(self.startDeadline) >= duration('10s') && "
            "duration(self.startDeadline) <= duration('24h')",
            "startDeadline must be between 10s and 24h",
            ".startDeadline",
        ),
    )

    strategy: Annotated[
        Literal["canary"],
        Field(default="canary", description="canary: weighted steps, each judged before the next."),
    ]
    steps: Annotated[
        tuple[Step, ...],
        Field(
            default=(
                Step(weight=5, hold=parse_duration("2m")),
                Step(weight=25, hold=parse_duration("5m")),
                Step(weight=50, hold=parse_duration("5m")),
            ),
            min_length=1,
            max_length=30,
            description="Weights in order; 100 follows the last by itself.",
        ),
    ]
    analysis: Annotated[
        Analysis, Field(default=Analysis(), description="What the candidate must prove.")
    ]
    guard: Annotated[Guard, Field(default=Guard(), description="After 100 %.")]
    patience: Annotated[
        Duration,
        Field(
            default=parse_duration("10m"),
            description="Longest doubt (no clear verdict) before the rollout pauses.",
        ),
    ]
    start_deadline: Annotated[
        Duration,
        Field(
            default=parse_duration("10m"),
            description="Longest start of the candidate before it is given up.",
        ),
    ]
    on_new_target: Annotated[
        Literal["supersede", "queue"],
        Field(
            default="supersede",
            description="A new target in mid-rollout: supersede takes the present candidate back "
            "first; queue waits for its end.",
        ),
    ]
