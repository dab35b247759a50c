"""Names of Prometheus series and labels that gateway and model servers export and checks ask for.

A query for a name that nobody exports has no answer, which looks like a version without traffic.
"""

from enum import StrEnum
from typing import Final

# Which version a series counts for.  Model servers export MODEL and VERSION; the namespace is put
# on their series when they are scraped.
NAMESPACE: Final = "model_namespace"
MODEL: Final = "model"
VERSION: Final = "version"

# Of the gateway alone: empty for live traffic, SHADOW for the copies of a mirror, DIRECT for
# previews and requests that name their version.
ROLE: Final = "role"
SHADOW: Final = "shadow"
DIRECT: Final = "direct"

# Of the model servers.
PREDICTIONS: Final = "fairlead_predictions_total"
PREDICTION_SECONDS: Final = "fairlead_prediction_seconds"  # a histogram
OUTCOME: Final = "outcome"  # label of PREDICTIONS


class Outcome(StrEnum):
    """How a request for predictions ended."""

    SUCCESS = "success"
    BAD_INPUT = "bad_input"  # refused for what is in it
    UNREAD = "unread"  # the body did not arrive, or there was no room for it
    ERROR = "error"
    TIMEOUT = "timeout"


FAILURES: Final = (Outcome.ERROR, Outcome.TIMEOUT)  # the version's own, and not the client's


def match_version(*, namespace: str, model: str, version: str) -> str:
    """Build the PromQL matchers that select the series of one version."""
    return f'{NAMESPACE}="{namespace}",{MODEL}="{model}",{VERSION}="{version}"'
