"""What a Model starts, and when: one row for each rule."""

import dataclasses
from datetime import timedelta
from typing import Any

import pytest

from fairlead_operator.api.model import BlockedVersion, GateStatus
from fairlead_operator.api.phases.model import GateReason, Phase, Reason
from fairlead_operator.model.past import unknown_past
from fairlead_operator.model.state_machine import decide
from fairlead_operator.model.states import (
    CurrentRollout,
    Decision,
    Observed,
    RunState,
    Target,
)
from fairlead_operator.requests import Action, Request
from support.model_builders import (
    PIN,
    RETRAIN,
    RETRY,
    TRAINED,
    blocked,
    comparison,
    observed,
    reference,
    refused,
    rollout,
    training,
)


def started(decision: Decision) -> tuple[Target | None, str | None, str | None, str | None]:
    return (
        decision.start_rollout,
        decision.adopt_rollout,
        decision.supersede_by,
        decision.start_training and decision.start_training.trigger,
    )


LONGEST = 1024  # of a condition's message


def in_flight(current: CurrentRollout | None = None, **changes: Any) -> Observed:
    return observed(**{"rollout": current or rollout(), "rollout_folded": False} | changes)


@pytest.mark.parametrize(
    ("about", "starts"),
    [
        pytest.param(observed(), (None, None, None, None), id="nothing to do"),
        pytest.param(observed(trained_recipe=None, stable=None, rollout=None),
                     (None, None, None, "initial"), id="a new Model trains"),
        pytest.param(observed(trained_recipe=None, pinned="1.0.0"), (None, None, None, None),
                     id="a Model pinned from the start serves what others registered"),
        pytest.param(observed(recipe="sha256:other"), (None, None, None, "recipe"),
                     id="a changed recipe trains"),
        pytest.param(observed(requests=RETRAIN), (None, None, None, "request"),
                     id="a person asks for a training"),
        pytest.param(observed(requests=RETRAIN, training=training(), training_folded=False),
                     (None, None, None, None), id="one training at a time"),
        pytest.param(observed(requests=RETRAIN, suspend=True), (None, None, None, None),
                     id="suspended: nothing starts"),
        pytest.param(observed(candidate=reference("1.1.0")), (TRAINED, None, None, None),
                     id="a candidate is rolled out"),
        pytest.param(observed(candidate=reference("1.1.0"), suspend=True),
                     (None, None, None, None), id="suspended: no rollout"),
        pytest.param(observed(candidate=reference("1.0.0")), (None, None, None, None),
                     id="the candidate is in charge already"),
        pytest.param(observed(candidate=reference("2.0.0"), pinned="1.1.0"),
                     (PIN, None, None, None), id="a pin goes before the newest"),
        pytest.param(observed(pinned="1.0.0", candidate=reference("1.1.0")),
                     (None, None, None, None), id="pinned to the version in charge"),
        pytest.param(observed(pinned="1.1.0", blocked=blocked("1.1.0")), (None, None, None, None),
                     id="a blocked version is not tried again by itself"),
        pytest.param(observed(pinned="1.1.0", blocked=blocked("1.1.0"), requests=RETRY),
                     (PIN, None, None, None), id="a person says retry"),
        pytest.param(observed(pinned="1.1.0", blocked=blocked("1.1.0", generation=2)),
                     (None, None, None, None), id="whatever else of the spec has changed since"),
        pytest.param(observed(pinned="1.1.0", blocked=blocked("1.1.0", asked="")),
                     (PIN, None, None, None), id="a pin asks for what was trained and blocked"),
        pytest.param(observed(pinned="1.1.0",
                              blocked=blocked("1.1.0", asked="spec.version", digest="sha256:a"),
                              artifacts={"1.1.0": "sha256:b"}),
                     (PIN, None, None, None), id="its artifact has changed since"),
        pytest.param(observed(blocked=blocked("1.1.0"), requests=RETRY),
                     (TRAINED, None, None, None),
                     id="retry without a pin means the last that was rolled back"),
        pytest.param(observed(pinned="1.2.0", rollout=rollout(), rollout_folded=False),
                     (None, None, "1.2.0", None), id="a new target supersedes"),
        pytest.param(observed(pinned="1.2.0", rollout=rollout(asked_back=True),
                              rollout_folded=False),
                     (None, None, None, None), id="superseding is asked for once"),
        pytest.param(observed(pinned="1.2.0", rollout=rollout(), rollout_folded=False,
                              on_new_target="queue"),
                     (None, None, None, None), id="a new target waits when told to queue"),
        pytest.param(observed(pinned="1.2.0", rollout=rollout(), rollout_folded=False,
                              on_new_target="reject"),
                     (None, None, None, None), id="a new target is refused when told to reject"),
        pytest.param(observed(pinned="1.2.0", refused=refused("1.2.0")), (None, None, None, None),
                     id="a refused target is not tried later by itself"),
        pytest.param(observed(pinned="1.1.0", refused=refused("1.1.0"), requests=RETRY),
                     (PIN, None, None, None), id="a person says retry of a refused target"),
        pytest.param(observed(pinned="1.1.0", refused=refused("1.1.0", generation=2)),
                     (None, None, None, None), id="refused, whatever else has changed since"),
        pytest.param(observed(pinned="1.1.0", refused=refused("1.1.0", asked="")),
                     (PIN, None, None, None), id="a pin asks for what was trained and refused"),
        pytest.param(observed(pinned="1.0.0", rollout=rollout(), rollout_folded=False,
                              on_new_target="reject"),
                     (None, None, "1.0.0", None),
                     id="pinning the version in charge is never refused"),
        pytest.param(observed(pinned="1.0.0", rollout=rollout(), rollout_folded=False),
                     (None, None, "1.0.0", None),
                     id="pinning the version in charge takes the rollout back"),
        pytest.param(observed(pinned="1.0.0", rollout=rollout(), rollout_folded=False,
                              on_new_target="queue"),
                     (None, None, "1.0.0", None),
                     id="nor does it wait when told to queue"),
        pytest.param(observed(pinned="1.0.0", rollout=rollout(trigger="hand"),
                              rollout_folded=False, on_new_target="queue"),
                     (None, None, None, None),
                     id="told to queue, what goes elsewhere by hand goes first"),
        pytest.param(observed(pinned="1.0.0", rollout=rollout(), rollout_folded=False,
                              suspend=True),
                     (None, None, "1.0.0", None),
                     id="nor is it suspended"),
        pytest.param(observed(pinned="1.2.0", rollout=rollout(), rollout_folded=False,
                              suspend=True),
                     (None, None, None, None),
                     id="suspended: nothing makes way for what does not start"),
        pytest.param(observed(rollout=rollout(trigger="pinned"), rollout_folded=False),
                     (None, None, "1.0.0", None),
                     id="a pin that is taken out, where nothing was ever trained"),
        pytest.param(observed(rollout=rollout(trigger="pinned"), rollout_folded=False,
                              on_new_target="queue"),
                     (None, None, "1.0.0", None), id="the same, told to queue"),
        pytest.param(observed(rollout=rollout(trigger="pinned"), rollout_folded=False,
                              candidate=reference("1.2.0"), blocked=blocked("1.2.0", asked="")),
                     (None, None, "1.0.0", None),
                     id="a pin that is taken out, where what was trained is blocked"),
        pytest.param(observed(rollout=rollout("1.2.0", trigger="trained"), rollout_folded=False),
                     (None, None, None, None), id="what was trained had no pin"),
        pytest.param(observed(stable=None, rollout=rollout(trigger="pinned"), rollout_folded=False),
                     (None, None, None, None), id="a first version has no way back"),
        pytest.param(observed(candidate=reference("1.0.0"), rollout=rollout(),
                              rollout_folded=False),
                     (None, None, None, None),
                     id="a retry in flight is not superseded by the version in charge"),
        pytest.param(observed(candidate=reference("1.0.0"), rollout=rollout(trigger="rollback"),
                              rollout_folded=False),
                     (None, None, None, None),
                     id="nor is what a person made by hand"),
        pytest.param(observed(pinned="1.0.0", rollout=rollout("0.9.0", trigger="rollback"),
                              rollout_folded=False),
                     (None, None, None, None),
                     id="a person goes back from what is pinned"),
        pytest.param(observed(pinned="1.0.0", rollout=rollout("1.2.0", trigger="hand"),
                              rollout_folded=False),
                     (None, None, "1.0.0", None),
                     id="what goes elsewhere by hand makes way for the pin"),
        pytest.param(observed(pinned="1.1.0", blocked=blocked("1.1.0"),
                              rollout=rollout("1.2.0", trigger="hand"), rollout_folded=False),
                     (None, None, None, None),
                     id="a pin that is blocked takes nothing back"),
        pytest.param(observed(pinned="1.1.0", blocked=blocked("1.1.0"), on_new_target="reject",
                              rollout=rollout("1.2.0", trigger="hand"), rollout_folded=False),
                     (None, None, None, None),
                     id="nor is it refused"),
        pytest.param(observed(pinned="1.1.0", alternatives=("1.3.0",), blocked=blocked("1.1.0"),
                              rollout=rollout("1.2.0", trigger="hand"), rollout_folded=False),
                     (None, None, "1.3.0", None),
                     id="an alternative beside it does"),
        pytest.param(observed(candidate=reference("1.0.0"), rollout=rollout(trigger="pinned"),
                              rollout_folded=False),
                     (None, None, "1.0.0", None),
                     id="a pin that is taken out of the spec takes its rollout back"),
        pytest.param(observed(rollout=None, rollout_lost=True),
                     (Target(version="1.0.0", trigger="restored"), None, None, None),
                     id="a lost rollout is restored"),
        pytest.param(observed(rollout=None, rollout_lost=True, suspend=True),
                     (Target(version="1.0.0", trigger="restored"), None, None, None),
                     id="suspended: so is it"),
        pytest.param(observed(rollout=None, rollout_lost=True, suspend=True, pinned="1.1.0",
                              unnamed_rollout=PIN),
                     (Target(version="1.0.0", trigger="restored"), None, None, None),
                     id="suspended: and nothing else"),
        pytest.param(observed(suspend=True, waiting=("by-hand",)), (None, None, None, None),
                     id="suspended: a rollout made by hand waits"),
        pytest.param(observed(unnamed_rollout=PIN), (PIN, None, None, None),
                     id="what a look that was cut off has started is taken up"),
        pytest.param(observed(unnamed_rollout=PIN, suspend=True), (None, None, None, None),
                     id="suspended: not yet"),
        pytest.param(observed(unnamed_rollout=PIN, rollout=rollout(), rollout_folded=False),
                     (None, None, None, None), id="one rollout at a time"),
        pytest.param(observed(waiting=("by-hand",)), (None, "by-hand", None, None),
                     id="a rollout made by hand has its turn"),
        pytest.param(observed(waiting=("by-hand",), rollout=rollout(), rollout_folded=False),
                     (None, None, None, None), id="a rollout made by hand waits"),
    ],
)  # fmt: skip
def test_decide(about: Observed, starts: tuple[Any, ...]) -> None:
    assert started(decide(about)) == starts


