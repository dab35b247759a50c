"""Which request does not apply and why, which must wait, and which is acted on first."""

import dataclasses

import pytest

from fairlead_operator.api.phases.rollout import Phase, Reason, Verdict
from fairlead_operator.requests import Action, Word
from fairlead_operator.rollout.decision.refusals import answer_requests
from fairlead_operator.rollout.decision.states import Health, Observed
from support.builders import (
    asks,
    guarding,
    observed,
    paused,
    pending,
    promotes,
    replacing,
    supersedes,
    trying,
)

REFUSALS = [
    pytest.param(pending(requests=asks(Action.PAUSE)), "no traffic yet", id="pending: pause"),
    pytest.param(pending(requests=asks(Action.APPROVE)), "nothing waits", id="pending: approve"),
    pytest.param(observed(requests=asks(Action.RESUME)), "not paused", id="progressing: resume"),
    pytest.param(observed(requests=asks(Action.APPROVE)), "nothing waits",
                 id="progressing: approve"),
    pytest.param(observed(requests=asks(Action.PROMOTE), suspended=True), "suspended",
                 id="progressing: promote while suspended"),
    pytest.param(observed(requests=asks(Action.RESUME), alert="slow"), "AlertFired: slow",
                 id="progressing: an alert is stronger"),
    pytest.param(observed(requests=asks(Action.PROMOTE), verdict=Verdict.FAILED), "AnalysisFailed",
                 id="progressing: promote past a failed verdict"),
    pytest.param(observed(requests=asks(Action.PROMOTE), health=Health.STARTING), "not ready",
                 id="progressing: promote what is not ready"),
    pytest.param(observed(requests=asks(Action.PROMOTE), measured=False),
                 "no request of 1.1.0 was measured yet; `fairlead promote MODEL --unmeasured`",
                 id="progressing: promote what was not measured"),
    pytest.param(observed(requests=promotes(Word.END_GUARD), measured=False), "--unmeasured",
                 id="progressing: the word for another"),
    pytest.param(paused(requests=asks(Action.PROMOTE), measured=False), "--unmeasured",
                 id="paused: promote what was not measured"),
    pytest.param(guarding(requests=asks(Action.PROMOTE)),
                 "1.1.0 has all traffic already, and its guard window goes on; "
                 "`fairlead promote MODEL --end-guard` ends it",
                 id="guarding: promote again"),
    pytest.param(guarding(requests=promotes(Word.UNMEASURED), measured=False), "--end-guard",
                 id="guarding: the word for another"),
    pytest.param(paused(requests=asks(Action.PROMOTE), step=2, asked=100), "--end-guard",
                 id="paused in the guard window: promote again"),
    pytest.param(guarding(requests=promotes(Word.END_GUARD), frozen="until Monday"), "Monday",
                 id="guarding: end it in a freeze window"),
    pytest.param(observed(requests=asks(Action.RETRY)), "asked of a Model", id="retry"),
    pytest.param(observed(requests=supersedes("the hotfix")), "must name the version",
                 id="progressing: superseded by no version"),
    pytest.param(observed(requests=supersedes("1.1.0")), "is the candidate of this rollout",
                 id="progressing: superseded by itself"),
    pytest.param(trying(requests=supersedes("1.2.0"), winner="1.2.0"),
                 "is the candidate of this rollout", id="a trial: superseded by its winner"),
    pytest.param(paused(requests=asks(Action.RESUME), reason=Reason.AWAITING_APPROVAL),
                 "approve it", id="awaiting approval: resume"),
    pytest.param(paused(requests=asks(Action.RESUME), reason=Reason.TRIAL_UNDECIDED),
                 "approve or promote the leader", id="trial undecided: resume"),
    pytest.param(paused(requests=asks(Action.PAUSE), reason=Reason.PAUSED_BY_REQUEST),
                 "paused already", id="paused by request: pause"),
    pytest.param(observed(phase=Phase.ROLLING_BACK, requests=asks(Action.PROMOTE)),
                 "going back already", id="rolling back: promote"),
    pytest.param(observed(phase=Phase.SUCCEEDED, requests=asks(Action.ABORT)), "has ended",
                 id="succeeded: abort"),
]  # fmt: skip


@pytest.mark.parametrize(("seen", "words"), REFUSALS)
def test_a_request_that_does_not_apply_is_refused_with_the_reason(
    seen: Observed, words: str
) -> None:
    accepted, (answer,) = answer_requests(seen)

    assert accepted is None
    assert not answer.accepted
    assert words in answer.message


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(paused(requests=asks(Action.APPROVE), reason=Reason.AWAITING_APPROVAL,
                            verdict=Verdict.ERROR), id="an approval in doubt"),
        pytest.param(observed(requests=asks(Action.PROMOTE), weight=None),
                     id="a promotion while the gateway is behind"),
        *(
            pytest.param(dataclasses.replace(seen, requests=supersedes("1.2.0"), returned=True),
                         id=f"another target than what a person goes back to: {when}")
            for when, seen in {
                "it starts": pending(),
                "in a step": observed(),
                "paused in a step": paused(),
                "in the downtime": replacing(),
                "the gateway is behind": guarding(weight=None),
                "not ready": guarding(health=Health.STARTING),
                "frozen": guarding(frozen="until Monday"),
            }.items()
        ),
    ],
)  # fmt: skip
def test_a_request_that_must_wait_is_not_answered_yet(seen: Observed) -> None:
    assert answer_requests(seen) == (None, ())


@pytest.mark.parametrize(
    ("seen", "accepted", "refused"),
    [
        pytest.param(observed(requests=asks(Action.ABORT, Action.PROMOTE)), Action.ABORT, [],
                     id="the strongest first, the other waits"),
        pytest.param(observed(requests=asks(Action.RESUME, Action.PAUSE)), Action.PAUSE,
                     [Action.RESUME], id="one that does not apply does not hold up the next"),
        pytest.param(observed(requests=asks(Action.PROMOTE, Action.PAUSE), weight=None),
                     Action.PAUSE, [], id="nor does one that must wait"),
        pytest.param(paused(requests=asks(Action.APPROVE), reason=Reason.AWAITING_APPROVAL),
                     Action.APPROVE, [], id="an approval without doubt"),
        pytest.param(paused(requests=asks(Action.RESUME)), Action.RESUME, [],
                     id="a resume of a pause in doubt"),
        pytest.param(guarding(requests=supersedes("1.2.0"), returned=True, asked=100),
                     Action.SUPERSEDE, [], id="another target once all traffic is back"),
        pytest.param(pending(requests=supersedes("1.2.0"), returned=True, problem="no template"),
                     Action.SUPERSEDE, [], id="another target than what cannot begin"),
        pytest.param(pending(requests=asks(Action.ABORT), verdict=Verdict.FAILED), Action.ABORT, [],
                     id="an abort of what goes back anyhow"),
        pytest.param(trying(requests=supersedes("1.2.0")), Action.SUPERSEDE, [],
                     id="one of a trial alone, in place of the trial"),
        pytest.param(trying(requests=supersedes("1.1.0"), winner="1.2.0"), Action.SUPERSEDE, [],
                     id="another than the winner of a trial"),
    ],
)  # fmt: skip
def test_which_request_is_acted_on(seen: Observed, accepted: Action, refused: list[Action]) -> None:
    request, answers = answer_requests(seen)

    assert request is not None
    assert request.action is accepted
    assert [answer.request.action for answer in answers] == refused
