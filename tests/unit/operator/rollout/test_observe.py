"""What one look makes of annotations, moments and guards, before anything is decided."""

import dataclasses
import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from fairlead_operator.api.phases.rollout import Phase, Reason
from fairlead_operator.errors import InvalidSpecError
from fairlead_operator.kube.metadata import component_labels, version_name
from fairlead_operator.rollout.observe import observe
from fairlead_operator.rollout.seen import Seen
from support.builders import NOW
from support.world import NAMESPACE, World, model_manifest

STABLE = {"version": "1.0.0", "registryVersion": "1", "digest": "sha256:0"}
MOVING = {"phase": "Progressing", "step": 0, "weight": 10, "stable": STABLE}
AT = "2025-12-31T23:59:00+00:00"
EARLIER = STABLE | {"version": "0.9.0"}
ALERT = {"version": "1.1.0", "message": "slow", "receivedAt": AT}


@pytest.fixture
def world() -> World:
    world = World()
    model = model_manifest(serving={"gateway": {"kind": "BuiltIn"}})
    world.kube.put(model | {"status": {"rollout": "r", "stable": STABLE}})
    world.registry.register("energy.nsw-price", "1.1.0")
    return world


async def look(
    world: World,
    *,
    status: dict[str, Any] | None = None,
    alert: Any = None,
    annotations: dict[str, str] | None = None,
    **spec: Any,
) -> Seen:
    body = {
        "metadata": {
            "namespace": NAMESPACE,
            "name": "r",
            "uid": "u1",
            "annotations": annotations or ({} if alert is None else {"fairlead.dev/alert": alert}),
        },
        "spec": {"model": "nsw-price", "version": "1.1.0", **spec},
        "status": status or {},
    }
    return await observe(body, world.ports, now=NOW)


@pytest.mark.parametrize(
    ("annotation", "message", "spoke", "unreadable"),
    [
        pytest.param(json.dumps(ALERT), "slow", datetime.fromisoformat(AT), None,
                     id="of the candidate"),
        pytest.param(json.dumps(ALERT | {"version": "1.0.0"}), None, None,
                     "version: must be the candidate, 1.1.0", id="of another version"),
        pytest.param("take it back", None, None, "must be JSON", id="set by hand"),
    ],
)  # fmt: skip
async def test_an_alert(
    world: World,
    annotation: str,
    message: str | None,
    spoke: datetime | None,
    unreadable: str | None,
) -> None:
    seen = await look(world, status=MOVING, alert=annotation)

    (arm,) = seen.observed.arms
    assert (arm.alert, seen.known_since) == (message, spoke)
    assert (seen.unreadable_alert or "").startswith(unreadable or "")
    assert (seen.unreadable_alert is None) == (unreadable is None)


async def test_without_an_alert_or_a_trip_nobody_spoke(world: World) -> None:
    seen = await look(world, status=MOVING)

    assert seen.observed.arms[0].alert is None
    assert seen.known_since is None


@pytest.mark.parametrize("field", ["since", "doubtSince"])
async def test_a_clock_that_was_set_back_makes_no_hold_longer(world: World, field: str) -> None:
    ahead = (NOW + timedelta(hours=1)).isoformat()

    seen = await look(world, status=MOVING | {field: ahead})

    assert seen.observed.since <= NOW
    assert seen.observed.doubt_since is None or seen.observed.doubt_since <= NOW


async def test_a_new_rollout_waits_for_its_turn_beside_the_models_stable_version(
    world: World,
) -> None:
    seen = await look(world)

    assert (seen.observed.phase, seen.observed.reason) == (Phase.PENDING, Reason.WAITING_FOR_TURN)
    assert seen.case.stable_version == "1.0.0"
    assert seen.observed.stable is not None


MEASURED_AT = {"phase": "Progressing", "weight": 10, "measuredAt": NOW.isoformat()}
NOTHING = {"name": "success-rate", "verdict": "Inconclusive", "version": "1.1.0"}


