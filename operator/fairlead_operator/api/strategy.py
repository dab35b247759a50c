"""The parts a strategy is made of: steps, what each strategy adds, and the guards.

One type per strategy holds the fields that only it understands; ``api.policy``
refuses each of them under any other strategy.
"""

from typing import Annotated, Final, Literal

from pydantic import Field

from fairlead_contract.histogram import MILLISECONDS
from fairlead_contract.http import OWN_PREFIX
from fairlead_operator.api.base import (
    NAMED_ONCE,
    Duration,
    Rule,
    Spec,
    above,
    at_most,
    between,
    formed,
    parse_duration,
    placeholders,
)
from fairlead_operator.api.builtins import FOR_COPIES, cel_is_other, spoken_names
from fairlead_operator.api.checks import Check


class Step(Spec):
    """One step of a rollout: a share of the traffic, and how long the candidate must stay
    healthy with it.
    """

    weight: Annotated[
        int,
        Field(
            ge=1,
            le=100,
            description="Percent of the traffic that the candidate gets, from 1 to 100.",
        ),
    ]
    hold: Annotated[
        Duration,
        at_most("168h"),
        Field(
            default=parse_duration("1m"),
            description="How long the candidate must stay healthy before the next step, for "
            "example 90s or 5m. Defaults to 1m.",
        ),
    ]
    pause: Annotated[
        bool,
        Field(
            default=False,
            description="When true, wait for a person's approval after the hold. Defaults to "
            "false.",
        ),
    ]
    checks: Annotated[
        tuple[Check, ...],
        NAMED_ONCE,
        Rule(
            f"self.all(c, {cel_is_other('c', FOR_COPIES)})",
            f"must not contain {spoken_names(FOR_COPIES)}, which needs copies of live requests, "
            "and a step has none; move it to analysis.checks of strategy shadow or blueGreen",
        ),
        Field(
            default=(),
            max_length=5,
            description="Checks of this step only, in addition to those of the analysis.",
        ),
    ]


class BlueGreen(Spec):
    """A preview beside the live version, then a switch of all traffic at once."""

    mirror: Annotated[
        int,
        Field(
            default=100,
            ge=0,
            le=100,
            description="Percent of the live requests that are copied to the preview; 0 if you "
            "send requests to the preview address yourself. Defaults to 100.",
        ),
    ]
    hold: Annotated[
        Duration,
        at_most("168h"),
        Field(
            default=parse_duration("5m"),
            description="How long the preview must stay healthy before the switch, for example "
            "90s or 10m. Defaults to 5m.",
        ),
    ]
    pause: Annotated[
        bool,
        Field(
            default=False,
            description="When true, wait for a person's approval before the switch. Defaults to "
            "false.",
        ),
    ]


class Shadow(Spec):
    """Copies of live requests before any traffic. The answers to the copies are discarded."""

    mirror: Annotated[
        int,
        Field(
            default=100,
            ge=1,
            le=100,
            description="Percent of the live requests that are copied to the candidate. Defaults "
            "to 100.",
        ),
    ]
    hold: Annotated[
        Duration,
        at_most("168h"),
        Field(
            default=parse_duration("10m"),
            description="How long the candidate must answer the copies well before it gets "
            "traffic, for example 90s or 30m. Defaults to 10m.",
        ),
    ]
    pause: Annotated[
        bool,
        Field(
            default=False,
            description="When true, wait for a person's approval before the candidate gets "
            "traffic. Defaults to false.",
        ),
    ]


class Sticky(Spec):
    """How a user keeps the same version from one request to the next."""

    rules = (
        Rule(
            "(self.by == 'header') == has(self.header)",
            "by: header needs the name of the header that identifies a user, for example header: "
            "x-user-id; by: cookie takes no header",
            ".header",
        ),
        Rule(
            "self.by == 'cookie' || !has(self.maxAge)",
            "maxAge is the lifetime of the cookie; remove it, or choose by: cookie",
            ".maxAge",
        ),
    )

    by: Annotated[
        Literal["cookie", "header"],
        Field(
            default="cookie",
            description="cookie: the gateway sets a cookie. header: the hash of a request header "
            "decides. Defaults to cookie.",
        ),
    ]
    header: Annotated[
        str | None,
        Rule(
            f"!self.startsWith('{OWN_PREFIX}')",
            f"must not begin with {OWN_PREFIX}, which Fairlead uses itself; name a header that "
            "identifies a user, for example x-user-id",
        ),
        Field(
            default=None,
            pattern=r"^[a-z0-9][-a-z0-9]*$",
            max_length=64,
            json_schema_extra=formed(
                "must be the name of a request header in lower case, for example x-user-id"
            ),
            description="Request header that identifies a user, in lower case, for example "
            "x-user-id. Required by `by: header`.",
        ),
    ]
    max_age: Annotated[
        Duration | None,
        between("1m", "8760h"),
        Field(
            default=None, description="Lifetime of the cookie, for example 12h. Defaults to 24h."
        ),
    ]


