"""What a Model says of itself."""

import dataclasses
from datetime import timedelta
from typing import Any

import pytest

from fairlead_operator.api.common import VersionReference
from fairlead_operator.api.conditions import Condition
from fairlead_operator.api.model import ModelSpec, ModelStatus
from fairlead_operator.api.phases.model import GateReason
from fairlead_operator.attempts import Failure
from fairlead_operator.model.past import Past
from fairlead_operator.model.seen import Seen
from fairlead_operator.model.state_machine import decide
from fairlead_operator.model.states import RunState
from fairlead_operator.model.status import report
from fairlead_operator.report import Report
from support.model_builders import (
    RETRAIN,
    blocked,
    comparison,
    observed,
    reference,
    refused,
    rollout,
    seen,
    training,
)
from support.world import NAMESPACE, model_manifest

BODY = model_manifest() | {
    "metadata": {"namespace": NAMESPACE, "name": "nsw-price", "uid": "u", "generation": 3}
}
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
SOON = timedelta(seconds=30)  # after which Prometheus is asked again
KNOWN = VersionReference(version="0.9.0", registry_version="9", digest="sha256:9")
SERVES = ModelStatus(phase="Serving", stable=reference("1.0.0"), recipe="sha256:recipe")


def say(look: Seen, **decision: Any) -> Report:
    return report(BODY, look, dataclasses.replace(decide(look.observed), **decision))


def conditions(said: Report) -> dict[str, str]:
    return {entry["type"]: entry["status"] for entry in said.status["conditions"]}


@pytest.mark.parametrize("again", [None, timedelta(minutes=3)])
def test_the_decision_says_when_to_look_again(again: timedelta | None) -> None:
    assert say(seen(observed()), look_again=again).look_again == again


@pytest.mark.parametrize(
    ("look", "ready", "current", "moving"),
    [
        pytest.param(seen(observed()), "True", "True", "False", id="serves what is asked for"),
        pytest.param(seen(observed(recipe="sha256:other")), "True", "True", "True",
                     id="serves while a training starts"),
        pytest.param(seen(observed(rollout=rollout(), rollout_folded=False)),
                     "True", "False", "True", id="moves"),
        pytest.param(seen(observed(pinned="1.1.0", blocked=blocked("1.1.0"))),
                     "True", "False", "False", id="what is asked for is blocked"),
        pytest.param(seen(observed(pinned="1.1.0", refused=refused("1.1.0"))),
                     "True", "False", "False", id="what is asked for was refused"),
        pytest.param(seen(observed(pinned="1.0.0", pinned_digest="sha256:x")),
                     "True", "False", "False", id="another artifact is asked for"),
        pytest.param(seen(observed(stable=None, rollout=None, suspend=True)),
                     "False", "False", "False", id="nothing serves"),
    ],
)  # fmt: skip
def test_conditions_say_how_it_stands(look: Seen, ready: str, current: str, moving: str) -> None:
    assert conditions(say(look)) == {"Ready": ready, "UpToDate": current, "Progressing": moving}


@pytest.mark.parametrize(
    ("unregistered", "registered"),
    [
        pytest.param(None, None, id="never known: not said"),
        pytest.param("", "True", id="as it was"),
        pytest.param("it was deleted", "False", id="not as it was"),
    ],
)
def test_whether_what_serves_is_registered(
    unregistered: str | None, registered: str | None
) -> None:
    said = say(seen(observed(), unregistered=unregistered))

    assert conditions(said).get("Registered") == registered


def test_what_was_known_of_the_registration_stays_said_while_nothing_is_known() -> None:
    before = say(seen(observed(), unregistered="it was deleted")).status["conditions"]
    known = SERVES.model_copy(update={"conditions": ModelStatus(conditions=before).conditions})

    said = say(seen(observed(), status=known))

    assert conditions(said)["Registered"] == "False"
    assert said.events == (), "it was announced before"


