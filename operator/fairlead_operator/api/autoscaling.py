"""How the number of a version's pods follows its load.  Written in ``Model.spec.serving``."""

from typing import Annotated, Literal

from pydantic import Field

from fairlead_operator.api.base import Rule, Spec

# More pods than this under one version are a mistake rather than a wish.
MOST_REPLICAS = 100


class ScalingTarget(Spec):
    """The average load per pod that autoscaling aims for."""

    rules = (
        Rule(
            "has(self.cpuUtilization) || has(self.requestsPerSecond)",
            "target needs cpuUtilization, requestsPerSecond or both, for example cpuUtilization: "
            "70",
        ),
    )

    cpu_utilization: Annotated[
        int | None,
        Field(
            default=None,
            ge=10,
            le=500,
            description="Average CPU use of a pod, in percent of serving.resources.requests.cpu, "
            "for example 70.",
        ),
    ]
    requests_per_second: Annotated[
        float | None,
        Rule("self >= 0.01", "must be at least 0.01"),  # as in ``above``: the minimum lets 0 pass
        Field(
            default=None,
            ge=0.01,
            le=1_000_000,
            description="Average requests per second and pod, as the gateway counts them, for "
            "example 50. Needs provider: keda and the built-in gateway.",
        ),
    ]


class Autoscaling(Spec):
    """Bounds and target for the number of pods. Each version is scaled on its own."""

    rules = (
        Rule(
            "self.minReplicas <= self.maxReplicas",
            "minReplicas must not exceed maxReplicas",
            ".minReplicas",
        ),
        Rule(
            "self.provider == 'keda' || !self.?target.?requestsPerSecond.hasValue()",
            "target.requestsPerSecond needs provider: keda, because a HorizontalPodAutoscaler "
            "sees only CPU; set provider: keda, or use target.cpuUtilization",
            ".target.requestsPerSecond",
        ),
    )

    provider: Annotated[
        Literal["hpa", "keda"],
        Field(
            default="hpa",
            description="hpa: a HorizontalPodAutoscaler; the cluster needs metrics-server. keda: "
            "a ScaledObject; the cluster needs KEDA. Defaults to hpa.",
        ),
    ]
    min_replicas: Annotated[
        int,
        Rule(
            "self >= 1",
            "must be at least 1: the version in charge always keeps a pod, because the gateway "
            "cannot hold requests until one has started; set it to 1 or more. Versions without "
            "traffic that no rollout needs have no pods anyway",
        ),
        Field(
            default=1,
            ge=0,
            le=MOST_REPLICAS,
            description="Fewest pods of each version. Defaults to 1.",
        ),
    ]
    max_replicas: Annotated[
        int,
        Field(
            ge=1,
            le=MOST_REPLICAS,
            description="Most pods of each version. During a rollout, two versions may have up "
            "to twice as many together.",
        ),
    ]
    target: Annotated[
        ScalingTarget,
        Field(
            default=ScalingTarget(cpu_utilization=70),
            description="Average load per pod to aim for. Defaults to cpuUtilization: 70.",
        ),
    ]
