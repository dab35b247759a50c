"""The transition table of the rollout, row by row, and what must never happen."""

import dataclasses
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fairlead_operator.api.phases.rollout import Phase, Reason, Verdict
from fairlead_operator.requests import Action, Word
from fairlead_operator.rollout.decision.causes import rollback_cause
from fairlead_operator.rollout.decision.plan import Plan, Step
from fairlead_operator.rollout.decision.state_machine import decide, is_taken_back
from fairlead_operator.rollout.decision.states import (
    Decision,
    Gateway,
    Health,
    Observed,
    Resolution,
    is_finished,
    present_shares,
    within_steps,
)
from fairlead_operator.rollout.statistics.ab_test import Outcome
from support.any_rollout import IN_TRAFFIC, VERSIONS, any_trial, anything, in_phase, with_a_good_one
from support.builders import (
    AB,
    AB_AFTER_COPIES,
    ALONE,
    APPROVAL,
    BACK_AB,
    BANDIT,
    GONE,
    HOUR,
    MINUTE,
    NOW,
    PREVIEW,
    STABLE,
    STEPS,
    STOPPING,
    TWO,
    asks,
    guarding,
    observed,
    paused,
    pending,
    promotes,
    replacing,
    supersedes,
    trial,
    trying,
)

BACK = (Phase.ROLLING_BACK, 0)
NEVER_STARTED = (Phase.ROLLED_BACK, 0)