def test_a_rollout_that_succeeded_moves_the_pointer() -> None:
    about = observed(rollout=rollout("1.1.0", RunState.SUCCEEDED), rollout_folded=False)

    decision = decide(about)

    assert decision.stable == reference("1.1.0")
    assert decision.phase is Phase.SERVING


def test_a_rollout_that_was_taken_back_blocks_its_version_and_keeps_the_pointer() -> None:
    about = observed(
        candidate=reference("1.1.0"),
        rollout=rollout("1.1.0", RunState.FAILED),
        rollout_folded=False,
    )

    decision = decide(about)

    assert decision.stable == reference("1.0.0")
    assert [entry.version for entry in decision.blocked] == ["1.1.0"]
    assert started(decision) == (None, None, None, None)


def test_a_superseded_version_is_not_blocked() -> None:
    back = rollout("1.1.0", RunState.FAILED, reason="Superseded", message="superseded by 1.2.0")
    decision = decide(observed(pinned="1.2.0", rollout=back, rollout_folded=False))

    assert decision.blocked == ()
    assert decision.start_rollout == Target(version="1.2.0", trigger="pinned")


@pytest.mark.parametrize("why", ["wrong data", "superseded by the hotfix, see the ticket"])
def test_what_a_person_writes_about_an_abort_decides_nothing(why: str) -> None:
    """Words like the operator's own once left the version unblocked, and it started anew."""
    back = rollout("1.1.0", RunState.FAILED, reason="Aborted", message=why)
    decision = decide(observed(pinned="1.1.0", rollout=back, rollout_folded=False))

    assert [entry.version for entry in decision.blocked] == ["1.1.0"]
    assert decision.start_rollout is None


