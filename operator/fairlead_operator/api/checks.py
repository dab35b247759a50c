"""What is judged while a candidate has traffic: checks, their bounds, and how often."""

from typing import Annotated, Literal

from pydantic import Field

from fairlead_operator.api.base import Duration, Rule, Spec, parse_duration


class Check(Spec):
    """One question to Prometheus, and the bounds of a good answer."""

    rules = (
        Rule(
            "has(self.builtin) != has(self.query)",
            "a check needs exactly one of builtin and query",
        ),
        Rule(
            "has(self.atLeast) || has(self.atMost)",
            "a check needs atLeast, atMost or both",
        ),
        Rule(
            "!has(self.atLeast) || !has(self.atMost) || self.atLeast <= self.atMost",
            "atLeast must not exceed atMost",
            ".atLeast",
        ),
        Rule(
            "!has(self.builtin) || self.builtin != 'success-rate' || !has(self.atMost)",
            "success-rate takes atLeast; atMost would refuse a good version",
            ".atMost",
        ),
        Rule(
            "!has(self.builtin) || self.builtin != 'success-rate' || !has(self.atLeast) || "
            "(self.atLeast > 0.0 && self.atLeast <= 1.0)",
            "success-rate is a ratio: atLeast must be above 0 and at most 1, for example 0.99",
            ".atLeast",
        ),
        Rule(
            "!has(self.builtin) || !self.builtin.startsWith('latency') || !has(self.atLeast)",
            "latency takes atMost (milliseconds); atLeast would refuse a fast version",
            ".atLeast",
        ),
        Rule(
            "!has(self.query) || !has(self.minSamples)",
            "minSamples has no effect on a query; put the condition into the PromQL",
            ".minSamples",
        ),
        Rule(
            "duration(self.window) >= duration('5s') && duration(self.window) <= duration('24h')",
            "window must be between 5s and 24h",
            ".window",
        ),
    )

    name: Annotated[
        str,
        Field(
            pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
            max_length=63,
            description="Name shown in status.",
        ),
    ]
    builtin: Annotated[
        Literal["success-rate", "latency-p50", "latency-p95", "latency-p99"] | None,
        Field(
            default=None,
            description="success-rate: share of answers below 500, 0 to 1. "
            "latency-pNN: milliseconds. Both as the gateway sees the candidate.",
        ),
    ]
    query: Annotated[
        str | None,
        Field(
            default=None,
            min_length=1,
            max_length=4096,
            description="PromQL that yields one number; {{namespace}}, {{model}}, {{version}}, "
            "{{stable}} and {{window}} are replaced.",
        ),
    ]
    at_least: Annotated[
        float | None, Field(default=None, ge=-1e15, le=1e15, description="Lower bound.")
    ]
    at_most: Annotated[
        float | None, Field(default=None, ge=-1e15, le=1e15, description="Upper bound.")
    ]
    min_samples: Annotated[
        int | None,
        Field(
            default=None,
            ge=1,
            le=1_000_000,
            description="Fewer requests in the window prove nothing; 20 unless set.",
        ),
    ]
    failure_limit: Annotated[
        int,
        Field(
            default=0,
            ge=0,
            le=100,
            description="Failed measurements in a row that are tolerated.",
        ),
    ]
    window: Annotated[
        Duration,
        Field(default=parse_duration("30s"), description="How far back a measurement looks."),
    ]


class Analysis(Spec):
    """What a candidate must prove while it has traffic."""

    rules = (
        Rule(
            "duration(self.interval) >= duration('1s') && "
            "duration(self.interval) <= duration('1h')",
            "interval must be between 1s and 1h",
            ".interval",
        ),
        Rule(
            "self.checks.all(a, self.checks.exists_one(b, b.name == a.name))",
            "check names must be unique",
            ".checks",
        ),
    )

    interval: Annotated[
        Duration, Field(default=parse_duration("10s"), description="Time between measurements.")
    ]
    checks: Annotated[
        tuple[Check, ...],
        Field(
            default=(Check(name="success-rate", builtin="success-rate", at_least=0.99),),
            min_length=1,
            max_length=20,
            description="All must be within bounds.",
        ),
    ]
