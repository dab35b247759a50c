"""What a Rollout says of a decision: moments that stay, Events that come once."""

import dataclasses
from datetime import datetime, timedelta
from typing import Any

import pytest

from fairlead_operator.api.gateway import GatewaySpec
from fairlead_operator.api.phases.rollout import Phase, Reason, RouteReason, SignatureReason
from fairlead_operator.api.rollout import RolloutStatus
from fairlead_operator.report import Report
from fairlead_operator.rollout.decision.states import Cause, Decision, Observed
from fairlead_operator.rollout.presence import Pods
from fairlead_operator.rollout.seen import Signatures
from fairlead_operator.rollout.status import report
from fairlead_operator.rollout.traffic.accepted import Routed
from support.builders import (
    GOOD,
    MINUTE,
    NOW,
    PREVIEW,
    case,
    guarding,
    observed,
    pending,
    plain_rollout,
    seen,
)

EARLIER = "2025-12-31T23:58:00.000Z"
MOVING = {"phase": "Progressing", "step": 0, "since": EARLIER, "stepSince": EARLIER,
          "startedAt": EARLIER, "liveSince": EARLIER, "weight": 10}  # fmt: skip
GOING_BACK = MOVING | {"phase": "RollingBack", "triggeredAt": EARLIER, "reason": "AlertFired"}


def decided(phase: Phase, *, share: int = 10, **more: Any) -> Decision:
    usual = {"step": 0, "shares": (("1.1.0", share),), "message": "numbers",
             "reason": Reason.STEP_HOLDING}  # fmt: skip
    return Decision(phase=phase, **usual | more)


def told(
    decision: Decision,
    look: Observed,
    status: dict[str, Any] | None = None,
    **changes: Any,
) -> Report:
    return report(plain_rollout(), seen(look, status=status, **changes), decision)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


BEHIND = observed(weight=5)
LATE, JUST = "2025-12-31T23:59:50.000Z", "2025-12-31T23:59:51.000Z"
ALONE = Pods(available=1)


@pytest.mark.parametrize(
    ("look", "phase", "before", "since", "reason"),
    [
        pytest.param(observed(), Phase.PROGRESSING, LATE, None, "PodsReady", id="confirmed"),
        pytest.param(BEHIND, Phase.PROGRESSING, None, "2026-01-01T00:00:00.000Z", "PodsReady",
                     id="it begins to be behind"),
        pytest.param(BEHIND, Phase.PROGRESSING, JUST, JUST, "PodsReady", id="behind for 9 s"),
        pytest.param(BEHIND, Phase.PROGRESSING, LATE, LATE, "PodsMissing", id="behind for 10 s"),
        pytest.param(observed(weight=None), Phase.ROLLING_BACK, LATE, LATE, "PodsMissing",
                     id="on the way back too"),
        pytest.param(observed(phase=Phase.SUCCEEDED, step=2, weight=None, finished_at=NOW),
                     Phase.SUCCEEDED, LATE, LATE, "PodsMissing", id="at rest too"),
        pytest.param(pending(), Phase.PENDING, LATE, None, "PodsReady",
                     id="before it has a route there is nothing to confirm"),
    ],
)  # fmt: skip
def test_a_route_that_no_gateway_confirms_is_told_after_ten_seconds(
    look: Observed, phase: Phase, before: str | None, since: str | None, reason: str
) -> None:
    """The agent's token was refused for ever, and the status showed the weights of before."""
    status = MOVING | ({} if before is None else {"unconfirmedSince": before})

    spoken = told(decided(phase), look, status, gateway=ALONE)

    (pods,) = (each for each in spoken.status["conditions"] if each["type"] == "PodsReady")
    assert (spoken.status.get("unconfirmedSince"), pods["reason"]) == (since, reason)
    assert ("has not confirmed the route" in pods["message"]) is (reason == "PodsMissing")


@pytest.mark.parametrize("kind", ["built in", "another's"])
def test_a_route_that_the_cluster_refuses_is_no_fault_of_a_gateway(kind: str) -> None:
    """The words sent the reader to the log of the agent."""
    status = MOVING | {"phase": "RollingBack", "unconfirmedSince": LATE}
    parts: dict[str, Any] = {"gateway": ALONE}
    if kind == "another's":
        parts = {"routed": Routed(reason=RouteReason.PENDING, message="", weights=None,
                                  unheard=True)}  # fmt: skip
    look = seen(observed(weight=10), status=status, **parts)

    spoken = report(plain_rollout(), look, decided(Phase.ROLLING_BACK, share=0), unrouted=True)

    (pods,) = (each for each in spoken.status["conditions"] if each["type"] == "PodsReady")
    assert (pods["status"], pods["reason"]) == ("True", "PodsReady")