TABLE = [
    # Pending
    pytest.param(pending(gateway=Gateway(missing="no HTTPRoutes")), (Phase.PENDING, 0),
                 Reason.WAITING_FOR_GATEWAY, id="pending: nothing can carry the route"),
    pytest.param(pending(gateway=Gateway(missing="no HTTPRoutes"), stable=None), (Phase.PENDING, 0),
                 Reason.WAITING_FOR_GATEWAY, id="pending: a first version waits for a gateway too"),
    pytest.param(pending(gateway=Gateway(taken="a host name"), health=Health.UNKNOWN, waited=HOUR),
                 (Phase.PENDING, 0), Reason.WAITING_FOR_GATEWAY,
                 id="pending: a host name is another's, for however long"),
    pytest.param(observed(gateway=Gateway(taken="a host name")), (Phase.PROGRESSING, 10),
                 Reason.STEP_HOLDING, id="progressing: a host name of another's is no evidence"),
    pytest.param(pending(gateway=Gateway(unsupported="no guard")), NEVER_STARTED,
                 Reason.UNSUPPORTED_BY_TARGET, id="pending: the gateway cannot do what is asked"),
    pytest.param(pending(refused_code="it brings code", health=Health.UNKNOWN), NEVER_STARTED,
                 Reason.CODE_NOT_ALLOWED, id="pending: it brings code that may not run"),
    pytest.param(observed(refused_code="it brings code"), (Phase.PROGRESSING, 10),
                 Reason.STEP_HOLDING, id="progressing: a permission withdrawn is no evidence"),
    pytest.param(observed(gateway=Gateway(unsupported="no guard")), (Phase.PROGRESSING, 10),
                 Reason.STEP_HOLDING, id="progressing: a policy changed in flight is no evidence"),
    pytest.param(pending(), (Phase.PROGRESSING, 10), Reason.STEP_STARTED,
                 id="pending: a ready candidate takes the first step"),
    pytest.param(pending(has_turn=False), (Phase.PENDING, 0), Reason.WAITING_FOR_TURN,
                 id="pending: another rollout is in flight"),
    pytest.param(pending(resolution=Resolution.UNAVAILABLE, health=Health.UNKNOWN, waited=HOUR),
                 (Phase.PENDING, 0), Reason.WAITING_FOR_REGISTRY,
                 id="pending: a registry outage is waited for, however long"),
    pytest.param(pending(resolution=Resolution.MISSING, health=Health.UNKNOWN),
                 NEVER_STARTED, Reason.VERSION_NOT_FOUND, id="pending: no such version"),
    pytest.param(pending(resolution=Resolution.AMBIGUOUS, health=Health.UNKNOWN),
                 NEVER_STARTED, Reason.VERSION_AMBIGUOUS, id="pending: registered twice"),
    pytest.param(pending(resolution=Resolution.CHANGED, health=Health.UNKNOWN),
                 NEVER_STARTED, Reason.VERSION_CHANGED, id="pending: another artifact by now"),
    pytest.param(observed(resolution=Resolution.CHANGED), (Phase.PROGRESSING, 10),
                 Reason.STEP_HOLDING, id="progressing: the registry changes nothing any more"),
    pytest.param(pending(health=Health.STARTING), (Phase.PENDING, 0),
                 Reason.WAITING_FOR_CANDIDATE, id="pending: the candidate starts"),
    pytest.param(pending(health=Health.STARTING, waited=HOUR,
                         reason=Reason.WAITING_FOR_CANDIDATE),
                 NEVER_STARTED, Reason.START_DEADLINE_EXCEEDED,
                 id="pending: the candidate is late"),
    pytest.param(pending(health=Health.STARTING, waited=HOUR, reason=Reason.WAITING_FOR_TURN),
                 (Phase.PENDING, 0), Reason.WAITING_FOR_CANDIDATE,
                 id="pending: waiting for the turn is not the candidate's time"),
    pytest.param(pending(suspended=True), (Phase.PENDING, 0), Reason.SUSPENDED,
                 id="pending: suspended"),
    pytest.param(pending(has_turn=False, suspended=True), (Phase.PENDING, 0),
                 Reason.WAITING_FOR_TURN, id="pending: another's turn, and suspended too"),
    pytest.param(pending(has_turn=False, alone=True, suspended=True), (Phase.PENDING, 0),
                 Reason.SUSPENDED, id="pending: nobody's turn, since all are suspended"),
    pytest.param(pending(has_turn=False, alone=True), (Phase.PENDING, 0),
                 Reason.WAITING_FOR_TURN, id="pending: its turn is about to come"),
    pytest.param(pending(health=Health.FAILED), NEVER_STARTED, Reason.CANDIDATE_FAILED,
                 id="pending: the candidate cannot start"),
    pytest.param(pending(requests=asks(Action.ABORT)), NEVER_STARTED, Reason.ABORTED,
                 id="pending: aborted"),
    pytest.param(pending(requests=supersedes("1.2.0")), NEVER_STARTED, Reason.SUPERSEDED,
                 id="pending: the Model wants another version"),
    pytest.param(observed(requests=supersedes("1.2.0")), BACK, Reason.SUPERSEDED,
                 id="progressing: the Model wants another version"),
    pytest.param(observed(requests=(*supersedes("1.2.0"), *asks(Action.ABORT))), BACK,
                 Reason.SUPERSEDED, id="progressing: one request is acted on at a time"),
    pytest.param(pending(alert="slow"), NEVER_STARTED, Reason.ALERT_FIRED, id="pending: alert"),
    pytest.param(pending(stable=None), (Phase.SUCCEEDED, 100), Reason.PROMOTED,
                 id="pending: a first version takes everything"),
    pytest.param(pending(stable=None, health=Health.FAILED), NEVER_STARTED,
                 Reason.CANDIDATE_FAILED, id="pending: a broken first version takes nothing"),
    pytest.param(pending(frozen="until Monday"), (Phase.PENDING, 0), Reason.FROZEN,
                 id="pending: frozen"),
    pytest.param(pending(stable=None, frozen="until Monday"), (Phase.PENDING, 0), Reason.FROZEN,
                 id="pending: a first version is not promoted in a freeze window"),
    pytest.param(pending(requests=asks(Action.PROMOTE)), (Phase.PROGRESSING, 10),
                 Reason.STEP_STARTED, id="pending: a promotion comes too early"),
    pytest.param(pending(steps=ALONE, health=Health.UNKNOWN), (Phase.REPLACING, 0),
                 Reason.STOPPING_STABLE, id="pending: recreate begins its downtime"),
    pytest.param(pending(steps=ALONE, health=Health.UNKNOWN, stable=None), (Phase.PENDING, 0),
                 Reason.WAITING_FOR_CANDIDATE, id="pending: recreate without a stable version"),
    pytest.param(pending(steps=ALONE, health=Health.UNKNOWN, frozen="until Monday"),
                 (Phase.PENDING, 0), Reason.FROZEN, id="pending: recreate waits for the freeze"),
    # Replacing
    pytest.param(replacing(stable=STOPPING, reason=Reason.STOPPING_STABLE), (Phase.REPLACING, 0),
                 Reason.STOPPING_STABLE, id="replacing: the stable version ends"),
    pytest.param(replacing(stable=STOPPING, health=Health.READY), (Phase.REPLACING, 0),
                 Reason.STOPPING_STABLE, id="replacing: two versions never run together"),
    pytest.param(replacing(health=Health.UNKNOWN), (Phase.REPLACING, 0),
                 Reason.WAITING_FOR_CANDIDATE, id="replacing: the candidate starts"),
    pytest.param(replacing(), (Phase.GUARDING, 100), Reason.GUARD_STARTED,
                 id="replacing: the candidate is ready"),
    pytest.param(replacing(suspended=True, frozen="until Monday"), (Phase.GUARDING, 100),
                 Reason.GUARD_STARTED, id="replacing: nothing makes the downtime longer"),
    pytest.param(replacing(health=Health.FAILED), BACK, Reason.CANDIDATE_FAILED,
                 id="replacing: the candidate cannot start"),
    pytest.param(replacing(health=Health.STARTING, waited=HOUR), BACK,
                 Reason.START_DEADLINE_EXCEEDED, id="replacing: the candidate is late"),
    pytest.param(replacing(stable=STOPPING, health=Health.UNKNOWN, waited=HOUR,
                           reason=Reason.STOPPING_STABLE), BACK,
                 Reason.START_DEADLINE_EXCEEDED, id="replacing: the stable version never ends"),
    pytest.param(replacing(health=Health.STARTING, requests=asks(Action.ABORT)), BACK,
                 Reason.ABORTED, id="replacing: aborted"),
    pytest.param(replacing(health=Health.STARTING, requests=asks(Action.PAUSE)),
                 (Phase.REPLACING, 0), Reason.WAITING_FOR_CANDIDATE,
                 id="replacing: a downtime cannot be paused"),
    # Progressing
    pytest.param(observed(tripped="12 of 14 failed"), BACK, Reason.GUARD_TRIPPED,
                 id="progressing: the fast guard tripped"),
    pytest.param(observed(waited=MINUTE, frozen="until Monday"), (Phase.PROGRESSING, 10),
                 Reason.FROZEN, id="progressing: frozen, the weight stays"),
    pytest.param(observed(verdict=Verdict.FAILED, frozen="until Monday"), BACK,
                 Reason.ANALYSIS_FAILED, id="progressing: going back works while frozen"),
    pytest.param(observed(frozen="until Monday", verdict=Verdict.ERROR, waited=HOUR,
                          doubt_since=NOW - HOUR), (Phase.PROGRESSING, 10), Reason.FROZEN,
                 id="progressing: a freeze does not use up the patience"),
    pytest.param(observed(steps=PREVIEW, weight=0, waited=MINUTE), (Phase.GUARDING, 100),
                 Reason.GUARD_STARTED, id="progressing: a good preview is switched to at once"),
    pytest.param(observed(steps=PREVIEW, weight=0, waited=HOUR, verdict=Verdict.INCONCLUSIVE),
                 (Phase.PROGRESSING, 0), Reason.ANALYSIS_INCONCLUSIVE,
                 id="progressing: a preview that nobody tried is not switched to"),
    pytest.param(observed(steps=PREVIEW, weight=0, verdict=Verdict.FAILED), BACK,
                 Reason.ANALYSIS_FAILED, id="progressing: a bad preview is given up"),
    pytest.param(observed(requests=asks(Action.PAUSE)), (Phase.PAUSED, 10),
                 Reason.PAUSED_BY_REQUEST, id="progressing: a person pauses"),
    pytest.param(observed(requests=asks(Action.PROMOTE)), (Phase.GUARDING, 100),
                 Reason.GUARD_STARTED, id="progressing: a person promotes"),
    pytest.param(observed(requests=asks(Action.PROMOTE), verdict=Verdict.INCONCLUSIVE),
                 (Phase.GUARDING, 100), Reason.GUARD_STARTED,
                 id="progressing: a person promotes without evidence"),
    pytest.param(observed(requests=asks(Action.PROMOTE), measured=False), (Phase.PROGRESSING, 10),
                 Reason.STEP_HOLDING, id="progressing: nobody promotes what was not measured"),
    pytest.param(observed(requests=promotes(Word.UNMEASURED), measured=False),
                 (Phase.GUARDING, 100), Reason.GUARD_STARTED,
                 id="progressing: unless a person says so"),
    pytest.param(observed(requests=asks(Action.PROMOTE), verdict=Verdict.FAILED), BACK,
                 Reason.ANALYSIS_FAILED, id="progressing: nobody promotes past a failed verdict"),
    pytest.param(observed(requests=asks(Action.PROMOTE), health=Health.STARTING),
                 (Phase.PROGRESSING, 10), Reason.CANDIDATE_NOT_READY,
                 id="progressing: nobody promotes a candidate that is not ready"),
    pytest.param(observed(requests=asks(Action.PROMOTE), frozen="until Monday"),
                 (Phase.PROGRESSING, 10), Reason.FROZEN,
                 id="progressing: nobody promotes in a freeze window"),
    pytest.param(observed(requests=asks(Action.PROMOTE), weight=None), (Phase.PROGRESSING, 10),
                 Reason.WAITING_FOR_GATEWAY, id="progressing: a promotion waits for the gateway"),
    pytest.param(observed(requests=asks(Action.ABORT, Action.PROMOTE)), BACK, Reason.ABORTED,
                 id="progressing: an abort is stronger than a promotion"),
    pytest.param(observed(), (Phase.PROGRESSING, 10), Reason.STEP_HOLDING,
                 id="progressing: a step must hold"),
    pytest.param(observed(waited=MINUTE), (Phase.PROGRESSING, 50), Reason.STEP_STARTED,
                 id="progressing: a passed step leads to the next"),
    pytest.param(observed(step=1, weight=50, asked=50, waited=MINUTE), (Phase.GUARDING, 100),
                 Reason.GUARD_STARTED, id="progressing: the last step leads to all traffic"),
    pytest.param(observed(steps=(Step(weight=40, hold=HOUR),)), (Phase.PROGRESSING, 10),
                 Reason.STEP_HOLDING, id="progressing: an edited policy widens nothing by itself"),
    pytest.param(observed(steps=(Step(weight=5, hold=HOUR),)), (Phase.PROGRESSING, 5),
                 Reason.WAITING_FOR_GATEWAY, id="progressing: an edited policy narrows at once"),
    pytest.param(observed(waited=MINUTE, steps=APPROVAL), (Phase.PAUSED, 10),
                 Reason.AWAITING_APPROVAL, id="progressing: a step asks for approval"),
    pytest.param(observed(verdict=Verdict.FAILED), BACK, Reason.ANALYSIS_FAILED,
                 id="progressing: bad metrics roll back at once"),
    pytest.param(observed(alert="slow"), BACK, Reason.ALERT_FIRED, id="progressing: alert"),
    pytest.param(observed(requests=asks(Action.ABORT)), BACK, Reason.ABORTED,
                 id="progressing: aborted"),
    pytest.param(observed(health=Health.FAILED), BACK, Reason.CANDIDATE_FAILED,
                 id="progressing: a crash-looping candidate"),
    pytest.param(observed(verdict=Verdict.ERROR, waited=HOUR), (Phase.PROGRESSING, 10),
                 Reason.ANALYSIS_INCONCLUSIVE, id="progressing: a Prometheus outage holds"),
    pytest.param(observed(verdict=Verdict.INCONCLUSIVE, waited=HOUR), (Phase.PROGRESSING, 10),
                 Reason.ANALYSIS_INCONCLUSIVE, id="progressing: no traffic holds the step"),
    pytest.param(observed(verdict=Verdict.INCONCLUSIVE), (Phase.PROGRESSING, 10),
                 Reason.STEP_HOLDING, id="progressing: evidence is not due within the hold"),
    pytest.param(observed(verdict=Verdict.ERROR, waited=HOUR, doubt_since=NOW - HOUR),
                 (Phase.PAUSED, 10), Reason.ANALYSIS_INCONCLUSIVE,
                 id="progressing: a long outage pauses for a person"),
    pytest.param(observed(weight=None, waited=HOUR), (Phase.PROGRESSING, 10),
                 Reason.WAITING_FOR_GATEWAY, id="progressing: a gateway pod is behind"),
    pytest.param(observed(health=Health.STARTING, waited=HOUR), (Phase.PROGRESSING, 10),
                 Reason.CANDIDATE_NOT_READY, id="progressing: the candidate lost its pods"),
    pytest.param(observed(waited=MINUTE, suspended=True), (Phase.PROGRESSING, 10),
                 Reason.SUSPENDED, id="progressing: suspended, the weight stays"),
    pytest.param(observed(waited=MINUTE, invalid="x"), (Phase.PAUSED, 10), Reason.INVALID_SPEC,
                 id="progressing: what cannot be read stays as it is"),
    pytest.param(guarding(waited=HOUR, invalid="x"), (Phase.PAUSED, 100), Reason.INVALID_SPEC,
                 id="guarding: nor does it end"),
    pytest.param(paused(reason=Reason.AWAITING_APPROVAL, invalid="x"), (Phase.PAUSED, 10),
                 Reason.AWAITING_APPROVAL, id="paused: a person is waited for"),
    pytest.param(paused(reason=Reason.INVALID_SPEC), (Phase.PROGRESSING, 10), Reason.STEP_STARTED,
                 id="paused: once it can be read, the step begins anew"),
    pytest.param(observed(invalid="x", requests=asks(Action.PROMOTE)), (Phase.PAUSED, 10),
                 Reason.INVALID_SPEC, id="progressing: nobody promotes what cannot be read"),
    pytest.param(observed(invalid="x", requests=asks(Action.ABORT)), BACK, Reason.ABORTED,
                 id="progressing: an abort of what cannot be read"),
    pytest.param(guarding(invalid="x", alert="slow"), BACK, Reason.ALERT_FIRED,
                 id="guarding: an alert of what cannot be read"),
    pytest.param(pending(goes_back=True, stable=None, suspended=True), (Phase.SUCCEEDED, 100),
                 Reason.PROMOTED, id="pending: the version in charge gets its traffic back"),
    pytest.param(pending(goes_back=True, suspended=True), (Phase.PENDING, 0), Reason.SUSPENDED,
                 id="pending: another waits, even if it was in charge before"),
    pytest.param(observed(verdict=Verdict.FAILED, suspended=True), BACK, Reason.ANALYSIS_FAILED,
                 id="progressing: going back works while suspended"),
    # A trial
    pytest.param(trying(phase=Phase.PENDING), (Phase.PROGRESSING, 40), Reason.STEP_STARTED,
                 id="trial: all candidates get their shares at once"),
    pytest.param(trying(), (Phase.PROGRESSING, 40), Reason.TRIAL_RUNNING,
                 id="trial: between two counts it goes on"),
    pytest.param(trying(trial=trial(Outcome.RUNNING)), (Phase.PROGRESSING, 40),
                 Reason.TRIAL_RUNNING, id="trial: no decision yet"),
    pytest.param(trying(trial=trial(Outcome.WON, winner="1.2.0")), (Phase.GUARDING, 100),
                 Reason.GUARD_STARTED, id="trial: a candidate won"),
    pytest.param(trying(trial=trial(Outcome.WON, winner="1.2.0"), steps=AB_AFTER_COPIES, step=1),
                 (Phase.GUARDING, 100), Reason.GUARD_STARTED,
                 id="trial: a candidate won, after a step with copies"),
    pytest.param(trying(trial=trial(Outcome.UNDECIDED), steps=AB_AFTER_COPIES, step=1),
                 (Phase.PAUSED, 40), Reason.TRIAL_UNDECIDED,
                 id="trial: undecided asks a person, after a step with copies"),
    pytest.param(trying(trial=trial(Outcome.STABLE_WON)), BACK, Reason.TRIAL_LOST,
                 id="trial: the stable version won"),
    pytest.param(trying(trial=trial(Outcome.UNDECIDED)), (Phase.PAUSED, 40),
                 Reason.TRIAL_UNDECIDED, id="trial: undecided asks a person"),
    pytest.param(trying(trial=trial(Outcome.UNDECIDED), steps=BACK_AB), BACK,
                 Reason.TRIAL_UNDECIDED, id="trial: undecided goes back when told to"),
    pytest.param(trying(trial=trial(Outcome.WON, winner="1.2.0"), suspended=True),
                 (Phase.PROGRESSING, 40), Reason.SUSPENDED,
                 id="trial: nobody wins while suspended"),
    pytest.param(trying(trial=trial(Outcome.WON, winner="1.2.0"),
                        arms=(TWO[0], dataclasses.replace(TWO[1], weight=None))),
                 (Phase.PROGRESSING, 40), Reason.WAITING_FOR_GATEWAY,
                 id="trial: nobody wins while a gateway pod is behind"),
    pytest.param(trying(arms=(dataclasses.replace(TWO[0], verdict=Verdict.FAILED), TWO[1])),
                 (Phase.PROGRESSING, 20), Reason.WAITING_FOR_GATEWAY,
                 id="trial: a bad candidate leaves, the others go on"),
    pytest.param(trying(arms=tuple(dataclasses.replace(arm, tripped="burst") for arm in TWO)),
                 BACK, Reason.GUARD_TRIPPED, id="trial: no good candidate is left"),
    pytest.param(trying(steps=BANDIT, trial=trial(
                     Outcome.RUNNING, shares=(("1.1.0", 10), ("1.2.0", 45)))),
                 (Phase.PROGRESSING, 55), Reason.TRIAL_RUNNING,
                 id="bandit: the shares follow the reward"),
    pytest.param(trying(steps=BANDIT, arms=(TWO[0], dataclasses.replace(TWO[1], weight=19)),
                        trial=trial(Outcome.RUNNING, shares=(("1.1.0", 10), ("1.2.0", 45)))),
                 (Phase.PROGRESSING, 40), Reason.WAITING_FOR_GATEWAY,
                 id="bandit: the shares stand still while the gateway is behind"),
    pytest.param(trying(requests=asks(Action.PROMOTE), leader="1.2.0"), (Phase.GUARDING, 100),
                 Reason.GUARD_STARTED, id="trial: a person promotes the leader"),
    # Paused
    pytest.param(paused(steps=AB, arms=TWO, reason=Reason.TRIAL_UNDECIDED), (Phase.PAUSED, 40),
                 Reason.TRIAL_UNDECIDED, id="paused: an undecided trial waits for a person"),
    pytest.param(paused(steps=AB, arms=TWO, reason=Reason.TRIAL_UNDECIDED, leader="1.2.0",
                        requests=asks(Action.APPROVE)), (Phase.GUARDING, 100),
                 Reason.GUARD_STARTED, id="paused: an undecided trial is approved"),
    pytest.param(paused(steps=AB, arms=TWO, reason=Reason.TRIAL_UNDECIDED, waited=25 * HOUR), BACK,
                 Reason.APPROVAL_DEADLINE_EXCEEDED, id="paused: nobody answers for the trial"),
    pytest.param(paused(steps=AB, arms=TWO, reason=Reason.WAITING_FOR_GATEWAY),
                 (Phase.PROGRESSING, 40), Reason.STEP_STARTED, id="paused: the trial goes on"),
    pytest.param(paused(verdict=Verdict.ERROR), (Phase.PAUSED, 10), Reason.ANALYSIS_INCONCLUSIVE,
                 id="paused: doubt stays"),
    pytest.param(paused(verdict=Verdict.FAILED), BACK, Reason.ANALYSIS_FAILED,
                 id="paused: bad metrics still roll back"),
    pytest.param(paused(), (Phase.PROGRESSING, 10), Reason.STEP_STARTED,
                 id="paused: evidence is back, the step begins anew"),
    pytest.param(paused(verdict=Verdict.ERROR, requests=asks(Action.APPROVE)),
                 (Phase.PROGRESSING, 10),
                 Reason.STEP_STARTED, id="paused: a person goes on in doubt, at the same weight"),
    pytest.param(paused(step=2, weight=100, asked=100), (Phase.GUARDING, 100),
                 Reason.GUARD_STARTED,
                 id="paused: the guard goes on"),
    pytest.param(paused(step=1, steps=STEPS[:1], verdict=Verdict.ERROR), (Phase.PAUSED, 10),
                 Reason.ANALYSIS_INCONCLUSIVE,
                 id="paused: a policy with fewer steps gives no traffic in doubt"),
    pytest.param(paused(step=1, steps=STEPS[:1]), (Phase.PROGRESSING, 10), Reason.STEP_STARTED,
                 id="paused: a policy with fewer steps leads to no guard without a step"),
    pytest.param(paused(reason=Reason.AWAITING_APPROVAL), (Phase.PAUSED, 10),
                 Reason.AWAITING_APPROVAL, id="paused: good metrics are no approval"),
    pytest.param(paused(reason=Reason.AWAITING_APPROVAL, requests=asks(Action.APPROVE)),
                 (Phase.PROGRESSING, 50),
                 Reason.STEP_STARTED, id="paused: approval leads to the next step"),
    pytest.param(paused(reason=Reason.AWAITING_APPROVAL, requests=asks(Action.APPROVE),
                        verdict=Verdict.ERROR),
                 (Phase.PAUSED, 10), Reason.AWAITING_APPROVAL,
                 id="paused: approval does not widen in doubt"),
    pytest.param(paused(reason=Reason.PAUSED_BY_REQUEST), (Phase.PAUSED, 10),
                 Reason.PAUSED_BY_REQUEST, id="paused: a person's pause holds until a resume"),
    pytest.param(paused(reason=Reason.PAUSED_BY_REQUEST, requests=asks(Action.APPROVE)),
                 (Phase.PAUSED, 10), Reason.PAUSED_BY_REQUEST, id="paused: approval is no resume"),
    pytest.param(paused(reason=Reason.PAUSED_BY_REQUEST, requests=asks(Action.RESUME)),
                 (Phase.PROGRESSING, 10), Reason.STEP_STARTED,
                 id="paused: resumed, the step begins anew"),
    pytest.param(paused(reason=Reason.PAUSED_BY_REQUEST, tripped="slow"), BACK,
                 Reason.GUARD_TRIPPED, id="paused: the fast guard goes back even then"),
    pytest.param(paused(reason=Reason.PAUSED_BY_REQUEST, waited=25 * HOUR), BACK,
                 Reason.APPROVAL_DEADLINE_EXCEEDED, id="paused: a pause nobody ends"),
    pytest.param(paused(reason=Reason.AWAITING_APPROVAL, waited=25 * HOUR), BACK,
                 Reason.APPROVAL_DEADLINE_EXCEEDED, id="paused: an approval nobody gives"),
    pytest.param(paused(verdict=Verdict.ERROR, waited=25 * HOUR), (Phase.PAUSED, 10),
                 Reason.ANALYSIS_INCONCLUSIVE, id="paused: doubt never goes back, however long"),
    pytest.param(paused(reason=Reason.AWAITING_APPROVAL, requests=asks(Action.APPROVE),
                        frozen="until Monday"), (Phase.PAUSED, 10), Reason.AWAITING_APPROVAL,
                 id="paused: approval does not widen in a freeze window"),
    pytest.param(paused(reason=Reason.AWAITING_APPROVAL, requests=asks(Action.APPROVE),
                        frozen="until Monday", waited=25 * HOUR), (Phase.PAUSED, 10),
                 Reason.AWAITING_APPROVAL, id="paused: an approval that waits has no deadline"),
    pytest.param(paused(reason=Reason.PAUSED_BY_REQUEST, requests=asks(Action.PROMOTE),
                        weight=None, waited=25 * HOUR), (Phase.PAUSED, 10),
                 Reason.PAUSED_BY_REQUEST, id="paused: nor has a promotion"),
    pytest.param(paused(reason=Reason.AWAITING_APPROVAL, requests=asks(Action.RESUME)),
                 (Phase.PAUSED, 10), Reason.AWAITING_APPROVAL,
                 id="paused: a resume is no approval"),
    pytest.param(paused(requests=asks(Action.PROMOTE), verdict=Verdict.ERROR),
                 (Phase.GUARDING, 100), Reason.GUARD_STARTED, id="paused: a person promotes"),
    # Guarding
    pytest.param(guarding(requests=promotes(Word.END_GUARD)), (Phase.SUCCEEDED, 100),
                 Reason.PROMOTED, id="guarding: a person ends the guard window"),
    pytest.param(guarding(requests=asks(Action.PROMOTE)), (Phase.GUARDING, 100),
                 Reason.GUARD_HOLDING, id="guarding: promoting twice is promoting once"),
    pytest.param(paused(step=2, asked=100, weight=100, requests=promotes(Word.END_GUARD)),
                 (Phase.SUCCEEDED, 100), Reason.PROMOTED,
                 id="paused in the guard window: a person ends it"),
    pytest.param(guarding(requests=asks(Action.PAUSE)), (Phase.PAUSED, 100),
                 Reason.PAUSED_BY_REQUEST, id="guarding: a person pauses"),
    pytest.param(guarding(waited=MINUTE, frozen="until Monday"), (Phase.GUARDING, 100),
                 Reason.FROZEN, id="guarding: nothing is promoted in a freeze window"),
    pytest.param(guarding(), (Phase.GUARDING, 100), Reason.GUARD_HOLDING, id="guarding: holds"),
    pytest.param(guarding(waited=MINUTE), (Phase.SUCCEEDED, 100), Reason.PROMOTED,
                 id="guarding: passed"),
    pytest.param(guarding(waited=MINUTE, verdict=Verdict.FAILED), BACK, Reason.ANALYSIS_FAILED,
                 id="guarding: bad metrics go back to the previous version"),
    pytest.param(guarding(waited=HOUR, verdict=Verdict.INCONCLUSIVE), (Phase.GUARDING, 100),
                 Reason.ANALYSIS_INCONCLUSIVE, id="guarding: doubt keeps the way back open"),
    pytest.param(guarding(verdict=Verdict.ERROR), (Phase.GUARDING, 100),
                 Reason.GUARD_HOLDING, id="guarding: evidence is not due within the window"),
    pytest.param(guarding(requests=supersedes("1.2.0"), returned=True, asked=100),
                 (Phase.SUCCEEDED, 100), Reason.PROMOTED,
                 id="guarding: another target leaves the traffic where a person went back to"),
    pytest.param(guarding(requests=supersedes("1.2.0"), returned=True, asked=100,
                          verdict=Verdict.FAILED), BACK, Reason.ANALYSIS_FAILED,
                 id="guarding: evidence is stronger than where a person went"),
    pytest.param(guarding(requests=supersedes("1.2.0"), asked=100), BACK, Reason.SUPERSEDED,
                 id="guarding: another target takes a new candidate back"),
    pytest.param(observed(requests=supersedes("1.2.0"), returned=True), (Phase.PROGRESSING, 10),
                 Reason.STEP_HOLDING,
                 id="progressing: another target waits for what a person goes back to"),
    # Ends
    pytest.param(observed(phase=Phase.ROLLING_BACK, reason=Reason.ABORTED, weight=10), BACK,
                 Reason.ABORTED, id="rolling back: waits until the router reports no traffic"),
    pytest.param(observed(phase=Phase.ROLLING_BACK, reason=Reason.ABORTED, weight=None), BACK,
                 Reason.ABORTED, id="rolling back: not knowing is not zero"),
    pytest.param(observed(phase=Phase.ROLLING_BACK, reason=Reason.ABORTED, weight=0),
                 (Phase.ROLLED_BACK, 0), Reason.ABORTED, id="rolling back: done, with its cause"),
    pytest.param(observed(phase=Phase.ROLLING_BACK, reason=Reason.ABORTED, weight=0, steps=ALONE,
                          stable=GONE), BACK, Reason.ABORTED,
                 id="rolling back: recreate waits until the stable version answers again"),
    pytest.param(observed(phase=Phase.ROLLING_BACK, reason=Reason.ABORTED, weight=0, steps=ALONE),
                 (Phase.ROLLED_BACK, 0), Reason.ABORTED,
                 id="rolling back: recreate is done when the stable version is back"),
    pytest.param(observed(phase=Phase.ROLLED_BACK, reason=Reason.ALERT_FIRED),
                 (Phase.ROLLED_BACK, 0), Reason.ALERT_FIRED, id="rolled back: stays"),
    pytest.param(observed(phase=Phase.SUCCEEDED, reason=Reason.PROMOTED, verdict=Verdict.FAILED,
                          alert="late"),
                 (Phase.SUCCEEDED, 100), Reason.PROMOTED, id="succeeded: stays"),
]  # fmt: skip


