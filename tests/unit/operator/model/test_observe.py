"""What is read of a Model and its children."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from fairlead_operator.api.base import to_moment
from fairlead_operator.api.model import BlockedVersion
from fairlead_operator.api.recipe import recipe_digest
from fairlead_operator.errors import InvalidSpecError
from fairlead_operator.model.observe import observe
from fairlead_operator.model.seen import Seen
from fairlead_operator.model.states import RunState, Target
from fairlead_operator.signature import Column, Signature
from support.fakes import START
from support.world import NAMESPACE, World, model_manifest

UID = "uid-of-the-model"
PODS = {"type": "PodsReady", "status": "True", "reason": "PodsReady"}
STABLE = {"version": "1.0.0", "registryVersion": "1", "digest": "sha256:0"}


@pytest.fixture
def world() -> World:
    return World()


def put_run(
    world: World, name: str = "t-1", *, annotations: dict[str, str] | None = None, **status: Any
) -> None:
    world.kube.put(
        {
            "kind": "TrainingRun",
            "metadata": {"namespace": NAMESPACE, "name": name, "annotations": annotations or {}},
            "spec": {"model": "nsw-price"},
            "status": status,
        }
    )


def put_rollout(
    world: World,
    name: str = "r-1",
    *,
    version: str = "1.1.0",
    alternatives: tuple[str, ...] = (),
    trigger: str = "trained",
    annotations: dict[str, str] | None = None,
    **status: Any,
) -> None:
    world.kube.put(
        {
            "kind": "Rollout",
            "metadata": {"namespace": NAMESPACE, "name": name, "annotations": annotations or {}},
            "spec": {
                "model": "nsw-price",
                "version": version,
                "trigger": trigger,
                "alternatives": list(alternatives),
            },
            "status": status,
        }
    )


async def look(world: World, spec: dict[str, Any] | None = None, **status: Any) -> Seen:
    """Look at a Model with this status."""
    body = model_manifest(**(spec or {})) | {"status": status}
    body["metadata"] |= {"generation": 3, "uid": UID}
    return await observe(body, world.ports, now=START)


async def test_a_look_creates_nothing(world: World) -> None:
    await look(world)

    assert world.kube.writes == []
    assert world.registry.runs == {}


async def test_a_spec_that_cannot_be_read_names_the_field(world: World) -> None:
    with pytest.raises(InvalidSpecError, match=r"spec\.training\.trials"):
        await look(world, {"training": {"trials": 1}})


async def test_the_moment_is_the_one_that_the_reconcile_read(world: World) -> None:
    assert (await look(world)).observed.now == START


@pytest.mark.parametrize(
    ("phase", "state"),
    [
        pytest.param(None, RunState.ACTIVE, id="not looked at yet"),
        pytest.param("Searching", RunState.ACTIVE, id="searching"),
        pytest.param("Suspended", RunState.ACTIVE, id="suspended"),
        pytest.param("Succeeded", RunState.SUCCEEDED, id="succeeded"),
        pytest.param("Failed", RunState.FAILED, id="failed"),
    ],
)
async def test_a_training_is_under_way_until_it_has_ended(
    world: World, phase: str | None, state: RunState
) -> None:
    put_run(world, phase=phase)

    training = (await look(world, trainingRun="t-1")).observed.training

    assert training is not None
    assert training.state is state


@pytest.mark.parametrize(
    ("status", "started_at"),
    [
        pytest.param({}, None, id="not looked at yet"),
        pytest.param({"startedAt": to_moment(START)}, START, id="as its status says"),
    ],
)
async def test_when_the_last_training_began(
    world: World, status: dict[str, str], started_at: datetime | None
) -> None:
    put_run(world, **status)

    training = (await look(world, trainingRun="t-1")).observed.training

    assert training is not None
    assert training.started_at == started_at


@pytest.mark.parametrize(
    ("status", "known"),
    [
        pytest.param({"trainingRun": "t-1"}, True, id="its run is there"),
        pytest.param({"trainingRun": "t-2", "foldedTrainingRun": "t-2"}, True,
                     id="its run is gone, and its end was acted on"),
        pytest.param({"trainingRun": "t-2"}, False,
                     id="its run is gone before its end was seen: as good as not started"),
    ],
)  # fmt: skip
async def test_which_recipe_was_trained(world: World, status: dict[str, str], known: bool) -> None:
    put_run(world)

    observed = (await look(world, recipe="sha256:r", **status)).observed

    assert observed.trained_recipe == ("sha256:r" if known else None)


@pytest.mark.parametrize(
    ("config", "recipe"),
    [
        pytest.param(None, "sha256:r", id="not told yet: that of the look that started it"),
        pytest.param("{}", "sha256:r", id="told none"),
        pytest.param('{"recipeDigest": "sha256:s"}', "sha256:s", id="told another"),
    ],
)
async def test_a_training_was_by_the_recipe_that_its_trainer_was_told(
    world: World, config: str | None, recipe: str
) -> None:
    put_run(world, config=config)

    seen = await look(world, recipe="sha256:r", trainingRun="t-1")

    assert (seen.observed.trained_recipe, seen.status.recipe) == (recipe, recipe)


@pytest.mark.parametrize(
    ("name", "owner", "unnamed"),
    [
        pytest.param("nsw-price-rollout-3", UID, True, id="the next, and its own"),
        pytest.param("nsw-price-rollout-2", UID, False, id="one that status has named"),
        pytest.param("nsw-price-rollout-3", "another", False, id="an earlier Model's"),
    ],
)
async def test_which_rollout_status_could_not_name_yet(
    world: World, name: str, owner: str, unnamed: bool
) -> None:
    put_rollout(world, name, version="1.2.0", trigger="pinned", alternatives=("1.3.0",))
    world.kube.objects["Rollout", NAMESPACE, name]["metadata"]["ownerReferences"] = [{"uid": owner}]

    observed = (await look(world, rolloutNumber=2)).observed

    target = Target(version="1.2.0", trigger="pinned", alternatives=("1.3.0",))
    assert observed.unnamed_rollout == (target if unnamed else None)


async def test_the_digest_of_an_earlier_release_is_that_of_the_present_recipe(
    world: World,
) -> None:
    """As 0.1.0 wrote it for this very spec."""
    before = "sha256:d549b617cd53cde306788b11ac45629aafa81f47706b346565db0b22ecf8342d"
    put_run(world)

    seen = await look(world, recipe=before, trainingRun="t-1")

    assert seen.status.recipe == recipe_digest(seen.spec)
    assert seen.observed.trained_recipe == seen.observed.recipe


async def test_what_an_ended_training_was_told_by_an_earlier_release_starts_none(
    world: World,
) -> None:
    """Its digest covers what trains nobody any more, and cannot be told from another recipe's."""
    put_run(world, phase="Succeeded", config=json.dumps({"recipeDigest": "sha256:of-0.1.0"}))

    seen = await look(world, recipe="sha256:renewed", trainingRun="t-1", foldedTrainingRun="t-1")

    assert seen.observed.trained_recipe == "sha256:renewed"