ENDED = MOVING | {
    "phase": "Succeeded", "step": 2, "weight": 100, "observedWeight": 100, "peakWeight": 100,
    "progress": "2/2", "strategy": "canary", "reason": "Promoted", "message": "passed",
    "finishedAt": EARLIER, "gateway": {"kind": "BuiltIn"},
    "arms": [{"version": "1.1.0", "registryVersion": "2", "digest": "sha256:1", "weight": 100,
              "prepared": 0, "observedWeight": 100}],
}  # fmt: skip


@pytest.mark.parametrize("weight", [90, 0, None], ids=["less by now", "gone", "not reported"])
@pytest.mark.parametrize("has_turn", [False, True], ids=["another's turn", "at rest"])
def test_a_rollout_that_ended_keeps_what_it_ended_with(
    weight: int | None, *, has_turn: bool
) -> None:
    """With 10 % at the next candidate, the row of the one before said 90 %."""
    look = observed(phase=Phase.SUCCEEDED, step=2, weight=weight, has_turn=has_turn,
                    finished_at=NOW)  # fmt: skip

    spoken = told(decided(Phase.SUCCEEDED, share=100), look, ENDED).status

    assert spoken.get("observedWeight") == (weight if has_turn else 100)
    assert spoken["arms"][0].get("observedWeight") == (weight if has_turn else 100)
    if not has_turn:
        moves = {"conditions", "observedWeight", "arms"}
        kept = RolloutStatus.model_validate(ENDED).to_manifest()
        assert {k: v for k, v in spoken.items() if k not in moves} == {
            k: v for k, v in kept.items() if k not in moves
        }


def test_what_keeps_a_gateway_pod_away_is_said_before_that_it_confirms_nothing() -> None:
    absent = Pods(available=1, obstacle="pod x has no node")

    spoken = told(
        decided(Phase.PROGRESSING), BEHIND, MOVING | {"unconfirmedSince": LATE}, gateway=absent
    )

    (pods,) = (each for each in spoken.status["conditions"] if each["type"] == "PodsReady")
    assert pods["message"] == "the gateway: pod x has no node"


@pytest.mark.parametrize(
    ("decision", "look", "status", "begins"),
    [
        pytest.param(decided(Phase.PROGRESSING), pending(), {"phase": "Pending", "since": EARLIER},
                     True, id="a phase begins"),
        pytest.param(decided(Phase.PROGRESSING, step=1), observed(), MOVING, True,
                     id="a step begins"),
        pytest.param(decided(Phase.PROGRESSING, restart=True), observed(), MOVING, True,
                     id="it begins anew"),
        pytest.param(decided(Phase.PROGRESSING), observed(), MOVING, False, id="it goes on"),
        pytest.param(decided(Phase.PROGRESSING, reason=Reason.WAITING_FOR_GATEWAY), observed(),
                     MOVING, False, id="another reason is no beginning"),
    ],
)  # fmt: skip
def test_since_is_when_phase_and_step_were_entered(
    decision: Decision, look: Observed, status: dict[str, Any], begins: bool
) -> None:
    spoken = told(decision, look, status)

    assert moment(spoken.status["since"]) == (NOW if begins else moment(EARLIER))
    assert bool(spoken.events) is begins


def test_a_pause_leaves_when_the_step_began() -> None:
    spoken = told(decided(Phase.PAUSED), observed(), MOVING)

    assert moment(spoken.status["since"]) == NOW
    assert moment(spoken.status["stepSince"]) == moment(EARLIER)


def test_the_clock_of_patience_runs_from_the_first_doubt_on() -> None:
    doubtful = decided(Phase.PROGRESSING, doubtful=True)

    first = told(doubtful, observed(), MOVING)
    later = told(doubtful, observed(), MOVING | {"doubtSince": EARLIER})
    over = told(decided(Phase.PROGRESSING), observed(), MOVING | {"doubtSince": EARLIER})

    assert moment(first.status["doubtSince"]) == NOW
    assert moment(later.status["doubtSince"]) == moment(EARLIER)
    assert "doubtSince" not in over.status


@pytest.mark.parametrize(
    ("reason", "known_since", "triggered"),
    [
        pytest.param(Reason.ANALYSIS_FAILED, None, NOW, id="a measurement is known now"),
        pytest.param(Reason.ALERT_FIRED, NOW - MINUTE, NOW - MINUTE, id="an alert when it came"),
        pytest.param(Reason.GUARD_TRIPPED, NOW - MINUTE, NOW - MINUTE, id="the guard's trip"),
        pytest.param(Reason.ABORTED, NOW - MINUTE, NOW, id="a person's abort now"),
    ],
)
def test_a_rollback_counts_from_its_cause(
    reason: Reason, known_since: datetime | None, triggered: datetime
) -> None:
    back = decided(Phase.ROLLING_BACK, share=0, reason=reason)

    spoken = told(back, observed(), MOVING, known_since=known_since)

    assert moment(spoken.status["triggeredAt"]) == triggered
    assert "reactionSeconds" not in spoken.status


