"""Spec parts that more than one kind uses."""

from collections.abc import Collection, Iterable
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from fairlead_operator.api.base import (
    INT_OR_STRING,
    Digest,
    Message,
    Moment,
    ObjectName,
    Rule,
    SemanticVersion,
    Spec,
    Status,
    formed,
    from_number,
)
from fairlead_operator.api.phases.common import RequestOutcome

# As in a pod, ``cpu: 2`` is as good as ``cpu: "2"``.
Quantity = Annotated[
    str,
    Field(
        pattern=r"^[0-9]+(\.[0-9]+)?(m|k|Ki|M|Mi|G|Gi|T|Ti)?$",
        max_length=32,
        json_schema_extra=formed(
            "must be an amount, for example 500m or 2 of cpu, 512Mi or 2Gi of memory"
        )
        | {INT_OR_STRING: True},
    ),
    BeforeValidator(from_number),
]
Task = Literal["binary-classification", "multiclass-classification", "regression"]


class ResourceList(Spec):
    """Amounts of CPU and memory."""

    cpu: Annotated[
        Quantity | None, Field(default=None, description="CPU cores, for example 500m or 2.")
    ]
    memory: Annotated[
        Quantity | None, Field(default=None, description="Memory, for example 512Mi or 2Gi.")
    ]


class Resources(Spec):
    """CPU and memory of a container, as in a pod."""

    # The API server would refuse such a pod later, where nobody looks.
    rules = (
        Rule(
            "!self.?requests.?cpu.hasValue() || !self.?limits.?cpu.hasValue() || "
            "!quantity(string(self.requests.cpu)).isGreaterThan(quantity(string(self.limits.cpu)))",
            "requests.cpu must not exceed limits.cpu; lower the request or raise the limit",
            ".requests.cpu",
        ),
        Rule(
            "!self.?requests.?memory.hasValue() || !self.?limits.?memory.hasValue() || "
            "!quantity(string(self.requests.memory))"
            ".isGreaterThan(quantity(string(self.limits.memory)))",
            "requests.memory must not exceed limits.memory; lower the request or raise the limit",
            ".requests.memory",
        ),
    )

    requests: Annotated[
        ResourceList,
        Field(default=ResourceList(), description="Amounts that are reserved for the container."),
    ]
    limits: Annotated[
        ResourceList,
        Field(default=ResourceList(), description="Amounts that the container may use at most."),
    ]


class SecretReference(Spec):
    """A Secret in the same namespace."""

    name: Annotated[ObjectName, Field(description="Name of the Secret.")]


class VersionReference(Spec):
    """A registered version, with everything that identifies it."""

    version: Annotated[
        str, Field(max_length=32, description="Semantic version, for example 1.4.0.")
    ]
    registry_version: Annotated[
        str, Field(default="", max_length=32, description="Version number in the MLflow registry.")
    ]
    digest: Annotated[
        str, Field(default="", max_length=71, description="SHA-256 digest of the artifact's files.")
    ]


class RequestStatus(Status):
    """A request that a person made by annotation, and its answer."""

    action: Annotated[
        str, Field(max_length=16, description="What was requested, for example approve.")
    ]
    text: Annotated[str, Field(max_length=512, description="Value of the annotation, as written.")]
    by: Annotated[str, Field(default="", max_length=64, description="Who made the request.")]
    at: Annotated[Moment | None, Field(default=None, description="When the request was made.")]
    why: Annotated[
        str, Field(default="", max_length=512, description="Why, in the person's words.")
    ]
    outcome: Annotated[str, Field(max_length=16, description=f"{' or '.join(RequestOutcome)}.")]
    message: Annotated[
        Message, Field(default="", description="What the operator did, or why it refused.")
    ]
    answered_at: Annotated[
        Moment | None, Field(default=None, description="When the request was answered.")
    ]
    withdrawn: Annotated[
        bool,
        Field(
            default=False,
            description="Whether the annotation is gone or says something else by now. The same "
            "words are a new request then.",
        ),
    ]


# Other candidates beside the first, for the strategies that try several at once.
Alternatives = Annotated[
    tuple[SemanticVersion, ...],
    Field(
        default=(),
        max_length=4,
        description="Further candidates that are tried at the same time as `version`, for "
        "example [1.5.0, 1.6.0]. Only for the strategies abTest and bandit.",
    ),
]


class AlternativeDigest(Spec):
    """Which artifact one of the alternatives is."""

    version: Annotated[SemanticVersion, Field(description="One of `alternatives`.")]
    digest: Annotated[Digest, Field(description="Digest of the artifact that it must be.")]


AlternativeDigests = Annotated[
    tuple[AlternativeDigest, ...],
    Field(
        default=(),
        max_length=4,
        description="Which artifacts alternatives must be, as `versionDigest` says it of "
        "`version`. An alternative that is not listed is what the Model's status knows of it, else "
        "the only registration there is.",
    ),
]


def find_digest(
    version: str,
    *,
    pinned: tuple[str | None, str | None],
    alternatives: Iterable[AlternativeDigest],
) -> str | None:
    """Return the digest that a spec names for a version; None where it names none.

    Args:
        pinned: the first candidate, and the digest that the spec names for it.
    """
    told = {each.version: each.digest for each in alternatives}
    return pinned[1] if version == pinned[0] else told.get(version)


def digest_field(version: str, alternatives: Collection[str]) -> str:
    """Return the field in which a spec names a candidate's digest."""
    return "alternativeDigests" if version in alternatives else "versionDigest"


def alternatives_rules(policy: str, *, inherits: bool = False) -> tuple[Rule, ...]:
    """Build the rules of a spec with alternatives, whose policy is in this field.

    Args:
        inherits: without a policy of its own, the strategy is said elsewhere.
    """
    unknown = f"!has(self.{policy}) || " if inherits else ""
    return (
        Rule(
            "!has(self.alternatives) || (has(self.version) && self.alternatives.all(a, "
            "a != self.version && self.alternatives.exists_one(b, b == a)))",
            "alternatives are tried beside version: set version, and name each version once",
            ".alternatives",
        ),
        Rule(
            "!has(self.alternativeDigests) || (has(self.alternatives) && "
            "self.alternativeDigests.all(d, self.alternatives.exists(a, a == d.version) && "
            "self.alternativeDigests.exists_one(e, e.version == d.version)))",
            "alternativeDigests says which artifacts alternatives are: name each of them once, and "
            "no other version",
            ".alternativeDigests",
        ),
        Rule(
            f"!has(self.alternatives) || {unknown}"
            f"self.?{policy}.?strategy.orValue('') in ['abTest', 'bandit']",
            "alternatives have no effect under this strategy; remove them, or choose strategy: "
            "abTest or bandit",
            ".alternatives",
        ),
        Rule(
            "!has(self.alternatives) || "
            f"self.?{policy}.?abTest.?weight.orValue(0) * (1 + size(self.alternatives)) < 100",
            "abTest.weight is the share of each candidate: the sum of all of them must be below "
            "100, so that traffic is left for the stable version",
            f".{policy}.abTest.weight",
        ),
    )