def test_going_elsewhere_by_hand_forgets_the_candidate() -> None:
    by_hand = rollout("0.9.0", RunState.SUCCEEDED, trigger="hand")
    decision = decide(observed(rollout=by_hand, rollout_folded=False, candidate=reference("1.0.0")))

    assert (decision.stable, decision.candidate) == (reference("0.9.0"), None)
    assert decision.start_rollout is None


def test_what_was_trained_during_a_rollback_by_hand_comes_after_it() -> None:
    back = rollout("0.9.0", RunState.SUCCEEDED, trigger="rollback")
    decision = decide(
        observed(
            rollout=back, rollout_folded=False, candidate=reference("1.1.0"), gate=passed("1.1.0")
        )
    )

    assert decision.stable == reference("0.9.0")
    assert decision.start_rollout == TRAINED


def passed(version: str = "1.1.0", champion: str = "1.0.0") -> GateStatus:
    return GateStatus(
        version=version,
        champion=champion,
        passed=True,
        reason=GateReason.BETTER,
        message="roc_auc 0.91",
    )


@pytest.mark.parametrize(
    ("trigger", "more"),
    [
        pytest.param("pinned", {}, id="a pin that was taken out"),
        pytest.param("hand", {}, id="by hand, while it waited in the queue"),
        pytest.param("trained", {}, id="an earlier training, while it waited in the queue"),
        pytest.param("pinned", {"stable": None, "gate": passed(champion="")}, id="the first one"),
    ],
)
def test_who_was_compared_with_another_is_not_shipped_over_what_came_in_charge(
    trigger: str, more: dict[str, Any]
) -> None:
    ended = rollout("2.0.0", RunState.SUCCEEDED, trigger=trigger)
    about: dict[str, Any] = {"gate": passed(), "candidate": reference("1.1.0")} | more
    decision = decide(observed(rollout=ended, rollout_folded=False, **about))

    assert (decision.stable, decision.candidate) == (reference("2.0.0"), None)
    assert decision.start_rollout is None
    assert decision.gate is not None
    assert (decision.gate.passed, decision.gate.reason) == (False, "ChampionNotCompared")
    compared = f"with {about['gate'].champion or 'no other'}"
    assert decision.gate.message == (
        f"1.1.0 was compared {compared}, and 2.0.0 is in charge by now; `fairlead retrain MODEL` "
        "compares a new one, spec.version: 1.1.0 ships this one as it is; roc_auc 0.91"
    )
    assert decision.message.endswith(f"the last training was not shipped: {decision.gate.message}")


def test_who_was_compared_with_what_comes_in_charge_again_is_still_the_candidate() -> None:
    ended = rollout("1.0.0", RunState.SUCCEEDED, trigger="pinned")
    decision = decide(
        observed(
            stable=reference("1.1.0"),
            candidate=reference("1.1.0"),
            gate=passed(),
            rollout=ended,
            rollout_folded=False,
        )
    )

    assert decision.start_rollout == TRAINED


@pytest.mark.parametrize(
    "gate",
    [
        pytest.param(None, id="nothing is known of it"),
        pytest.param(passed("1.2.0", "2.0.0"), id="of another one"),
        pytest.param(
            passed().model_copy(update={"passed": False, "champion": "2.0.0"}), id="it did not pass"
        ),
    ],
)
def test_who_may_have_been_compared_with_anything_is_not_shipped(gate: GateStatus | None) -> None:
    ended = rollout("2.0.0", RunState.SUCCEEDED, trigger="pinned")
    about = observed(rollout=ended, rollout_folded=False, candidate=reference("1.1.0"), gate=gate)
    decision = decide(about)

    assert (decision.candidate, decision.start_rollout, decision.gate) == (None, None, gate)


def test_what_was_shipped_and_left_since_keeps_what_the_gate_said() -> None:
    ended = rollout("2.0.0", RunState.SUCCEEDED, trigger="pinned")
    left = reference("1.1.0")
    decision = decide(
        observed(stable=left, candidate=left, gate=passed(), rollout=ended, rollout_folded=False)
    )

    assert (decision.candidate, decision.start_rollout) == (None, None)
    assert decision.gate == passed()


def test_what_was_restored_leaves_the_candidate() -> None:
    ended = rollout("1.0.0", RunState.SUCCEEDED, trigger="restored")
    decision = decide(observed(rollout=ended, rollout_folded=False, candidate=reference("1.1.0")))

    assert decision.start_rollout == TRAINED