# A goal is counted of each version by itself, so that there is no {{stable}} to compare it with.
_PLACED: Final = placeholders("namespace", "model", "version", "window")


class Goal(Spec):
    """What a trial compares: the share of good outcomes of each version."""

    rules = (
        Rule(
            "has(self.metric) != has(self.query)",
            "a goal needs exactly one of metric and query, for example metric: success-rate",
        ),
        Rule(
            "has(self.query) == has(self.total)",
            "query counts good events and total counts all of them; set both, or neither",
            ".total",
        ),
        Rule(
            "(has(self.metric) && self.metric == 'latency') == has(self.latencyMilliseconds)",
            "metric: latency needs latencyMilliseconds, for example 250, and no other metric "
            "takes it: the goal is the share of answers faster than that",
            ".latencyMilliseconds",
        ),
        Rule(
            "!has(self.query) || !has(self.total) || "
            "(self.query.contains('{{version}}') && self.total.contains('{{version}}'))",
            "query and total are evaluated once for each version: write {{version}} into both",
            ".query",
        ),
    )

    metric: Annotated[
        Literal["success-rate", "latency", "live-accuracy", "reward"] | None,
        Field(
            default=None,
            description="success-rate: answers with a status below 500. latency: answers faster "
            "than latencyMilliseconds. live-accuracy: predictions that match their label. reward: "
            "rewards from POST /feedback, from 0 to 1. Instead of `query`.",
        ),
    ]
    latency_milliseconds: Annotated[
        int | None,
        Rule(
            f"self in {list(MILLISECONDS)}",
            "must be a bound of the gateway's histogram: "
            f"{', '.join(map(str, MILLISECONDS[:-1]))} or {MILLISECONDS[-1]}",
        ),
        Field(
            default=None,
            ge=1,
            le=600_000,
            description="Answers faster than this many milliseconds are good, for example 250. "
            "Required by `metric: latency`.",
        ),
    ]
    query: Annotated[
        str | None,
        _PLACED[0],
        _PLACED[1],
        Field(
            default=None,
            min_length=1,
            max_length=4096,
            description="PromQL that counts the good events of a version since the trial began, "
            "for example "
            '`sum(increase(orders_total{version="{{version}}",paid="yes"}[{{window}}]))`. '
            "{{namespace}}, {{model}}, {{version}} and {{window}}, the time since then, are "
            "replaced; a range of its own would forget what is older.",
        ),
    ]
    total: Annotated[
        str | None,
        _PLACED[0],
        _PLACED[1],
        Field(
            default=None,
            min_length=1,
            max_length=4096,
            description="PromQL that counts all events of a version, in the same way.",
        ),
    ]


# Fields of both trials.
MinSamples = Annotated[
    int,
    Field(
        default=100,
        ge=1,
        le=100_000_000,
        description="Fewest outcomes of each version before anything is decided. Defaults to 100.",
    ),
]
MaxDuration = Annotated[
    Duration,
    between("1m", "8760h"),
    Field(
        default=parse_duration("168h"),
        description="Longest duration of the trial, for example 24h. Defaults to 168h, a week.",
    ),
]
OnUndecided = Annotated[
    Literal["pause", "rollBack"],
    Field(
        default="pause",
        description="What happens when there is no decision after maxDuration. pause: wait "
        "for a person. rollBack: go back to the stable version. Defaults to pause.",
    ),
]