@pytest.mark.parametrize(("seen", "phase_and_weight", "reason"), TABLE)
def test_decide(seen: Observed, phase_and_weight: tuple[Phase, int], reason: Reason) -> None:
    decision = decide(seen)

    assert (decision.phase, decision.weight) == phase_and_weight
    assert decision.reason is reason


def test_the_table_has_a_row_for_every_phase() -> None:
    assert {row.values[0].phase for row in TABLE} == set(Phase)


def present_weight(seen: Observed) -> int:
    """What the candidates have in the phase and step they are in."""
    return sum(share for _, share in present_shares(within_steps(seen)))


def asked(seen: Observed, action: Action) -> bool:
    return any(request.action is action for request in seen.requests)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param(observed(), False, id="nobody spoke"),
        pytest.param(observed(requests=asks(Action.ABORT)), True, id="an abort"),
        pytest.param(pending(requests=asks(Action.ABORT)), True, id="an abort before traffic"),
        pytest.param(paused(requests=asks(Action.ABORT)), True, id="an abort in a pause"),
        pytest.param(guarding(requests=supersedes("1.3.0")), True, id="superseded"),
        pytest.param(guarding(requests=supersedes("1.3.0"), returned=True), False,
                     id="superseded, but a person went back to it"),
        pytest.param(observed(requests=asks(Action.PAUSE)), False, id="a pause"),
        pytest.param(observed(alert="slow"), True, id="an alert"),
        pytest.param(observed(tripped="12 of 14"), True, id="the fast guard"),
        pytest.param(observed(verdict=Verdict.FAILED), False, id="a verdict: checks may change it"),
        pytest.param(trying(arms=(TWO[0], dataclasses.replace(TWO[1], alert="slow"))), True,
                     id="a trial: an alert of one of two"),
        pytest.param(observed(phase=Phase.ROLLED_BACK, alert="slow"), False, id="it has ended"),
        pytest.param(paused(waited=10 * HOUR, reason=Reason.AWAITING_APPROVAL), False,
                     id="a deadline that passed: not by anybody's word"),
    ],
)  # fmt: skip
def test_what_takes_back_whatever_checks_say(seen: Observed, *, expected: bool) -> None:
    assert is_taken_back(seen) is expected


