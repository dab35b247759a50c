"""The parts a strategy is made of: steps, what each strategy adds, and the guards.

One type per strategy holds the fields that only it understands; ``api.policy``
refuses each of them under any other strategy.
"""

from typing import Annotated, Literal

from pydantic import Field

from fairlead_operator.api.base import (
    NAMED_ONCE,
    Duration,
    Rule,
    Spec,
    above,
    at_most,
    between,
    parse_duration,
)
from fairlead_operator.api.checks import Check


class Step(Spec):
    """One weight, and how long it must stay healthy."""

    weight: Annotated[
        int, Field(ge=1, le=100, description="Percent of the traffic the candidate takes.")
    ]
    hold: Annotated[
        Duration,
        at_most("168h"),
        Field(
            default=parse_duration("1m"),
            description="How long it must stay healthy before the next step.",
        ),
    ]
    pause: Annotated[
        bool,
        Field(default=False, description="Wait for a person's approval after the hold."),
    ]
    checks: Annotated[
        tuple[Check, ...],
        NAMED_ONCE,
        Rule(
            "self.all(c, c.?builtin.orValue('') != 'prediction-agreement')",
            "must not ask for prediction-agreement: it needs copies of live requests, which no "
            "step with a weight has; put it into analysis.checks of strategy shadow or blueGreen",
        ),
        Field(
            default=(),
            max_length=5,
            description="Checks of this step alone, beside those of the analysis.",
        ),
    ]


class BlueGreen(Spec):
    """A preview beside the live version, then the switch of all traffic at once."""

    mirror: Annotated[
        int,
        Field(
            default=100,
            ge=0,
            le=100,
            description="Percent of the live requests that the preview gets as copies; 0 when "
            "you send requests to the preview address yourself.",
        ),
    ]
    hold: Annotated[
        Duration,
        at_most("168h"),
        Field(
            default=parse_duration("5m"),
            description="How long the preview must stay healthy before the switch.",
        ),
    ]
    pause: Annotated[
        bool,
        Field(default=False, description="Wait for a person's approval before the switch."),
    ]


class Shadow(Spec):
    """Copies of live requests, whose answers nobody gets, before any traffic."""

    mirror: Annotated[
        int,
        Field(
            default=100, ge=1, le=100, description="Percent of the live requests that are copied."
        ),
    ]
    hold: Annotated[
        Duration,
        at_most("168h"),
        Field(
            default=parse_duration("10m"),
            description="How long the copies must be answered well before the first traffic.",
        ),
    ]
    pause: Annotated[
        bool,
        Field(default=False, description="Wait for a person's approval before the first traffic."),
    ]


class Sticky(Spec):
    """How a user keeps the version that was drawn."""

    rules = (
        Rule(
            "(self.by == 'header') == has(self.header)",
            "by: header needs header, the name of the header that identifies a user; "
            "by: cookie takes none",
            ".header",
        ),
        Rule(
            "self.by == 'cookie' || !has(self.maxAge)",
            "maxAge is the cookie's; remove it, or choose by: cookie",
            ".maxAge",
        ),
    )

    by: Annotated[
        Literal["cookie", "header"],
        Field(
            default="cookie",
            description="cookie: the gateway sets one. header: by the hash of a header's value.",
        ),
    ]
    header: Annotated[
        str | None,
        Rule(
            "!self.startsWith('x-fairlead-')",
            "must not begin with x-fairlead-, which is Fairlead's own; name one that identifies a "
            "user",
        ),
        Field(
            default=None,
            pattern=r"^[a-z0-9][-a-z0-9]*$",
            max_length=64,
            description="Request header that identifies a user, in lower case.",
        ),
    ]
    max_age: Annotated[
        Duration | None,
        between("1m", "8760h"),
        Field(default=None, description="Life of the cookie; 24h unless set."),
    ]


class Goal(Spec):
    """What a trial compares: a share of good outcomes."""

    rules = (
        Rule(
            "has(self.metric) != has(self.query)",
            "a goal needs exactly one of metric and query",
        ),
        Rule(
            "has(self.query) == has(self.total)",
            "query counts good events and total all of them; give both or neither",
            ".total",
        ),
        Rule(
            "(has(self.metric) && self.metric == 'latency') == has(self.latencyMilliseconds)",
            "latencyMilliseconds belongs to metric: latency, and latency needs it: "
            "the goal is the share of answers quicker than this",
            ".latencyMilliseconds",
        ),
        Rule(
            "!has(self.query) || !has(self.total) || "
            "(self.query.contains('{{version}}') && self.total.contains('{{version}}'))",
            "query and total are asked once for each version: write {{version}} into both",
            ".query",
        ),
    )

    metric: Annotated[
        Literal["success-rate", "latency", "live-accuracy", "reward"] | None,
        Field(
            default=None,
            description="success-rate: answers below 500. latency: answers quicker than "
            "latencyMilliseconds. live-accuracy: predictions that match their label. reward: what "
            "POST /feedback said, 0 to 1.",
        ),
    ]
    latency_milliseconds: Annotated[
        int | None,
        Rule(
            "self in [5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000]",
            "must be a bound of the gateway's histogram: 5, 10, 25, 50, 100, 250, 500, 1000, 2500, "
            "5000, 10000, 30000 or 60000",
        ),
        Field(default=None, ge=1, le=600_000, description="Bound of a quick answer."),
    ]
    query: Annotated[
        str | None,
        Field(
            default=None,
            min_length=1,
            max_length=4096,
            description="PromQL that counts good events of a version since the trial began; "
            "{{namespace}}, {{model}}, {{version}} and {{window}} are replaced.",
        ),
    ]
    total: Annotated[
        str | None,
        Field(
            default=None,
            min_length=1,
            max_length=4096,
            description="PromQL that counts all events of a version in the same way.",
        ),
    ]


