"""How a Model's versions answer: pods, time, gateway, and what is kept of the answers."""

from typing import Annotated

from pydantic import Field

from fairlead_operator.api.autoscaling import MOST_REPLICAS, Autoscaling
from fairlead_operator.api.base import Duration, Rule, Spec, between, parse_duration
from fairlead_operator.api.common import Resources
from fairlead_operator.api.gateway import GatewaySpec
from fairlead_operator.api.prediction_log import PredictionLog


class ServingSpec(Spec):
    """How each version is served."""

    replicas: Annotated[
        int | None,
        Field(
            default=None,
            ge=1,
            le=MOST_REPLICAS,
            description="Pods of each version; 1 unless set. Not together with autoscaling.",
        ),
    ]
    autoscaling: Annotated[
        Autoscaling | None,
        Field(default=None, description="Let the number of pods follow the load."),
    ]
    request_timeout: Annotated[
        Duration,
        between("1s", "10m"),
        Field(
            default=parse_duration("10s"), description="Longest answer before the gateway gives up."
        ),
    ]
    resources: Annotated[
        Resources, Field(default=Resources(), description="Of the server container.")
    ]
    prediction_log: Annotated[
        PredictionLog,
        Field(default=PredictionLog(), description="Predictions that are kept for later."),
    ]
    warmup_requests: Annotated[
        int,
        Field(
            default=20,
            ge=0,
            le=1000,
            description="How often a server predicts its input example before it is ready; "
            "stopped after 10 s.",
        ),
    ]
    gateway: Annotated[
        GatewaySpec,
        Field(
            default=GatewaySpec(),
            description="What carries the traffic. A rollout in flight ends with the gateway it "
            "began with.",
        ),
    ]

    rules = (
        Rule(
            "!has(self.autoscaling) || !has(self.replicas)",
            "replicas has no effect with autoscaling; remove it, and set autoscaling.minReplicas "
            "for the fewest pods",
            ".replicas",
        ),
        Rule(
            "!self.?autoscaling.?target.?requestsPerSecond.hasValue() || "
            "self.?gateway.?kind.orValue('BuiltIn') == 'BuiltIn'",
            "requestsPerSecond is counted by the built-in gateway: choose cpuUtilization, or set "
            "gateway.kind to BuiltIn",
            ".autoscaling.target.requestsPerSecond",
        ),
    )
