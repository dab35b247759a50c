"""An AnalysisTemplate is a set of checks that several Models share, with arguments for what
differs between them.

A Model uses it with spec.rollout.analysis.templateRef.
"""

from typing import Annotated, Any

from pydantic import Field

from fairlead_operator.api.base import NAMED_ONCE, Rule, Spec
from fairlead_operator.api.checks import ARGUMENT_NAMED, ARGUMENT_PATTERN, Check


class Parameter(Spec):
    """An argument: a part of the PromQL that each Model fills in."""

    name: Annotated[
        str,
        Field(
            pattern=ARGUMENT_PATTERN,
            max_length=63,
            json_schema_extra=ARGUMENT_NAMED,
            description="Name of the argument, for example shop. `query` and `total` of a check "
            "refer to it as {{arguments.shop}}.",
        ),
    ]
    value: Annotated[
        str | None,
        Field(
            default=None,
            max_length=1024,
            description="Value for Models that give none. When unset, each Model must give one.",
        ),
    ]


class AnalysisTemplateSpec(Spec):
    """Checks that Models share, and the arguments they take."""

    rules = (
        Rule(
            "!has(self.arguments) || self.arguments.all(a, self.checks.exists(c, "
            "(has(c.query) && c.query.contains('{{arguments.' + a.name + '}}')) || "
            "(has(c.total) && c.total.contains('{{arguments.' + a.name + '}}'))))",
            "an argument that no query or total uses has no effect; remove it, or write "
            "{{arguments.NAME}} into a query",
            ".arguments",
        ),
    )

    description: Annotated[
        str | None,
        Field(
            default=None,
            max_length=256,
            description="What the template is for, as `kubectl get` shows it.",
        ),
    ]
    arguments: Annotated[
        tuple[Parameter, ...],
        NAMED_ONCE,
        Field(
            default=(),
            max_length=10,
            description="Arguments that each Model may give to the checks, for example [{name: "
            "shop}].",
        ),
    ]
    checks: Annotated[
        tuple[Check, ...],
        NAMED_ONCE,
        Field(
            min_length=1,
            max_length=10,
            description="Checks, written as in spec.rollout.analysis.checks of a Model.",
        ),
    ]


COLUMNS: tuple[dict[str, Any], ...] = (
    {
        "name": "Description",
        "description": "What the template is for.",
        "type": "string",
        "jsonPath": ".spec.description",
    },
    # kubectl shows but one of a list.
    {
        "name": "Check",
        "description": "Name of the first check.",
        "type": "string",
        "jsonPath": ".spec.checks[0].name",
    },
    {
        "name": "Age",
        "description": "Time since the AnalysisTemplate was created.",
        "type": "date",
        "jsonPath": ".metadata.creationTimestamp",
    },
)
