"""Who is woken by what: ended rollouts of the past cost nothing."""

from typing import Any

import pytest

from fairlead_operator.engine.wakeup import Wakeup, sort_keys
from fairlead_operator.keys import Key

NAMESPACE = "energy"
ROLLOUT = Key("Rollout", NAMESPACE, "m-rollout-1")
MODEL = Key("Model", NAMESPACE, "m")


def body(kind: str, name: str, *, labels: dict[str, str] | None = None, **more: Any) -> Any:
    metadata = {"namespace": NAMESPACE, "name": name, "labels": labels or {}}
    return {"kind": kind, "metadata": metadata, **more}


def rollout(phase: str, name: str = "m-rollout-1") -> Any:
    return body("Rollout", name, spec={"model": "m"}, status={"phase": phase})


def labelled(kind: str, **labels: str) -> Any:
    names = {f"fairlead.dev/{key.replace('_', '-')}": value for key, value in labels.items()}
    return body(kind, "child", labels=names)


def test_a_rollout_wakes_itself_and_its_model() -> None:
    assert Wakeup().keys_for(rollout("Progressing"), deleted=False) == {ROLLOUT, MODEL}


def test_a_child_wakes_the_rollout_in_flight() -> None:
    wakeup = Wakeup()
    wakeup.keys_for(rollout("Progressing"), deleted=False)

    assert wakeup.keys_for(labelled("Deployment", model="m"), deleted=False) == {ROLLOUT}


def test_an_ended_rollout_sleeps_unless_it_is_the_current_one() -> None:
    wakeup = Wakeup()
    wakeup.keys_for(rollout("Progressing"), deleted=False)
    wakeup.keys_for(rollout("RolledBack"), deleted=False)
    pod = labelled("Pod", model="m", component="server")

    assert wakeup.keys_for(pod, deleted=False) == set()

    wakeup.keys_for(body("Model", "m", status={"rollout": "m-rollout-1"}), deleted=False)
    assert wakeup.keys_for(pod, deleted=False) == {ROLLOUT}


def test_an_ended_rollout_sleeps_while_only_the_status_of_its_model_changes() -> None:
    def woken(generation: int, *, deleted: bool = False, **status: Any) -> set[Key]:
        model = body("Model", "m", status={"rollout": "m-rollout-1", **status})
        model["metadata"]["generation"] = generation
        return wakeup.keys_for(model, deleted=deleted)

    wakeup = Wakeup()
    wakeup.keys_for(rollout("Succeeded"), deleted=False)

    assert woken(1) == {MODEL, ROLLOUT}, "it may have changed before it was seen"
    assert woken(1, phase="Serving") == {MODEL}
    assert woken(2, phase="Serving") == {MODEL, ROLLOUT}
    assert woken(2, rollout="m-rollout-0") == {MODEL, Key("Rollout", NAMESPACE, "m-rollout-0")}
    assert woken(2) == {MODEL, ROLLOUT}
    assert woken(2, deleted=True) == {MODEL}
    assert woken(2) == {MODEL, ROLLOUT}, "it is another Model of that name"


def test_an_ended_rollout_is_woken_when_its_model_is_refused_something_or_no_more() -> None:
    def woken(status: str, reason: str, at: str = "2026-01-01T00:00:00Z") -> set[Key]:
        condition = {
            "type": "Applied",
            "status": status,
            "reason": reason,
            "message": "why",
            "lastTransitionTime": at,
        }
        model = body("Model", "m", status={"rollout": "m-rollout-1", "conditions": [condition]})
        return wakeup.keys_for(model, deleted=False)

    wakeup = Wakeup()
    wakeup.keys_for(rollout("Succeeded"), deleted=False)
    woken("True", "Applied")

    assert woken("False", "LoginNotAllowed") == {MODEL, ROLLOUT}
    assert woken("False", "LoginNotAllowed", at="2026-01-01T01:00:00Z") == {MODEL}
    assert woken("True", "Applied") == {MODEL, ROLLOUT}


