"""How the number of a version's pods follows its load.  Written in ``Model.spec.serving``."""

from typing import Annotated, Literal

from pydantic import Field

from fairlead_operator.api.base import Rule, Spec

# More pods than this under one version are a mistake rather than a wish.
MOST_REPLICAS = 100


class ScalingTarget(Spec):
    """The load of each pod that the number of pods is held to."""

    rules = (
        Rule(
            "has(self.cpuUtilization) || has(self.requestsPerSecond)",
            "target needs cpuUtilization, requestsPerSecond or both",
        ),
    )

    cpu_utilization: Annotated[
        int | None,
        Field(
            default=None,
            ge=10,
            le=500,
            description="Percent of serving.resources.requests.cpu that a pod uses on average.",
        ),
    ]
    requests_per_second: Annotated[
        float | None,
        Rule("self >= 0.01", "must be at least 0.01"),  # as in ``above``: the minimum lets 0 pass
        Field(
            default=None,
            ge=0.01,
            le=1_000_000,
            description="Requests that a pod answers in a second, as the gateway counts them. "
            "Needs provider keda.",
        ),
    ]


class Autoscaling(Spec):
    """Bounds and target of the number of pods; each version is scaled on its own."""

    rules = (
        Rule(
            "self.minReplicas <= self.maxReplicas",
            "minReplicas must not exceed maxReplicas",
            ".minReplicas",
        ),
        Rule(
            "self.provider == 'keda' || !self.?target.?requestsPerSecond.hasValue()",
            "target.requestsPerSecond needs provider keda: a HorizontalPodAutoscaler alone sees "
            "CPU only",
            ".target.requestsPerSecond",
        ),
    )

    provider: Annotated[
        Literal["hpa", "keda"],
        Field(
            default="hpa",
            description="hpa: a HorizontalPodAutoscaler, which needs metrics-server. "
            "keda: a ScaledObject, which needs KEDA.",
        ),
    ]
    min_replicas: Annotated[
        int,
        Rule(
            "self >= 1",
            "must be at least 1: the version in charge is never without pods, because the gateway "
            "cannot hold a request until one has started; a version that is neither in charge, on "
            "trial nor the way back has no pods whatever stands here",
        ),
        Field(default=1, ge=0, le=MOST_REPLICAS, description="Fewest pods of each version."),
    ]
    max_replicas: Annotated[
        int,
        Field(
            ge=1,
            le=MOST_REPLICAS,
            description="Most pods of each version; two versions in a rollout have up to twice "
            "as many.",
        ),
    ]
    target: Annotated[
        ScalingTarget,
        Field(
            default=ScalingTarget(cpu_utilization=70),
            description="The load of each pod; cpuUtilization 70 unless set.",
        ),
    ]