def test_going_back_by_hand_blocks_what_the_spec_still_asks_for() -> None:
    back = rollout("0.9.0", RunState.SUCCEEDED, trigger="rollback", name="r-back")
    decision = decide(observed(pinned="1.0.0", rollout=back, rollout_folded=False))
    (entry,) = decision.blocked
    retried = decide(
        observed(pinned="1.0.0", stable=reference("0.9.0"), blocked=(entry,), requests=RETRY)
    )

    assert (entry.version, entry.reason, entry.asked) == ("1.0.0", "LeftByHand", "spec.version")
    assert entry.message == "a person went back to 0.9.0 with r-back"
    assert decision.phase is Phase.BLOCKED
    assert decision.start_rollout is None
    assert retried.start_rollout == Target(version="1.0.0", trigger="pinned")


@pytest.mark.parametrize("state", [RunState.SUCCEEDED, RunState.FAILED])
def test_what_a_trial_lost_does_not_come_back_as_the_newest_trained(state: RunState) -> None:
    both = ("1.1.0", "1.2.0")
    ended = rollout("1.1.0", state, versions=both, lost=lost("1.2.0"), trigger="pinned")
    first = decide(
        observed(**TRIAL, candidate=reference("1.2.0"), rollout=ended, rollout_folded=False)
    )
    unpinned = decide(
        observed(stable=first.stable, candidate=first.candidate, blocked=first.blocked)
    )

    assert first.candidate is None
    assert unpinned.start_rollout is None
    assert [entry.version for entry in unpinned.blocked] == ["1.2.0"]


@pytest.mark.parametrize(
    ("asking", "kept"),
    [
        pytest.param({"pinned": "1.1.0"}, True, id="pinned"),
        pytest.param({"pinned": "3.0.0", "alternatives": ("1.1.0",)}, True, id="an alternative"),
        pytest.param({"candidate": reference("1.1.0")}, True, id="the newest trained"),
        pytest.param({"pinned": "3.0.0"}, False, id="nobody asks for it"),
    ],
)
def test_a_block_is_not_forgotten_while_its_version_is_asked_for(
    asking: dict[str, Any], kept: bool
) -> None:
    asked = "" if "candidate" in asking or not kept else None
    entries = blocked("1.1.0", asked=asked)
    for number in range(12):
        ended = rollout(f"2.{number}.0", RunState.FAILED, trigger="hand")
        look = observed(**asking, blocked=entries, rollout=ended, rollout_folded=False)
        entries = decide(look).blocked

    versions = [entry.version for entry in entries]
    assert len(versions) <= 10
    assert ("1.1.0" in versions) == kept
    assert versions[-1] == "2.11.0"


def test_a_version_in_charge_is_not_blocked() -> None:
    ended = rollout("1.1.0", RunState.SUCCEEDED, trigger="hand")
    decision = decide(observed(blocked=blocked("1.1.0"), rollout=ended, rollout_folded=False))

    assert decision.blocked == ()


@pytest.mark.parametrize(
    ("pinned", "trigger", "kept"),
    [
        pytest.param(None, "rollback", [], id="a person's slip of the pen"),
        pytest.param("1.1.0", "pinned", ["1.1.0"], id="the spec asks for it"),
        pytest.param(None, "trained", ["1.1.0"], id="it was deleted from the registry"),
    ],
)
def test_a_version_that_does_not_exist_is_not_what_a_retry_means(
    pinned: str | None, trigger: str, kept: list[str]
) -> None:
    asked = "spec.version" if pinned else ""
    ended = rollout(
        "1.1.0",
        RunState.FAILED,
        trigger=trigger,
        lost=blocked("1.1.0", reason="VersionNotFound", asked=asked),
    )
    about = observed(pinned=pinned, rollout=ended, rollout_folded=False)

    assert [entry.version for entry in decide(about).blocked] == kept


@pytest.mark.parametrize(
    ("digest", "pinned_digest", "kept"),
    [
        pytest.param("sha256:a", "sha256:b", [], id="the spec names another artifact of it by now"),
        pytest.param("", "sha256:b", ["1.1.0"], id="what the spec names is not registered"),
        pytest.param("sha256:a", None, ["1.1.0"], id="the spec names none any more"),
    ],
)
def test_what_makes_way_for_another_artifact_of_its_version_is_not_blocked(
    digest: str, pinned_digest: str | None, kept: list[str]
) -> None:
    lost = blocked("1.1.0", reason="VersionChanged", asked="spec.version", digest=digest)
    ended = rollout("1.1.0", RunState.FAILED, trigger="pinned", lost=lost)

    decision = decide(
        observed(pinned="1.1.0", pinned_digest=pinned_digest, rollout=ended, rollout_folded=False)
    )

    assert [entry.version for entry in decision.blocked] == kept
    assert decision.start_rollout == (None if kept else PIN)


@pytest.mark.parametrize(
    ("named", "kept"),
    [
        pytest.param({"1.2.0": "sha256:b"}, [], id="the spec names another artifact of it by now"),
        pytest.param({"1.2.0": "sha256:a"}, ["1.2.0"], id="the same"),
        pytest.param({"1.3.0": "sha256:b"}, ["1.2.0"], id="of another alternative"),
        pytest.param({}, ["1.2.0"], id="the spec names none"),
    ],
)
def test_an_alternative_that_makes_way_for_another_artifact_is_not_blocked(
    named: dict[str, str], kept: list[str]
) -> None:
    lost = blocked("1.2.0", reason="VersionChanged", asked="spec.alternatives", digest="sha256:a")
    ended = rollout("1.1.0", RunState.FAILED, trigger="pinned", lost=lost)

    decision = decide(
        observed(
            pinned="1.1.0",
            alternatives=("1.2.0", "1.3.0"),
            alternative_digests=named,
            rollout=ended,
            rollout_folded=False,
        )
    )

    assert [entry.version for entry in decision.blocked] == kept


def test_a_training_that_passes_the_gate_is_shipped() -> None:
    ended = training(RunState.SUCCEEDED, comparison=comparison())
    decision = decide(observed(training=ended, training_folded=False))

    assert decision.gate is not None
    assert decision.gate.reason == GateReason.BETTER
    assert decision.start_rollout == TRAINED


