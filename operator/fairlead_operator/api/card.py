"""What people say of a model in its card, beside what its training measured."""

from typing import Annotated

from pydantic import Field

from fairlead_operator.api.base import Spec

_Words = Annotated[str, Field(min_length=1, max_length=1000)]


class CardSpec(Spec):
    """What people say of the model, for the model card of each version that is trained.

    The sections are those of M. Mitchell et al., Model Cards for Model Reporting (2019).
    """

    owners: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=200)], ...],
        Field(
            default=(),
            max_length=20,
            description="Who answers for the model: people, teams or addresses.",
        ),
    ]
    license: Annotated[
        str | None,
        Field(
            default=None,
            min_length=1,
            max_length=200,
            description="License of the model, for example Apache-2.0 or internal use only.",
        ),
    ]
    intended_use: Annotated[
        _Words | None,
        Field(default=None, description="What the model is for, and who is to use it."),
    ]
    out_of_scope_use: Annotated[
        _Words | None,
        Field(default=None, description="What the model must not be used for."),
    ]
    limitations: Annotated[
        _Words | None,
        Field(default=None, description="Where the model is known to be wrong or untried."),
    ]
    ethical_considerations: Annotated[
        _Words | None,
        Field(
            default=None,
            description="Whom its answers may harm, and what is done about it.",
        ),
    ]