def test_the_reaction_ends_when_no_gateway_gives_traffic_any_more() -> None:
    look = observed(phase=Phase.ROLLING_BACK, reason=Reason.ALERT_FIRED)

    spoken = told(decided(Phase.ROLLED_BACK, share=0, reason=Reason.ALERT_FIRED), look, GOING_BACK)

    assert spoken.status["reactionSeconds"] == 120.0
    assert [event.reason for event in spoken.events] == ["RolledBack"]
    assert "120 s after the cause" in spoken.events[0].message


def test_waiting_for_the_turn_is_no_news() -> None:
    waiting = decided(Phase.PENDING, share=0, reason=Reason.WAITING_FOR_TURN)

    assert told(waiting, pending()).events == ()


def test_who_leaves_a_trial_is_announced_once() -> None:
    left = (("1.1.0", Cause(reason=Reason.ALERT_FIRED, message="slow")),)
    arm = {"version": "1.1.0", "reason": "AlertFired"}
    decision = decided(Phase.PROGRESSING, dropped=left)

    first = told(decision, observed(), MOVING | {"arms": [{"version": "1.1.0"}]})
    again = told(decision, observed(), MOVING | {"arms": [arm]})

    assert [event.message for event in first.events] == ["1.1.0 left the trial: slow"]
    assert again.events == ()


@pytest.mark.parametrize(
    ("phase", "succeeded", "progressing"),
    [
        (Phase.PENDING, "Unknown", "True"),
        (Phase.PROGRESSING, "Unknown", "True"),
        (Phase.PAUSED, "Unknown", "False"),
        (Phase.ROLLING_BACK, "Unknown", "True"),
        (Phase.ROLLED_BACK, "False", "False"),
        (Phase.SUCCEEDED, "True", "False"),
    ],
)
def test_conditions(phase: Phase, succeeded: str, progressing: str) -> None:
    spoken = told(decided(phase), observed(), MOVING)

    conditions = {entry["type"]: entry["status"] for entry in spoken.status["conditions"]}
    assert conditions == {
        "Succeeded": succeeded,
        "Progressing": progressing,
        "PodsReady": "True",
    }


@pytest.mark.parametrize(
    ("signatures", "status", "warnings"),
    [
        pytest.param(
            Signatures(reason=SignatureReason.CHANGED, message="adds x", refuses=True),
            "True",
            [True],
            id="callers are refused: a warning",
        ),
        pytest.param(
            Signatures(reason=SignatureReason.CHANGED, message="adds x"),
            "True",
            [False],
            id="callers are answered: news",
        ),
        pytest.param(
            Signatures(reason=SignatureReason.UNCHANGED, message="the same"), "False", [], id="same"
        ),
        pytest.param(
            Signatures(reason=SignatureReason.UNREADABLE, message="HTTP 404"),
            "Unknown",
            [],
            id="not known",
        ),
    ],
)
def test_what_a_signature_changes_is_a_condition_and_said_once(
    signatures: Signatures, status: str, warnings: list[bool]
) -> None:
    waiting = decided(Phase.PENDING, share=0)
    first = told(waiting, pending(), {"phase": "Pending"}, signatures=signatures)
    again = told(waiting, pending(), dict(first.status))

    for spoken in (first, again):
        (condition,) = (
            entry for entry in spoken.status["conditions"] if entry["type"] == "SignatureChanged"
        )
        assert (condition["status"], condition["reason"]) == (status, signatures.reason)
        assert condition["message"] == signatures.message
    assert [event.warning for event in first.events] == warnings
    assert again.events == ()


@pytest.mark.parametrize(
    ("reason", "status"), [(RouteReason.ACCEPTED, "True"), (RouteReason.REFUSED, "False")]
)
def test_a_route_behind_another_gateway_has_a_condition(reason: RouteReason, status: str) -> None:
    spoken = told(
        decided(Phase.PROGRESSING), observed(), MOVING, routed=Routed(reason=reason, message="so")
    )

    (routed,) = (entry for entry in spoken.status["conditions"] if entry["type"] == "Routed")
    assert (routed["status"], routed["reason"]) == (status, reason)