def test_a_rollout_in_flight_is_woken_by_every_change_of_its_model() -> None:
    wakeup = Wakeup()
    wakeup.keys_for(rollout("Progressing"), deleted=False)
    model = body("Model", "m", status={"rollout": "m-rollout-1"})

    woken = [wakeup.keys_for(model, deleted=False) for _ in range(2)]

    assert woken == [{MODEL, ROLLOUT}] * 2


def test_a_deleted_rollout_is_forgotten() -> None:
    wakeup = Wakeup()
    wakeup.keys_for(rollout("Progressing"), deleted=False)
    wakeup.keys_for(rollout("Progressing"), deleted=True)

    assert wakeup.rollouts_of(NAMESPACE, "m") == set()


@pytest.mark.parametrize(
    ("phase", "before_a_model"),
    [
        *((phase, True) for phase in ("Replacing", "Progressing", "Paused", "Guarding")),
        pytest.param("RollingBack", True),
        pytest.param("Pending", False),
        pytest.param(None, False, id="before its first look was published"),
    ],
)
def test_a_rollout_with_traffic_goes_before_models_and_one_without_behind_them(
    phase: str | None, *, before_a_model: bool
) -> None:
    wakeup = Wakeup()
    wakeup.keys_for(body("Model", "m", status={"rollout": "m-rollout-1"}), deleted=False)
    wakeup.keys_for(
        body("Rollout", "m-rollout-1", spec={"model": "m"}, status={"phase": phase}), deleted=False
    )

    own, other = wakeup.head_start(ROLLOUT), wakeup.head_start(MODEL)

    assert own > other if before_a_model else own < other


@pytest.mark.parametrize(
    ("trigger", "asked", "before_a_model"),
    [
        pytest.param("rollback", None, True, id="a person goes back"),
        pytest.param("restored", None, True, id="the version in charge comes back"),
        pytest.param("hand", "abort", True, id="a person gives it up"),
        pytest.param("pinned", "supersede", True, id="the Model gives it up"),
        pytest.param("hand", "pause", False, id="a pause takes nothing away"),
        *((trigger, None, False) for trigger in ("hand", "pinned", "trained")),
    ],
)
@pytest.mark.parametrize("phase", ["Pending", None])
def test_what_goes_back_goes_before_models_also_without_traffic(
    phase: str | None, trigger: str, asked: str | None, *, before_a_model: bool
) -> None:
    wakeup = Wakeup()
    own = body(
        "Rollout",
        "m-rollout-1",
        spec={"model": "m", "trigger": trigger},
        status={"phase": phase},
    )
    if asked is not None:
        own["metadata"]["annotations"] = {f"fairlead.dev/{asked}": "Ada: wrong data"}

    wakeup.keys_for(own, deleted=False)

    assert (wakeup.head_start(ROLLOUT) > wakeup.head_start(MODEL)) == before_a_model


@pytest.mark.parametrize(
    ("phase", "deleted"),
    [
        pytest.param("RolledBack", False, id="rolled back"),
        pytest.param("Succeeded", False, id="promoted"),
        pytest.param("Progressing", True, id="deleted"),
    ],
)
def test_a_rollout_that_is_over_is_no_more_urgent_than_its_model(
    phase: str, *, deleted: bool
) -> None:
    wakeup = Wakeup()
    wakeup.keys_for(rollout("Progressing"), deleted=False)
    wakeup.keys_for(rollout(phase), deleted=deleted)

    assert wakeup.head_start(ROLLOUT) == wakeup.head_start(MODEL)


def test_a_job_wakes_its_training_run() -> None:
    found = Wakeup().keys_for(labelled("Job", model="m", training_run="m-1"), deleted=False)

    assert found == {Key("TrainingRun", NAMESPACE, "m-1")}