def test_a_training_that_does_not_pass_changes_nothing() -> None:
    ended = training(RunState.SUCCEEDED, comparison=comparison(gain_low=-0.1))
    decision = decide(observed(training=ended, training_folded=False))

    assert decision.gate is not None
    assert decision.gate.reason == GateReason.NOT_BETTER
    assert decision.candidate is None
    assert decision.start_rollout is None


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="the last that was rolled back"),
        pytest.param({"blocked": blocked("1.0.9")}, id="and another before it"),
        pytest.param({"pinned": "1.1.0", "rollout": rollout(trigger="pinned")}, id="a pin"),
        pytest.param({"pinned": "1.1.0", "alternatives": ("1.2.0",),
                      "rollout": rollout(versions=("1.1.0", "1.2.0"), trigger="pinned")},
                     id="a trial"),
        pytest.param({"candidate": reference("1.0.0")}, id="what was trained last is in charge"),
    ],
)  # fmt: skip
def test_a_retry_that_is_asked_for_twice_is_one(changes: dict[str, Any]) -> None:
    """The second was refused, and told to ask again once the first had ended."""
    alone = decide(in_flight(**changes))

    decision = decide(in_flight(requests=RETRY, **changes))

    assert [(answer.accepted, answer.message) for answer in decision.answers] == [
        (True, "r-2 to 1.1.0 is under way; nothing else starts")
    ]
    assert dataclasses.replace(decision, answers=()) == alone


LOST = training(RunState.FAILED, reason="ColumnMissing", message="column up is not in the data")
TOLD = "; the last training failed (ColumnMissing: column up is not in the data)"


@pytest.mark.parametrize(
    ("about", "reason"),
    [
        pytest.param(observed(training=LOST), "Serving", id="it serves"),
        pytest.param(observed(training=LOST, pinned="1.1.0", blocked=blocked("1.1.0")),
                     "VersionBlocked", id="it is blocked"),
        pytest.param(observed(training=LOST, pinned="1.1.0",
                              blocked=blocked("1.1.0", message="x" * 1000)),
                     "VersionBlocked", id="it is blocked, for a long reason"),
        pytest.param(observed(training=LOST, pinned="1.1.0", refused=refused("1.1.0")),
                     "TargetRefused", id="its target came at a wrong time"),
        pytest.param(observed(training=LOST, pinned="1.0.0", pinned_digest="sha256:x"),
                     "VersionChanged", id="another artifact is asked for"),
        pytest.param(in_flight(training=LOST), "RollingOut", id="a rollout is in flight"),
    ],
)  # fmt: skip
def test_a_training_that_failed_is_told_whatever_the_model_does(
    about: Observed, reason: str
) -> None:
    """Of a blocked Model nothing said that its retrain had failed."""
    decision = decide(about)

    assert decision.reason == reason
    assert TOLD in decision.message
    assert len(decision.message) <= LONGEST


def test_deciding_twice_is_deciding_once() -> None:
    ended = training(RunState.SUCCEEDED, comparison=comparison())
    first = decide(observed(training=ended, training_folded=False))
    second = decide(
        observed(
            training=ended,
            candidate=first.candidate,
            gate=first.gate,
            rollout=rollout("1.1.0"),
            rollout_folded=False,
        )
    )

    assert started(second) == (None, None, None, None)
    assert second.gate == first.gate


REFUSED = GateStatus(
    version="1.0.0",
    champion="",
    passed=False,
    reason=GateReason.BELOW_THRESHOLD,
    message="roc_auc 0.5",
)


@pytest.mark.parametrize(
    ("about", "phase", "reason"),
    [
        pytest.param(observed(), Phase.SERVING, "Serving", id="serving"),
        pytest.param(observed(rollout=rollout(), rollout_folded=False), Phase.ROLLING_OUT,
                     "RollingOut", id="a rollout is in flight"),
        pytest.param(observed(pinned="1.1.0", blocked=blocked("1.1.0")), Phase.BLOCKED,
                     "VersionBlocked", id="the version asked for was rolled back"),
        pytest.param(observed(pinned="1.0.0", pinned_digest="sha256:x"), Phase.SERVING,
                     "VersionChanged", id="another artifact is asked for under what serves"),
        pytest.param(observed(pinned="1.0.0", pinned_digest="sha256:0"), Phase.SERVING,
                     "Serving", id="the artifact that serves is asked for"),
        pytest.param(observed(stable=None, rollout=None, training=training(),
                              training_folded=False),
                     Phase.TRAINING, "Training", id="the first version is in training"),
        pytest.param(observed(stable=None, rollout=None,
                              training=training(RunState.FAILED, reason="ColumnMissing")),
                     Phase.FAILED, "ColumnMissing", id="the first training failed"),
        pytest.param(observed(stable=None, rollout=None, gate=REFUSED), Phase.FAILED,
                     "GateNotPassed", id="the first version did not pass"),
        pytest.param(observed(stable=None, rollout=None, suspend=True), Phase.SUSPENDED,
                     "Suspended", id="suspended before anything"),
        pytest.param(observed(stable=None, rollout=None, blocked=blocked("1.0.0", generation=1)),
                     Phase.FAILED, "VersionBlocked", id="the first version could not start"),
    ],
)  # fmt: skip
def test_phase(about: Observed, phase: Phase, reason: str) -> None:
    decision = decide(about)

    assert (decision.phase, decision.reason) == (phase, reason)


LONG = "x" * 1000  # as a trainer, a gate or a pod may say it


