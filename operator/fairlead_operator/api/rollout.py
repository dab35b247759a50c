"""Rollout: one move from the stable version to a candidate, with its verdict."""

from typing import Annotated, Any, Final, Literal

from pydantic import Field

from fairlead_operator.api.base import (
    Message,
    Moment,
    ObjectName,
    Rule,
    SemanticVersion,
    Spec,
    Status,
)
from fairlead_operator.api.common import (
    Alternatives,
    RequestStatus,
    VersionReference,
    alternatives_rules,
)
from fairlead_operator.api.conditions import Conditions
from fairlead_operator.api.gateway import GatewaySpec
from fairlead_operator.api.policy import RolloutPolicy

# What a person creates, and the Model takes up when nothing else is in flight.
BY_HAND: Final = frozenset({"hand", "rollback"})


class RolloutSpec(Spec):
    """Which version, and how.  Immutable: another wish is another Rollout."""

    rules = (
        Rule(
            "self == oldSelf",
            "a Rollout's spec is immutable; create another Rollout, or use the annotations "
            "fairlead.dev/abort, pause, resume, approve and promote",
        ),
        *alternatives_rules("policy", inherits=True),
    )

    model: Annotated[ObjectName, Field(description="The Model in the same namespace.")]
    version: Annotated[SemanticVersion, Field(description="The version to move to.")]
    alternatives: Alternatives
    trigger: Annotated[
        Literal["trained", "pinned", "restored", "hand", "rollback"],
        Field(
            default="hand",
            description="Why: it passed the gate, the Model pins it, a lost Rollout is restored, "
            "created by hand, or created by hand to go back to a version that was in charge. "
            "No freeze window holds what goes back.",
        ),
    ]
    policy: Annotated[
        RolloutPolicy | None,
        Field(default=None, description="How; by default the Model's at the time of each look."),
    ]

    @property
    def versions(self) -> tuple[str, ...]:
        """Every candidate, the first first."""
        return (self.version, *self.alternatives)

    @property
    def goes_back(self) -> bool:
        """Whether it brings what was in charge before, so that no freeze window holds it."""
        return self.trigger in {"restored", "rollback"}


class CheckStatus(Status):
    """The last measurement of one check."""

    name: Annotated[str, Field(max_length=63, description="The check.")]
    version: Annotated[
        str, Field(default="", max_length=32, description="The candidate that was measured.")
    ]
    verdict: Annotated[
        str, Field(max_length=16, description="Successful, Failed, Inconclusive or Error.")
    ]
    value: Annotated[float | None, Field(default=None, description="What was measured.")]
    samples: Annotated[
        float | None,
        Field(default=None, description="Requests, labels or predictions it is made of."),
    ]
    failures: Annotated[int, Field(default=0, description="Failed measurements in a row.")]
    message: Annotated[Message, Field(default="", description="Measured and allowed.")]
    dry_run: Annotated[bool, Field(default=False, description="It is shown, and decides nothing.")]
    bound: Annotated[
        float | None,
        Field(default=None, description="Milliseconds that divide quick from slow in this step."),
    ]
    stable: Annotated[
        float | None, Field(default=None, description="The stable version's value beside it.")
    ]
    low: Annotated[
        float | None,
        Field(default=None, description="Lower end of what candidate - stable may really be."),
    ]
    high: Annotated[float | None, Field(default=None, description="Upper end of the same.")]
    evidence_against: Annotated[
        float | None,
        Field(default=None, description="E-value that it is worse than stable by the margin."),
    ]
    evidence_for: Annotated[
        float | None,
        Field(default=None, description="E-value that it is not worse than stable by the margin."),
    ]


class ArmStatus(Status):
    """One candidate: what identifies it, its traffic, and its standing."""

    version: Annotated[str, Field(max_length=32, description="Semantic version.")]
    registry_version: Annotated[
        str, Field(default="", max_length=32, description="Number in the MLflow registry.")
    ]
    digest: Annotated[
        str, Field(default="", max_length=71, description="SHA-256 over the artifact's files.")
    ]
    weight: Annotated[int, Field(default=0, description="Percent it should have.")]
    prepared: Annotated[
        int, Field(default=0, description="Most percent that its pods were ever counted for.")
    ]
    observed_weight: Annotated[
        int | None,
        Field(default=None, description="Percent every gateway pod reports; unset when unknown."),
    ]
    samples: Annotated[
        float | None, Field(default=None, description="Outcomes counted in the trial.")
    ]
    value: Annotated[
        float | None, Field(default=None, description="Share of good outcomes, 0 to 1.")
    ]
    probability: Annotated[
        float | None, Field(default=None, description="Of being the best, 0 to 1.")
    ]
    reason: Annotated[
        str | None, Field(default=None, max_length=64, description="Why it left the trial.")
    ]
    message: Annotated[Message | None, Field(default=None, description="The same with numbers.")]