@given(anything)
def test_what_is_taken_back_gets_no_more_traffic(seen: Observed) -> None:
    assume(is_taken_back(seen))

    decision = decide(seen)

    assert decision.phase in {Phase.ROLLING_BACK, Phase.ROLLED_BACK} or decision.dropped


@given(anything)
def test_every_state_has_a_decision_with_a_weight_of_its_steps(seen: Observed) -> None:
    decision = decide(seen)

    had = sum(arm.asked for arm in seen.arms)  # less than a step's where the policy was edited
    assert decision.weight in {0, 100, had, *(step.weight for step in seen.steps)}
    assert decide(seen) == decision


@given(
    in_phase(
        any_trial.map(with_a_good_one),
        Phase.PROGRESSING,
        Phase.PAUSED,
        plan=st.sampled_from([Plan(steps=steps) for steps in (AB, BACK_AB, STEPS)]),
        requests=st.just(()),
    )
)
def test_nothing_widens_within_a_step(seen: Observed) -> None:
    """A policy edited in flight once gave its new weight at once, without a verdict."""
    decision = decide(seen)
    assume((decision.phase, decision.step, decision.restart) == (seen.phase, seen.step, False))

    had = {arm.version: arm.asked for arm in seen.arms}
    assert all(share <= had[version] for version, share in decision.shares)


