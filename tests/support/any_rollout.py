"""Any state a rollout can be seen in: with one candidate, or in a trial of several."""

import dataclasses
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from fairlead_operator.api.phases.rollout import Phase, Reason, Verdict
from fairlead_operator.requests import Action
from fairlead_operator.rollout.decision.plan import Plan
from fairlead_operator.rollout.decision.states import Arm, Cause, Health, Observed, Resolution
from fairlead_operator.rollout.statistics.ab_test import Outcome, Trial
from support.builders import (
    AB,
    AB_AFTER_COPIES,
    ALONE,
    APPROVAL,
    BACK_AB,
    BANDIT,
    GONE,
    NOW,
    PREVIEW,
    STABLE,
    STEPS,
    STOPPING,
    asks,
)

spans = st.integers(0, 7200).map(lambda seconds: timedelta(seconds=seconds))
plans = st.sampled_from([STEPS, APPROVAL, ALONE, PREVIEW, (*PREVIEW, *STEPS)]).map(
    lambda steps: Plan(steps=steps)
)
requests = st.lists(st.sampled_from(Action), unique=True, max_size=3).map(lambda few: asks(*few))
one_arm = st.builds(
    Arm,
    version=st.just("1.1.0"),
    health=st.sampled_from(Health),
    gone=st.booleans(),
    weight=st.none() | st.integers(0, 100),
    asked=st.integers(0, 100),
    verdict=st.sampled_from(Verdict),
    alert=st.none() | st.just("alert"),
    tripped=st.none() | st.just("tripped"),
    repinned=st.none() | st.just("another digest"),
)
anything = st.builds(
    Observed,
    now=st.just(NOW),
    phase=st.sampled_from(Phase),
    step=st.integers(0, 3),
    since=spans.map(lambda span: NOW - span),
    doubt_since=st.none() | spans.map(lambda span: NOW - span),
    reason=st.sampled_from(Reason),
    message=st.just(""),
    has_turn=st.booleans(),
    suspended=st.booleans(),
    frozen=st.none() | st.just("until Monday"),
    stable=st.none() | st.sampled_from([STABLE, GONE, STOPPING]),
    resolution=st.sampled_from(Resolution),
    resolution_message=st.just(""),
    refused_code=st.sampled_from([None, None, None, "it brings code"]),
    arms=one_arm.map(lambda arm: (arm,)),
    winner=st.none(),
    trial=st.none(),
    leader=st.none(),
    requests=requests,
    plan=plans,
    guard=spans,
    patience=spans,
    start_deadline=spans,
    approval_deadline=spans,
    measured=st.booleans(),
    returned=st.booleans(),
    goes_back=st.booleans(),
    problem=st.none() | st.just("no such check"),
)
VERSIONS = ("1.1.0", "1.2.0", "1.3.0")
causes = st.none() | st.just(Cause(reason=Reason.ALERT_FIRED, message="alert"))
several = st.tuples(*(st.tuples(one_arm, causes) for _ in VERSIONS)).map(
    lambda found: tuple(
        dataclasses.replace(arm, version=version, dropped=cause)
        for version, (arm, cause) in zip(VERSIONS, found, strict=True)
    )
)
some_version = st.none() | st.sampled_from(VERSIONS)
trials = st.builds(
    Trial,
    outcome=st.sampled_from(Outcome),
    message=st.just("numbers"),
    winner=st.sampled_from(VERSIONS),
    leader=some_version,
    shares=st.tuples(*(st.integers(5, 30) for _ in VERSIONS)).map(
        lambda shares: tuple(zip(VERSIONS, shares, strict=True))
    ),
)


def in_trial(
    seen: Observed, arms: tuple[Arm, ...], trial: Trial | None, winner: str | None
) -> Observed:
    left = {arm.version for arm in arms if arm.dropped is not None}
    known = None if winner in left else winner  # nobody wins who has left
    return dataclasses.replace(seen, arms=arms, trial=trial, winner=known, leader=winner)


def can_be(seen: Observed) -> bool:
    """Tell whether this can be: all traffic in a pause is the winner's, since the guard paused."""
    asked = {arm.version: arm.asked for arm in seen.arms}
    in_guard = seen.phase is Phase.PAUSED and sum(asked.values()) >= 100
    return not in_guard or asked.get(str(seen.winner)) == 100


any_trial = st.builds(
    lambda steps, seen: dataclasses.replace(seen, plan=Plan(steps=steps)),
    st.sampled_from([AB, AB_AFTER_COPIES, BACK_AB, BANDIT, STEPS]),
    st.builds(in_trial, anything, several, st.none() | trials, some_version),
).filter(can_be)
IN_TRAFFIC = (Phase.PROGRESSING, Phase.PAUSED, Phase.GUARDING)


def in_phase(
    rollouts: st.SearchStrategy[Observed], *phases: Phase, **fields: st.SearchStrategy[Any]
) -> st.SearchStrategy[Observed]:
    """Draw rollouts that are in one of these phases, with these fields drawn anew."""
    return st.builds(
        lambda seen, drawn: dataclasses.replace(seen, **drawn),
        rollouts,
        st.fixed_dictionaries({"phase": st.sampled_from(phases), **fields}),
    ).filter(can_be)


def with_a_good_one(seen: Observed) -> Observed:
    """Take away all that is against the first candidate, so that fewer rollouts go back at once."""
    first, *others = seen.arms
    good = dataclasses.replace(
        first,
        health=Health.READY,
        verdict=Verdict.SUCCESSFUL,
        alert=None,
        tripped=None,
        dropped=None,
    )
    return dataclasses.replace(seen, arms=(good, *others))