@pytest.mark.parametrize(
    ("phase", "deleted", "is_looked_at"),
    [
        pytest.param("Searching", True, True, id="deleted in flight"),
        pytest.param(None, True, True, id="deleted before its first look was published"),
        pytest.param("Searching", False, False, id="in flight"),
        pytest.param("Succeeded", True, False, id="one of the past is deleted"),
        pytest.param("Failed", True, False, id="one that failed is deleted"),
    ],
)
def test_what_a_deleted_training_left_is_looked_at(
    phase: str | None, *, deleted: bool, is_looked_at: bool
) -> None:
    run = body("TrainingRun", "m-1", spec={"model": "m"}, status={"phase": phase})

    keys = Wakeup().keys_for(run, deleted=deleted)

    assert (Key.of_trainings(NAMESPACE) in keys) is is_looked_at


def test_a_model_wakes_its_unfinished_children() -> None:
    wakeup = Wakeup()
    wakeup.keys_for(rollout("Pending"), deleted=False)
    wakeup.keys_for(body("TrainingRun", "m-1", spec={"model": "m"}), deleted=False)

    found = wakeup.keys_for(body("Model", "m"), deleted=False)

    assert found == {MODEL, ROLLOUT, Key("TrainingRun", NAMESPACE, "m-1")}


def test_a_gateway_report_wakes_only_the_models_it_is_about() -> None:
    wakeup = Wakeup()
    wakeup.keys_for(rollout("Progressing"), deleted=False)
    other = body("Rollout", "n-rollout-1", spec={"model": "n"}, status={"phase": "Progressing"})
    wakeup.keys_for(other, deleted=False)
    first = body("ConfigMap", "fairlead-gateway", data={"m.pod-a": "1", "n.pod-a": "1"})
    wakeup.keys_for(first, deleted=False)

    second = body("ConfigMap", "fairlead-gateway", data={"m.pod-a": "2", "n.pod-a": "1"})

    assert wakeup.keys_for(second, deleted=False) == {ROLLOUT}


def test_reports_that_were_made_immutable_wake_the_models_there() -> None:
    wakeup = Wakeup()
    wakeup.keys_for(body("Model", "m"), deleted=False)
    reports = body("ConfigMap", "fairlead-gateway", data={"m.pod-a": "1"})
    wakeup.keys_for(reports, deleted=False)

    assert wakeup.keys_for(reports, deleted=False) == set()
    assert MODEL in wakeup.keys_for({**reports, "immutable": True}, deleted=False)


def test_a_gateway_pod_wakes_every_rollout_in_flight_of_its_namespace() -> None:
    wakeup = Wakeup()
    wakeup.keys_for(rollout("Progressing"), deleted=False)

    assert wakeup.keys_for(labelled("Pod", component="gateway"), deleted=False) == {ROLLOUT}


def test_what_moves_traffic_comes_first() -> None:
    run = Key("TrainingRun", NAMESPACE, "m-1")

    assert sort_keys({run, MODEL, ROLLOUT}) == [ROLLOUT, MODEL, run]


def gateway(kind: str, **meta: Any) -> Any:
    part = body(kind, "fairlead-gateway", labels={"fairlead.dev/component": "gateway"})
    part["metadata"].update(meta)
    return part


SHARED = Key.of_namespace(NAMESPACE)


def test_a_gateway_without_models_is_tidied() -> None:
    assert Wakeup().keys_for(gateway("Deployment"), deleted=False) == {SHARED}


def test_a_gateway_that_is_changed_or_gone_wakes_every_model_there() -> None:
    wakeup = Wakeup()
    wakeup.keys_for(body("Model", "m"), deleted=False)
    wakeup.keys_for(body("Model", "other"), deleted=False)
    both = {MODEL, Key("Model", NAMESPACE, "other")}

    assert wakeup.keys_for(gateway("Deployment", generation=1), deleted=False) == set()
    assert wakeup.keys_for(gateway("Deployment", generation=1), deleted=False) == set()
    assert wakeup.keys_for(gateway("Deployment", generation=2), deleted=False) == both
    assert wakeup.keys_for(gateway("ConfigMap"), deleted=True) == both
    wakeup.keys_for(body("Model", "other"), deleted=True)
    assert wakeup.keys_for(gateway("ServiceAccount"), deleted=True) == {MODEL}