@pytest.mark.parametrize(
    ("status", "measured"),
    [
        pytest.param(MEASURED_AT, False, id="nothing yet"),
        pytest.param(MEASURED_AT | {"checks": [NOTHING]}, False, id="no answer"),
        pytest.param(MEASURED_AT | {"checks": [NOTHING | {"samples": 0}]}, False,
                     id="no request"),
        pytest.param(MEASURED_AT | {"checks": [NOTHING | {"samples": 1}]}, True,
                     id="a request, though too few"),
        pytest.param(MEASURED_AT | {"checks": [NOTHING | {"value": 0.5}]}, True,
                     id="a number of a person's own"),
        pytest.param(MEASURED_AT | {"arms": [{"version": "1.1.0", "samples": 3}]}, True,
                     id="an outcome of the trial"),
        pytest.param(MEASURED_AT | {"measured": True}, True, id="before, in the same step"),
        pytest.param(MEASURED_AT | {"step": 1, "weight": 50}, True, id="to pass a step"),
    ],
)  # fmt: skip
async def test_whether_a_request_was_measured(
    world: World, status: dict[str, Any], measured: bool
) -> None:
    assert (await look(world, status=status)).observed.measured == measured


def past(phase: str, version: str, before: str) -> dict[str, Any]:
    references = {"candidate": {"version": version}, "stable": {"version": before}}
    return {
        "kind": "Rollout",
        "metadata": {"namespace": NAMESPACE, "name": "before"},
        "spec": {"model": "nsw-price", "version": version},
        "status": {"phase": phase, **references},
    }


GUARDING = {"phase": "Guarding", "weight": 100}


@pytest.mark.parametrize(
    ("trigger", "status", "earlier", "returned"),
    [
        pytest.param("rollback", {}, None, True, id="a rollback, from its first moment"),
        pytest.param("pinned", GUARDING, past("Succeeded", "1.1.0", "0.9.0"), True,
                     id="a pin to what was in charge, with all traffic"),
        pytest.param("hand", GUARDING, past("Succeeded", "1.0.0", "1.1.0"), True,
                     id="by hand to what was replaced"),
        pytest.param("pinned", {"phase": "Paused", "weight": 100},
                     past("Succeeded", "1.1.0", "0.9.0"), True, id="paused with all traffic"),
        pytest.param("pinned", {"phase": "Progressing", "weight": 50},
                     past("Succeeded", "1.1.0", "0.9.0"), False, id="a pin in its steps"),
        pytest.param("pinned", {"phase": "RollingBack", "weight": 100},
                     past("Succeeded", "1.1.0", "0.9.0"), False, id="a pin that goes back"),
        pytest.param("pinned", GUARDING, past("RolledBack", "1.1.0", "0.9.0"), False,
                     id="a pin to what was only tried"),
        pytest.param("pinned", GUARDING, None, False, id="a pin to what is new"),
    ],
)  # fmt: skip
async def test_whether_a_person_went_back_to_the_candidate(
    world: World,
    trigger: str,
    status: dict[str, Any],
    earlier: dict[str, Any] | None,
    returned: bool,
) -> None:
    if earlier is not None:
        world.kube.put(earlier)

    seen = await look(world, status=status, trigger=trigger)

    assert seen.observed.returned == returned


async def test_a_version_that_is_in_charge_already_has_no_way_back(world: World) -> None:
    seen = await look(world, version="1.0.0")

    assert seen.observed.stable is None


@pytest.mark.parametrize(
    ("status", "way_back"),
    [
        pytest.param({}, "1.0.0", id="at its first look"),
        pytest.param(
            {"phase": "Pending", "reason": "WaitingForTurn", "stable": EARLIER},
            "1.0.0",
            id="when another was promoted while it waited for its turn",
        ),
        pytest.param(
            {"phase": "Pending", "reason": "WaitingForCandidate"}, "1.0.0", id="before it begins"
        ),
        pytest.param(MOVING | {"stable": EARLIER}, "0.9.0", id="in traffic: as it began"),
        pytest.param(
            {"phase": "RolledBack", "stable": EARLIER}, "0.9.0", id="at its end: as it began"
        ),
    ],
)
async def test_what_it_would_go_back_to(
    world: World, status: dict[str, Any], way_back: str
) -> None:
    seen = await look(world, status=status)

    assert seen.case.stable_version == way_back