@pytest.mark.parametrize(
    "seen",
    [
        observed(verdict=Verdict.ERROR, waited=HOUR, doubt_since=NOW - HOUR),
        paused(verdict=Verdict.ERROR),
    ],
    ids=["at its beginning", "later"],
)
def test_a_pause_in_doubt_names_the_ways_out(seen: Observed) -> None:
    message = decide(seen).message

    assert "goes on by itself with clear evidence, or with `fairlead resume MODEL`;" in message
    assert message.endswith("`fairlead abort MODEL` goes back")


@given(in_phase(anything, *IN_TRAFFIC))
def test_doubt_never_widens_traffic(seen: Observed) -> None:
    arm = seen.arms[0]
    unproven = arm.verdict is not Verdict.SUCCESSFUL and not asked(seen, Action.PROMOTE)
    behind = arm.weight != present_weight(seen)
    stopped = seen.suspended or seen.frozen is not None
    assume(unproven or behind or stopped)

    assert decide(seen).weight <= present_weight(seen)


@given(anything)
def test_nothing_is_promoted_in_a_freeze_window_nor_while_suspended(seen: Observed) -> None:
    ends = decide(seen).phase is Phase.SUCCEEDED and seen.phase is not Phase.SUCCEEDED

    restored = seen.goes_back and seen.stable is None  # the version in charge itself
    assert not ends or (seen.frozen is None and (restored or not seen.suspended))