@pytest.mark.parametrize(
    ("about", "begins", "ends"),
    [
        pytest.param(observed(pinned="1.1.0", blocked=blocked("1.1.0", message=LONG)),
                     "1.1.0 was rolled back (AnalysisFailed: xxx",
                     "`fairlead retry MODEL` tries it again, or set another spec.version",
                     id="the version asked for was rolled back"),
        pytest.param(observed(stable=None, rollout=None, blocked=blocked("1.0.0", message=LONG)),
                     "1.0.0 was rolled back (AnalysisFailed: xxx",
                     "`fairlead retry MODEL` tries it again",
                     id="the first version could not start"),
        pytest.param(observed(stable=None, rollout=None,
                              training=training(RunState.FAILED, message=LONG)),
                     "t-2 failed: xxx",
                     "a change of spec.data or spec.training, or `fairlead retrain MODEL`, "
                     "trains again",
                     id="the first training failed"),
        pytest.param(observed(stable=None, rollout=None,
                              gate=REFUSED.model_copy(update={"message": LONG})),
                     "xxx",
                     "`fairlead retrain MODEL` trains again, with more data or another "
                     "spec.promotion",
                     id="the first version did not pass"),
    ],
)  # fmt: skip
def test_a_model_in_trouble_names_the_way_out(about: Observed, begins: str, ends: str) -> None:
    message = decide(about).message

    assert message.startswith(begins)
    assert message.endswith(ends)
    assert len(message) <= LONGEST


@pytest.mark.parametrize(
    ("about", "refusal"),
    [
        pytest.param(observed(requests=RETRAIN), None, id="retrain: accepted"),
        pytest.param(observed(requests=RETRAIN, suspend=True), "suspended",
                     id="retrain: suspended"),
        pytest.param(observed(requests=RETRAIN, training=training(), training_folded=False),
                     "t-2 is under way", id="retrain: one training at a time"),
        pytest.param(observed(requests=RETRAIN, training=training(), training_folded=False,
                              task="sha256:corrected"),
                     "kubectl delete trainingrun t-2", id="retrain: what was corrected"),
        pytest.param(observed(requests=RETRY), "no version was rolled back",
                     id="retry: nothing was rolled back"),
        pytest.param(observed(requests=RETRY, blocked=blocked("1.1.0")), None,
                     id="retry: the last that was rolled back"),
        pytest.param(observed(requests=RETRY, blocked=blocked("1.1.0"), suspend=True), "suspended",
                     id="retry: suspended"),
        pytest.param(observed(requests=RETRY, blocked=blocked("1.1.0"), pinned="1.2.0"),
                     "pins 1.2.0, which is not blocked", id="retry: another version is pinned"),
        pytest.param(observed(requests=RETRY, blocked=blocked("1.1.0"), pinned="1.1.0"), None,
                     id="retry: the pinned version is blocked"),
        pytest.param(observed(requests=RETRY, blocked=blocked("1.1.0"),
                              candidate=reference("1.2.0")),
                     "1.2.0 is not blocked and goes next", id="retry: a newer one goes next"),
        pytest.param(observed(requests=RETRY, blocked=blocked("1.1.0"),
                              candidate=reference("1.0.0")),
                     None, id="retry: the last that was trained is in charge"),
        pytest.param(observed(requests=RETRY, blocked=blocked("1.1.0"), waiting=("by-hand",)),
                     "by-hand goes first", id="retry: a Rollout made by hand waits"),
        pytest.param(observed(requests=RETRY, blocked=blocked("1.0.9"), unnamed_rollout=PIN),
                     "the rollout of 1.1.0 goes first", id="retry: another was begun, unnoted"),
        pytest.param(observed(requests=RETRY, blocked=blocked("1.1.0"), unnamed_rollout=PIN), None,
                     id="retry: it was begun by a look that was cut off"),
        pytest.param(observed(requests=RETRY, blocked=blocked("1.1.0"), rollout=None,
                              rollout_lost=True),
                     "restored first", id="retry: the current Rollout was deleted"),
        pytest.param(in_flight(requests=RETRY, blocked=blocked("1.0.9"),
                               candidate=reference("1.1.0")),
                     "r-2 to 1.1.0 is in flight; ask again when it has ended",
                     id="retry: the next candidate is in flight"),
        pytest.param(in_flight(rollout("1.2.0", trigger="hand"), requests=RETRY),
                     "r-2 to 1.2.0 is in flight, and no version was rolled back before it",
                     id="retry: what a person started is in flight, and nothing is blocked"),
        pytest.param(in_flight(rollout("1.2.0", trigger="hand"), requests=RETRY,
                               blocked=blocked("1.1.0")),
                     "r-2 to 1.2.0 is in flight; ask again",
                     id="retry: what a person started is in flight"),
        pytest.param(in_flight(requests=RETRY, candidate=reference("1.2.0"),
                               refused=refused("1.2.0")),
                     "r-2 to 1.1.0 is in flight; ask again when it has ended",
                     id="retry: of what came while another is in flight"),
        pytest.param(in_flight(rollout(asked_back=True), requests=RETRY),
                     "r-2 goes back from 1.1.0; ask again when it has ended",
                     id="retry: its rollout is on its way back"),
        pytest.param(in_flight(rollout(versions=("1.1.0", "1.2.0"), trigger="pinned",
                                       out=frozenset({"1.2.0"})),
                               requests=RETRY, pinned="1.1.0", alternatives=("1.2.0",)),
                     "r-2 to 1.1.0 is in flight", id="retry: one that has left its trial"),
        pytest.param(observed(requests=(Request(action=Action.PAUSE, text="p"),)),
                     "asked of a Rollout", id="pause: not of a Model"),
    ],
)  # fmt: skip
def test_a_request_is_accepted_or_refused_with_the_reason(
    about: Observed, refusal: str | None
) -> None:
    decision = decide(about)

    (answer,) = decision.answers
    assert answer.accepted == (refusal is None)
    assert (refusal or "starts") in answer.message
    if refusal is None:
        assert decision.start_training is not None or decision.start_rollout in {PIN, TRAINED}
    else:
        assert decision == dataclasses.replace(
            decide(dataclasses.replace(about, requests=())), answers=decision.answers
        )


TRIAL = {"pinned": "1.1.0", "alternatives": ("1.2.0",)}