@pytest.mark.parametrize(
    ("look", "says"),
    [
        pytest.param(seen(observed(rollout=rollout(), rollout_folded=False)),
                     "r-2 to 1.1.0; the cluster refuses a change: 403: no",
                     id="a rollout is in flight"),
        pytest.param(seen(observed(stable=None, blocked=blocked("1.1.0"))),
                     "tries it again; the cluster refuses a change: 403: no",
                     id="nothing serves"),
        pytest.param(seen(observed()),
                     "1.0.0 is in charge; as it was, for the cluster refuses a change: 403: no",
                     id="at rest"),
        pytest.param(seen(observed(stable=None, pinned="1.1.0", refusal="403: no",
                                   cannot_start=frozenset({"Rollout"}))),
                     "the rollout of 1.1.0 is not started, and is tried again: 403: no",
                     id="it is said once"),
    ],
)  # fmt: skip
def test_a_refusal_is_said_on_the_row(look: Seen, says: str) -> None:
    refusal = (Failure(message="403: no", refused=True),)

    now = report(BODY, look, decide(look.observed), failures=refusal)

    for kind in ("Ready", "UpToDate"):
        (message,) = (each["message"] for each in now.status["conditions"] if each["type"] == kind)
        assert message.endswith(says)
        assert message.count("403: no") == 1


KEPT = "1.0.0 runs code from its artifact, and may not"


@pytest.mark.parametrize(
    ("told", "was", "kept", "message", "event"),
    [
        pytest.param(None, "1.0.0", None, None, False, id="never known: not said"),
        pytest.param(None, "1.0.0", "", None, False, id="it may, or is data alone"),
        pytest.param(None, "1.0.0", KEPT, KEPT, True, id="it may not"),
        pytest.param("before", "1.0.0", KEPT, KEPT, False, id="it still may not"),
        pytest.param("before", "1.0.0", None, "before", False, id="doubt: as it was"),
        pytest.param("before", "1.0.0", "", None, False, id="it may now"),
        pytest.param("before", "0.9.0", None, None, False, id="it was said of another version"),
        pytest.param("before", "0.9.0", "", None, False, id="another does not"),
        pytest.param("before", "0.9.0", KEPT, KEPT, True, id="another may not either"),
    ],
)
def test_what_serves_by_code_that_may_not_run_is_said(
    told: str | None, was: str, kept: str | None, message: str | None, event: bool
) -> None:
    before = () if told is None else (
        Condition(type="CodeAllowed", status="False", reason="CodeNotAllowed", message=told),
    )  # fmt: skip
    status = SERVES.model_copy(update={"conditions": before, "stable": reference(was)})
    look = seen(observed(), status=status)

    now = report(BODY, look, decide(look.observed), kept_code=kept)

    found = [
        entry["message"] for entry in now.status["conditions"] if entry["type"] == "CodeAllowed"
    ]
    assert found == ([] if message is None else [message])
    assert ("CodeNotAllowed" in [entry.reason for entry in now.events]) == event
    assert conditions(now)["Ready"] == "True", "it goes on serving"


FAILS = "of 40 requests 1.0.0 answered none well"


@pytest.mark.parametrize(
    ("said", "failing", "answering", "event"),
    [
        pytest.param(None, None, None, None, id="never known"),
        pytest.param(None, "", None, None, id="never failed: not said"),
        pytest.param(None, FAILS, ("False", FAILS), "OnlyFailures", id="fails"),
        pytest.param("False", "others", ("False", "before"), None, id="still fails: as it was"),
        pytest.param("False", None, ("False", "before"), None, id="doubt: as it was"),
        pytest.param("False", "", ("True", "1.0.0 answers again"), "Answering", id="over"),
        pytest.param("True", None, ("True", "before"), None, id="doubt after it was over"),
        pytest.param("True", FAILS, ("False", FAILS), "OnlyFailures", id="fails again"),
    ],
)
def test_whether_what_serves_only_fails(
    said: str | None, failing: str | None, answering: tuple[str, str] | None, event: str | None
) -> None:
    told = () if said is None else (
        Condition(type="Answering", status=said, reason="OnlyFailures", message="before"),
    )  # fmt: skip
    status = SERVES.model_copy(update={"conditions": told})

    now = say(seen(observed(), status=status, failing=failing))

    found = [
        (entry["status"], entry["message"])
        for entry in now.status["conditions"]
        if entry["type"] == "Answering"
    ]
    assert found == ([] if answering is None else [answering])
    assert [entry.reason for entry in now.events] == ([] if event is None else [event])
    assert conditions(now)["Ready"] == "True", "callers can bring refusals about"


REFUSED = "analysis.checks, query of own: Prometheus refuses it: parse error"
OWN = {"analysis": {"checks": [{"name": "own", "query": "sum(", "atMost": 1}]}}


