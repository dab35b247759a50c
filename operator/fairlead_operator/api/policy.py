"""How traffic moves to a new version.

Written by people in ``Model.spec.rollout``; copied into each ``Rollout``.
"""

from typing import Annotated, Final, Literal

from pydantic import Field

from fairlead_operator.api.base import Duration, Rule, Spec, between, parse_duration
from fairlead_operator.api.checks import Analysis
from fairlead_operator.api.strategy import (
    AbTest,
    Bandit,
    BlueGreen,
    FastGuard,
    Guard,
    Shadow,
    Step,
)

Strategy = Literal["canary", "blueGreen", "shadow", "recreate", "abTest", "bandit"]
DEFAULT_STRATEGY: Final[Strategy] = "canary"

# Strategies that take their weights from ``steps``.
_STEPPED: Final = ("canary", "shadow")


def _only_under(field: str, *strategies: str, instead: str) -> Rule:
    """The rule that refuses a field where it has no effect."""
    allowed = ", ".join(f"'{strategy}'" for strategy in strategies)
    return Rule(
        f"!has(self.{field}) || self.strategy in [{allowed}]",
        f"{field} has no effect under this strategy; remove it, or choose strategy: {instead}",
        f".{field}",
    )


def _goes_with(trial: str, *, goal: str) -> Rule:
    """The rule that the field of a trial is there under the strategy of its name, and only then."""
    return Rule(
        f"has(self.{trial}) == (self.strategy == '{trial}')",
        f"strategy {trial} needs {trial}.goal: {goal}; {trial} has no effect under another "
        "strategy",
        f".{trial}",
    )


class RolloutPolicy(Spec):
    """Strategy, steps, analysis and limits of a rollout."""

    rules = (
        _only_under("steps", *_STEPPED, instead=" or ".join(_STEPPED)),
        _only_under("blueGreen", "blueGreen", instead="blueGreen"),
        _only_under("shadow", "shadow", instead="shadow"),
        _goes_with("abTest", goal="what decides between the versions"),
        _goes_with("bandit", goal="what counts as reward"),
        Rule(
            "!has(self.fastGuard) || self.strategy != 'recreate'",
            "fastGuard has no effect under recreate: no other version runs to take the traffic; "
            "remove it, or choose another strategy",
            ".fastGuard",
        ),
        Rule(
            "!has(self.steps) || !self.?analysis.?checks.hasValue() || "
            "self.steps.all(s, !has(s.checks) || s.checks.all(c, "
            "!self.analysis.checks.exists(a, a.name == c.name)))",
            "a check of a step must not have the name of one of analysis.checks; rename it, or "
            "remove it: those of the analysis go on in every step",
            ".steps",
        ),
        Rule(
            "!self.?analysis.?checks.hasValue() || (self.strategy in ['shadow', 'blueGreen'] && "
            "(!has(self.blueGreen) || self.blueGreen.mirror > 0)) || self.analysis.checks.all(c, "
            "c.?builtin.orValue('') != 'prediction-agreement')",
            "prediction-agreement compares answers of both versions to the same requests: choose "
            "strategy shadow, or blueGreen with a mirror",
            ".analysis.checks",
        ),
        Rule(
            "self.strategy != 'recreate' || !self.?analysis.?checks.hasValue() || "
            "self.analysis.checks.all(c, !has(c.relative) && "
            "c.?builtin.orValue('') != 'prediction-drift')",
            "relative and prediction-drift compare with the stable version, which does not run "
            "beside the candidate under recreate; use atLeast or atMost",
            ".analysis.checks",
        ),
    )

    strategy: Annotated[
        Strategy,
        Field(
            default=DEFAULT_STRATEGY,
            description="canary: weighted steps, each judged before the next. blueGreen: a "
            "preview, then all traffic at once. shadow: copies of live requests first. recreate: "
            "the old version stops before the new one starts, with downtime. abTest: a fixed split "
            "that a sequential test decides. bandit: shares that follow the reward.",
        ),
    ]
    steps: Annotated[
        tuple[Step, ...] | None,
        Rule("self.map(s, s.weight).isSorted()", "must not decrease in weight"),
        Field(
            default=None,
            min_length=1,
            max_length=30,
            description="Weights in order; 100 follows the last by itself. Unset under canary: "
            "5, 10, 20, 40, 80 % with holds in which the analysis can measure each.",
        ),
    ]
    blue_green: Annotated[
        BlueGreen | None, Field(default=None, description="The preview of strategy blueGreen.")
    ]
    shadow: Annotated[
        Shadow | None, Field(default=None, description="The copies of strategy shadow.")
    ]
    ab_test: Annotated[
        AbTest | None, Field(default=None, description="The test of strategy abTest.")
    ]
    bandit: Annotated[
        Bandit | None, Field(default=None, description="The trial of strategy bandit.")
    ]
    analysis: Annotated[
        Analysis, Field(default=Analysis(), description="What the candidate must prove.")
    ]
    fast_guard: Annotated[
        FastGuard | None,
        Field(
            default=None,
            description="Limits at which the gateway goes back by itself within seconds. In force "
            "when unset, with the defaults of its fields; not under recreate, and only in the "
            "built-in gateway.",
        ),
    ]
    guard: Annotated[Guard, Field(default=Guard(), description="After 100 %.")]
    patience: Annotated[
        Duration,
        between("10s", "168h"),
        Field(
            default=parse_duration("10m"),
            description="Longest doubt (no clear verdict) before the rollout pauses.",
        ),
    ]
    start_deadline: Annotated[
        Duration,
        between("10s", "24h"),
        Field(
            default=parse_duration("10m"),
            description="Longest start of the candidate before it is given up.",
        ),
    ]
    approval_deadline: Annotated[
        Duration,
        between("1m", "8760h"),
        Field(
            default=parse_duration("168h"),
            description="Longest wait for a person's approval, or pause by a person, before the "
            "rollout is taken back. A pause in doubt has no end: doubt never goes back.",
        ),
    ]
    on_new_target: Annotated[
        Literal["supersede", "queue", "reject"],
        Field(
            default="supersede",
            description="A new target in mid-rollout: supersede takes the present candidate back "
            "first; queue waits for its end; reject refuses the new target until the spec changes.",
        ),
    ]