def test_a_gateway_that_lacks_pods_wakes_models_and_rollouts_at_rest() -> None:
    """Its new pods hung or were refused while the old ones answered, and nobody at rest said so."""
    wakeup = Wakeup()
    wakeup.keys_for(rollout("Succeeded"), deleted=False)
    wakeup.keys_for(body("Model", "m", status={"rollout": "m-rollout-1"}), deleted=False)
    refusal = {"type": "ReplicaFailure", "status": "True", "message": "quota"}

    def woken(**status: Any) -> bool:
        return wakeup.keys_for({**gateway("Deployment", generation=1), "status": status},
                               deleted=False) >= {MODEL, ROLLOUT}  # fmt: skip

    assert not woken(availableReplicas=1)
    assert woken(availableReplicas=1, unavailableReplicas=1)
    assert not woken(availableReplicas=1, unavailableReplicas=2)
    assert woken(availableReplicas=1, unavailableReplicas=2, conditions=[refusal])
    assert woken(availableReplicas=2)
    assert not woken(availableReplicas=3)


def test_a_gateway_pod_that_is_gone_is_tidied_after() -> None:
    assert Wakeup().keys_for(gateway("Pod"), deleted=True) == {SHARED}
    assert Wakeup().keys_for(gateway("Pod"), deleted=False) == set()


def test_the_first_reports_seen_may_be_of_the_dead() -> None:
    wakeup = Wakeup()
    reports = {**gateway("ConfigMap"), "data": {"m.pod": "{}"}}

    assert wakeup.keys_for(reports, deleted=False) == {SHARED}
    assert wakeup.keys_for(reports, deleted=False) == set()


def test_an_address_wakes_its_model() -> None:
    assert Wakeup().keys_for(labelled("Service", component="address", model="m"), deleted=True) == {
        MODEL
    }


def gateway_pod(name: str, *, ready: bool) -> Any:
    labels = {"fairlead.dev/component": "gateway"}
    condition = {"type": "Ready", "status": str(ready)}
    return body("Pod", name, labels=labels, status={"conditions": [condition]})


def test_a_gateway_that_begins_or_ends_to_answer_wakes_models_at_rest() -> None:
    wakeup = Wakeup()
    wakeup.keys_for(rollout("Succeeded"), deleted=False)
    wakeup.keys_for(body("Model", "m", status={"rollout": "m-rollout-1"}), deleted=False)

    def woken(name: str, *, ready: bool, deleted: bool = False) -> bool:
        return ROLLOUT in wakeup.keys_for(gateway_pod(name, ready=ready), deleted=deleted)

    assert not woken("a", ready=False)
    assert woken("a", ready=True)
    assert not woken("a", ready=True)
    assert not woken("b", ready=True), "another one changes nothing for them"
    assert not woken("a", ready=False)
    assert woken("b", ready=True, deleted=True)


@pytest.mark.parametrize(
    ("models", "deleted", "expected"),
    [
        pytest.param(["m", "n"], False, {MODEL, Key("Model", NAMESPACE, "n")}, id="changed"),
        pytest.param(["m"], True, {MODEL}, id="deleted: a new one is to be made"),
        pytest.param([], False, {Key.of_namespace(NAMESPACE)}, id="left without Models"),
        pytest.param([], True, set(), id="deleted without Models"),
    ],
)
def test_the_secret_of_a_login_wakes_whose_pods_read_it(
    models: list[str], deleted: bool, expected: set[Key]
) -> None:
    wakeup = Wakeup()
    for name in models:
        wakeup.keys_for(body("Model", name), deleted=False)

    assert wakeup.keys_for(body("Secret", "fairlead-database"), deleted=deleted) == expected
