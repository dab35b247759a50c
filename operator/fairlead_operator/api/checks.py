"""What is judged while a candidate has traffic: checks, their bounds, and how often."""

from datetime import timedelta
from typing import Annotated, Final

from pydantic import Field

from fairlead_operator.api.base import (
    NAME_PATTERN,
    NAMED,
    NAMED_ONCE,
    PLACEHOLDERS,
    Duration,
    ObjectName,
    Rule,
    Spec,
    above,
    between,
    formed,
    parse_duration,
    placeholders,
    to_duration,
)
from fairlead_operator.api.builtins import (
    BUILTINS,
    LABELS,
    PREDICTIONS,
    RECORDED,
    REQUESTS,
    SHARES,
    BuiltinName,
    Comparison,
    Direction,
    cel_names,
    describe,
    spoken,
    spoken_names,
)

DEFAULT_WINDOW: Final = timedelta(seconds=30)
ALL_DRY: Final = "every check is a dry run, so that nothing could ever be promoted; let one decide"

_ROWS: Final = tuple(BUILTINS.values())
_BUILTIN: Final = "self.?builtin.orValue('')"
_ARE_SHARES: Final = spoken_names(SHARES)
_TAKE_AT_MOST: Final = spoken(row.family for row in _ROWS if row.direction is Direction.AT_MOST)
_ALONE: Final = [row for row in _ROWS if row.comparison is None]
_BY_THEMSELVES: Final = spoken_names(row for row in _ALONE if row.needs is not None)
_BY_WEIGHT: Final = spoken_names(row for row in _ALONE if row.needs is None)
_LOSSES: Final = [row for row in _ROWS if row.comparison is Comparison.LOSSES]


_PLACED: Final = placeholders(*PLACEHOLDERS)


class Relative(Spec):
    """A comparison with the stable version over the same minutes."""

    margin: Annotated[
        float,
        above(0.0),
        Field(
            ge=0.0001,
            le=1e9,
            description="How much worse the candidate may be: a share from 0 to 1, or a loss in "
            "its own unit. For latency, how many more answers may be slower than the stable "
            "version's quantile.",
        ),
    ]
    alpha: Annotated[
        float,
        above(0.0),
        Field(
            default=0.05,
            ge=0.0001,
            le=0.5,
            description="How often, at most, a candidate that is not worse by more than margin is "
            "called worse, over all looks and steps of a rollout together. Defaults to 0.05.",
        ),
    ]


class Check(Spec):
    """One question, and the bounds of a good answer."""

    rules = (
        Rule(
            "has(self.builtin) != has(self.query)",
            "a check needs exactly one of builtin and query",
        ),
        Rule(
            "has(self.atLeast) || has(self.atMost) || has(self.relative)",
            "a check needs atLeast, atMost or relative",
        ),
        Rule(
            "!has(self.atMost) || !has(self.atLeast) || self.atLeast <= self.atMost",
            "atLeast must not exceed atMost",
            ".atLeast",
        ),
        Rule(
            f"!has(self.atMost) || !({_BUILTIN} in {cel_names(SHARES)})",
            f"{_ARE_SHARES} take atLeast; atMost would refuse a good version",
            ".atMost",
        ),
        Rule(
            "!has(self.atLeast) || !has(self.builtin) || "
            f"(self.builtin in {cel_names(SHARES)} && self.atLeast > 0.0 && self.atLeast <= 1.0)",
            f"atLeast is for {_ARE_SHARES}, shares above 0 and at most 1, for example 0.99; "
            f"{_TAKE_AT_MOST} take atMost",
            ".atLeast",
        ),
        Rule(
            "!has(self.total) || has(self.query)",
            "total belongs to query, which then counts the good ones among them; a builtin counts "
            "by itself",
            ".total",
        ),
        Rule(
            "!has(self.relative) || !has(self.query) || (has(self.total) && "
            "self.query.contains('{{version}}') && self.total.contains('{{version}}'))",
            "relative needs counts of each version to know how sure it is: let query count good "
            "events and total all of them, and write {{version}} into both",
            ".query",
        ),
        Rule(
            f"!has(self.relative) || !({_BUILTIN} in {cel_names(_ALONE)})",
            f"relative does not go with {_BY_WEIGHT}, which differs with the weight, nor with "
            f"{_BY_THEMSELVES}, which compare with the stable version anyway; use atMost or "
            "atLeast",
            ".relative",
        ),
        Rule(
            "!has(self.relative) || self.relative.margin < 1.0 || "
            f"{_BUILTIN} in {cel_names(_LOSSES)}",
            "margin is a share of answers here: it must be below 1, for example 0.01",
            ".relative.margin",
        ),
        Rule(
            "!has(self.minSamples) || !has(self.query) || has(self.total)",
            "minSamples has no effect on a query without total; add total, or put the condition "
            "into the PromQL",
            ".minSamples",
        ),
        Rule(
            "self.?failureLimit.orValue(0) == 0 || has(self.atLeast) || has(self.atMost)",
            "failureLimit has no effect on relative, which weighs all answers together; remove it",
            ".failureLimit",
        ),
        Rule(
            "!has(self.window) || ((has(self.atLeast) || has(self.atMost)) && "
            f"!({_BUILTIN} in {cel_names(RECORDED)}))",
            "window has no effect here: a comparison (relative) counts since the step began, as do "
            f"{spoken_names(RECORDED)}; remove it",
            ".window",
        ),
    )

    name: Annotated[
        str,
        Field(
            pattern=NAME_PATTERN,
            max_length=63,
            json_schema_extra=NAMED,
            description="Name of the check in status and in messages, for example errors.",
        ),
    ]
    builtin: Annotated[
        BuiltinName | None,
        Field(
            default=None,
            description=f"What is measured of the candidate. {describe(BUILTINS.values())}",
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
            description="PromQL that yields one number; {{namespace}}, {{model}}, {{version}}, "
            "{{stable}} and {{window}} are replaced.",
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
            description="PromQL that counts all events, of which query counts the good ones; the "
            "check's value is their share.",
        ),
    ]
    at_least: Annotated[
        float | None,
        Field(
            default=None,
            ge=-1e15,
            le=1e15,
            description="Smallest value that passes, for example 0.99 for success-rate.",
        ),
    ]
    at_most: Annotated[
        float | None,
        Field(
            default=None,
            ge=-1e15,
            le=1e15,
            description="Largest value that passes, for example 250 for latency-p95.",
        ),
    ]
    relative: Annotated[
        Relative | None,
        Field(
            default=None,
            description="Compare with the stable version over the same minutes, with a test that "
            "may be looked at continuously.",
        ),
    ]
    min_samples: Annotated[
        int | None,
        Field(
            default=None,
            ge=1,
            le=1_000_000,
            description="How many requests, labels or compared predictions a verdict needs; with "
            f"fewer there is none. Defaults to {REQUESTS.least} requests, {LABELS.least} labels or "
            f"{PREDICTIONS.least} predictions.",
        ),
    ]
    failure_limit: Annotated[
        int,
        Field(
            default=0,
            ge=0,
            le=100,
            description="Measurements in a row outside atLeast and atMost that are tolerated. "
            "Defaults to 0.",
        ),
    ]
    window: Annotated[
        Duration | None,
        between("5s", "24h"),
        Field(
            default=None,
            description="How far back a measurement looks, for example 2m; beyond the present step "
            "only saturation and a query without total look back. Defaults to "
            f"{to_duration(DEFAULT_WINDOW)}.",
        ),
    ]
    dry_run: Annotated[
        bool,
        Field(
            default=False,
            description="When true, judge and show, and nothing else: it neither rolls back nor "
            "holds. Defaults to false.",
        ),
    ]

    @property
    def look_back(self) -> timedelta:
        """Return the window in force."""
        return self.window or DEFAULT_WINDOW

    @property
    def is_veto(self) -> bool:
        """Tell whether it can only speak against a candidate, never for it."""
        bounded = self.at_least is not None or self.at_most is not None
        return self.builtin is not None and self.builtin.is_veto and not bounded

    @property
    def is_recorded(self) -> bool:
        """Tell whether it asks the record of predictions and not Prometheus."""
        return self.builtin is not None and self.builtin.is_recorded