@pytest.mark.parametrize(
    ("annotations", "task"),
    [
        pytest.param({"fairlead.dev/told": "sha256:t"}, "sha256:t", id="its digest"),
        pytest.param({"fairlead.dev/task": "sha256:t"}, None,
                     id="of a build after 0.1.0, whose digest changed with an upgrade: not known"),
        pytest.param({}, None, id="of 0.1.0: not known"),
    ],
)  # fmt: skip
async def test_what_a_failed_training_was_told(
    world: World, annotations: dict[str, str], task: str | None
) -> None:
    put_run(world, annotations=annotations, phase="Failed")

    training = (await look(world, trainingRun="t-1")).observed.training

    assert training is not None
    assert training.task == task


ENDED: dict[str, Any] = {"phase": "RolledBack", "reason": "AnalysisFailed", "message": "0.7"}
LOSER = {"version": "1.2.0", "reason": "CandidateFailed", "message": "exit 3"}


def blocked(version: str, reason: str, message: str, **more: str) -> BlockedVersion:
    common: dict[str, Any] = {"asked": "", "generation": 3} | more
    return BlockedVersion(version=version, reason=reason, message=message, **common)


@pytest.mark.parametrize(
    ("rollout", "lost"),
    [
        pytest.param({"phase": "Progressing"}, (), id="in flight: none"),
        pytest.param({"phase": "Succeeded"}, (), id="promoted: none"),
        pytest.param(ENDED, (blocked("1.1.0", "AnalysisFailed", "0.7"),),
                     id="rolled back: its version, for its reason"),
        pytest.param(
            {"alternatives": ("1.2.0",), "phase": "Succeeded", "winner": "1.2.0", "message": "won"},
            (blocked("1.1.0", "TrialLost", "lost the trial to 1.2.0"),),
            id="a trial that was won: the others"),
        pytest.param(
            ENDED | {"alternatives": ("1.2.0",), "arms": [LOSER]},
            (blocked("1.1.0", "AnalysisFailed", "0.7"),
             blocked("1.2.0", "CandidateFailed", "exit 3")),
            id="a trial that was lost: all, each for its own reason"),
        pytest.param(
            ENDED | {"candidate": {"version": "1.1.0", "digest": "sha256:1"}},
            (blocked("1.1.0", "AnalysisFailed", "0.7", digest="sha256:1"),),
            id="with the artifact that was tried"),
        pytest.param(ENDED | {"reason": "Superseded"}, (), id="superseded: none"),
        pytest.param(
            ENDED | {"reason": "Superseded", "alternatives": ("1.2.0",), "arms": [LOSER]},
            (blocked("1.2.0", "CandidateFailed", "exit 3"),),
            id="a trial that was superseded: those that had left it"),
    ],
)  # fmt: skip
async def test_which_versions_a_rollout_lost(
    world: World, rollout: dict[str, Any], lost: tuple[BlockedVersion, ...]
) -> None:
    put_rollout(world, **rollout)

    current = (await look(world, rollout="r-1")).observed.rollout

    assert current is not None
    assert current.lost == lost