class AbTest(Spec):
    """A fixed split of the users, decided by a sequential test on a goal."""

    goal: Annotated[
        Goal,
        Field(
            description="Outcome by which the versions are compared, for example {metric: "
            "live-accuracy}."
        ),
    ]
    weight: Annotated[
        int | None,
        Field(
            default=None,
            ge=1,
            le=99,
            description="Percent of the traffic that each candidate gets, for example 20. When "
            "unset, all versions get equal shares.",
        ),
    ]
    sticky: Annotated[
        Sticky,
        Field(default=Sticky(), description="How a user keeps the same version during the test."),
    ]
    alpha: Annotated[
        float,
        above(0.0),
        Field(
            default=0.05,
            ge=0.0001,
            le=0.5,
            description="Highest probability of declaring a candidate better that is not. "
            "Defaults to 0.05.",
        ),
    ]
    beta: Annotated[
        float,
        above(0.0),
        Field(
            default=0.2,
            ge=0.0001,
            le=0.5,
            description="Highest probability of giving up a candidate that is better by "
            "minEffect. Defaults to 0.2.",
        ),
    ]
    min_effect: Annotated[
        float,
        above(0.0),
        Field(
            default=0.02,
            ge=0.0001,
            le=1,
            description="Smallest gain worth finding, in the share of good outcomes: 0.02 is a "
            "gain from 90 % to 92 %. Defaults to 0.02.",
        ),
    ]
    min_samples: MinSamples
    max_duration: MaxDuration
    on_undecided: OnUndecided


class Bandit(Spec):
    """Shares of the traffic that follow the reward until one version is the best."""

    goal: Annotated[
        Goal, Field(description="Outcome that counts as reward, for example {metric: reward}.")
    ]
    floor: Annotated[
        int,
        Field(
            default=5,
            ge=1,
            le=20,
            description="Smallest share of each version in the trial, in percent. Defaults to 5.",
        ),
    ]
    max_change_per_minute: Annotated[
        int,
        Field(
            default=10,
            ge=1,
            le=100,
            description="Most percentage points that a share may move in a minute. Defaults to 10.",
        ),
    ]
    sticky: Annotated[
        Sticky | None,
        Field(
            default=None,
            description="How a user keeps the same version during the trial. When unset, every "
            "request is assigned anew.",
        ),
    ]
    stop_probability: Annotated[
        float,
        above(0.4),
        Field(
            default=0.95,
            ge=0.5,
            le=0.9999,
            description="The trial ends when one version is the best with this probability. "
            "Defaults to 0.95.",
        ),
    ]
    min_samples: MinSamples
    max_duration: MaxDuration
    on_undecided: OnUndecided


class FastGuard(Spec):
    """Limits at which the gateway takes the traffic off a candidate by itself."""

    rules = (
        Rule(
            "has(self.slowMilliseconds) == has(self.maxSlowRatio)",
            "slowMilliseconds and maxSlowRatio belong together; set both, for example 500 and "
            "0.5, or neither",
            ".maxSlowRatio",
        ),
    )

    enabled: Annotated[
        bool,
        Field(
            default=True,
            description="When false, the gateway does not act by itself; the analysis and alerts "
            "still do. Defaults to true.",
        ),
    ]
    min_requests: Annotated[
        int,
        Field(
            default=10,
            ge=1,
            le=1_000_000,
            description="Fewest answers in the window before the guard may act. Defaults to 10.",
        ),
    ]
    max_failure_ratio: Annotated[
        float,
        Field(
            default=0.5,
            ge=0,
            le=0.99,
            description="Largest tolerated share of 5xx answers in the window, from 0 to 0.99. "
            "Defaults to 0.5.",
        ),
    ]
    max_refusal_ratio: Annotated[
        float,
        Field(
            default=0.5,
            ge=0,
            le=1,
            description="How much larger the share of 4xx answers in the window may be than the "
            "stable version's, from 0 to 1; 1 turns this limit off. 401, 403, 407, 408, 425, 429 "
            "and 499 do not count. Defaults to 0.5.",
        ),
    ]
    window: Annotated[
        Duration,
        between("1s", "60s"),
        Field(
            default=parse_duration("2s"),
            description="How far back the guard counts, from 1s to 60s. Defaults to 2s.",
        ),
    ]
    slow_milliseconds: Annotated[
        int | None,
        Field(
            default=None,
            ge=1,
            le=60_000,
            description="Answers slower than this many milliseconds count as slow. When unset, "
            "latency is not guarded.",
        ),
    ]
    max_slow_ratio: Annotated[
        float | None,
        Field(
            default=None,
            ge=0,
            le=0.99,
            description="Largest tolerated share of slow answers in the window, from 0 to 0.99. "
            "Required with slowMilliseconds.",
        ),
    ]


class Guard(Spec):
    """The time after 100 % in which going back only takes a change of weights."""

    duration: Annotated[
        Duration,
        at_most("168h"),
        Field(
            default=parse_duration("5m"),
            description="How long the analysis and alerts go on after 100 %, for example 90s or "
            "1h. Defaults to 5m.",
        ),
    ]