@given(in_phase(anything | any_trial, *IN_TRAFFIC, invalid=st.just("another strategy")))
def test_what_cannot_be_read_widens_nothing_and_goes_back_all_the_same(seen: Observed) -> None:
    decision = decide(seen)
    readable = decide(dataclasses.replace(seen, invalid=None))

    assert decision.weight <= present_weight(seen)
    assert decision == readable or rollback_cause(seen) is None


@given(anything)
def test_copies_are_sent_only_to_a_version_without_a_cause_against_it(seen: Observed) -> None:
    decision = decide(seen)

    assert decision.mirror in {0, *(step.mirror for step in seen.steps)}
    assert not decision.mirror or decision.phase in {Phase.PROGRESSING, Phase.PAUSED}


@given(anything)
def test_each_request_is_answered_at_most_once_and_one_is_accepted(seen: Observed) -> None:
    answers = decide(seen).answers
    answered = [answer.request for answer in answers]

    assert len(set(answered)) == len(answered)
    assert set(answered) <= set(seen.requests)
    assert sum(answer.accepted for answer in answers) <= 1
    assert all(answer.message for answer in answers if not answer.accepted)


@given(anything)
def test_only_a_ready_candidate_gets_more_traffic(seen: Observed) -> None:
    widened = decide(seen).weight > present_weight(seen) and seen.phase is not Phase.SUCCEEDED

    assert not widened or seen.arms[0].health is Health.READY


