"""A Rollout moves a Model's traffic from the version in charge to a candidate, step by step,
and records the verdict.

A Model creates its own Rollouts. One that you create is started when no other Rollout of the
Model is in flight. Annotations fairlead.dev/approve, pause, resume, promote and abort control
it.
"""

from typing import Annotated, Any

from pydantic import Field

from fairlead_operator.api.base import (
    Digest,
    Message,
    Moment,
    ObjectName,
    Rule,
    SemanticVersion,
    Spec,
    Status,
)
from fairlead_operator.api.common import (
    AlternativeDigests,
    Alternatives,
    RequestStatus,
    VersionReference,
    alternatives_rules,
    find_digest,
)
from fairlead_operator.api.conditions import Conditions
from fairlead_operator.api.gateway import GatewaySpec
from fairlead_operator.api.phases.rollout import Trigger
from fairlead_operator.api.policy import RolloutPolicy
from fairlead_operator.api.strategy import Sticky


class RolloutSpec(Spec):
    """Which version to move to, and how. Immutable: to change it, create another Rollout."""

    rules = (
        Rule(
            "self == oldSelf",
            "the spec of a Rollout is immutable; create another Rollout, or control this one with "
            "the annotations fairlead.dev/approve, pause, resume, promote and abort",
        ),
        *alternatives_rules("policy", inherits=True),
    )

    model: Annotated[ObjectName, Field(description="Name of a Model in the same namespace.")]
    version: Annotated[
        SemanticVersion, Field(description="Registered version to move to, for example 1.4.0.")
    ]
    version_digest: Annotated[
        Digest | None,
        Field(
            default=None,
            description="Digest of the artifact that `version` must be; of two registrations of "
            "the version the one with this digest is taken. When unset, that of the Model's spec "
            "if it pins this version, else what the Model's status knows of it, else the only "
            "registration there is.",
        ),
    ]
    alternatives: Alternatives
    alternative_digests: AlternativeDigests
    trigger: Annotated[
        Trigger,
        Field(
            default=Trigger.HAND,
            description="Why the Rollout was created. trained: the version passed the gate. "
            "pinned: spec.version of the Model names it. restored: a Rollout was deleted in "
            "flight, and the stable version gets its traffic back; or a Model of this name was "
            "deleted and applied again, and takes up the version that was in charge. hand: "
            "created by a person. rollback: created by a person to go back to an earlier version, "
            "which another target then does not undo. Freeze windows do not hold restored and "
            "rollback. Defaults to hand.",
        ),
    ]
    policy: Annotated[
        RolloutPolicy | None,
        Field(
            default=None,
            description="Strategy, steps and analysis. When unset, the Model's spec.rollout, as "
            "it is at each moment, applies; under another strategy than it began with, the rollout "
            "pauses, and can go back.",
        ),
    ]

    @property
    def versions(self) -> tuple[str, ...]:
        """Return every candidate, the first first."""
        return (self.version, *self.alternatives)

    def digest_of(self, version: str) -> str | None:
        """Return the digest that is named here for one of the candidates."""
        return find_digest(
            version,
            pinned=(self.version, self.version_digest),
            alternatives=self.alternative_digests,
        )

    @property
    def goes_back(self) -> bool:
        """Tell whether it brings what was in charge before, so that no freeze window holds it."""
        return self.trigger in {Trigger.RESTORED, Trigger.ROLLBACK}


