"""No weight without the pods for it: a decision is held back until they are ready.  Pure.

Not a doubt: the evidence is good, and only the pods are on their way, so the clock
of patience stands still.  Going back never waits.
"""

import dataclasses
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from fairlead_operator.api.phases.rollout import Phase, Reason
from fairlead_operator.rollout.decision.capacity import SETTLING
from fairlead_operator.rollout.decision.moves import hold
from fairlead_operator.rollout.decision.states import (
    Decision,
    Observed,
    in_seconds,
    is_finished,
    no_traffic,
)
from fairlead_operator.text import write_list

_IF_IT_STAYS: Final = "if it stays so, look whether the cluster has room for them"


def hold_for_pods(observed: Observed, decision: Decision) -> Decision | None:
    """Keep the present state instead of one that lacks pods; None when it lacks none.

    ``prepare`` of the answer is what the pods are wanted for.  Where a bandit moves its shares,
    only the arms that lack pods stay where they are: the others need not wait for them.
    """
    if observed.capacity is None or is_finished(observed.phase):
        return None
    wanted, present = loads(decision.shares, decision.mirror), _present_loads(observed)
    # At the end the way back goes, so that what a version has must bear it as well.
    ends = decision.phase is Phase.SUCCEEDED
    growing = {
        version: percent
        for version, percent in wanted.items()
        if percent > (0 if ends else present[version])
    }
    lacks = observed.capacity.shortages(growing)
    if not lacks:
        return None
    short = write_list(lacks.values())
    waiting = observed.reason is Reason.WAITING_FOR_REPLICAS
    if observed.phase is Phase.PENDING and waiting and observed.waited > observed.start_deadline:
        return Decision(
            phase=Phase.ROLLED_BACK,
            step=0,
            shares=no_traffic(observed),
            reason=Reason.START_DEADLINE_EXCEEDED,
            message=f"not ready within {in_seconds(observed.start_deadline)} (startDeadline): "
            f"{short}",
        )
    held = dataclasses.replace(
        hold(observed, Reason.WAITING_FOR_REPLICAS, f"{short}; {_IF_IT_STAYS}"),
        prepare=tuple(wanted.items()),
        restart=observed.phase is Phase.PENDING and not waiting,
    )
    if (decision.phase, decision.step) != (observed.phase, observed.step):
        return held
    asked = {arm.version: arm.asked for arm in observed.arms}
    shares = (
        (version, asked[version] if version in lacks else share)
        for version, share in decision.shares
    )
    return dataclasses.replace(held, shares=tuple(shares))


def floors(observed: Observed, decision: Decision) -> dict[str, int]:
    """Return the fewest pods of each version; empty when their number is fixed.

    A candidate's never fall before it goes back: a look at which nothing is due would otherwise
    take away the pods that the next weight waits for.  Where only one version may run at a
    time, whichever runs has everything to bear.
    """
    capacity = observed.capacity
    if capacity is None:
        return {}
    if is_finished(decision.phase):
        fewest = capacity.full if settling(observed, decision) else capacity.bounds.least
        left = [version for version, percent in decision.shares if percent]
        if not left and observed.stable is not None:
            left = [observed.stable.version]
        return dict.fromkeys(left, fewest)
    if decision.phase is Phase.ROLLING_BACK:
        percents = loads(decision.shares, 0)
    else:
        percents = prepared_loads(observed, decision)
    shares = {
        version: capacity.share(100 if observed.exclusive else percent)
        for version, percent in percents.items()
    }
    return shares | ({observed.stable.version: capacity.full} if observed.stable else {})


def settling(observed: Observed, decision: Decision) -> timedelta | None:
    """Return how long the floor of the last version stays after the end; None when that is over."""
    if observed.capacity is None or not is_finished(decision.phase):
        return None
    left = SETTLING - (observed.now - (observed.finished_at or observed.now))
    return left if left > timedelta(0) else None


def loads(shares: Sequence[tuple[str, int]], mirror: int) -> dict[str, int]:
    """Return the percent of all requests that reach each candidate; copies go to the first."""
    (first, share), *others = shares
    return {first: min(100, share + mirror), **dict(others)}


def _present_loads(observed: Observed) -> dict[str, int]:
    """Return the same of what the last decision gave them."""
    mirror = observed.present.mirror if observed.present else 0
    return loads([(arm.version, arm.asked) for arm in observed.arms], mirror)


def prepared_loads(observed: Observed, decision: Decision) -> dict[str, int]:
    """Return the most each candidate's pods were ever counted for: their number tells of that.

    Who has left a trial never gets traffic again.
    """
    prepare, given = dict(decision.prepare), loads(decision.shares, decision.mirror)
    return {
        arm.version: max(arm.prepared, prepare.get(arm.version, 0), given[arm.version])
        if arm.dropped is None
        else 0
        for arm in observed.arms
    }
