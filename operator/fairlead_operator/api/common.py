"""Spec parts that more than one kind uses."""

from typing import Annotated, Literal

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

Quantity = Annotated[
    str, Field(pattern=r"^[0-9]+(\.[0-9]+)?(m|k|Ki|M|Mi|G|Gi|T|Ti)?$", max_length=32)
]
Task = Literal["binary-classification", "multiclass-classification", "regression"]


class ResourceList(Spec):
    """Amounts of CPU and memory."""

    cpu: Annotated[Quantity | None, Field(default=None, description="CPU, such as 500m or 2.")]
    memory: Annotated[Quantity | None, Field(default=None, description="Memory, such as 512Mi.")]


class Resources(Spec):
    """What a container asks for and may use, as in a pod."""

    # The API server would refuse such a pod later, where nobody looks.
    rules = (
        Rule(
            "!self.?requests.?cpu.hasValue() || !self.?limits.?cpu.hasValue() || "
            "!quantity(self.requests.cpu).isGreaterThan(quantity(self.limits.cpu))",
            "requests.cpu must not exceed limits.cpu",
            ".requests.cpu",
        ),
        Rule(
            "!self.?requests.?memory.hasValue() || !self.?limits.?memory.hasValue() || "
            "!quantity(self.requests.memory).isGreaterThan(quantity(self.limits.memory))",
            "requests.memory must not exceed limits.memory",
            ".requests.memory",
        ),
    )

    requests: Annotated[
        ResourceList, Field(default=ResourceList(), description="What is reserved.")
    ]
    limits: Annotated[ResourceList, Field(default=ResourceList(), description="What is allowed.")]


class SecretReference(Spec):
    """A Secret in the same namespace."""

    name: Annotated[ObjectName, Field(description="Name of the Secret.")]


class VersionReference(Spec):
    """A registered version, by everything that identifies it."""

    version: Annotated[str, Field(max_length=32, description="Semantic version.")]
    registry_version: Annotated[
        str, Field(default="", max_length=32, description="Number in the MLflow registry.")
    ]
    digest: Annotated[
        str, Field(default="", max_length=71, description="SHA-256 over the artifact's files.")
    ]


class RequestStatus(Status):
    """A person's request by annotation, and what became of it."""

    action: Annotated[str, Field(max_length=16, description="What was asked.")]
    text: Annotated[str, Field(max_length=512, description="The annotation, as written.")]
    by: Annotated[str, Field(default="", max_length=64, description="Who asked.")]
    at: Annotated[Moment | None, Field(default=None, description="When it was asked.")]
    why: Annotated[str, Field(default="", max_length=512, description="Why.")]
    outcome: Annotated[str, Field(max_length=16, description="Accepted or Refused.")]
    message: Annotated[Message, Field(default="", description="What was done, or why not.")]
    answered_at: Annotated[
        Moment | None, Field(default=None, description="When it was accepted or refused.")
    ]


# Other candidates beside the first, for the strategies that try several at once.
Alternatives = Annotated[
    tuple[SemanticVersion, ...],
    Field(
        default=(),
        max_length=4,
        description="Other candidates beside version, tried at the same time; for the strategies "
        "abTest and bandit.",
    ),
]


def alternatives_rules(policy: str, *, inherits: bool = False) -> tuple[Rule, ...]:
    """The rules of a spec with alternatives, whose policy is in this field.

    Args:
        inherits: without a policy of its own, the strategy is said elsewhere.
    """
    unknown = f"!has(self.{policy}) || " if inherits else ""
    return (
        Rule(
            "!has(self.alternatives) || (has(self.version) && self.alternatives.all(a, "
            "a != self.version && self.alternatives.exists_one(b, b == a)))",
            "alternatives stand beside version: set version, and name each version once",
            ".alternatives",
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
            "abTest.weight is of each candidate: all of them together must leave something for "
            "the stable version",
            f".{policy}.abTest.weight",
        ),
    )