class CheckStatus(Status):
    """The last measurement of one check."""

    name: Annotated[str, Field(max_length=63, description="Name of the check.")]
    version: Annotated[
        str, Field(default="", max_length=32, description="Candidate that was measured.")
    ]
    verdict: Annotated[
        str,
        Field(
            max_length=16,
            description="Successful, Failed, Inconclusive (no traffic, or too little) or Error "
            "(no answer).",
        ),
    ]
    value: Annotated[
        float | None,
        Field(default=None, description="Value that was measured, in the unit of the check."),
    ]
    samples: Annotated[
        float | None,
        Field(
            default=None, description="Number of requests, labels or predictions behind the value."
        ),
    ]
    failures: Annotated[
        int, Field(default=0, description="Number of failed measurements in a row.")
    ]
    message: Annotated[
        Message, Field(default="", description="What was measured and what is allowed.")
    ]
    dry_run: Annotated[
        bool,
        Field(default=False, description="Whether the check is only shown and decides nothing."),
    ]
    abstains: Annotated[
        bool,
        Field(
            default=False,
            description="Whether the check has nothing against the candidate so far, and decides "
            "nothing.",
        ),
    ]
    bound: Annotated[
        float | None,
        Field(
            default=None,
            description="Latency comparisons: answers slower than this many milliseconds count "
            "as slow in this step.",
        ),
    ]
    stable: Annotated[
        float | None,
        Field(default=None, description="The stable version's value over the same time."),
    ]
    low: Annotated[
        float | None,
        Field(
            default=None,
            description="Lower end of the confidence interval of the difference candidate - "
            "stable.",
        ),
    ]
    high: Annotated[
        float | None,
        Field(
            default=None,
            description="Upper end of the confidence interval of the difference candidate - "
            "stable.",
        ),
    ]
    evidence_against: Annotated[
        float | None,
        Field(
            default=None,
            description="E-value of the hypothesis test against the candidate; from 1/alpha on, "
            "it is worse than the stable version by more than the margin.",
        ),
    ]
    evidence_for: Annotated[
        float | None,
        Field(
            default=None,
            description="E-value of the hypothesis test for the candidate; from 1/alpha on, it "
            "is not worse than the stable version by the margin.",
        ),
    ]


class ArmStatus(Status):
    """One version in the rollout: what identifies it, its traffic, and how it does."""

    version: Annotated[
        str, Field(max_length=32, description="Semantic version, for example 1.4.0.")
    ]
    registry_version: Annotated[
        str, Field(default="", max_length=32, description="Version number in the MLflow registry.")
    ]
    digest: Annotated[
        str, Field(default="", max_length=71, description="SHA-256 digest of the artifact's files.")
    ]
    weight: Annotated[
        int, Field(default=0, description="Percent of the traffic that it should get.")
    ]
    prepared: Annotated[
        int,
        Field(
            default=0,
            description="Highest percent of the traffic that its pods have been scaled for.",
        ),
    ]
    observed_weight: Annotated[
        int | None,
        Field(
            default=None,
            description="Percent of the traffic that every gateway pod reports. Unset while that "
            "is unknown.",
        ),
    ]
    pods: Annotated[
        int | None,
        Field(default=None, description="Number of its pods when the step began."),
    ]
    samples: Annotated[
        float | None, Field(default=None, description="Number of outcomes counted in the trial.")
    ]
    counted_at: Annotated[
        Moment | None,
        Field(default=None, description="When an outcome was last added to them."),
    ]
    value: Annotated[
        float | None, Field(default=None, description="Share of good outcomes, from 0 to 1.")
    ]
    probability: Annotated[
        float | None,
        Field(
            default=None,
            description="Probability of being the best version, from 0 to 1. Unset while samples "
            "are missing.",
        ),
    ]
    reason: Annotated[
        str | None,
        Field(
            default=None,
            max_length=64,
            description="Why it left the trial, in one word. Unset while it takes part.",
        ),
    ]
    message: Annotated[
        Message | None,
        Field(default=None, description="Why it left the trial, in a sentence with the numbers."),
    ]


class TrialStatus(Status):
    """How the A/B test or bandit stands."""

    message: Annotated[Message, Field(default="", description="Summary of the numbers.")]
    leader: Annotated[
        str | None, Field(default=None, max_length=32, description="Best candidate so far.")
    ]
    measured_at: Annotated[
        Moment | None, Field(default=None, description="When the outcomes were last counted.")
    ]
    changed_at: Annotated[
        Moment | None, Field(default=None, description="When the shares were last changed.")
    ]
    stable: Annotated[
        ArmStatus | None, Field(default=None, description="Outcomes of the stable version.")
    ]


