"""How traffic moves to a new version.

Written by people in ``Model.spec.rollout``; copied into each ``Rollout``.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from fairlead_operator.api.base import Duration, Rule, Spec, between, parse_duration
from fairlead_operator.api.builtins import FOR_COPIES, FOR_TRAFFIC, cel_is_other, spoken_names
from fairlead_operator.api.checks import AnalysisSpec
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

# The ends of rules that are held to a template's checks once more, when they are read.
COPIES_NEEDED: Final = (
    "needs both versions to answer the same requests: choose strategy: shadow, or blueGreen with "
    "mirror above 0"
)
STABLE_IS_STOPPED: Final = (
    "the stable version, which is stopped under strategy recreate; use atLeast or atMost"
)
ONCE_IN_STEPS: Final = (
    "analysis.checks; rename it, or remove it: the checks of the analysis apply in every step"
)


def _only_under(field: str, *strategies: str, instead: str) -> Rule:
    """Build the rule that refuses a field where it has no effect."""
    allowed = ", ".join(f"'{strategy}'" for strategy in strategies)
    return Rule(
        f"!has(self.{field}) || self.strategy in [{allowed}]",
        f"{field} has no effect under this strategy; remove it, or choose strategy: {instead}",
        f".{field}",
    )


def _goes_with(trial: str, *, goal: str) -> Rule:
    """Build the rule that a trial's field is there exactly under the strategy of its name."""
    return Rule(
        f"has(self.{trial}) == (self.strategy == '{trial}')",
        f"strategy {trial} needs {trial}.goal, {goal}, for example metric: success-rate; under "
        f"another strategy {trial} has no effect: remove it",
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
            "fastGuard has no effect under strategy recreate, where no other version is running "
            "that could take the traffic; remove it, or choose another strategy",
            ".fastGuard",
        ),
        Rule(
            "!has(self.steps) || !self.?analysis.?checks.hasValue() || "
            "self.steps.all(s, !has(s.checks) || s.checks.all(c, "
            "!self.analysis.checks.exists(a, a.name == c.name)))",
            f"a check of a step must not have the same name as a check in {ONCE_IN_STEPS}",
            ".steps",
        ),
        Rule(
            "!self.?analysis.?checks.hasValue() || (self.strategy in ['shadow', 'blueGreen'] && "
            "(!has(self.blueGreen) || self.blueGreen.mirror > 0)) || self.analysis.checks.all(c, "
            f"{cel_is_other('c', FOR_COPIES)})",
            f"{spoken_names(FOR_COPIES)} {COPIES_NEEDED}",
            ".analysis.checks",
        ),
        Rule(
            "self.strategy != 'recreate' || !self.?analysis.?checks.hasValue() || "
            f"self.analysis.checks.all(c, !has(c.relative) && {cel_is_other('c', FOR_TRAFFIC)})",
            f"relative and {spoken_names(FOR_TRAFFIC)} compare with {STABLE_IS_STOPPED}",
            ".analysis.checks",
        ),
    )

    strategy: Annotated[
        Strategy,
        Field(
            default=DEFAULT_STRATEGY,
            description="canary: more traffic in steps, each judged before the next. blueGreen: "
            "a preview, then all traffic at once. shadow: first copies of live requests, then "
            "steps. recreate: the old version stops before the new one starts, with downtime. "
            "abTest: a fixed split, decided by a sequential test. bandit: shares of traffic that "
            "follow the reward. Defaults to canary.",
        ),
    ]
    steps: Annotated[
        tuple[Step, ...] | None,
        Rule(
            "self.map(s, s.weight).isSorted()",
            "must not decrease in weight: sort the steps by weight, for example 5, 25, 50",
        ),
        Field(
            default=None,
            min_length=1,
            max_length=30,
            description="Steps of strategy canary, or of shadow after its copies, for example "
            "[{weight: 10, hold: 5m}, {weight: 50}]. 100 % follows the last step by itself. When "
            "unset, canary takes 5, 10, 20, 40 and 80 %, each held long enough for the analysis "
            "to measure it.",
        ),
    ]
    blue_green: Annotated[
        BlueGreen | None,
        Field(
            default=None,
            description="Settings of strategy blueGreen; not allowed under another strategy.",
        ),
    ]
    shadow: Annotated[
        Shadow | None,
        Field(
            default=None,
            description="Settings of strategy shadow; not allowed under another strategy.",
        ),
    ]
    ab_test: Annotated[
        AbTest | None,
        Field(
            default=None,
            description="Settings of strategy abTest; required there, not allowed under another "
            "strategy.",
        ),
    ]
    bandit: Annotated[
        Bandit | None,
        Field(
            default=None,
            description="Settings of strategy bandit; required there, not allowed under another "
            "strategy.",
        ),
    ]
    analysis: Annotated[
        AnalysisSpec,
        Field(
            default=AnalysisSpec(),
            description="What the candidate must prove while it has traffic.",
        ),
    ]
    fast_guard: Annotated[
        FastGuard | None,
        Field(
            default=None,
            description="Limits at which the gateway itself takes the traffic off a candidate "
            "within seconds. When unset, it is on with the defaults of its fields. Built-in "
            "gateway only; not under strategy recreate.",
        ),
    ]
    guard: Annotated[
        Guard,
        Field(
            default=Guard(),
            description="The time after 100 % in which the old version is kept ready and the "
            "analysis goes on.",
        ),
    ]
    patience: Annotated[
        Duration,
        between("10s", "168h"),
        Field(
            default=parse_duration("10m"),
            description="How long there may be no clear verdict before the rollout pauses and "
            "asks a person, for example 90s or 15m. Defaults to 10m.",
        ),
    ]
    start_deadline: Annotated[
        Duration,
        between("10s", "24h"),
        Field(
            default=parse_duration("10m"),
            description="How long the candidate may take to become ready before the rollout is "
            "taken back, for example 5m. Defaults to 10m.",
        ),
    ]
    approval_deadline: Annotated[
        Duration,
        between("1m", "8760h"),
        Field(
            default=parse_duration("168h"),
            description="How long a rollout may wait for a person's approval, or stay paused by "
            "a person, before it is taken back, for example 24h. A pause because of an unclear "
            "verdict has no deadline. Defaults to 168h, a week.",
        ),
    ]
    on_new_target: Annotated[
        Literal["supersede", "queue", "reject"],
        Field(
            default="supersede",
            description="What happens when another version is asked for during a rollout. "
            "supersede: the current candidate is taken back, then the new one is rolled out. "
            "queue: the new one waits until this rollout has ended. reject: the new one is "
            "refused until another is asked for. Going back to the version in charge is never held "
            "up. Defaults to supersede.",
        ),
    ]


def in_one_step(policy: Mapping[str, Any]) -> dict[str, Any]:
    """Return the strategy by which a version takes all traffic in one step, as it is written.

    Where only one version may run at a time, that holds on the way back as well.
    """
    if policy.get("strategy") == "recreate":
        return {"strategy": "recreate"}
    return {"strategy": "canary", "steps": [{"weight": 100, "hold": "0s"}]}
