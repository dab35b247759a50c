"""The parts a strategy is made of: steps, and the guard after them."""

from typing import Annotated

from pydantic import Field

from fairlead_operator.api.base import Duration, Rule, Spec, parse_duration


class Step(Spec):
    """One weight, and how long it must stay healthy."""

    rules = (
        Rule(
            "duration(self.hold) <= duration('168h')",
            "hold must be at most 168h",
            ".hold",
        ),
    )

    weight: Annotated[
        int, Field(ge=1, le=100, description="Percent of the traffic the candidate takes.")
    ]
    hold: Annotated[
        Duration,
        Field(
            default=parse_duration("1m"),
            description="How long it must stay healthy before the next step.",
        ),
    ]
    pause: Annotated[
        bool,
        Field(default=False, description="Wait for a person's approval after the hold."),
    ]


class Guard(Spec):
    """The time after 100 % in which going back is one weight."""

    rules = (
        Rule(
            "duration(self.duration) <= duration('168h')",
            "duration must be at most 168h",
            ".duration",
        ),
    )

    duration: Annotated[
        Duration,
        Field(default=parse_duration("5m"), description="How long analysis and alerts go on."),
    ]
