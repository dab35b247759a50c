"""What a Model says about keeping its predictions, and about feedback on them."""

from typing import Annotated

from pydantic import Field

from fairlead_operator.api.base import Rule, Spec, above
from fairlead_operator.api.common import SecretReference


class PredictionLog(Spec):
    """Predictions kept in the operator's database, which feedback joins."""

    rules = (
        Rule(
            "self.enabled || self.sample == 1.0",
            "sample has no effect while enabled is false; set enabled or remove it",
            ".sample",
        ),
        Rule(
            "self.enabled || !has(self.feedbackSecret)",
            "feedbackSecret has no effect while enabled is false; set enabled or remove it",
            ".feedbackSecret",
        ),
    )

    enabled: Annotated[
        bool,
        Field(
            default=False,
            description="Keep predictions, and take labels and rewards at POST /feedback.",
        ),
    ]
    sample: Annotated[
        float,
        above(0.0),
        Field(
            default=1.0,
            ge=0.0001,
            le=1,
            description="Share of the requests whose predictions are kept; chosen by request id, "
            "so that a mirrored request is kept of both versions or of neither.",
        ),
    ]
    feedback_secret: Annotated[
        SecretReference | None,
        Field(
            default=None,
            description="Secret with the key `token`, the bearer token that feedback must show; "
            "without it, whoever may ask for predictions may give feedback.",
        ),
    ]
