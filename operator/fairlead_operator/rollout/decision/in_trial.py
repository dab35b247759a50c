"""The trial of an A/B test or a bandit: several versions live, until one is better.  Pure.

What ends a trial is its own test (``trial.py``, ``bandit.py``), never the checks of
the analysis: those only take a bad candidate out.  A bandit's shares follow the
reward, but stand still while anything is in doubt.
"""

import dataclasses
from typing import assert_never

from fairlead_operator.api.phases.rollout import Phase, Reason
from fairlead_operator.rollout.decision.moves import (
    doubt_cause,
    enter_guard,
    hold,
    hold_in_doubt,
    roll_back,
    stop_cause,
)
from fairlead_operator.rollout.decision.plan import Step
from fairlead_operator.rollout.decision.states import Cause, Decision, Observed, in_seconds
from fairlead_operator.rollout.statistics.ab_test import Outcome, Trial


def while_trying(observed: Observed, step: Step) -> Decision:
    """Hold the split until the trial decides."""
    stop = stop_cause(observed)
    if stop is not None:
        return hold(observed, stop.reason, stop.message)
    doubt = doubt_cause(observed)
    if doubt is not None:
        return hold_in_doubt(observed, doubt.reason, doubt.message)
    trial = observed.trial
    if trial is None:  # not due; what it last said still stands
        if observed.reason in {Reason.TRIAL_RUNNING, Reason.WAITING_FOR_REPLICAS}:
            return hold(observed, observed.reason, observed.message)
        return hold(observed, Reason.TRIAL_RUNNING, "the trial goes on until it is decided")
    match trial.outcome:
        case Outcome.RUNNING:
            return _follow(observed, step, trial)
        case Outcome.WON:
            winner = dataclasses.replace(observed, winner=trial.winner)
            return enter_guard(winner, f"{trial.winner} won: {trial.message}")
        case Outcome.STABLE_WON:
            return roll_back(
                observed, Cause(reason=Reason.TRIAL_LOST, message=_stays(observed, trial))
            )
        case Outcome.UNDECIDED:
            return _undecided(observed, step, trial)
    assert_never(trial.outcome)


def with_leader(observed: Observed) -> Observed:
    """Let the best candidate so far win, as a person ends the trial."""
    present = observed.present
    if present is None or present.trial is None:
        return observed
    playing = [arm.version for arm in observed.playing]
    leader = observed.leader if observed.leader in playing else playing[0]
    return dataclasses.replace(observed, winner=leader)


def _follow(observed: Observed, step: Step, trial: Trial) -> Decision:
    """Keep the split, or give the shares that the rewards ask for where the step follows them."""
    held = hold(observed, Reason.TRIAL_RUNNING, trial.message)
    if not step.follows_reward or not trial.shares:
        return held
    wanted = dict(trial.shares)
    shares = tuple(
        (version, wanted.get(version, share) if share else 0) for version, share in held.shares
    )
    return dataclasses.replace(held, shares=shares)


def _stays(observed: Observed, trial: Trial) -> str:
    stable = observed.stable.version if observed.stable else "the stable version"
    return f"{stable} won the trial: {trial.message}"


def _undecided(observed: Observed, step: Step, trial: Trial) -> Decision:
    message = f"undecided after {in_seconds(step.hold)} (maxDuration): {trial.message}"
    if step.undecided_goes_back:
        return roll_back(observed, Cause(reason=Reason.TRIAL_UNDECIDED, message=message))
    leader = trial.leader or observed.playing[0].version
    ways = f"`fairlead approve MODEL` goes on with {leader}, `fairlead abort MODEL` goes back"
    return dataclasses.replace(
        hold(observed, Reason.TRIAL_UNDECIDED, f"{message}; {ways}"), phase=Phase.PAUSED
    )