@pytest.mark.parametrize(
    ("spec", "asked"),
    [
        ({}, ["", ""]),
        ({"version": "1.1.0"}, ["spec.version", ""]),
        ({"version": "1.2.0", "alternatives": ["1.1.0"]}, ["spec.alternatives", "spec.version"]),
    ],
    ids=["nowhere", "as the version", "as an alternative"],
)
async def test_where_the_spec_asks_for_what_was_lost(
    world: World, spec: dict[str, Any], asked: list[str]
) -> None:
    put_rollout(world, **ENDED | {"alternatives": ("1.2.0",)})
    rules: dict[str, Any] = {"strategy": "abTest", "abTest": {"goal": {"metric": "success-rate"}}}

    current = (await look(world, spec | {"rollout": rules}, rollout="r-1")).observed.rollout

    assert current is not None
    assert [entry.asked for entry in current.lost] == asked


BLOCKED: dict[str, Any] = {"version": "1.1.0", "reason": "Aborted", "generation": 2}


@pytest.mark.parametrize(
    ("pinned", "listed", "registered", "down", "told"),
    [
        pytest.param("1.1.0", None, "sha256:1", False, {}, id="no list yet: nothing is known"),
        pytest.param("1.1.0", "sha256:0", "sha256:0", False, {}, id="as it was tried"),
        pytest.param("1.1.0", "sha256:1", "sha256:1", False, {"1.1.0": "sha256:1"}, id="changed"),
        pytest.param("1.1.0", "sha256:1", "sha256:0", False, {"1.1.0": "sha256:0"},
                     id="the list is older: MLflow's word counts"),
        pytest.param("1.1.0", "sha256:1", "sha256:1", True, {}, id="MLflow does not answer"),
        pytest.param("1.1.0", "sha256:1", "", False, {}, id="gone since"),
        pytest.param(None, "sha256:1", "sha256:1", False, {}, id="the spec asks for another"),
    ],
)  # fmt: skip
async def test_the_artifact_of_what_is_blocked_is_looked_up(
    world: World,
    *,
    pinned: str | None,
    listed: str | None,
    registered: str,
    down: bool,
    told: dict[str, str],
) -> None:
    name = f"{NAMESPACE}.nsw-price"
    if listed is not None:
        world.registry.register(name, "1.1.0", digest=listed)
        world.registrations.take(await world.registry.registrations())
    world.registry.versions.clear()
    if registered:
        world.registry.register(name, "1.1.0", digest=registered)
    world.registry.down = down

    observed = (
        await look(world, {"version": pinned}, blocked=[BLOCKED | {"digest": "sha256:0"}])
    ).observed

    assert observed.artifacts == told


def answer(action: str, text: str, outcome: str) -> list[dict[str, str]]:
    return [{"action": action, "text": text, "outcome": outcome}]


