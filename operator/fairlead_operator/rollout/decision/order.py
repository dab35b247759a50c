"""In which order a decision is carried out, and what a write that failed says of it.  Pure.

Traffic is taken away before anything else is written, and given last: to servers that were
accepted.
"""

import dataclasses
from collections.abc import Mapping

from fairlead_operator.api.phases.rollout import Phase
from fairlead_operator.rollout.decision.states import Arm, Decision, Health, Observed

_BACK = frozenset({Phase.ROLLING_BACK, Phase.ROLLED_BACK})


def narrows(observed: Observed, decision: Decision) -> bool:
    """Tell whether the decision takes traffic from a candidate."""
    asked = {arm.version: arm.asked for arm in observed.arms}
    lowers = any(share < asked[version] for version, share in decision.shares)
    return decision.phase in _BACK or lowers


def without_servers(observed: Observed, refusals: Mapping[str, str]) -> Observed:
    """Take the versions whose server could not be applied as not ready, with the reason why."""
    stable = observed.stable
    if stable is not None and stable.version in refusals:
        stable = dataclasses.replace(stable, refused=refusals[stable.version])
    arms = tuple(_unready(arm, refusals.get(arm.version)) for arm in observed.arms)
    return dataclasses.replace(observed, arms=arms, stable=stable)


def _unready(arm: Arm, refusal: str | None) -> Arm:
    """Leave one that has failed as it is: that is evidence, and its pods' own words."""
    if refusal is None or arm.health is Health.FAILED:
        return arm
    health = Health.STARTING if arm.health is Health.READY else arm.health
    return dataclasses.replace(arm, health=health, message=refusal, refused=refusal)