class RolloutStatus(Status):
    """Observed state of the Rollout. Written by the operator."""

    phase: Annotated[
        str | None,
        Field(
            default=None,
            max_length=32,
            description="Where the rollout stands, for example Progressing, Paused or RolledBack.",
        ),
    ]
    strategy: Annotated[
        str | None, Field(default=None, max_length=16, description="Strategy in force.")
    ]
    step: Annotated[int, Field(default=0, description="Index of the current step, counted from 0.")]
    progress: Annotated[
        str | None,
        Field(
            default=None,
            max_length=16,
            description="Current step and number of steps, for example 2/4; guard once all "
            "traffic has moved.",
        ),
    ]
    since: Annotated[
        Moment | None,
        Field(default=None, description="When the current phase and step were entered."),
    ]
    step_since: Annotated[
        Moment | None,
        Field(default=None, description="When the current step began. A pause does not change it."),
    ]
    holds_until: Annotated[
        Moment | None,
        Field(default=None, description="Earliest time at which the rollout can go on by itself."),
    ]
    answer_by: Annotated[
        Moment | None,
        Field(
            default=None,
            description="When a pause that waits for a person's answer goes back without one. "
            "Unset while nobody is waited for.",
        ),
    ]
    unconfirmed_since: Annotated[
        Moment | None,
        Field(
            default=None,
            description="Since when a gateway pod has not confirmed the route. Unset while all "
            "have. After 10 s PodsReady says so.",
        ),
    ]
    doubt_since: Annotated[
        Moment | None,
        Field(
            default=None,
            description="Since when there has been no clear verdict. Unset while there is one.",
        ),
    ]
    weight: Annotated[
        int | None,
        Field(default=None, description="Percent of the traffic that the candidate should get."),
    ]
    observed_weight: Annotated[
        int | None,
        Field(
            default=None,
            description="Percent of the traffic that every gateway pod reports, or that every "
            "Gateway of the cluster has accepted. Unset while that is unknown.",
        ),
    ]
    gateway: Annotated[
        GatewaySpec | None,
        Field(
            default=None,
            description="Gateway that carries the traffic of this rollout: the Model's at its "
            "start.",
        ),
    ]
    mirror: Annotated[
        int | None,
        Field(
            default=None,
            description="Percent of the live requests that are copied to the candidate.",
        ),
    ]
    sticky: Annotated[
        Sticky | None,
        Field(
            default=None,
            description="How users keep their version. Unset while every request is dealt anew.",
        ),
    ]
    preview: Annotated[
        str | None,
        Field(
            default=None,
            max_length=300,
            description="Address at which the candidate answers before it has live traffic. Unset "
            "while there is none.",
        ),
    ]
    arms: Annotated[
        tuple[ArmStatus, ...],
        Field(
            default=(),
            max_length=5,
            description="The candidates and how each does, the Rollout's own version first.",
        ),
    ]
    trial: Annotated[
        TrialStatus | None, Field(default=None, description="How the A/B test or bandit stands.")
    ]
    capacity: Annotated[
        int | None,
        Field(
            default=None,
            description="With autoscaling: number of pods that all of the traffic needs. The "
            "stable version keeps that many, so that going back finds enough.",
        ),
    ]
    winner: Annotated[
        str | None,
        Field(default=None, max_length=32, description="Version that won the A/B test or bandit."),
    ]
    stable: Annotated[
        VersionReference | None,
        Field(default=None, description="Version to go back to. Unset for a first version."),
    ]
    candidate: Annotated[
        VersionReference | None,
        Field(
            default=None,
            description="Version being rolled out; of several, the winner, or the first until "
            "there is one.",
        ),
    ]
    reason: Annotated[
        str | None,
        Field(
            default=None,
            max_length=64,
            description="Why the rollout is in this phase, in one word, for example "
            "AnalysisFailed.",
        ),
    ]
    message: Annotated[
        Message | None,
        Field(
            default=None,
            description="Why the rollout is in this phase, in a sentence with the numbers.",
        ),
    ]
    verdict: Annotated[
        str | None,
        Field(
            default=None,
            max_length=16,
            description="Verdict of the last analysis: Successful, Failed, Inconclusive or Error.",
        ),
    ]
    checks: Annotated[
        tuple[CheckStatus, ...],
        Field(default=(), max_length=180, description="The last measurement of each check."),
    ]
    live_since: Annotated[
        Moment | None, Field(default=None, description="When a candidate first got traffic.")
    ]
    peak_weight: Annotated[
        int, Field(default=0, description="Highest percent of the traffic that the candidates got.")
    ]
    recorded: Annotated[
        str | None,
        Field(
            default=None,
            max_length=16,
            description="Last transition that was written to the history.",
        ),
    ]
    measured_at: Annotated[
        Moment | None, Field(default=None, description="When the checks were last measured.")
    ]
    measured: Annotated[
        bool,
        Field(default=False, description="Whether any request of a candidate was measured so far."),
    ]
    started_at: Annotated[
        Moment | None, Field(default=None, description="When the rollout started.")
    ]
    triggered_at: Annotated[
        Moment | None, Field(default=None, description="When the cause of a rollback was seen.")
    ]
    finished_at: Annotated[
        Moment | None, Field(default=None, description="When the rollout ended.")
    ]
    requests: Annotated[
        tuple[RequestStatus, ...],
        Field(
            default=(),
            max_length=20,
            description="Requests of people and how each was answered, newest last.",
        ),
    ]
    reaction_seconds: Annotated[
        float | None,
        Field(
            default=None,
            description="Seconds from the cause of a rollback until every gateway pod reported "
            "no traffic on the candidate.",
        ),
    ]
    conditions: Conditions = ()


