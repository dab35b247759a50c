"""Who is looked at: the versions of one Model at one moment, and one candidate's minutes.  Pure."""

import dataclasses
from datetime import datetime, timedelta
from typing import Final

from fairlead_operator.prometheus.counting import GATEWAY, Series, Span, Target

_SECOND: Final = timedelta(seconds=1)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """The Model whose candidates are held beside its stable version, now."""

    namespace: str
    model: str
    stable: str  # empty for a first version
    now: datetime
    series: Series = GATEWAY  # who counts their answers

    def target(self, version: str, *, mirrored: bool = False) -> Target:
        """Return whose answers Prometheus is asked for."""
        return Target(
            namespace=self.namespace,
            model=self.model,
            version=version,
            mirrored=mirrored,
            series=self.series,
        )

    def since(self, moment: datetime) -> Span:
        """Return the minutes from then to now."""
        return Span(length=max(_SECOND, self.now - moment))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One candidate in its present step, beside the stable version."""

    pairing: Pairing
    version: str
    since: datetime  # when the present step began; a pause does not renew it
    mirrored: bool = False  # no traffic but copies of live requests: judged by those
    reference: timedelta | None = None  # at 100 %: the stable version's last minutes with traffic
    # From when on its answers tell of it, where pods of it were replaced in this step.
    settled_at: datetime | None = None
    # The candidate's share of the requests for one of the stable version's, where users keep
    # their version or the stable one has none any more; None where each is dealt by chance.
    portion: float | None = None

    @property
    def is_alone(self) -> bool:
        """Tell whether the stable version has no traffic any more."""
        return self.reference is not None

    @property
    def is_settling(self) -> bool:
        """Tell whether what is counted now may be what the loss of pods did, and not the version.

        Requests that were under way in a pod that is taken away fail, however good the version is.
        """
        return self.settled_at is not None and self.pairing.now < self.settled_at

    @property
    def target(self) -> Target:
        return self.pairing.target(self.version, mirrored=self.mirrored)

    @property
    def stable(self) -> Target:
        return self.pairing.target(self.pairing.stable)

    @property
    def step(self) -> Span:
        """Return the minutes of the present step."""
        return self.pairing.since(self.since)

    @property
    def span(self) -> Span:
        """Return those of them in which the candidate's answers tell of it."""
        return self.pairing.since(max(self.since, self.settled_at or self.since))

    @property
    def counted(self) -> dict[str, tuple[Target, Span]]:
        """Return both versions with the minutes that count."""
        past = self.span
        if self.reference is not None:
            past = Span(length=max(_SECOND, self.reference), ago=self.step.length)
        return {"candidate": (self.target, self.span), "stable": (self.stable, past)}