# What a candidate must prove where nothing else is asked of it.
DEFAULT_CHECKS: Final = (
    Check.model_validate({"name": "success-rate", "builtin": "success-rate", "atLeast": 0.99}),
)
# What is looked at beside whatever is asked, unless a check of the same builtin says otherwise.
DEFAULT_VETO: Final = Check.model_validate(
    {"name": "acceptance-rate", "builtin": "acceptance-rate", "relative": {"margin": 0.05}}
)


ARGUMENT_PATTERN: Final = r"^[a-zA-Z][a-zA-Z0-9]*$"
ARGUMENT_NAMED: Final = formed(
    "must be a letter and then letters and digits, for example shop or minOrders"
)


class Argument(Spec):
    """A value for a template."""

    name: Annotated[
        str,
        Field(
            pattern=ARGUMENT_PATTERN,
            max_length=63,
            json_schema_extra=ARGUMENT_NAMED,
            description="Name of the argument as the template declares it, for example shop.",
        ),
    ]
    value: Annotated[
        str,
        Field(
            max_length=1024,
            description="Text that replaces {{arguments.NAME}} in the template's queries, for "
            "example berlin.",
        ),
    ]


class TemplateReference(Spec):
    """An AnalysisTemplate in the same namespace."""

    name: Annotated[
        ObjectName,
        Field(description="Name of an AnalysisTemplate in the same namespace, for example orders."),
    ]
    arguments: Annotated[
        tuple[Argument, ...],
        NAMED_ONCE,
        Field(
            default=(),
            max_length=10,
            description="Values for the arguments of the template, for example [{name: shop, "
            "value: berlin}].",
        ),
    ]


class AnalysisSpec(Spec):
    """What a candidate must prove while it has traffic."""

    rules = (
        Rule(
            "has(self.templateRef) || !has(self.checks) || "
            "self.checks.exists(c, !c.?dryRun.orValue(false))",
            ALL_DRY,
            ".checks",
        ),
    )

    interval: Annotated[
        Duration,
        between("1s", "1h"),
        Field(
            default=parse_duration("10s"),
            description="Time between two measurements of the checks, for example 30s. Defaults "
            "to 10s.",
        ),
    ]
    checks: Annotated[
        tuple[Check, ...] | None,
        NAMED_ONCE,
        Field(
            default=None,
            min_length=1,
            max_length=20,
            description="Checks that the candidate must all pass. With neither checks nor "
            "templateRef: a success-rate of at least 0.99. Unless one of them is an "
            "acceptance-rate, one relative to the stable version with a margin of 0.05 is added.",
        ),
    ]
    template_ref: Annotated[
        TemplateReference | None,
        Field(default=None, description="Checks of an AnalysisTemplate, beside those here."),
    ]