async def test_what_is_in_charge_is_no_candidate_of_a_trial(world: World) -> None:
    trial = {"strategy": "abTest", "abTest": {"goal": {"metric": "success-rate"}}}

    with pytest.raises(InvalidSpecError, match=r"1\.0\.0 is in charge"):
        await look(world, alternatives=["1.0.0"], policy=trial)
    ended = {"phase": "Succeeded", "winner": "1.0.0", "stable": EARLIER}
    seen = await look(world, alternatives=["1.0.0"], policy=trial, status=ended)

    assert seen.observed.phase is Phase.SUCCEEDED


async def test_alternatives_need_a_plan_that_takes_them(world: World) -> None:
    with pytest.raises(InvalidSpecError, match="no effect under strategy canary"):
        await look(world, alternatives=["1.2.0"])


async def test_in_flight_the_gateway_stays_what_it_was_at_the_start(world: World) -> None:
    other = {
        "kind": "GatewayAPI",
        "parentRefs": [{"name": "models"}],
        "hostnames": ["nsw-price.example.com"],
    }

    begun = await look(world, status=MOVING | {"gateway": other})
    ended = await look(world, status=MOVING | {"phase": "Succeeded", "gateway": other})
    starting = {"phase": "Pending", "gateway": other}
    awaited = await look(world, status=starting | {"reason": "WaitingForCandidate"})
    waited = await look(world, status=starting | {"reason": "WaitingForTurn"})

    assert begun.case.gateway.kind == awaited.case.gateway.kind == "GatewayAPI"
    assert ended.case.gateway.kind == waited.case.gateway.kind == "BuiltIn"


async def test_the_last_decision_says_what_was_asked_of_each_candidate(world: World) -> None:
    arm = {"version": "1.1.0", "weight": 7, "prepared": 20}

    before = await look(world, status=MOVING)
    after = await look(world, status=MOVING | {"arms": [arm]})

    assert (before.observed.arms[0].asked, after.observed.arms[0].asked) == (10, 7)
    assert after.observed.arms[0].prepared == 20


async def test_the_clock_is_read_by_none_of_what_is_asked(world: World) -> None:
    """One look has one moment: whatever takes long, all of it is about the same time."""

    def read() -> datetime:
        raise AssertionError("the clock was read again")

    world.ports = dataclasses.replace(world.ports, now=read)

    seen = await look(world, status=MOVING)

    assert (seen.case.now, seen.observed.now) == (NOW, NOW)


BROKEN = {"name": "own", "query": "sum(x", "atMost": 1}
ABORT = {"fairlead.dev/abort": "Ada"}
WINDOW = {"name": "early", "days": ["Thu"], "from": "00:00", "to": "00:20"}


@pytest.mark.parametrize(
    ("changes", "is_asked"),
    [
        pytest.param({}, True, id="once nothing else is waited for"),
        pytest.param({"available": 0}, False, id="not while the candidate starts"),
        pytest.param({"available": 0, "strategy": "recreate"}, True,
                     id="recreate: before the stable version is stopped"),
        pytest.param({"annotations": ABORT}, False, id="not when a person aborts"),
        pytest.param({"model": {"suspend": True}}, False, id="not while the Model is suspended"),
        pytest.param({"model": {"freezeWindows": [WINDOW]}}, False, id="not in a freeze"),
        pytest.param({"turn": "another"}, False, id="not before its turn"),
        pytest.param({"trigger": "rollback"}, False, id="not when it goes back"),
        pytest.param({"version": "1.0.0"}, False, id="not where there is no way back"),
        pytest.param({"status": MOVING}, False, id="not with traffic"),
    ],
)  # fmt: skip
async def test_when_prometheus_is_asked_whether_it_can_read_the_queries(
    world: World, changes: dict[str, Any], is_asked: bool
) -> None:
    """One that hangs held up each look, an abort's too."""
    world.prometheus.mistakes["sum(x"] = "parse error"
    world.prometheus.own["sum(x"] = None
    put_model(world, **changes)
    put_server(world, changes.get("version", "1.1.0"), available=changes.get("available", 1))
    world.registry.register("energy.nsw-price", "1.0.0")
    spec = {key: changes[key] for key in ("trigger", "version") if key in changes}

    seen = await look(
        world, status=changes.get("status"), annotations=changes.get("annotations"), **spec
    )

    assert world.prometheus.checked == ["sum(x"] * is_asked
    assert ((seen.observed.problem or "") != "") == is_asked