COLUMNS: tuple[dict[str, Any], ...] = (
    {
        "name": "Model",
        "description": "Model whose traffic moves.",
        "type": "string",
        "jsonPath": ".spec.model",
    },
    {
        "name": "Phase",
        "description": "Where the rollout stands.",
        "type": "string",
        "jsonPath": ".status.phase",
    },
    {
        "name": "Strategy",
        "description": "Strategy in force.",
        "type": "string",
        "jsonPath": ".status.strategy",
    },
    {
        "name": "Step",
        "description": "Current step and number of steps.",
        "type": "string",
        "jsonPath": ".status.progress",
    },
    {
        "name": "Weight",
        "description": "Percent of the traffic that the candidate really has.",
        "type": "integer",
        "jsonPath": ".status.observedWeight",
    },
    {
        "name": "Stable",
        "description": "Version to go back to.",
        "type": "string",
        "jsonPath": ".status.stable.version",
    },
    {
        "name": "Candidate",
        "description": "Version being rolled out.",
        "type": "string",
        "jsonPath": ".spec.version",
    },
    {
        "name": "Verdict",
        "description": "Verdict of the last analysis.",
        "type": "string",
        "jsonPath": ".status.verdict",
    },
    {
        "name": "Reason",
        "description": "Why the rollout is in this phase, in one word.",
        "type": "string",
        "jsonPath": ".status.reason",
    },
    {
        "name": "Until",
        "description": "Earliest time at which the rollout can go on by itself.",
        "type": "string",
        "jsonPath": ".status.holdsUntil",
        "priority": 1,
    },
    {
        "name": "Age",
        "description": "Time since the Rollout was created.",
        "type": "date",
        "jsonPath": ".metadata.creationTimestamp",
    },
    # The longest last: what stands behind it would be out of sight.
    {
        "name": "Message",
        "description": "Why the rollout is in this phase, with the numbers.",
        "type": "string",
        "jsonPath": ".status.message",
    },
)
