"""What a Model says about keeping its predictions, and about feedback on them."""

from typing import Annotated

from pydantic import Field

from fairlead_operator.api.base import Rule, Spec, above
from fairlead_operator.api.common import SecretReference


class PredictionLog(Spec):
    """Predictions that are kept in Fairlead's database, for checks on labels, rewards and drift."""

    rules = (
        Rule(
            "self.enabled || self.sample == 1.0",
            "sample has no effect while enabled is false; set enabled: true, or remove sample",
            ".sample",
        ),
        Rule(
            "self.enabled || !has(self.feedbackSecret)",
            "feedbackSecret has no effect while enabled is false; set enabled: true, or remove "
            "feedbackSecret",
            ".feedbackSecret",
        ),
    )

    enabled: Annotated[
        bool,
        Field(
            default=False,
            description="When true, predictions are kept, and POST /feedback accepts labels and "
            "rewards for them. Defaults to false.",
        ),
    ]
    sample: Annotated[
        float,
        above(0.0),
        Field(
            default=1.0,
            ge=0.0001,
            le=1,
            description="Share of the requests whose predictions are kept, above 0 and up to 1, "
            "for example 0.1. The request ID decides, so that a mirrored request is kept for both "
            "versions or for neither. Defaults to 1.",
        ),
    ]
    feedback_secret: Annotated[
        SecretReference | None,
        Field(
            default=None,
            description="Secret in the Model's namespace whose key `feedback-token` is the "
            "bearer token that POST /feedback requires. When unset, everyone who can ask for "
            "predictions can give feedback.",
        ),
    ]