SUPERSEDE = {"fairlead.dev/supersede": "1.3.0"}
HASTE = {"fairlead.dev/alert": json.dumps(ALERT)}
LATE = {"fairlead.dev/alert": json.dumps(ALERT | {"version": "1.2.0"})}
BOTH = [
    {"version": "1.1.0", "pods": 0, "weight": 20},
    {"version": "1.2.0", "pods": 1, "weight": 20},
]
LEFT = [BOTH[0], BOTH[1] | {"weight": 0, "reason": "AlertFired", "message": "slow"}]
AB = {"strategy": "abTest", "abTest": {"weight": 20, "goal": {"metric": "success-rate"}}}


@pytest.mark.parametrize(
    ("annotations", "spec", "status", "is_asked"),
    [
        pytest.param({}, {}, MOVING, True, id="on its way"),
        pytest.param(ABORT, {}, MOVING, False, id="aborted"),
        pytest.param(ABORT, {}, MOVING | {"phase": "Paused"}, False, id="aborted in a pause"),
        pytest.param(ABORT, {}, MOVING | {"phase": "Guarding", "step": 9, "weight": 100}, False,
                     id="aborted in the guard window"),
        pytest.param(SUPERSEDE, {}, MOVING, False, id="superseded"),
        pytest.param(HASTE, {}, MOVING, False, id="an alert of it"),
        pytest.param({"fairlead.dev/alert": "no JSON"}, {}, MOVING, True, id="an unreadable alert"),
        pytest.param({"fairlead.dev/pause": "Ada"}, {}, MOVING, True, id="a pause goes nowhere"),
        pytest.param(LATE, {"alternatives": ["1.2.0"], "policy": AB}, MOVING | {"arms": BOTH},
                     False, id="an alert of one of two"),
        pytest.param(LATE, {"alternatives": ["1.2.0"], "policy": AB}, MOVING | {"arms": LEFT},
                     True, id="after that one has left: the other is still measured"),
    ],
)  # fmt: skip
async def test_what_takes_back_waits_for_no_measurement(
    world: World,
    annotations: dict[str, str],
    spec: dict[str, Any],
    status: dict[str, Any],
    is_asked: bool,
) -> None:
    """A Prometheus that hung delayed an abort by 16 s."""
    world.prometheus.healthy()
    world.registry.register("energy.nsw-price", "1.2.0")
    hour_ago = (NOW - timedelta(hours=1)).isoformat()
    began = {"since": hour_ago, "stepSince": hour_ago, "measuredAt": hour_ago}

    await look(world, status=status | began, annotations=annotations or {"a": "b"}, **spec)

    assert (world.prometheus.asked != []) == is_asked


def put_model(world: World, **changes: Any) -> None:
    """Put a Model with a query of its own, whose turn it is."""
    strategy = {"strategy": changes["strategy"]} if "strategy" in changes else {}
    model = model_manifest(
        serving={"gateway": {"kind": "BuiltIn"}},
        rollout={"analysis": {"checks": [BROKEN]}, **strategy},
    )
    model["spec"] |= changes.get("model", {})
    world.kube.put(model | {"status": {"rollout": changes.get("turn", "r"), "stable": STABLE}})


def put_server(world: World, version: str, *, available: int) -> None:
    meta = {
        "namespace": NAMESPACE,
        "name": version_name("nsw-price", version),
        "labels": component_labels("server", "nsw-price", version),
    }
    spec, status = {"replicas": 1}, {"observedGeneration": 1, "availableReplicas": available}
    world.kube.put({"kind": "Deployment", "metadata": meta, "spec": spec, "status": status})


@pytest.mark.parametrize(
    ("status", "message"),
    [
        pytest.param("False", "not written: PATCH r: 403", id="refused"),
        pytest.param("True", "", id="taken"),
    ],
)
async def test_a_route_that_is_not_in_force_may_have_been_refused(
    world: World, status: str, message: str
) -> None:
    """It said to look at the gateway's pods."""
    applied = {"type": "Applied", "status": status, "reason": "r", "message": "PATCH r: 403"}

    seen = await look(world, status=MOVING | {"conditions": [applied]})

    assert seen.observed.gateway.message == message