@given(in_phase(anything, *IN_TRAFFIC, returned=st.just(True)), st.sampled_from(["1.2.0", "9.0.0"]))
def test_another_target_never_brings_back_what_a_person_left(seen: Observed, target: str) -> None:
    asked_for = dataclasses.replace(seen, requests=supersedes(target))
    without = dataclasses.replace(seen, requests=())

    decision = decide(asked_for)

    assert decision.weight >= decide(without).weight
    assert decision.reason is not Reason.SUPERSEDED


@given(anything)
def test_no_rollback_without_a_cause(seen: Observed) -> None:
    decision = decide(seen)
    goes_back = decision.phase is Phase.ROLLING_BACK and seen.phase is not Phase.ROLLING_BACK
    arm = seen.arms[0]
    evidence = (
        arm.verdict is Verdict.FAILED
        or arm.health is Health.FAILED
        or arm.alert is not None
        or arm.tripped is not None
        or arm.repinned is not None
        or seen.resolution in {Resolution.MISSING, Resolution.AMBIGUOUS, Resolution.CHANGED}
    )
    late = seen.waited > min(seen.start_deadline, seen.approval_deadline)
    cause = evidence or asked(seen, Action.ABORT) or late

    assert not goes_back or cause


@given(in_phase(anything, *IN_TRAFFIC, stable=st.sampled_from([STABLE, GONE, STOPPING])))
def test_a_failed_verdict_takes_all_traffic_from_the_candidate(seen: Observed) -> None:
    arm = dataclasses.replace(seen.arms[0], verdict=Verdict.FAILED)

    assert decide(dataclasses.replace(seen, arms=(arm,))).weight == 0


