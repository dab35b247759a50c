"""Conditions as values, and how a new set is merged into the old one."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import Field

from fairlead_operator.api.base import Moment, Status

PODS_READY: Final = "PodsReady"  # those behind the Model's address; absent before there are any
UPGRADED: Final = "Upgraded"  # False while pods are left as an earlier release made them
ANSWERING: Final = "Answering"  # the stable version's requests; absent while they never only failed
CODE_ALLOWED: Final = "CodeAllowed"  # of the stable version; absent unless it runs what it may not
AUTOSCALED: Final = "Autoscaled"  # the pods follow the load; absent while their number is fixed
QUERIES_READABLE: Final = "QueriesReadable"  # the policy's PromQL; absent where there is none
RECORDED: Final = "Recorded"  # a Rollout's predictions; False while there is no login for them
OWN_LOGIN: Final = "OwnLogin"  # to the database; False while the operator's is shared
ANNOTATIONS_READ: Final = "AnnotationsRead"  # absent while all that were there always were
APPLIED: Final = "Applied"  # the cluster took what was written; absent while it always has


class Condition(Status):
    """One aspect of the observed state, as Kubernetes defines conditions."""

    type: Annotated[
        str, Field(max_length=64, description="Name of the condition, for example Ready.")
    ]
    status: Annotated[
        Literal["True", "False", "Unknown"],
        Field(description="Whether the condition holds: True, False or Unknown."),
    ]
    reason: Annotated[
        str, Field(max_length=64, description="Why, in one word. docs/reasons.md lists them all.")
    ]
    message: Annotated[
        str, Field(max_length=1024, description="Why, in a sentence with the numbers.")
    ] = ""
    observed_generation: Annotated[
        int | None, Field(description="metadata.generation that the condition was judged by.")
    ] = None
    last_transition_time: Annotated[
        Moment | None, Field(description="When `status` last changed.")
    ] = None


Conditions = Annotated[
    tuple[Condition, ...],
    Field(
        max_length=16,
        json_schema_extra={
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["type"],
        },
        description="Conditions, for people and for scripts that wait, for example with "
        "`kubectl wait --for=condition=Ready`.",
    ),
]


def find_condition(conditions: Iterable[Condition], kind: str) -> Condition | None:
    """Return the condition of this type; None where nothing was said of it."""
    return next((condition for condition in conditions if condition.type == kind), None)


def merge(
    old: Iterable[Condition], new: Iterable[Condition], *, now: datetime
) -> tuple[Condition, ...]:
    """Give each new condition its transition time: the old one unless the status moved."""
    before = {condition.type: condition for condition in old}

    def dated(condition: Condition) -> Condition:
        known = before.get(condition.type)
        moved = known is None or known.status != condition.status
        since = now if moved or known is None else known.last_transition_time or now
        return condition.model_copy(update={"last_transition_time": since})

    return tuple(dated(condition) for condition in new)