@pytest.mark.parametrize(
    ("annotation", "requests", "asked"),
    [
        pytest.param(None, [], False, id="nobody asked"),
        pytest.param("abort", [], True, id="a person asked"),
        pytest.param("supersede", [], True, id="the Model asked"),
        pytest.param("pause", [], False, id="a pause is no way back"),
        pytest.param("abort", answer("abort", "why", "Accepted"), True, id="it was accepted"),
        pytest.param("abort", answer("abort", "why", "Refused"), False, id="it was refused"),
    ],
)
async def test_whether_a_rollout_was_asked_to_go_back(
    world: World, annotation: str | None, requests: list[dict[str, str]], asked: bool
) -> None:
    annotations = {f"fairlead.dev/{annotation}": "why"} if annotation else {}
    put_rollout(world, annotations=annotations, phase="Progressing", requests=requests)

    current = (await look(world, rollout="r-1")).observed.rollout

    assert current is not None
    assert current.asked_back == asked


async def test_rollouts_by_hand_wait_their_turn_and_what_goes_back_is_first(world: World) -> None:
    put_rollout(world, "z-first", trigger="hand")
    world.clock.advance(timedelta(seconds=1))
    put_rollout(world, "a-second", trigger="hand")
    world.clock.advance(timedelta(seconds=1))
    put_rollout(world, "goes-back", trigger="rollback")
    put_rollout(world, "ended", trigger="hand", phase="Succeeded")
    put_rollout(world, "ours", trigger="trained")

    assert (await look(world)).observed.waiting == ("goes-back", "z-first", "a-second")


@pytest.mark.parametrize(
    ("status", "settled"),
    [
        pytest.param({"phase": "Progressing", "observedWeight": 10}, None, id="in flight"),
        pytest.param({"phase": "Succeeded", "observedWeight": 100}, "BuiltIn", id="confirmed"),
        pytest.param({"phase": "Succeeded"}, None, id="not confirmed yet"),
    ],
)
async def test_which_gateway_carries_the_traffic(
    world: World, status: dict[str, Any], settled: str | None
) -> None:
    put_rollout(world, gateway={"kind": "BuiltIn"}, **status)

    assert (await look(world, rollout="r-1")).settled == settled


@pytest.mark.parametrize(
    ("rollout", "says"),
    [
        pytest.param({"phase": "Pending", "conditions": [PODS | {"message": "its own"}]}, "its own",
                     id="what it says"),
        pytest.param({}, "the last", id="before its first look: what the one before said"),
        pytest.param({"phase": "Pending"}, None, id="nothing, after its first look"),
    ],
)  # fmt: skip
async def test_what_is_known_of_the_pods(
    world: World, rollout: dict[str, Any], says: str | None
) -> None:
    put_rollout(world, **rollout)

    seen = await look(world, rollout="r-1", conditions=[PODS | {"message": "the last"}])

    assert (seen.pods.message if seen.pods else None) == says


@pytest.mark.parametrize(
    ("status", "last", "weight"),
    [
        pytest.param({}, None, 0, id="before its first look"),
        pytest.param({"phase": "Progressing", "weight": 10}, None, 10, id="nobody reports yet"),
        pytest.param({"phase": "Progressing", "weight": 10, "observedWeight": 10}, 0, 10,
                     id="in a step"),
        pytest.param({"phase": "Progressing", "weight": 50, "observedWeight": 10}, 10, 10,
                     id="a step that no gateway has taken yet"),
        pytest.param({"phase": "RollingBack", "weight": 0, "observedWeight": 10}, 10, 10,
                     id="a way back that is refused"),
        pytest.param({"phase": "RollingBack", "weight": 0}, 10, 10,
                     id="a way back of which a gateway says nothing"),
        pytest.param({"phase": "RollingBack", "weight": 0, "observedWeight": 0}, 10, 0,
                     id="a way back that is in force"),
    ],
)  # fmt: skip
async def test_how_much_traffic_candidates_really_have(
    world: World, status: dict[str, Any], last: int | None, weight: int
) -> None:
    """A Model said 0 while the cluster refused the way back, and 10 % still went there."""
    put_rollout(world, **status)

    rollout = (await look(world, rollout="r-1", weight=last)).observed.rollout

    assert rollout is not None
    assert rollout.weight == weight