@given(
    in_phase(
        anything,
        Phase.PENDING,
        Phase.REPLACING,
        plan=st.just(Plan(steps=ALONE)),
        stable=st.sampled_from([STABLE, STOPPING]),
    )
)
def test_recreate_gives_no_traffic_while_the_stable_version_is_still_there(seen: Observed) -> None:
    assert decide(seen).weight == 0


@given(anything.filter(lambda seen: is_finished(seen.phase)))
def test_a_finished_rollout_stays_finished(seen: Observed) -> None:
    decision = decide(seen)

    assert (decision.phase, decision.reason) == (seen.phase, seen.reason)


@given(in_phase(anything, Phase.PROGRESSING))
def test_no_step_is_skipped(seen: Observed) -> None:
    decision = decide(seen)
    assume(decision.phase is Phase.PROGRESSING)

    assert decision.step in {seen.step, seen.step + 1, len(seen.steps) - 1}


def test_a_whole_life() -> None:
    def live(seen: Observed, decision: Decision) -> Observed:
        entered = (decision.phase, decision.step) != (seen.phase, seen.step)
        return dataclasses.replace(
            seen,
            now=seen.now + MINUTE,
            since=seen.now if entered else seen.since,
            phase=decision.phase,
            step=decision.step,
            arms=(dataclasses.replace(seen.arms[0], weight=decision.weight),),
            reason=decision.reason,
        )

    seen, history = pending(), []
    for _ in range(8):
        decision = decide(seen)
        seen = live(seen, decision)
        history.append((decision.phase, decision.weight))

    assert list(dict.fromkeys(history)) == [
        (Phase.PROGRESSING, 10),
        (Phase.PROGRESSING, 50),
        (Phase.GUARDING, 100),
        (Phase.SUCCEEDED, 100),
    ]


@given(any_trial)
def test_shares_of_a_trial_add_up_and_stay_within_the_plan(seen: Observed) -> None:
    decision = decide(seen)
    shares = dict(decision.shares)

    assert list(shares) == list(VERSIONS)
    assert all(share >= 0 for share in shares.values())


@given(in_phase(any_trial, Phase.GUARDING, Phase.SUCCEEDED))
def test_after_a_trial_one_candidate_has_all_the_traffic(seen: Observed) -> None:
    decision = decide(seen)
    assume(decision.phase in {Phase.GUARDING, Phase.SUCCEEDED})

    assert sorted(share for _, share in decision.shares) == [0, 0, 100]


@given(in_phase(any_trial, Phase.PROGRESSING, plan=st.just(Plan(steps=AB))))
def test_the_split_of_an_ab_test_is_its_own_or_narrower(seen: Observed) -> None:
    decision = decide(seen)
    assume(decision.phase is Phase.PROGRESSING)

    assert {share for _, share in decision.shares} <= {0, 20, *(arm.asked for arm in seen.arms)}


@given(any_trial)
def test_a_candidate_that_left_a_trial_never_comes_back(seen: Observed) -> None:
    decision = decide(seen)
    out = {version for version, _ in decision.dropped}

    assert {arm.version for arm in seen.arms if arm.dropped is not None} <= out


@given(
    in_phase(
        any_trial.map(with_a_good_one),
        Phase.PROGRESSING,
        winner=st.none(),
        requests=st.just(()),
        stable=st.sampled_from([STABLE, GONE, STOPPING]),
    )
)
def test_a_candidate_that_left_has_no_traffic_while_the_trial_goes_on(seen: Observed) -> None:
    decision = decide(seen)
    assume(decision.phase is Phase.PROGRESSING)

    out = {version for version, _ in decision.dropped}
    assert all(not share for version, share in decision.shares if version in out)


trials_in_flight = in_phase(
    any_trial,
    Phase.PROGRESSING,
    Phase.PAUSED,
    plan=st.sampled_from([Plan(steps=AB), Plan(steps=BANDIT)]),
    step=st.just(0),
)


@given(trials_in_flight)
def test_only_its_own_test_or_a_person_ends_a_trial_well(seen: Observed) -> None:
    assume(seen.trial is None or seen.trial.outcome is not Outcome.WON)
    assume(not asked(seen, Action.PROMOTE) and not asked(seen, Action.APPROVE))

    assert decide(seen).phase is not Phase.GUARDING


def test_a_trial_that_is_won_has_a_winner() -> None:
    assert decide(trying(trial=trial(Outcome.WON, winner="1.2.0"))).winner == "1.2.0"


@pytest.mark.parametrize(
    ("against", "why"),
    [
        pytest.param({"frozen": "frozen until Monday"}, "frozen until Monday", id="a freeze"),
        pytest.param({"suspended": True}, "the Model is suspended", id="a suspended Model"),
        pytest.param(
            {"verdict": Verdict.ERROR, "verdict_message": "Prometheus is away"},
            "Prometheus is away",
            id="no evidence",
        ),
        pytest.param(
            {"health": Health.STARTING, "message": "0 of 1 pods ready"},
            "0 of 1 pods ready",
            id="no pods",
        ),
    ],
)
def test_an_approval_that_waits_says_for_what_and_is_forgotten_when_it_is_withdrawn(
    against: dict[str, Any], why: str
) -> None:
    asked = paused(reason=Reason.AWAITING_APPROVAL, requests=asks(Action.APPROVE), **against)
    asked = dataclasses.replace(asked, message="step 1 of 2 held")

    waits = decide(asked)
    again = decide(dataclasses.replace(asked, message=waits.message))
    withdrawn = decide(dataclasses.replace(asked, message=waits.message, requests=()))

    assert waits.answers == ()
    assert waits.message.startswith(f"approve (Ada: why) waits: {why}")
    assert waits.message.endswith("; step 1 of 2 held")
    assert again.message == waits.message
    assert withdrawn.message == "step 1 of 2 held"
