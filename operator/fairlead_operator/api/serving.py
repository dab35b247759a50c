"""How a Model's versions answer: pods, time, gateway, and what is kept of the answers."""

from typing import Annotated

from pydantic import Field

from fairlead_operator.api.autoscaling import MOST_REPLICAS, Autoscaling
from fairlead_operator.api.base import Duration, Rule, Spec, between, parse_duration
from fairlead_operator.api.common import Resources, SecretReference
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
            description="Number of pods of each version. Defaults to 1. Not allowed together "
            "with autoscaling.",
        ),
    ]
    autoscaling: Annotated[
        Autoscaling | None,
        Field(
            default=None,
            description="Scales the number of pods with the load. When unset, it is fixed to "
            "`replicas`.",
        ),
    ]
    request_timeout: Annotated[
        Duration,
        between("1s", "10m"),
        Field(
            default=parse_duration("10s"),
            description="Longest time a request may take before the gateway answers 504, for "
            "example 2s. Defaults to 10s.",
        ),
    ]
    max_body_mebibytes: Annotated[
        int | None,
        Field(
            default=None,
            ge=1,
            le=32,
            description="Largest body of a request for predictions in MiB, for example 4; a larger "
            "one is refused with 413. When unset, it is what 10,000 rows of the model's columns "
            "take, and at most 32; a larger number than those take changes nothing.",
        ),
    ]
    resources: Annotated[
        Resources,
        Field(
            default=Resources(),
            description="CPU and memory of each model server. Defaults to requests of 100m and "
            "256Mi, and a memory limit of 1Gi; a default gives way to a larger request or a "
            "smaller limit.",
        ),
    ]
    prediction_log: Annotated[
        PredictionLog,
        Field(
            default=PredictionLog(),
            description="Keeps predictions in the database, so that labels and rewards can be "
            "joined to them.",
        ),
    ]
    warmup_requests: Annotated[
        int,
        Field(
            default=20,
            ge=0,
            le=1000,
            description="How often a model server predicts its input example before it reports "
            "ready, for at most 10 s. Defaults to 20.",
        ),
    ]
    force_version_secret: Annotated[
        SecretReference | None,
        Field(
            default=None,
            description="Secret in the Model's namespace whose key `force-version-token` lets a "
            "request choose its version: with the headers `x-fairlead-version`, for example 1.2.0, "
            "and `x-fairlead-force-token`. Such requests count for nothing in checks, trials and "
            "the fast guard. When unset, no request can choose.",
        ),
    ]
    allow_artifact_code: Annotated[
        bool,
        Field(
            default=False,
            description="When true, versions that bring code are served, for example Python "
            "functions and pickled models, if the chart's value serving.allowArtifactCode is true "
            "as well. Such code runs with the rights of the model server. XGBoost boosters "
            "and ONNX graphs bring none and never need it. What serves already goes on serving. "
            "Defaults to false.",
        ),
    ]
    gateway: Annotated[
        GatewaySpec,
        Field(
            default=GatewaySpec(),
            description="Gateway that carries the traffic. A rollout in flight finishes with the "
            "gateway it started with.",
        ),
    ]

    rules = (
        Rule(
            "!has(self.autoscaling) || !has(self.replicas)",
            "replicas has no effect with autoscaling; remove it, and set autoscaling.minReplicas "
            "to the fewest pods you want",
            ".replicas",
        ),
        Rule(
            "!self.?autoscaling.?target.?requestsPerSecond.hasValue() || "
            "self.?gateway.?kind.orValue('BuiltIn') == 'BuiltIn'",
            "target.requestsPerSecond works only with the built-in gateway, which counts the "
            "requests; use target.cpuUtilization, or set gateway.kind: BuiltIn",
            ".autoscaling.target.requestsPerSecond",
        ),
    )