@pytest.mark.parametrize(
    ("listed", "registered", "problem"),
    [
        pytest.param(None, "sha256:0", None, id="no list yet: nothing is known"),
        pytest.param("sha256:0", "sha256:0", "", id="as it was"),
        pytest.param("sha256:x", "sha256:x", "now says version 1.0.0 with digest sha256:x",
                     id="changed"),
        pytest.param("", "sha256:0", "", id="newer than the list: MLflow knows it"),
        pytest.param("", "", "was deleted", id="deleted"),
    ],
)  # fmt: skip
async def test_the_registration_of_what_serves_is_looked_up(
    world: World, listed: str | None, registered: str, problem: str | None
) -> None:
    name = f"{NAMESPACE}.nsw-price"
    if listed is not None:
        if listed:
            world.registry.register(name, "1.0.0", digest=listed)
        world.registrations.take(await world.registry.registrations())
    world.registry.versions.clear()
    if registered:
        world.registry.register(name, "1.0.0", digest=registered)

    unregistered = (await look(world, stable=STABLE)).unregistered

    if problem:
        assert problem in (unregistered or "")
    else:
        assert unregistered == problem


def readable(generation: int, status: str = "True") -> list[dict[str, Any]]:
    condition = {"type": "QueriesReadable", "status": status, "reason": "QueriesReadable"}
    return [condition | {"observedGeneration": generation}]


@pytest.mark.parametrize(
    ("conditions", "mistakes"),
    [
        pytest.param([], "Prometheus refuses it: parse error", id="a new Model is asked about"),
        pytest.param(readable(2), "Prometheus refuses it: parse error", id="a changed one again"),
        pytest.param(readable(3), None, id="what could be read is not asked about again"),
        pytest.param(readable(3, "False"), "Prometheus refuses it: parse error",
                     id="what could not be read is: it may be able to now"),
    ],
)  # fmt: skip
async def test_when_prometheus_is_asked_about_the_policy(
    world: World, conditions: Any, mistakes: str | None
) -> None:
    world.prometheus.mistakes["sum(x"] = "parse error"
    own = {"name": "own", "query": "sum(x", "atMost": 1}

    seen = await look(world, {"rollout": {"analysis": {"checks": [own]}}}, conditions=conditions)

    where = "analysis.checks, query of own: "
    assert seen.mistakes == (mistakes and where + mistakes)


async def test_names_stand_in_what_prometheus_is_asked_about(world: World) -> None:
    world.prometheus.mistakes["{{"] = "a name was left"
    query = 'sum(x{n="{{namespace}}",m="{{model}}",v=~"{{version}}|{{stable}}"}[{{window}}])'
    goal = {"query": query.replace("|{{stable}}", ""), "total": query.replace("|{{stable}}", "")}
    policy = {
        "strategy": "abTest",
        "abTest": {"goal": goal},
        "analysis": {"checks": [{"name": "own", "query": query, "atMost": 1}]},
    }

    assert (await look(world, {"rollout": policy})).mistakes == ""


async def test_what_a_silent_prometheus_can_read_is_not_known(world: World) -> None:
    world.prometheus.down = True
    own = {"name": "own", "query": "sum(x", "atMost": 1}

    seen = await look(world, {"rollout": {"analysis": {"checks": [own]}}})

    assert seen.mistakes is None


MORE = Signature(inputs=(Column(name="x", type="double"),))
RESULT = {
    "version": "1.1.0",
    "registryVersion": "2",
    "digest": "sha256:0",
    "metric": "roc_auc",
    "greaterIsBetter": True,
    "candidate": {"value": 0.9},
}


@pytest.mark.parametrize(
    ("phase", "status", "is_told"),
    [
        pytest.param("Succeeded", {"stable": STABLE}, True, id="a training has just ended"),
        pytest.param("Searching", {"stable": STABLE}, False, id="one is under way"),
        pytest.param(
            "Succeeded", {"stable": STABLE, "foldedTrainingRun": "t-1"}, False, id="it was judged"
        ),
        pytest.param("Succeeded", {}, False, id="a first version"),
    ],
)
async def test_a_trained_version_is_compared_by_what_it_takes(
    world: World, phase: str, status: Any, *, is_told: bool
) -> None:
    for version in ("1.0.0", "1.1.0"):
        world.registry.register(f"{NAMESPACE}.nsw-price", version)
    world.registry.signatures["1.1.0"] = MORE
    put_run(world, phase=phase, result=json.dumps(RESULT))

    training = (await look(world, trainingRun="t-1", **status)).observed.training

    assert training is not None
    assert training.change == (
        "1.1.0 against 1.0.0: adds x (double); callers who send what 1.0.0 takes are refused"
        if is_told
        else ""
    )


