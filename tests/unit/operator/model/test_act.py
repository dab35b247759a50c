"""What a decision about a Model does in the cluster."""

import dataclasses
from typing import Any

import pytest

from fairlead_operator.api.common import VersionReference
from fairlead_operator.api.group import ANNOTATION_TRIED, GATEWAY_NAME
from fairlead_operator.api.model import ModelSpec, ModelStatus
from fairlead_operator.api.phases.training_run import Trigger
from fairlead_operator.errors import ClusterRefusalError, TakenError, TransientError
from fairlead_operator.kube.metadata import component_labels
from fairlead_operator.model.act import act
from fairlead_operator.model.seen import Seen
from fairlead_operator.model.state_machine import decide
from fairlead_operator.model.states import Decision, Start, Target
from support.fake_logins import FakeLogins
from support.model_builders import observed, seen
from support.world import NAMESPACE, SETTINGS, World, model_manifest

BODY = model_manifest() | {"metadata": {"namespace": NAMESPACE, "name": "nsw-price", "uid": "u"}}
QUIET = decide(observed())
SECRET = ("Secret", NAMESPACE, "fairlead-database")


@pytest.fixture
def world() -> World:
    world = World()
    world.kube.unknown_kinds.clear()
    return world


async def act_on(world: World, look: Seen, **decision: Any) -> Decision:
    chosen = dataclasses.replace(QUIET, **decision)
    await act(BODY, chosen, look, world.ports, SETTINGS)
    return chosen


def model(**spec: Any) -> ModelSpec:
    return ModelSpec.model_validate(model_manifest(**spec)["spec"])


def names(world: World, kind: str) -> set[str]:
    return {name for found, _, name in world.kube.objects if found == kind}


async def test_twice_is_the_same_as_once(world: World) -> None:
    start = Start(trigger=Trigger.RECIPE, why="w")
    target = Target(version="1.1.0", trigger="trained")
    look = seen(observed())
    await act_on(world, look, start_training=start, start_rollout=target)
    world.kube.writes.clear()

    await act_on(world, look, start_training=start, start_rollout=target)

    assert world.kube.writes == []


@pytest.mark.parametrize(
    ("decision", "model"),
    [
        pytest.param({}, None, id="nothing is due: once is enough"),
        pytest.param(
            {"start_training": Start(trigger=Trigger.RECIPE, why="w")}, "nsw-price", id="a training"
        ),
        pytest.param(
            {"start_rollout": Target(version="1.1.0", trigger="pinned")},
            "nsw-price",
            id="a rollout",
        ),
    ],
)
async def test_a_namespace_with_a_model_can_sign_in_to_mlflow(
    world: World, decision: dict[str, Any], model: str | None
) -> None:
    logins = FakeLogins()
    world.ports = dataclasses.replace(world.ports, logins=logins)

    await act_on(world, seen(observed()), **decision)

    assert logins.admitted == [(NAMESPACE, model)]


@pytest.mark.parametrize(
    ("refusal", "starts"),
    [
        pytest.param(TransientError("mlflow: away"), True, id="MLflow is away: it waits by itself"),
        pytest.param(TakenError("not ours"), False, id="the Secret is another's"),
    ],
)
async def test_what_is_due_where_it_cannot(world: World, refusal: Exception, starts: bool) -> None:
    ports = dataclasses.replace(world.ports, logins=FakeLogins(refusal))
    due = dataclasses.replace(QUIET, start_rollout=Target(version="1.1.0", trigger="pinned"))

    outcome = await act(BODY, due, seen(observed()), ports, SETTINGS)

    assert [failure.message for failure in outcome.failures] == [str(refusal)]
    assert bool(names(world, "Rollout")) is starts


def rollout_to(version: str, phase: str, *, stable: str | None = "1.0.0") -> dict[str, Any]:
    return {
        "metadata": {"namespace": NAMESPACE, "name": f"to-{version}"},
        "spec": {"model": "nsw-price", "version": version},
        "status": {"phase": phase} | ({"stable": {"version": stable}} if stable else {}),
    }


SERVING = {"stable": VersionReference(version="1.1.0")}


