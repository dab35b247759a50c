"""AnalysisTemplate: checks that several Models share, with arguments."""

from typing import Annotated, Any

from pydantic import Field

from fairlead_operator.api.base import NAMED_ONCE, Rule, Spec
from fairlead_operator.api.checks import Check


class Parameter(Spec):
    """A part of the PromQL that each Model says for itself."""

    name: Annotated[
        str,
        Field(
            pattern=r"^[a-zA-Z][a-zA-Z0-9]*$",
            max_length=63,
            description="Stands as {{arguments.NAME}} in query and total.",
        ),
    ]
    value: Annotated[
        str | None,
        Field(default=None, max_length=1024, description="Used by whoever gives none."),
    ]


class AnalysisTemplateSpec(Spec):
    """The checks, and what they leave open."""

    rules = (
        Rule(
            "!has(self.arguments) || self.arguments.all(a, self.checks.exists(c, "
            "(has(c.query) && c.query.contains('{{arguments.' + a.name + '}}')) || "
            "(has(c.total) && c.total.contains('{{arguments.' + a.name + '}}'))))",
            "an argument that no query or total names has no effect; remove it, or write "
            "{{arguments.NAME}}",
            ".arguments",
        ),
    )

    description: Annotated[
        str | None,
        Field(default=None, max_length=256, description="What it is for, as kubectl get shows it."),
    ]
    arguments: Annotated[
        tuple[Parameter, ...],
        NAMED_ONCE,
        Field(default=(), max_length=10, description="What the checks leave open."),
    ]
    checks: Annotated[
        tuple[Check, ...],
        NAMED_ONCE,
        Field(min_length=1, max_length=10, description="As in a Model's rollout.analysis."),
    ]


COLUMNS: tuple[dict[str, Any], ...] = (
    {"name": "Description", "type": "string", "jsonPath": ".spec.description"},
    # kubectl shows but one of a list.
    {"name": "Check", "type": "string", "jsonPath": ".spec.checks[0].name"},
    {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
)