@pytest.mark.parametrize(
    ("look", "decision", "weight"),
    [
        pytest.param(observed(), decided(Phase.PROGRESSING), 10, id="what every gateway reports"),
        pytest.param(observed(weight=None), decided(Phase.PROGRESSING), None, id="one is behind"),
        pytest.param(pending(), decided(Phase.PENDING, share=0), 0, id="nothing was routed yet"),
        pytest.param(
            observed(arms=(GOOD, dataclasses.replace(GOOD, version="1.2.0", weight=5))),
            decided(Phase.PROGRESSING, shares=(("1.1.0", 10), ("1.2.0", 5))), 15,
            id="of all candidates together"),
        pytest.param(
            observed(arms=(GOOD, dataclasses.replace(GOOD, version="1.2.0", weight=None))),
            decided(Phase.PROGRESSING, shares=(("1.1.0", 10), ("1.2.0", 5))), None,
            id="of all or of none"),
    ],
)  # fmt: skip
def test_observed_weight(look: Observed, decision: Decision, weight: int | None) -> None:
    assert told(decision, look, MOVING).status.get("observedWeight") == weight


def test_the_peak_and_the_first_traffic_stay() -> None:
    ended = told(decided(Phase.ROLLING_BACK, share=0), guarding(), MOVING | {"peakWeight": 50})

    assert ended.status["peakWeight"] == 50
    assert moment(ended.status["liveSince"]) == moment(EARLIER)


def test_a_guard_says_until_when_it_holds() -> None:
    spoken = told(decided(Phase.GUARDING, step=2, share=100), guarding(), MOVING)

    assert moment(spoken.status["holdsUntil"]) == NOW + timedelta(minutes=1)


def pods_condition(report: Report) -> dict[str, Any] | None:
    return next((each for each in report.status["conditions"] if each["type"] == "PodsReady"), None)


def test_pods_that_are_missing_are_told_once_and_looked_after() -> None:
    look = observed(phase=Phase.SUCCEEDED)
    gone = {"1.1.0": Pods(available=0, obstacle="pod p has no node: 0/1 nodes are available")}
    ended = decided(Phase.SUCCEEDED, share=100)

    first = told(ended, look, {"phase": "Succeeded", "step": 0}, pods=gone)
    conditions = first.status["conditions"]
    again = told(
        ended, look, {"phase": "Succeeded", "step": 0, "conditions": conditions}, pods=gone
    )
    back = told(ended, look, {"phase": "Succeeded", "step": 0, "conditions": conditions})

    condition = pods_condition(first)
    assert condition is not None
    assert (condition["status"], condition["reason"]) == ("False", "NotAnswering")
    assert "no pod of 1.1.0 is ready: pod p has no node" in condition["message"]
    assert [event.reason for event in first.events if event.warning] == ["NotAnswering"]
    assert first.look_again is not None
    assert first.look_again <= timedelta(seconds=10)
    assert again.events == ()
    assert [event.reason for event in back.events] == ["PodsReady"]


def test_who_has_no_turn_says_nothing_of_pods() -> None:
    assert pods_condition(told(decided(Phase.PENDING), pending(has_turn=False), {})) is None


OTHERS = {
    "kind": "GatewayAPI",
    "hostnames": ["price.example.com"],
    "previewHostnames": ["try.example.com"],
    "parentRefs": [{"name": "public"}],
}


@pytest.mark.parametrize(
    ("about", "phase", "gateway", "address"),
    [
        pytest.param(
            observed(steps=PREVIEW),
            Phase.PROGRESSING,
            {},
            "http://nsw-price-preview.energy",
            id="in its step",
        ),
        pytest.param(
            observed(steps=PREVIEW),
            Phase.PAUSED,
            {},
            "http://nsw-price-preview.energy",
            id="while a person is asked",
        ),
        pytest.param(
            observed(steps=PREVIEW),
            Phase.PROGRESSING,
            OTHERS,
            "http://try.example.com",
            id="at the cluster's Gateway",
        ),
        pytest.param(observed(steps=PREVIEW), Phase.ROLLING_BACK, {}, None, id="not on the way"),
        pytest.param(observed(steps=PREVIEW), Phase.PENDING, {}, None, id="not before it"),
        pytest.param(observed(), Phase.PROGRESSING, {}, None, id="a canary has none"),
    ],
)
def test_where_a_candidate_can_be_tried(
    about: Observed, phase: Phase, gateway: dict[str, Any], address: str | None
) -> None:
    usual = case(gateway=GatewaySpec.model_validate(gateway))
    decision = Decision(
        phase=phase, step=0, shares=(("1.1.0", 0),), reason=Reason.STEP_STARTED, message=""
    )

    status = report(plain_rollout(), seen(about, case=usual), decision).status

    assert status.get("preview") == address