@pytest.mark.parametrize(
    ("target", "rollouts", "decision", "starts"),
    [
        pytest.param(Target(version="1.0.0", trigger="pinned"),
                     [rollout_to("1.1.0", "Succeeded")], SERVING, True,
                     id="what was in charge when the last one began"),
        pytest.param(Target(version="0.9.0", trigger="pinned"),
                     [rollout_to("0.9.0", "Succeeded")], SERVING, True,
                     id="what was in charge earlier"),
        pytest.param(Target(version="1.1.0", trigger="restored"), [], SERVING, True,
                     id="what is in charge, whose Rollout is gone"),
        pytest.param(Target(version="1.2.0", trigger="pinned"),
                     [rollout_to("1.2.0", "RolledBack")], SERVING, False,
                     id="what was tried only"),
        pytest.param(Target(version="1.0.0", trigger="pinned", alternatives=("1.2.0",)),
                     [rollout_to("1.1.0", "Succeeded")], SERVING, False,
                     id="beside another that is new"),
        pytest.param(Target(version="1.2.0", trigger="trained"),
                     [rollout_to("1.1.0", "Succeeded", stable=None)],
                     SERVING, False, id="what is new"),
        pytest.param(Target(version="1.1.0", trigger="restored"), [], {}, False,
                     id="nothing is in charge yet"),
    ],
)  # fmt: skip
async def test_what_goes_back_needs_no_login_that_it_had_not_before(
    world: World,
    target: Target,
    rollouts: list[dict[str, Any]],
    decision: dict[str, Any],
    starts: bool,
) -> None:
    logins = FakeLogins(TakenError("not ours"))
    ports = dataclasses.replace(world.ports, logins=logins)
    due = dataclasses.replace(QUIET, start_rollout=target, **{"stable": None} | decision)

    outcome = await act(BODY, due, seen(observed(), rollouts=rollouts), ports, SETTINGS)

    assert bool(names(world, "Rollout")) is starts
    assert outcome.not_started == (set() if starts else {"Rollout"})
    assert logins.asked == (0 if starts else 1)
    assert (outcome.login.look_again is not None) is starts, "the next look asks"


@pytest.mark.parametrize(
    ("trigger", "admitted"),
    [
        pytest.param("rollback", [], id="a person goes back"),
        pytest.param("hand", [(NAMESPACE, "nsw-price")], id="a person goes elsewhere"),
    ],
)
async def test_what_a_person_goes_back_with_waits_for_no_login(
    world: World, trigger: str, admitted: list[tuple[str, str]]
) -> None:
    """Where a person goes elsewhere, what was registered since is given to the namespace."""
    logins = FakeLogins()
    ports = dataclasses.replace(world.ports, logins=logins)
    due = dataclasses.replace(QUIET, adopt_rollout="to-1.0.0", **SERVING)
    made = rollout_to("1.0.0", "Pending")
    made["spec"]["trigger"] = trigger

    await act(BODY, due, seen(observed(), rollouts=[made]), ports, SETTINGS)

    assert logins.admitted == admitted


async def test_what_was_said_of_logins_stays_said_where_nobody_asks(world: World) -> None:
    told = [
        {"type": "Applied", "status": "False", "reason": "NameTaken", "message": "not ours"},
        {"type": "OwnLogin", "status": "False", "reason": "LoginShared", "message": "by value"},
    ]
    back = Target(version="1.1.0", trigger="restored")
    due = dataclasses.replace(QUIET, start_rollout=back, **SERVING)
    body = BODY | {"status": {"conditions": told}}

    outcome = await act(body, due, seen(observed()), world.ports, SETTINGS)

    assert [(each.message, each.taken) for each in outcome.failures] == [("not ours", True)]
    assert outcome.login.shared == "by value"
    assert names(world, "Rollout")


