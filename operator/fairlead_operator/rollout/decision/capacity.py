"""How many pods each version must have for the traffic it gets.  Pure.

    full capacity   the pods that all of the traffic needs: what the stable version
                    has, the most it has had in this rollout, and what a candidate's
                    demand says of the whole, whichever is largest
    stable          keeps full capacity while it is the way back, so until the guard has
                    passed: going back must stay one weight, and the traffic it brings
                    must find pods that are ready
    candidate       has its share of full capacity ready before it is given the weight;
                    a mirror counts like a weight, for the load is the same
    the last one    keeps full capacity for ``SETTLING`` after the end: its autoscaler has
                    measured it under less traffic than it has now
    at rest         the user's bounds alone

These are floors (``minReplicas``): above them the autoscaler of each version is free,
below them it may not go.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, Final

from fairlead_operator.api.autoscaling import Autoscaling

# As long as a HorizontalPodAutoscaler looks back, unless told otherwise, before it takes pods away.
SETTLING: Final = timedelta(minutes=5)
# With less than this the stable version itself sees three quarters of the traffic, and its own
# autoscaler tells more than the few pods of a candidate, which are rounded up.
_TELLING: Final = 25


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Fewest and most pods of one version."""

    least: int
    most: int

    @classmethod
    def of(cls, scaling: Autoscaling) -> "Bounds":
        return cls(least=scaling.min_replicas, most=scaling.max_replicas)

    def within(self, replicas: int) -> int:
        """Return the nearest number that is allowed."""
        return max(self.least, min(self.most, replicas))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """A version on trial: the most it was ever prepared for, and the pods it is asked to have."""

    percent: int  # of all requests, weight and mirror together
    replicas: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """What there is, and what all of the traffic needs."""

    full: int
    bounds: Bounds
    ready: Mapping[str, int]  # pods that answer, of each version
    # Why nothing scales a version, in the cluster's words; versions that are scaled are left out.
    stopped: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def share(self, percent: int) -> int:
        """Return the pods for so many percent of the traffic, where ``full`` bear all of it."""
        return self.bounds.within(-(-self.full * percent // 100))

    def shortages(self, wanted: Mapping[str, int]) -> dict[str, str]:
        """Say what each version lacks that has too few ready pods for the percent it is to get."""
        return {
            version: f"{self.ready.get(version, 0)} of {self.share(percent)} pods of {version} "
            f"ready for {percent} %{self._why(version)}"
            for version, percent in sorted(wanted.items())
            if self.ready.get(version, 0) < self.share(percent)
        }

    def _why(self, version: str) -> str:
        return f" ({self.stopped[version]})" if version in self.stopped else ""


def full_capacity(last: int, stable: int, candidates: Iterable[Load], bounds: Bounds) -> int:
    """Return the pods that all of the traffic needs.

    Args:
        last: the result of the last look, 0 at first; it never falls in a rollout.
        stable: pods the stable version is asked to have; 0 when there is none.
    """
    full = bounds.within(max(last, stable))
    part = Capacity(full=full, bounds=bounds, ready={})
    told = [
        _whole(load)
        for load in candidates
        if load.percent >= _TELLING and load.replicas > part.share(load.percent)
    ]
    return bounds.within(max([full, *told]))


def _whole(load: Load) -> int:
    """Return the least full capacity of which the load's share is its pods: ``share`` backwards.

    A stable version at 50 % is not seen to need more when the traffic grows; the candidate is.
    """
    return (load.replicas - 1) * 100 // load.percent + 1


def asked_replicas(deployment: Mapping[str, Any] | None) -> int:
    """Return the pods a version is asked to have; 0 without a Deployment."""
    return 0 if deployment is None else int(deployment["spec"].get("replicas", 1))


def ready_replicas(deployment: Mapping[str, Any]) -> int:
    """Return the pods of a version that answer."""
    return int((deployment.get("status") or {}).get("availableReplicas", 0))