@pytest.mark.parametrize(
    ("before", "mistakes", "status", "announced"),
    [
        pytest.param(None, None, None, 0, id="not known yet: not said"),
        pytest.param(None, "", "True", 0, id="all can be read"),
        pytest.param(None, REFUSED, "False", 1, id="one cannot: told"),
        pytest.param(REFUSED, REFUSED, "False", 0, id="told once"),
        pytest.param("another one", REFUSED, "False", 1, id="another one is told"),
        pytest.param(REFUSED, None, "False", 0, id="doubt: as it was"),
        pytest.param(REFUSED, "", "True", 0, id="corrected"),
    ],
)
def test_whether_prometheus_can_read_the_policy(
    before: str | None, mistakes: str | None, status: str | None, announced: int
) -> None:
    spec = ModelSpec.model_validate(model_manifest(rollout=OWN)["spec"])
    last = () if before is None else say(seen(observed(), spec=spec, mistakes=before)).status
    known = ModelStatus.model_validate(last or {}).conditions
    model = SERVES.model_copy(update={"conditions": known})

    now = say(seen(observed(), spec=spec, status=model, mistakes=mistakes))

    assert conditions(now).get("QueriesReadable") == status
    assert conditions(now)["Ready"] == "True", "what serves needs no query"
    assert [event.reason for event in now.events] == ["QueryRefused"] * announced


def readable(generation: int | None) -> tuple[Condition, ...]:
    if generation is None:
        return ()
    kind = "QueriesReadable"
    return (Condition(type=kind, status="True", reason=kind, observed_generation=generation),)


@pytest.mark.parametrize(
    ("told_of", "policy", "again", "status", "span"),
    [
        pytest.param(None, OWN, None, None, SOON, id="never told: asked again"),
        pytest.param(2, OWN, None, None, SOON, id="told of the spec before: not of this one"),
        pytest.param(2, OWN, SECOND, None, SECOND, id="sooner for another cause"),
        pytest.param(2, OWN, 3 * MINUTE, None, SOON, id="no later for another cause"),
        pytest.param(3, OWN, None, "True", None, id="told of this spec: nothing to wait for"),
        pytest.param(2, {}, None, None, None, id="without queries there is nothing to ask"),
    ],
)
def test_while_prometheus_is_silent_about_a_new_spec(
    told_of: int | None,
    policy: dict[str, Any],
    again: timedelta | None,
    status: str | None,
    span: timedelta | None,
) -> None:
    """What was said of the spec before stayed, and nothing looked again."""
    spec = ModelSpec.model_validate(model_manifest(rollout=policy)["spec"])
    model = SERVES.model_copy(update={"conditions": readable(told_of)})

    now = say(seen(observed(), spec=spec, status=model, mistakes=None), look_again=again)

    assert conditions(now).get("QueriesReadable") == status
    assert now.look_again == span


@pytest.mark.parametrize(
    ("mistakes", "again", "span"),
    [
        pytest.param(REFUSED, None, SOON, id="refused again"),
        pytest.param(REFUSED, SECOND, SECOND, id="sooner for another cause"),
        pytest.param(None, None, SOON, id="silent now"),
        pytest.param("", None, None, id="it can read them now"),
    ],
)
def test_what_prometheus_refused_is_asked_again(
    mistakes: str | None, again: timedelta | None, span: timedelta | None
) -> None:
    """Another Prometheus may know the function; nothing looked again before something changed."""
    spec = ModelSpec.model_validate(model_manifest(rollout=OWN)["spec"])
    last = say(seen(observed(), spec=spec, mistakes=REFUSED)).status
    model = SERVES.model_copy(update={"conditions": ModelStatus.model_validate(last).conditions})

    now = say(seen(observed(), spec=spec, status=model, mistakes=mistakes), look_again=again)

    assert now.look_again == span


def test_of_a_policy_without_queries_nothing_is_said() -> None:
    last = say(
        seen(
            observed(),
            spec=ModelSpec.model_validate(model_manifest(rollout=OWN)["spec"]),
            mistakes=REFUSED,
        )
    ).status
    model = SERVES.model_copy(update={"conditions": ModelStatus.model_validate(last).conditions})

    assert "QueriesReadable" not in conditions(say(seen(observed(), status=model, mistakes="")))