# Fields of both trials.
MinSamples = Annotated[
    int,
    Field(default=100, ge=1, le=100_000_000, description="Fewer per version decide nothing."),
]
MaxDuration = Annotated[
    Duration,
    between("1m", "8760h"),
    Field(default=parse_duration("168h"), description="Longest trial."),
]
OnUndecided = Annotated[
    Literal["pause", "rollBack"],
    Field(
        default="pause",
        description="No decision after maxDuration: pause and ask, or go back.",
    ),
]


class AbTest(Spec):
    """A fixed, sticky split that ends by a sequential test on a goal."""

    goal: Annotated[Goal, Field(description="What decides.")]
    weight: Annotated[
        int | None,
        Field(
            default=None,
            ge=1,
            le=99,
            description="Percent of the traffic each candidate takes; equal shares unless set.",
        ),
    ]
    sticky: Annotated[
        Sticky, Field(default=Sticky(), description="How a user keeps the version that was drawn.")
    ]
    alpha: Annotated[
        float,
        above(0.0),
        Field(
            default=0.05,
            ge=0.0001,
            le=0.5,
            description="Largest probability of declaring a candidate better that is not.",
        ),
    ]
    beta: Annotated[
        float,
        above(0.0),
        Field(
            default=0.2,
            ge=0.0001,
            le=0.5,
            description="Largest probability of giving up a candidate that is better by minEffect.",
        ),
    ]
    min_effect: Annotated[
        float,
        above(0.0),
        Field(
            default=0.02,
            ge=0.0001,
            le=1,
            description="Smallest gain in the goal's share that is worth finding.",
        ),
    ]
    min_samples: MinSamples
    max_duration: MaxDuration
    on_undecided: OnUndecided


class Bandit(Spec):
    """Shares that follow the reward, until one version is best."""

    goal: Annotated[Goal, Field(description="What counts as reward.")]
    floor: Annotated[
        int,
        Field(default=5, ge=1, le=20, description="Smallest percent of each version in the trial."),
    ]
    max_change_per_minute: Annotated[
        int,
        Field(
            default=10, ge=1, le=100, description="Most percent points a share moves in a minute."
        ),
    ]
    sticky: Annotated[
        Sticky | None,
        Field(default=None, description="Set: a user keeps the version that was drawn."),
    ]
    stop_probability: Annotated[
        float,
        above(0.4),
        Field(
            default=0.95,
            ge=0.5,
            le=0.9999,
            description="The trial ends when a version is best with this probability.",
        ),
    ]
    min_samples: MinSamples
    max_duration: MaxDuration
    on_undecided: OnUndecided


class FastGuard(Spec):
    """Limits at which the gateway takes a candidate's traffic away by itself."""

    rules = (
        Rule(
            "has(self.slowMilliseconds) == has(self.maxSlowRatio)",
            "slowMilliseconds and maxSlowRatio belong together; give both or neither",
            ".maxSlowRatio",
        ),
    )

    enabled: Annotated[bool, Field(default=True, description="False: only the analysis goes back.")]
    min_requests: Annotated[
        int,
        Field(
            default=10, ge=1, le=1_000_000, description="Fewer answers in the window prove nothing."
        ),
    ]
    max_failure_ratio: Annotated[
        float,
        Field(
            default=0.5,
            ge=0,
            le=0.99,
            description="Largest share of the answers in the window that may be 5xx, 0 to 1.",
        ),
    ]
    window: Annotated[
        Duration,
        between("1s", "60s"),
        Field(default=parse_duration("2s"), description="How far back it counts."),
    ]
    slow_milliseconds: Annotated[
        int | None,
        Field(default=None, ge=1, le=60_000, description="An answer later than this is slow."),
    ]
    max_slow_ratio: Annotated[
        float | None,
        Field(
            default=None,
            ge=0,
            le=0.99,
            description="Largest share of the answers in the window that may be slow, 0 to 1.",
        ),
    ]


class Guard(Spec):
    """The time after 100 % in which going back is one weight."""

    duration: Annotated[
        Duration,
        at_most("168h"),
        Field(default=parse_duration("5m"), description="How long analysis and alerts go on."),
    ]