async def test_a_look_waits_for_mlflow_for_a_moment_and_says_for_what(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fairlead_operator.model.act._PATIENCE", 0)
    ports = dataclasses.replace(world.ports, logins=FakeLogins(hangs=True))
    due = dataclasses.replace(QUIET, start_rollout=Target(version="1.1.0", trigger="pinned"))

    outcome = await act(BODY, due, seen(observed()), ports, SETTINGS)

    (failure,) = outcome.failures
    assert failure.message.startswith("MLflow has not let namespace energy sign in within")
    assert not failure.refused
    assert names(world, "Rollout")


ACCOUNT = ("ServiceAccount", NAMESPACE, "fairlead-gateway")
PROXY = ("Deployment", NAMESPACE, "fairlead-gateway")


async def test_gateway_pods_with_the_token_of_an_account_that_is_gone_are_replaced(
    world: World,
) -> None:
    """Their token was refused for ever: it is of the ServiceAccount, not of its name."""
    tokens = []
    for _ in range(2):
        await act_on(world, seen(observed()))
        template = world.kube.objects[PROXY]["spec"]["template"]
        tokens.append(template["metadata"]["annotations"]["fairlead.dev/service-account"])
        assert tokens[-1] == world.kube.objects[ACCOUNT]["metadata"]["uid"]
        await world.kube.delete(*ACCOUNT)

    assert tokens[0] != tokens[1]


async def test_without_an_account_there_are_no_gateway_pods_yet(world: World) -> None:
    world.kube.refusing[ACCOUNT[0], ACCOUNT[2]] = ClusterRefusalError("403 a policy")

    outcome = await act(BODY, QUIET, seen(observed()), world.ports, SETTINGS)

    assert PROXY not in world.kube.objects
    assert [failure.message for failure in outcome.failures] == ["403 a policy"]


async def test_children_are_numbered_after_the_last(world: World) -> None:
    look = seen(observed(), status=ModelStatus(training_number=4, rollout_number=6))

    await act_on(
        world,
        look,
        start_training=Start(trigger=Trigger.REQUEST, why="Ada: new tariff"),
        start_rollout=Target(version="1.1.0", trigger="pinned"),
    )

    run = world.kube.objects["TrainingRun", NAMESPACE, "nsw-price-training-5"]
    rollout = world.kube.objects["Rollout", NAMESPACE, "nsw-price-rollout-7"]
    assert run["spec"] == {"model": "nsw-price", "trigger": "request"}
    assert (rollout["spec"]["version"], rollout["spec"]["trigger"]) == ("1.1.0", "pinned")


async def test_a_rollout_that_is_superseded_is_asked_to_make_way(world: World) -> None:
    meta = {"namespace": NAMESPACE, "name": "r-1"}
    world.kube.put({"kind": "Rollout", "metadata": meta, "spec": {"model": "nsw-price"}})

    await act_on(world, seen(observed(), status=ModelStatus(rollout="r-1")), supersede_by="1.2.0")

    annotations = world.kube.objects["Rollout", NAMESPACE, "r-1"]["metadata"]["annotations"]
    assert annotations == {"fairlead.dev/supersede": "1.2.0"}


@pytest.mark.parametrize("enabled", [True, False])
async def test_a_record_of_predictions_needs_the_database(world: World, enabled: bool) -> None:
    spec = model(serving={"predictionLog": {"enabled": enabled}})

    await act_on(world, seen(observed(), spec=spec))

    assert (SECRET in world.kube.objects) == enabled


OTHER = {"kind": "GatewayAPI", "parentRefs": [{"name": "g"}], "hostnames": ["h.example"]}
ROUTES = {("ConfigMap", NAMESPACE, "nsw-price-route"), ("HTTPRoute", NAMESPACE, "nsw-price-route")}


@pytest.mark.parametrize(
    ("gateway", "settled", "left"),
    [
        pytest.param({}, None, {"ConfigMap", "HTTPRoute"}, id="built-in, not confirmed: both stay"),
        pytest.param({}, "BuiltIn", {"ConfigMap"}, id="built-in, confirmed"),
        pytest.param(OTHER, "BuiltIn", {"ConfigMap", "HTTPRoute"},
                     id="the cluster's own, not confirmed: both stay"),
        pytest.param(OTHER, "GatewayAPI", {"HTTPRoute"}, id="the cluster's own, confirmed"),
    ],
)  # fmt: skip
async def test_who_carried_the_traffic_goes_on_until_the_other_has_confirmed(
    world: World, gateway: dict[str, Any], settled: Any, left: set[str]
) -> None:
    labels = {
        "app.kubernetes.io/managed-by": "fairlead",
        "fairlead.dev/component": "route",
        "fairlead.dev/model": "nsw-price",
    }
    copies = {(kind, namespace, f"{name}-copy") for kind, namespace, name in ROUTES}
    for kind, namespace, name in ROUTES | copies:
        meta = {"namespace": namespace, "name": name, "labels": labels}
        world.kube.put({"kind": kind, "metadata": meta})

    await act_on(world, seen(observed(), spec=model(serving={"gateway": gateway}), settled=settled))

    assert {kind for kind, _, _ in ROUTES & world.kube.objects.keys()} == left
    assert copies <= world.kube.objects.keys(), "what a person copied is a person's"


def child(kind: str, number: int, phase: str, *, owner: str = "u") -> dict[str, Any]:
    return {
        "kind": kind,
        "metadata": {
            "namespace": NAMESPACE,
            "name": f"{kind.lower()}-{number}",
            "uid": f"{kind}-{number}",
            "creationTimestamp": f"2026-01-{number:02}T00:00:00Z",
            "ownerReferences": [{"uid": owner}],
        },
        "spec": {"model": "nsw-price"},
        "status": {"phase": phase},
    }


async def test_the_latest_ended_children_are_kept_those_status_names_and_those_of_people(
    world: World,
) -> None:
    runs = [child("TrainingRun", number, "Failed") for number in range(1, 14)]
    runs.append(child("TrainingRun", 14, "Searching"))
    runs += [child("TrainingRun", number, "Failed", owner="a person") for number in range(15, 27)]
    for run in runs:
        world.kube.put(run)

    await act_on(
        world,
        seen(observed(), training_runs=runs, status=ModelStatus(training_run="trainingrun-1")),
    )

    kept = {f"trainingrun-{number}" for number in (1, *range(4, 27))}
    assert names(world, "TrainingRun") == kept


@pytest.mark.parametrize("status", ["True", "False"])
async def test_refused_pods_of_the_gateway_are_tried_again(world: World, status: str) -> None:
    """When the quota had grown, Kubernetes' own back-off kept them away for minutes more."""
    look = seen(observed())
    await act(BODY, QUIET, look, world.ports, SETTINGS)
    gateway = world.kube.objects["Deployment", NAMESPACE, GATEWAY_NAME]
    condition = {"type": "ReplicaFailure", "status": status, "message": "exceeded quota"}
    gateway["status"] = {"conditions": [condition]}

    outcome = await act(BODY, QUIET, look, world.ports, SETTINGS)

    gateway = world.kube.objects["Deployment", NAMESPACE, GATEWAY_NAME]
    tried = gateway["metadata"]["annotations"].get(ANNOTATION_TRIED)
    assert outcome.refused is (status == "True")
    assert (tried is not None) is (status == "True")


@pytest.mark.parametrize(
    "start",
    [
        pytest.param({"start_rollout": Target(version="1.1.0", trigger="pinned")}, id="a rollout"),
        pytest.param({"start_training": Start(trigger=Trigger.RECIPE, why="w")}, id="a training"),
    ],
)
async def test_all_children_that_an_earlier_model_left_are_named_at_once(
    world: World, start: dict[str, Any]
) -> None:
    """Deleted with --cascade=orphan, they were named one after the other."""
    children = [
        ("Rollout", "rollout", 1),
        ("Rollout", "rollout", 2),
        ("TrainingRun", "training", 1),
    ]
    left = []
    for kind, word, number in children:
        component = "rollout" if kind == "Rollout" else "training-run"
        meta = {"namespace": NAMESPACE, "name": f"nsw-price-{word}-{number}",
                "labels": component_labels(component, "nsw-price")}  # fmt: skip
        left.append(
            world.kube.put({"kind": kind, "metadata": meta, "spec": {"model": "nsw-price"}})
        )
    by_hand = {"namespace": NAMESPACE, "name": "mine"}
    mine = world.kube.put({"kind": "Rollout", "metadata": by_hand, "spec": {"model": "nsw-price"}})
    look = dataclasses.replace(seen(observed()), rollouts=[*left[:2], mine], training_runs=left[2:])

    outcome = await act(BODY, dataclasses.replace(QUIET, **start), look, world.ports, SETTINGS)

    (failure,) = outcome.failures
    assert all(item["metadata"]["name"] in failure.message for item in left)
    assert "mine" not in failure.message
    assert failure.message.endswith(
        "are what an earlier Model of this name left behind: delete them"
    )