def test_what_was_said_of_the_version_before_does_not_stay() -> None:
    told = Condition(type="Answering", status="False", reason="OnlyFailures", message=FAILS)
    status = ModelStatus(stable=reference("0.9.0"), conditions=(told,))

    assert "Answering" not in conditions(say(seen(observed(), status=status, failing=FAILS)))


def test_a_training_that_starts_is_written_down_with_its_recipe() -> None:
    status = say(seen(observed(recipe="sha256:other"), status=SERVES)).status

    assert (status["trainingRun"], status["trainingNumber"]) == ("nsw-price-training-1", 1)
    assert status["recipe"] == "sha256:other"


def test_without_a_training_the_recipe_is_the_one_last_trained() -> None:
    """A suspended Model whose recipe has changed trains it later."""
    look = seen(observed(recipe="sha256:other", suspend=True), status=SERVES)

    assert say(look).status["recipe"] == "sha256:recipe"


def test_what_a_person_asked_is_answered_in_the_moment_of_the_look() -> None:
    (answer,) = say(seen(observed(requests=RETRAIN))).status["requests"]

    assert (answer["outcome"], answer["answeredAt"]) == ("Accepted", "2026-01-01T00:00:00.000Z")


def test_an_end_is_acted_on_once() -> None:
    look = seen(
        observed(
            training=training(RunState.FAILED),
            training_folded=False,
            rollout=rollout("1.1.0", RunState.FAILED),
            rollout_folded=False,
        )
    )

    status = say(look).status

    assert (status["foldedTrainingRun"], status["foldedRollout"]) == ("t-2", "r-2")
    assert [entry["version"] for entry in status["blocked"]] == ["1.1.0"]


def test_the_gate_keeps_the_versions_it_compared() -> None:
    ended = training(RunState.SUCCEEDED, comparison=comparison())

    gate = say(seen(observed(training=ended, training_folded=False))).status["gate"]

    assert (gate["version"], gate["champion"]) == ("1.1.0", "1.0.0")
    assert gate["reason"] == GateReason.BETTER


PASSED = seen(
    observed(training=training(RunState.SUCCEEDED, comparison=comparison()), training_folded=False),
    status=SERVES,
)
PROMOTED = seen(
    observed(rollout=rollout("1.1.0", RunState.SUCCEEDED), rollout_folded=False), status=SERVES
)
BLOCKED = seen(observed(pinned="1.1.0", blocked=blocked("1.1.0")), status=SERVES)
EXCHANGED = seen(observed(pinned="1.0.0", pinned_digest="sha256:x"), status=SERVES)
LOST = training(RunState.FAILED, reason="ColumnMissing", message="no column up")
AWAY = training(RunState.FAILED, reason="Superseded", message="the spec was corrected")
TOLD = ModelStatus.model_validate(say(EXCHANGED).status)


@pytest.mark.parametrize(
    ("look", "events"),
    [
        pytest.param(seen(observed(), status=SERVES), [], id="nothing has changed"),
        pytest.param(PASSED, [("GatePassed", False), ("RollingOut", False)],
                     id="a candidate passed the gate"),
        pytest.param(PROMOTED, [("Promoted", False)], id="another version is in charge"),
        pytest.param(BLOCKED, [("VersionBlocked", True)], id="a version is blocked"),
        pytest.param(seen(observed(training=LOST, training_folded=False), status=SERVES),
                     [("TrainingFailed", True)], id="a training failed"),
        pytest.param(seen(observed(training=LOST), status=SERVES), [], id="which is told once"),
        pytest.param(seen(observed(training=AWAY, training_folded=False), status=SERVES), [],
                     id="a training made way"),
        pytest.param(seen(observed(training=LOST, training_folded=False, pinned="1.1.0",
                                   blocked=blocked("1.1.0")),
                          status=SERVES.model_copy(update={"phase": "Blocked"})),
                     [("TrainingFailed", True)], id="a training failed while it was blocked"),
        pytest.param(seen(observed(training=LOST, training_folded=False, stable=None,
                                   rollout=None)),
                     [("ColumnMissing", True)], id="the first training failed"),
        pytest.param(EXCHANGED, [("VersionChanged", True)], id="another artifact is asked for"),
        pytest.param(dataclasses.replace(EXCHANGED, status=TOLD), [], id="which was told before"),
        pytest.param(seen(observed(), status=SERVES, unregistered="it was deleted"),
                     [("RegistrationChanged", True)], id="what serves is not registered any more"),
    ],
)  # fmt: skip
def test_transitions_are_announced(look: Seen, events: list[tuple[str, bool]]) -> None:
    assert [(event.reason, event.warning) for event in say(look).events] == events