@pytest.mark.parametrize("trouble", ["down", "unreadable", "the same"])
async def test_what_is_not_known_of_a_signature_stops_no_gate(world: World, trouble: str) -> None:
    for version in ("1.0.0", "1.1.0"):
        world.registry.register(f"{NAMESPACE}.nsw-price", version)
    world.registry.down = trouble == "down"
    world.registry.unreadable |= {"1.1.0"} if trouble == "unreadable" else set()
    put_run(world, phase="Succeeded", result=json.dumps(RESULT))

    training = (await look(world, trainingRun="t-1", stable=STABLE)).observed.training

    assert training is not None
    assert training.change == ""


TOLD = {"version": "1.1.0", "registryVersion": "2", "digest": "sha256:1"}
TRAINED = {"phase": "Succeeded", "trained": TOLD}
OTHER = TOLD | {"registryVersion": "9", "digest": "sha256:x"}
LIVE = {"liveSince": to_moment(START)}


@pytest.mark.parametrize(
    ("runs", "rollouts", "status", "known"),
    [
        pytest.param([], [], {"versions": [TOLD]}, {"1.1.0": "sha256:1"}, id="as status has it"),
        pytest.param([TRAINED], [], {}, {"1.1.0": "sha256:1"},
                     id="an upgrade: what a training registered"),
        pytest.param([], [{"candidate": TOLD, "stable": STABLE}], {}, {"1.0.0": "sha256:0"},
                     id="an upgrade: what was in charge, and not what never took traffic"),
        pytest.param([], [{"candidate": TOLD} | LIVE], {}, {"1.1.0": "sha256:1"},
                     id="an upgrade: what took traffic"),
        pytest.param([TRAINED], [{"candidate": OTHER} | LIVE], {"versions": [TOLD]},
                     {"1.1.0": "sha256:1"}, id="an earlier Rollout's word changes nothing"),
        pytest.param([], [{"candidate": OTHER} | LIVE], {"versions": [TOLD], "rollout": "r-0"},
                     {"1.1.0": "sha256:x"}, id="what the current Rollout brought"),
        pytest.param([TRAINED], [], {"versions": [OTHER], "trainingRun": "t-0"},
                     {"1.1.0": "sha256:1"}, id="the training that has just ended"),
    ],
)  # fmt: skip
async def test_which_artifacts_are_known(
    world: World,
    runs: list[dict[str, Any]],
    rollouts: list[dict[str, Any]],
    status: dict[str, Any],
    known: dict[str, str],
) -> None:
    for number, said in enumerate(runs):
        put_run(world, f"t-{number}", **said)
    for number, said in enumerate(rollouts):
        put_rollout(world, f"r-{number}", **said)

    found = (await look(world, **status)).known

    assert {one.version: one.digest for one in found} == known


WANTED = f"sha256:{'a' * 64}"


@pytest.mark.parametrize(
    ("forged", "known", "pinned", "told"),
    [
        pytest.param(None, "sha256:0", None, {}, id="exchanged: it was another"),
        pytest.param("sha256:0", "sha256:0", None, {}, id="as it was tried, beside another"),
        pytest.param(WANTED, "sha256:0", WANTED, {"1.1.0": WANTED}, id="the spec names another"),
        pytest.param(WANTED, "sha256:0", None, {}, id="two others"),
    ],
)
async def test_what_took_traffic_is_not_exchanged_by_a_tag(
    world: World, forged: str | None, known: str, pinned: str | None, told: dict[str, str]
) -> None:
    name = f"{NAMESPACE}.nsw-price"
    world.registry.register(name, "1.1.0", digest="sha256:1")
    if forged is not None:
        world.registry.forge(name, "1.1.0", digest=forged)
    world.registrations.take(await world.registry.registrations())
    spec = {"version": "1.1.0", **({"versionDigest": pinned} if pinned else {})}

    observed = (
        await look(
            world,
            spec,
            blocked=[BLOCKED | {"digest": "sha256:0"}],
            versions=[TOLD | {"digest": known}],
        )
    ).observed

    assert observed.artifacts == told