def lost(*versions: str) -> tuple[BlockedVersion, ...]:
    return tuple(
        BlockedVersion(version=version, reason="TrialLost", message="m", generation=3)
        for version in versions
    )


@pytest.mark.parametrize(
    ("about", "versions"),
    [
        pytest.param(observed(**TRIAL), ("1.1.0", "1.2.0"), id="all are tried at once"),
        pytest.param(observed(**TRIAL, blocked=blocked("1.1.0")), ("1.2.0",),
                     id="a blocked one is left out"),
        pytest.param(observed(**TRIAL, stable=reference("1.1.0"), rollout=None), ("1.2.0",),
                     id="the one in charge is tried against the others"),
        pytest.param(observed(**TRIAL, blocked=blocked("1.1.0") + blocked("1.2.0")), None,
                     id="nothing is left to try"),
        pytest.param(observed(**TRIAL, rollout=rollout(versions=("1.1.0", "1.2.0")),
                              rollout_folded=False), None, id="they are tried already"),
        pytest.param(observed(**TRIAL, rollout=rollout(), rollout_folded=False), None,
                     id="another alternative waits for the end of the trial"),
    ],
)  # fmt: skip
def test_several_targets_are_tried_together(
    about: Observed, versions: tuple[str, ...] | None
) -> None:
    start = decide(about).start_rollout

    assert (start.versions if start else None) == versions
    assert decide(about).supersede_by is None


@pytest.mark.parametrize(
    ("out", "superseded_by"),
    [
        pytest.param((), "1.1.0", id="while it is tried"),
        pytest.param(("1.2.0",), None, id="not so of one that is out already"),
        pytest.param(("1.1.0",), "1.1.0", id="when it has won: another is asked for"),
    ],
)
def test_a_trial_without_one_of_its_versions_is_superseded(
    out: tuple[str, ...], superseded_by: str | None
) -> None:
    both = rollout(versions=("1.1.0", "1.2.0"), out=frozenset(out))

    decision = decide(observed(pinned="1.1.0", rollout=both, rollout_folded=False))

    assert decision.supersede_by == superseded_by


def test_the_winner_of_a_trial_is_in_charge_and_the_losers_are_not_tried_again() -> None:
    ended = rollout("1.2.0", RunState.SUCCEEDED, versions=("1.1.0", "1.2.0"), lost=lost("1.1.0"))

    decision = decide(observed(**TRIAL, rollout=ended, rollout_folded=False))

    assert decision.stable == reference("1.2.0")
    assert [entry.version for entry in decision.blocked] == ["1.1.0"]
    assert decision.start_rollout is None
    assert (decision.phase, decision.reason) == (Phase.SERVING, Reason.SERVING)


def test_all_candidates_of_a_lost_trial_are_blocked() -> None:
    both = ("1.1.0", "1.2.0")
    ended = rollout("1.1.0", RunState.FAILED, versions=both, lost=lost(*both))

    decision = decide(observed(**TRIAL, rollout=ended, rollout_folded=False))

    assert [entry.version for entry in decision.blocked] == ["1.1.0", "1.2.0"]
    assert decision.phase is Phase.BLOCKED


def test_a_refused_target_is_said_and_stays_said_until_another_is_asked_for() -> None:
    in_flight = observed(
        pinned="1.2.0", rollout=rollout(), rollout_folded=False, on_new_target="reject"
    )

    first = decide(in_flight)
    ended = decide(observed(pinned="1.2.0", refused=first.refused))
    other = decide(observed(pinned="1.2.0", refused=first.refused, generation=4))
    changed = decide(observed(pinned="1.0.0", refused=first.refused, generation=4))

    assert first.refused is not None
    assert "1.2.0 was refused" in first.message
    assert (ended.phase, ended.reason) == (Phase.SERVING, Reason.TARGET_REFUSED)
    assert (other.phase, other.reason) == (Phase.SERVING, Reason.TARGET_REFUSED)
    assert changed.refused is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({}, "r-2 to 1.1.0", id="a rollout"),
        pytest.param(
            {"rollout": rollout(versions=("1.1.0", "1.2.0"), leader="1.2.0")},
            "r-2 tries 1.1.0 and 1.2.0, 1.2.0 leads",
            id="a trial: who leads",
        ),
        pytest.param(
            {"rollout": rollout(versions=("1.1.0", "1.2.0"), leader="1.0.0")},
            "r-2 tries 1.1.0 and 1.2.0, 1.0.0 leads",
            id="a trial that the stable version leads",
        ),
        pytest.param(
            {"pinned": "1.3.0", "on_new_target": "queue"},
            "r-2 to 1.1.0; 1.3.0 waits until that has ended (onNewTarget: queue)",
            id="a target in the queue",
        ),
        pytest.param(
            {"candidate": reference("1.3.0"), "on_new_target": "queue"},
            "r-2 to 1.1.0; 1.3.0 waits until that has ended (onNewTarget: queue)",
            id="a trained version in the queue",
        ),
        pytest.param(
            {"pinned": "1.1.0", "on_new_target": "queue"}, "r-2 to 1.1.0", id="no other target"
        ),
        pytest.param(
            {"pinned": "1.3.0", "on_new_target": "queue", "blocked": blocked("1.3.0")},
            "r-2 to 1.1.0",
            id="a target that is blocked waits for nothing",
        ),
        pytest.param(
            {"rollout": rollout(starts=True, message="0 of 1 pods ready; no such image")},
            "r-2 to 1.1.0: 0 of 1 pods ready; no such image",
            id="a candidate that cannot start",
        ),
        pytest.param(
            {"waiting": ("r-hand",)}, "r-2 to 1.1.0; r-hand waits for its turn", id="one by hand"
        ),
        pytest.param(
            {"waiting": ("r-a", "r-b")},
            "r-2 to 1.1.0; r-a and r-b wait for their turn",
            id="two by hand",
        ),
    ],
)
def test_what_a_model_in_a_rollout_says(changes: dict[str, Any], message: str) -> None:
    in_flight = {"rollout": rollout(), "rollout_folded": False}

    assert decide(observed(**in_flight | changes)).message == message