OTHER = {"kind": "GatewayAPI", "parentRefs": [{"name": "g"}], "hostnames": ["h.example"]}


@pytest.mark.parametrize(
    ("gateway", "url"),
    [
        pytest.param({}, "http://nsw-price.energy", id="inside the cluster"),
        pytest.param(OTHER, "http://h.example", id="the first of its hosts"),
    ],
)
def test_where_clients_find_it(gateway: dict[str, Any], url: str) -> None:
    spec = model_manifest(serving={"gateway": gateway})["spec"]

    assert say(seen(observed(), spec=ModelSpec.model_validate(spec))).status["url"] == url


@pytest.mark.parametrize(
    ("settled", "before", "gateway"),
    [
        pytest.param("BuiltIn", None, "BuiltIn", id="the one asked for"),
        pytest.param("GatewayAPI", "BuiltIn", None, id="not the one asked for: it changes"),
        pytest.param(None, None, None, id="nobody has confirmed"),
        pytest.param(None, "BuiltIn", "BuiltIn", id="a rollout is in flight: as before"),
        pytest.param(None, "GatewayAPI", None, id="in flight, and another is asked for"),
    ],
)
def test_which_gateway_alone_carries_the_traffic(
    settled: Any, before: Any, gateway: str | None
) -> None:
    status = ModelStatus(gateway=before)

    told = say(seen(observed(), settled=settled, status=status))

    assert told.status.get("gateway") == gateway


def pods(reason: str, status: str = "False") -> Condition:
    return Condition(type="PodsReady", status=status, reason=reason, message="no pod of 1.0.0")


@pytest.mark.parametrize(
    ("about", "ready"),
    [
        pytest.param(None, "True", id="nothing is known yet"),
        pytest.param(pods("PodsReady", "True"), "True", id="all are there"),
        pytest.param(pods("PodsMissing"), "True", id="some are missing"),
        pytest.param(pods("NotAnswering"), "False", id="none is there"),
    ],
)
def test_ready_is_what_answers(about: Condition | None, ready: str) -> None:
    said = say(seen(observed(), pods=about))

    assert conditions(said)["Ready"] == ready
    assert conditions(said)["UpToDate"] == "True"
    assert conditions(said).get("PodsReady") == (about and about.status)
    told = next(each for each in said.status["conditions"] if each["type"] == "Ready")
    assert (told["message"] == "no pod of 1.0.0") is (ready == "False")


def test_pods_that_are_missing_are_announced_once() -> None:
    missing, back = pods("NotAnswering"), pods("PodsReady", "True")
    silent = SERVES.model_copy(update={"conditions": (missing,)})

    first = say(seen(observed(), status=SERVES, pods=missing))
    again = say(seen(observed(), status=silent, pods=missing))
    after = say(seen(observed(), status=silent, pods=back))

    assert [(event.reason, event.warning) for event in first.events] == [("NotAnswering", True)]
    assert again.events == ()
    assert [(event.reason, event.warning) for event in after.events] == [("PodsReady", False)]


@pytest.mark.parametrize(
    ("look", "known"),
    [
        pytest.param(seen(observed()), {"1.0.0": "sha256:0"}, id="what is in charge"),
        pytest.param(PASSED, {"1.0.0": "sha256:0", "1.1.0": "sha256:1"}, id="what was trained"),
        pytest.param(seen(observed(), known=(KNOWN.model_copy(update={"version": "1.0.0"}),)),
                     {"1.0.0": "sha256:0"}, id="what serves goes before what was known"),
        pytest.param(seen(observed(stable=None, rollout=None, past=Past(known=(KNOWN,)))),
                     {"0.9.0": "sha256:9"}, id="what the history of an earlier Model says"),
    ],
)  # fmt: skip
def test_which_artifact_a_version_is_stays_in_status(look: Seen, known: dict[str, str]) -> None:
    versions = say(look).status["versions"]

    assert {one["version"]: one["digest"] for one in versions} == known