class TrialStatus(Status):
    """Where a trial stands: an A/B test's, or a bandit's."""

    message: Annotated[Message, Field(default="", description="The numbers.")]
    leader: Annotated[
        str | None, Field(default=None, max_length=32, description="The best candidate so far.")
    ]
    measured_at: Annotated[Moment | None, Field(default=None, description="When it was counted.")]
    changed_at: Annotated[
        Moment | None, Field(default=None, description="When the shares were last moved.")
    ]
    stable: Annotated[
        ArmStatus | None, Field(default=None, description="The stable version's standing.")
    ]


class RolloutStatus(Status):
    """Where the move stands."""

    phase: Annotated[str | None, Field(default=None, max_length=32, description="Where it stands.")]
    strategy: Annotated[
        str | None, Field(default=None, max_length=16, description="The strategy in force.")
    ]
    step: Annotated[int, Field(default=0, description="Index of the step, from 0.")]
    progress: Annotated[
        str | None,
        Field(default=None, max_length=16, description="The step of how many, such as 2/4; guard."),
    ]
    since: Annotated[
        Moment | None, Field(default=None, description="When this phase and step were entered.")
    ]
    step_since: Annotated[
        Moment | None,
        Field(default=None, description="When this step began; a pause does not renew it."),
    ]
    holds_until: Annotated[
        Moment | None,
        Field(default=None, description="Earliest moment at which it can go on by itself."),
    ]
    doubt_since: Annotated[
        Moment | None, Field(default=None, description="Since when there is no clear verdict.")
    ]
    weight: Annotated[
        int | None, Field(default=None, description="Percent the candidate should have.")
    ]
    observed_weight: Annotated[
        int | None,
        Field(
            default=None,
            description="Percent every gateway pod reports, or every Gateway of the cluster has "
            "accepted; unset when unknown.",
        ),
    ]
    gateway: Annotated[
        GatewaySpec | None,
        Field(default=None, description="What carries the traffic: the Model's at the start."),
    ]
    mirror: Annotated[
        int | None,
        Field(default=None, description="Percent of the live requests copied to the candidate."),
    ]
    arms: Annotated[
        tuple[ArmStatus, ...],
        Field(default=(), max_length=5, description="Each candidate, the Rollout's own first."),
    ]
    trial: Annotated[
        TrialStatus | None, Field(default=None, description="Of an A/B test or a bandit.")
    ]
    capacity: Annotated[
        int | None,
        Field(
            default=None,
            description="Pods that all of the traffic needs; the way back keeps them. With "
            "autoscaling only.",
        ),
    ]
    winner: Annotated[
        str | None, Field(default=None, max_length=32, description="The version that won a trial.")
    ]
    stable: Annotated[
        VersionReference | None,
        Field(default=None, description="The way back; unset for a first version."),
    ]
    candidate: Annotated[
        VersionReference | None,
        Field(default=None, description="The version on trial; of several, the winner or first."),
    ]
    reason: Annotated[str | None, Field(default=None, max_length=64, description="Why the phase.")]
    message: Annotated[Message | None, Field(default=None, description="The same with numbers.")]
    verdict: Annotated[
        str | None, Field(default=None, max_length=16, description="Of the last analysis.")
    ]
    checks: Annotated[
        tuple[CheckStatus, ...],
        Field(default=(), max_length=175, description="The last measurement of each check."),
    ]
    live_since: Annotated[
        Moment | None, Field(default=None, description="When a candidate first took traffic.")
    ]
    peak_weight: Annotated[
        int, Field(default=0, description="Most percent the candidates were given.")
    ]
    recorded: Annotated[
        str | None,
        Field(default=None, max_length=16, description="Last transition kept in the history."),
    ]
    measured_at: Annotated[Moment | None, Field(default=None, description="When it was measured.")]
    started_at: Annotated[Moment | None, Field(default=None, description="When it started.")]
    triggered_at: Annotated[
        Moment | None, Field(default=None, description="When the cause of a rollback was seen.")
    ]
    finished_at: Annotated[Moment | None, Field(default=None, description="When it ended.")]
    requests: Annotated[
        tuple[RequestStatus, ...],
        Field(default=(), max_length=20, description="What people asked, newest last."),
    ]
    reaction_seconds: Annotated[
        float | None,
        Field(default=None, description="From the cause to zero weight in every gateway pod."),
    ]
    conditions: Conditions = ()


COLUMNS: tuple[dict[str, Any], ...] = (
    {"name": "Model", "type": "string", "jsonPath": ".spec.model"},
    {"name": "Phase", "type": "string", "jsonPath": ".status.phase"},
    {"name": "Strategy", "type": "string", "jsonPath": ".status.strategy"},
    {"name": "Step", "type": "string", "jsonPath": ".status.progress"},
    {"name": "Weight", "type": "integer", "jsonPath": ".status.observedWeight"},
    {"name": "Stable", "type": "string", "jsonPath": ".status.stable.version"},
    {"name": "Candidate", "type": "string", "jsonPath": ".spec.version"},
    {"name": "Verdict", "type": "string", "jsonPath": ".status.verdict"},
    {"name": "Reason", "type": "string", "jsonPath": ".status.reason"},
    {"name": "Until", "type": "string", "jsonPath": ".status.holdsUntil", "priority": 1},
    {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
    # The longest last: what stands behind it would be out of sight.
    {"name": "Message", "type": "string", "jsonPath": ".status.message"},
)