WAITS = training(reason="WaitingForPods", message="no pod: exceeded quota")
NOW = (
    "; spec.data or spec.training has changed since it began: `kubectl delete trainingrun t-2` "
    "and then `fairlead retrain MODEL` train by it now"
)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"stable": None, "training": training(reason="Searching", message="m")},
                     "the first version is being trained", id="the first, at work"),
        pytest.param({"stable": None, "training": WAITS},
                     "the first version is being trained; t-2: no pod: exceeded quota",
                     id="the first, without a pod"),
        pytest.param({"stable": None,
                      "training": training(reason="WaitingForTracking", message="HTTP 401")},
                     "the first version is being trained; t-2: HTTP 401",
                     id="the first, and MLflow takes no run"),
        pytest.param({"training": training(reason="Suspended", message="suspended")},
                     "1.0.0 is in charge; a training is under way; t-2: suspended",
                     id="another, suspended"),
        pytest.param({"training": training(reason="Finishing", message="m")},
                     "1.0.0 is in charge; a training is under way", id="another, at work"),
        pytest.param({"training": WAITS},
                     "1.0.0 is in charge; a training is under way; t-2: no pod: exceeded quota",
                     id="another, without a pod"),
        pytest.param({"training": WAITS, "task": "sha256:corrected"},
                     "1.0.0 is in charge; a training is under way; t-2: no pod: exceeded quota"
                     f"{NOW}", id="without a pod, and corrected since"),
        pytest.param({"training": training(reason="Searching", message="m"),
                      "task": "sha256:corrected"},
                     "1.0.0 is in charge; a training is under way", id="corrected, at work"),
    ],
)  # fmt: skip
def test_what_a_model_in_training_says(changes: dict[str, Any], message: str) -> None:
    assert decide(observed(**{"training_folded": False} | changes)).message == message


def test_a_paused_rollout_shows_on_the_model_with_why_and_its_weight() -> None:
    paused = rollout(paused=True, weight=10, message="step 1 waits for approval")

    decision = decide(observed(rollout=paused, rollout_folded=False))

    assert (decision.phase, decision.reason, decision.weight) == ("RollingOut", "Paused", 10)
    assert decision.message == "r-2 to 1.1.0 is paused: step 1 waits for approval"


@pytest.mark.parametrize(
    ("changes", "kind", "begins"),
    [
        pytest.param({"pinned": "1.1.0"}, "Rollout", "the rollout of 1.1.0", id="a pin"),
        pytest.param(
            {"candidate": reference("1.1.0")},
            "Rollout",
            "the rollout of 1.1.0",
            id="what was trained",
        ),
        pytest.param(
            {"trained_recipe": None}, "TrainingRun", "the first training", id="the first training"
        ),
    ],
)
def test_what_the_cluster_refuses_to_start_is_said(
    changes: dict[str, Any], kind: str, begins: str
) -> None:
    """The row said that nothing is trained yet."""
    look = observed(stable=None, cannot_start=frozenset({kind}), refusal="403: no", **changes)

    decision = decide(look)

    assert (decision.phase, decision.reason) == ("Pending", "Waiting")
    assert decision.message == f"{begins} is not started, and is tried again: 403: no"


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"pinned": "1.1.0"}, id="a version that is pinned"),
        pytest.param({"candidate": reference("1.1.0")}, id="a version that was trained"),
        pytest.param({"pinned": "1.1.0", "alternatives": ("1.2.0",)}, id="several at once"),
        pytest.param({"pinned": "1.1.0", "stable": None, "rollout": None}, id="the first version"),
        pytest.param({"pinned": "1.1.0", "refused": refused("1.3.0")}, id="another was refused"),
    ],
)
def test_a_rollout_that_starts_is_told_as_the_next_look_tells_it(changes: dict[str, Any]) -> None:
    """Else the status is written twice, and people read the first words for some milliseconds."""
    first = decide(observed(**changes))
    assert first.start_rollout is not None
    begun = rollout("1.1.0", versions=first.start_rollout.versions)

    second = decide(observed(**changes | {"rollout": begun, "rollout_folded": False}))

    said = [(told.phase, told.reason, told.message, told.weight) for told in (first, second)]
    assert said == [("RollingOut", "RollingOut", said[0][2], 0)] * 2
    assert first.message.startswith("r-2 to 1.1.0")


def test_at_rest_no_weight_is_left_of_the_last_rollout() -> None:
    ended = rollout("1.0.0", RunState.SUCCEEDED, weight=100)

    assert decide(observed(rollout=ended)).weight is None


def test_what_serves_is_not_listed_as_blocked() -> None:
    decision = decide(observed(blocked=(*blocked("1.0.0"), *blocked("0.9.0"))))

    assert [entry.version for entry in decision.blocked] == ["0.9.0"]


SILENT = observed(stable=None, rollout=None, past=unknown_past("refused", model="energy/nsw-price"))
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("about", "wait", "again"),
    [
        pytest.param(observed(), None, None, id="not before something changes"),
        pytest.param(observed(), HOUR, HOUR, id="when a training may be due"),
        pytest.param(SILENT, None, timedelta(seconds=10), id="the history does not answer"),
        pytest.param(SILENT, HOUR, timedelta(seconds=10), id="the history comes first"),
        pytest.param(SILENT, timedelta(seconds=3), timedelta(seconds=3),
                     id="the training comes first"),
        pytest.param(observed(suspend=True), HOUR, None, id="suspended: nothing starts"),
    ],
)  # fmt: skip
def test_a_decision_looks_again_at_the_first_of_its_moments(
    about: Observed, wait: timedelta | None, again: timedelta | None
) -> None:
    assert decide(about, rules=(lambda _: wait,)).look_again == again
