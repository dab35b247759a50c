"""What a decision does in the cluster: which servers run, where traffic goes, in which order."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import pytest

from fairlead_operator.api.common import VersionReference
from fairlead_operator.api.gateway import GatewaySpec
from fairlead_operator.api.model import ModelSpec
from fairlead_operator.api.phases.rollout import Phase, Reason, RouteReason
from fairlead_operator.errors import ClusterRefusalError
from fairlead_operator.kube.watched import WatchedKube
from fairlead_operator.rollout.act import Outcome, act
from fairlead_operator.rollout.decision.capacity import Bounds, Capacity
from fairlead_operator.rollout.decision.states import Decision, Gateway, Health, Observed
from fairlead_operator.rollout.seen import Seen
from fairlead_operator.rollout.servers.manifests import is_server
from fairlead_operator.rollout.traffic.accepted import Routed
from fairlead_operator.settings import Settings
from support.builders import (
    ALONE,
    GONE,
    MINUTE,
    PREVIEW,
    STOPPING,
    TWO,
    case,
    guarding,
    observed,
    pending,
    replacing,
    seen,
    trying,
)
from support.world import NAMESPACE, SETTINGS, World, model_manifest

OLD, NEW, OTHER = "nsw-price-1-0-0", "nsw-price-1-1-0", "nsw-price-1-2-0"
PREVIEW_NAME = "nsw-price-preview"
REFERENCES = tuple(
    VersionReference(version=version, registry_version=number, digest=f"sha256:{number}")
    for version, number in (("1.1.0", "2"), ("1.2.0", "3"))
)
GATEWAY_API = GatewaySpec.model_validate(
    {
        "kind": "GatewayAPI",
        "parentRefs": [{"name": "public"}],
        "hostnames": ["prices.example.com"],
        "previewHostnames": ["preview.example.com"],
    }
)


@pytest.fixture
def world() -> World:
    world = World()
    world.kube.unknown_kinds.clear()
    return world


def decided(phase: Phase, *, share: int = 0, **more: Any) -> Decision:
    usual = {"step": 0, "shares": (("1.1.0", share),), "reason": Reason.STEP_HOLDING}
    return Decision(phase=phase, message="", **usual | more)


def at(about: Observed, **changes: Any) -> Seen:
    """What is seen of a Rollout that is at this point; fields of its Case by their names."""
    fields = {field.name for field in dataclasses.fields(case())}
    of_case = {name: value for name, value in changes.items() if name in fields}
    rest = {name: value for name, value in changes.items() if name not in fields}
    stable = {} if about.stable is not None else {"stable": None}
    look = seen(about, candidates=REFERENCES[: len(about.arms)], **rest)
    return dataclasses.replace(
        look, case=dataclasses.replace(look.case, plan=about.plan, **stable | of_case)
    )


async def run_servers(world: World, *versions: str) -> None:
    """Start the servers of these versions, as an earlier decision did."""
    for version in versions:
        only = dataclasses.replace(TWO[0], version=version)
        look = at(pending(arms=(only,), stable=None))
        reference = dataclasses.replace(look, candidates=(reference_of(version),))
        waiting = decided(Phase.PENDING, shares=((version, 0),))
        await act(waiting, reference, world.ports, SETTINGS)
    world.kube.writes.clear()


def reference_of(version: str) -> VersionReference:
    return VersionReference(version=version, registry_version="1", digest="sha256:0")


async def act_on(
    world: World, decision: Decision, look: Seen, settings: Settings = SETTINGS
) -> Outcome:
    """Carry the decision out, with the Deployments there are."""
    found = await world.kube.list("Deployment", NAMESPACE, {})
    servers = {
        item["metadata"]["labels"]["fairlead.dev/version"]: item
        for item in found
        if is_server(item, "nsw-price")
    }
    world.deliver()
    ports = dataclasses.replace(world.ports, kube=WatchedKube(world.kube, world.store))
    return await act(decision, dataclasses.replace(look, servers=servers), ports, settings)


def names(world: World, kind: str) -> set[str]:
    return {name for found, _, name in world.kube.objects if found == kind}


BOTH = {OLD, NEW}


@pytest.mark.parametrize(
    ("running", "look", "decision", "left"),
    [
        pytest.param(
            ("1.0.0",),
            at(pending()),
            decided(Phase.PENDING),
            BOTH,
            id="pending: the candidate starts beside the stable version",
        ),
        pytest.param(
            (), at(pending()), decided(Phase.PENDING), BOTH, id="pending: who is missing is made"
        ),
        pytest.param(
            ("1.0.0", "1.1.0"),
            at(observed()),
            decided(Phase.PROGRESSING, share=10),
            BOTH,
            id="progressing: both",
        ),
        pytest.param(
            ("1.0.0", "1.1.0"),
            at(observed()),
            decided(Phase.PAUSED, share=10),
            BOTH,
            id="paused: both",
        ),
        pytest.param(
            ("1.0.0", "1.1.0"),
            at(guarding()),
            decided(Phase.GUARDING, share=100, step=2),
            BOTH,
            id="guarding: both, since it may go back",
        ),
        pytest.param(
            ("1.0.0", "1.1.0"),
            at(observed()),
            decided(Phase.ROLLING_BACK),
            BOTH,
            id="going back: both, until no gateway sends traffic",
        ),
        pytest.param(
            ("1.0.0", "1.1.0"),
            at(guarding()),
            decided(Phase.SUCCEEDED, share=100, step=2),
            BOTH,
            id="succeeded: the old one stays until the status says so",
        ),
        pytest.param(
            ("1.0.0", "1.1.0"),
            at(guarding(phase=Phase.SUCCEEDED)),
            decided(Phase.SUCCEEDED, share=100, step=2),
            {NEW},
            id="succeeded, and told: the old one goes",
        ),
        pytest.param(
            ("1.0.0", "1.1.0"),
            at(guarding(phase=Phase.SUCCEEDED, weight=50)),
            decided(Phase.SUCCEEDED, share=100, step=2),
            BOTH,
            id="succeeded, and told: while a gateway sends it traffic it stays",
        ),
        pytest.param(
            ("1.0.0", "1.1.0"),
            at(guarding(phase=Phase.SUCCEEDED, weight=None)),
            decided(Phase.SUCCEEDED, share=100, step=2),
            BOTH,
            id="succeeded, and told: not knowing is not zero",
        ),
        pytest.param(
            ("1.0.0", "1.1.0"),
            at(observed(phase=Phase.ROLLING_BACK, weight=0)),
            decided(Phase.ROLLED_BACK),
            BOTH,
            id="went back: the candidate stays until the status says so",
        ),
        pytest.param(
            ("1.0.0", "1.1.0"),
            at(observed(phase=Phase.ROLLED_BACK, weight=0)),
            decided(Phase.ROLLED_BACK),
            {OLD},
            id="went back, and told: the candidate goes",
        ),
        pytest.param(
            ("0.9.0", "1.0.0", "1.1.0"),
            at(observed(phase=Phase.ROLLED_BACK, weight=0)),
            decided(Phase.ROLLED_BACK),
            {OLD},
            id="went back, and told: what an earlier rollout left goes as well",
        ),
        pytest.param(
            ("1.1.0",),
            at(pending(phase=Phase.ROLLED_BACK, stable=None)),
            decided(Phase.ROLLED_BACK),
            set(),
            id="a first version that failed leaves nothing",
        ),
        pytest.param(
            ("1.0.0", "1.1.0", "1.2.0"),
            at(
                trying(
                    phase=Phase.SUCCEEDED,
                    winner="1.2.0",
                    arms=tuple(
                        dataclasses.replace(arm, weight=weight)
                        for arm, weight in zip(TWO, (0, 100), strict=True)
                    ),
                )
            ),
            decided(Phase.SUCCEEDED, shares=(("1.1.0", 0), ("1.2.0", 100)), step=1),
            {OTHER},
            id="a trial that is over leaves its winner",
        ),
    ],
)
async def test_the_servers_that_run(
    world: World, running: tuple[str, ...], look: Seen, decision: Decision, left: set[str]
) -> None:
    await run_servers(world, *running)

    await act_on(world, decision, look)

    assert names(world, "Deployment") == left
    assert names(world, "Service") - {PREVIEW_NAME} == left


def going_back(**changes: Any) -> Observed:
    """Recreate, on its way back: the candidate has no pods any more."""
    usual = {"phase": Phase.ROLLING_BACK, "weight": 0, "gone": True, "waited": MINUTE}
    return replacing(**usual | changes)


@pytest.mark.parametrize(
    ("running", "look", "decision", "left"),
    [
        pytest.param(
            ("1.0.0",),
            at(pending(steps=ALONE, health=Health.UNKNOWN)),
            decided(Phase.PENDING),
            {OLD},
            id="pending: the candidate does not start",
        ),
        pytest.param(
            ("1.0.0",),
            at(replacing(stable=STOPPING)),
            decided(Phase.REPLACING),
            set(),
            id="replacing: the stable version stops, and nothing starts",
        ),
        pytest.param(
            (),
            at(replacing(stable=GONE)),
            decided(Phase.REPLACING),
            {NEW},
            id="replacing: once it is gone the candidate starts",
        ),
        pytest.param(
            ("1.1.0",),
            at(replacing(stable=GONE)),
            decided(Phase.GUARDING, share=100, step=1),
            {NEW},
            id="guarding: the candidate alone",
        ),
        pytest.param(
            ("1.1.0",),
            at(replacing()),
            decided(Phase.ROLLING_BACK),
            set(),
            id="going back: the candidate stops, and nothing starts",
        ),
        pytest.param(
            ("1.1.0",),
            at(going_back(gone=False)),
            decided(Phase.ROLLING_BACK),
            set(),
            id="going back: while it ends nothing starts",
        ),
        pytest.param(
            (),
            at(going_back(waited=MINUTE / 60)),
            decided(Phase.ROLLING_BACK),
            set(),
            id="going back: pods made a moment ago may not be seen yet",
        ),
        pytest.param(
            (),
            at(going_back()),
            decided(Phase.ROLLING_BACK),
            {OLD},
            id="going back: once it is gone the stable version starts",
        ),
    ],
)
async def test_of_two_versions_that_may_not_run_together_one_does(
    world: World, running: tuple[str, ...], look: Seen, decision: Decision, left: set[str]
) -> None:
    await run_servers(world, *running)

    await act_on(world, decision, look)

    assert names(world, "Deployment") == left
    assert {f"nsw-price-{version.replace('.', '-')}" for version in running} <= names(
        world, "Service"
    ), "the Service of who stops stays for its way back"


ROUTE = ("ConfigMap", "nsw-price-route")


@pytest.mark.parametrize(
    ("look", "decision", "weights"),
    [
        pytest.param(at(pending()), decided(Phase.PENDING), {"1.1.0": 0, "1.0.0": 100},
                     id="pending: the candidate is warm"),
        pytest.param(at(observed()), decided(Phase.PROGRESSING, share=10),
                     {"1.1.0": 10, "1.0.0": 90}, id="in a step: the split"),
        pytest.param(at(observed()), decided(Phase.ROLLING_BACK), {"1.1.0": 0, "1.0.0": 100},
                     id="going back: at once"),
        pytest.param(at(guarding()), decided(Phase.SUCCEEDED, share=100, step=2), {"1.1.0": 100},
                     id="succeeded: the candidate"),
        pytest.param(at(observed(phase=Phase.ROLLED_BACK, weight=0)), decided(Phase.ROLLED_BACK),
                     {"1.0.0": 100}, id="went back: the stable version"),
        pytest.param(at(pending(stable=None)), decided(Phase.PENDING), {},
                     id="a first version that is not ready: nobody"),
        pytest.param(at(pending(stable=None)), decided(Phase.SUCCEEDED, share=100, step=2),
                     {"1.1.0": 100}, id="a first version: all"),
    ],
)  # fmt: skip
async def test_the_route(
    world: World, look: Seen, decision: Decision, weights: dict[str, int]
) -> None:
    await act_on(world, decision, look)

    assert world.weights() == weights


async def test_a_server_is_there_before_the_route_sends_it_traffic(world: World) -> None:
    await act_on(world, decided(Phase.PROGRESSING, share=10), at(observed()))

    applied = [(kind, name) for verb, kind, name in world.kube.writes if verb == "apply"]
    assert applied[-1] == ROUTE
    assert ("Deployment", NEW) in applied[:-1]
    assert ("Deployment", OLD) in applied[:-1]


async def test_what_a_person_copied_of_a_server_stays_when_it_goes(world: World) -> None:
    await run_servers(world, "1.0.0", "1.1.0")
    copy = world.kube.objects["Deployment", NAMESPACE, OLD]
    world.kube.put(copy | {"metadata": copy["metadata"] | {"name": "a-copy"}})

    await act_on(world, decided(Phase.SUCCEEDED, share=100), at(guarding(phase=Phase.SUCCEEDED)))

    assert names(world, "Deployment") == {NEW, "a-copy"}


async def test_a_server_goes_after_the_route_has_left_it(world: World) -> None:
    await run_servers(world, "1.0.0", "1.1.0")

    await act_on(world, decided(Phase.SUCCEEDED, share=100), at(guarding(phase=Phase.SUCCEEDED)))

    kept = [write for write in world.kube.writes if write[2] in {OLD, ROUTE[1]}]
    assert kept == [("apply", *ROUTE), ("delete", "Deployment", OLD), ("delete", "Service", OLD)]


def refuse(world: World, kind: str, name: str) -> None:
    """Let the cluster refuse every write of this object."""
    apply = world.kube.apply

    async def guarded(manifest: Mapping[str, Any]) -> dict[str, Any]:
        if (manifest["kind"], manifest["metadata"]["name"]) == (kind, name):
            raise ClusterRefusalError(f"{kind} {name}: 403")
        return await apply(manifest)

    world.kube.apply = guarded  # type: ignore[method-assign]


async def test_traffic_is_taken_away_before_anything_else_is_written(world: World) -> None:
    await act_on(world, decided(Phase.ROLLING_BACK), at(observed()))

    assert world.kube.writes[0] == ("apply", *ROUTE)


async def test_a_write_that_is_refused_stops_no_other_and_is_told(world: World) -> None:
    refuse(world, "Deployment", OLD)

    outcome = await act_on(world, decided(Phase.ROLLING_BACK), at(observed()))

    assert world.weights() == {"1.1.0": 0, "1.0.0": 100}
    assert names(world, "Deployment") == {NEW}
    assert [(failure.refused, OLD in failure.message) for failure in outcome.failures] == [
        (True, True)
    ]


@pytest.mark.parametrize(
    ("refused", "unrouted"),
    [
        pytest.param(ROUTE, True, id="the route"),
        pytest.param(("Deployment", OLD), False, id="a server"),
    ],
)
@pytest.mark.parametrize("decision", [decided(Phase.ROLLING_BACK), decided(Phase.PROGRESSING)])
async def test_a_route_that_is_refused_is_told_apart(
    world: World, decision: Decision, refused: tuple[str, str], *, unrouted: bool
) -> None:
    refuse(world, *refused)

    outcome = await act_on(world, decision, at(observed()))

    assert outcome.unrouted is unrouted
    assert len(outcome.failures) == 1


async def test_a_candidate_whose_server_is_refused_gets_no_traffic(world: World) -> None:
    refuse(world, "Deployment", NEW)

    outcome = await act_on(world, decided(Phase.PROGRESSING, share=10), at(pending()))

    assert (outcome.decision.phase, outcome.decision.reason) == (
        Phase.PENDING,
        Reason.WAITING_FOR_CANDIDATE,
    )
    assert world.weights() == {"1.1.0": 0, "1.0.0": 100}


async def test_what_could_be_written_is_decided_as_it_was(world: World) -> None:
    decision, look = decided(Phase.PROGRESSING, share=10), at(observed())

    outcome = await act_on(world, decision, look)

    assert (outcome.decision, outcome.failures) == (decision, ())


@pytest.mark.parametrize(
    ("look", "decision"),
    [
        pytest.param(at(pending()), decided(Phase.PENDING), id="pending"),
        pytest.param(at(observed()), decided(Phase.PROGRESSING, share=10), id="in a step"),
        pytest.param(
            at(observed(steps=PREVIEW)), decided(Phase.PROGRESSING, mirror=100), id="with a preview"
        ),
        pytest.param(
            at(guarding(phase=Phase.SUCCEEDED)),
            decided(Phase.SUCCEEDED, share=100),
            id="at its end",
        ),
        pytest.param(at(replacing(stable=STOPPING)), decided(Phase.REPLACING), id="in a downtime"),
    ],
)
async def test_twice_is_the_same_as_once(world: World, look: Seen, decision: Decision) -> None:
    await run_servers(world, "1.0.0", "1.1.0")
    await act_on(world, decision, look)
    world.kube.writes.clear()

    await act_on(world, decision, look)

    assert world.kube.writes == []


async def test_only_the_current_rollout_acts(world: World) -> None:
    await act_on(world, decided(Phase.PROGRESSING, share=10), at(observed(has_turn=False)))

    assert world.kube.writes == []


async def test_before_the_registry_has_answered_no_candidate_starts(world: World) -> None:
    look = dataclasses.replace(at(pending()), candidates=())

    await act_on(world, decided(Phase.PENDING), look)

    assert names(world, "Deployment") == {OLD}


async def test_the_route_of_a_first_version_that_failed_goes(world: World) -> None:
    await act_on(world, decided(Phase.SUCCEEDED, share=100), at(pending(stable=None)))

    await act_on(world, decided(Phase.ROLLED_BACK), at(pending(stable=None)))

    assert ROUTE not in {(kind, name) for kind, _, name in world.kube.objects}


@pytest.mark.parametrize(
    ("missing", "routes"),
    [
        pytest.param(None, {"nsw-price-route"}, id="the Gateway is there"),
        pytest.param("no HTTPRoutes", set(), id="nothing in the cluster can carry it"),
    ],
)
async def test_another_gateway_has_an_http_route(
    world: World, missing: str | None, routes: set[str]
) -> None:
    look = at(observed(gateway=Gateway(missing=missing)), gateway=GATEWAY_API)

    await act_on(world, decided(Phase.PROGRESSING, share=10), look)

    assert names(world, "HTTPRoute") == routes
    assert names(world, "ConfigMap") == set()


async def test_the_http_route_of_a_first_version_that_failed_goes(world: World) -> None:
    look = at(pending(stable=None), gateway=GATEWAY_API)
    await act_on(world, decided(Phase.SUCCEEDED, share=100), look)

    await act_on(world, decided(Phase.ROLLED_BACK), look)

    assert names(world, "HTTPRoute") == set()


def preview_owner(world: World) -> str | None:
    service = world.kube.objects.get(("Service", NAMESPACE, PREVIEW_NAME))
    return service["metadata"]["labels"]["fairlead.dev/model"] if service else None


def put_preview(world: World, model: str) -> None:
    labels = {"fairlead.dev/model": model}
    meta = {"namespace": NAMESPACE, "name": PREVIEW_NAME, "labels": labels}
    world.kube.put({"kind": "Service", "metadata": meta})


PREVIEWING = at(observed(steps=PREVIEW))
TRYING_OUT = decided(Phase.PROGRESSING, mirror=100)


@pytest.mark.parametrize(
    ("before", "owner"),
    [
        pytest.param(None, "nsw-price", id="it is made"),
        pytest.param("nsw-price", "nsw-price", id="our own stays"),
        pytest.param("other", "other", id="another Model's of that name is left alone"),
    ],
)
async def test_a_preview_has_an_address(world: World, before: str | None, owner: str) -> None:
    if before is not None:
        put_preview(world, before)

    await act_on(world, TRYING_OUT, PREVIEWING)

    assert preview_owner(world) == owner


@pytest.mark.parametrize("phase", [Phase.SUCCEEDED, Phase.ROLLED_BACK])
async def test_the_preview_address_goes_at_the_end(world: World, phase: Phase) -> None:
    await act_on(world, TRYING_OUT, PREVIEWING)

    await act_on(world, decided(phase, share=100), PREVIEWING)

    assert preview_owner(world) is None


async def test_the_address_of_another_model_stays_at_the_end(world: World) -> None:
    put_preview(world, "other")

    await act_on(world, decided(Phase.SUCCEEDED, share=100), PREVIEWING)

    assert preview_owner(world) == "other"


async def test_behind_another_gateway_the_preview_is_a_route_that_goes_with_its_step(
    world: World,
) -> None:
    routed = Routed(reason=RouteReason.ACCEPTED, message="", preview=True)
    look = at(observed(steps=PREVIEW), gateway=GATEWAY_API, routed=routed)

    await act_on(world, TRYING_OUT, look)
    during = names(world, "HTTPRoute")
    await act_on(world, decided(Phase.GUARDING, share=100, step=1), look)

    assert during == {"nsw-price-route", PREVIEW_NAME}
    assert names(world, "HTTPRoute") == {"nsw-price-route"}


SCALED = model_manifest(
    serving={
        "autoscaling": {
            "maxReplicas": 8,
            "provider": "keda",
            "target": {"requestsPerSecond": 20},
        }
    }
)


@pytest.mark.parametrize(
    ("unknown", "is_scaled"),
    [
        pytest.param(set(), True, id="the cluster knows the kind"),
        pytest.param({"ScaledObject"}, False, id="the cluster does not: why is told"),
    ],
)
async def test_why_there_is_no_autoscaler(world: World, unknown: set[str], is_scaled: bool) -> None:
    world.kube.unknown_kinds |= unknown
    capacity = Capacity(full=2, bounds=Bounds(least=1, most=8), ready={})
    model = ModelSpec.model_validate(SCALED["spec"])

    outcome = await act_on(
        world, decided(Phase.PENDING), at(pending(capacity=capacity), model=model)
    )

    assert (outcome.unscaled is None) is is_scaled
    assert names(world, "ScaledObject") == (BOTH if is_scaled else set())


RELEASED = dataclasses.replace(
    SETTINGS, images=dataclasses.replace(SETTINGS.images, serving="fairlead/serving:2")
)


def become(world: World, name: str, *, ready: bool) -> None:
    """Say of a Deployment whether its pods are those it describes, and ready."""
    live = world.kube.objects["Deployment", NAMESPACE, name]
    meta = {"namespace": NAMESPACE, "name": name}
    status = {
        "observedGeneration": live["metadata"]["generation"],
        "availableReplicas": int(ready),
        "updatedReplicas": 1,
    }
    world.kube.put({"kind": "Deployment", "metadata": meta, "status": status})


@pytest.mark.parametrize(
    ("stable", "candidate", "goes_on"),
    [
        pytest.param(False, True, True, id="the other server is ready: that ends nothing"),
        pytest.param(False, False, True, id="nor is the other"),
        pytest.param(True, False, False, id="its own pods are ready"),
        pytest.param(True, True, False, id="all are ready"),
    ],
)
async def test_an_upgrade_of_a_server_ends_when_its_own_pods_are_ready(
    world: World, *, stable: bool, candidate: bool, goes_on: bool
) -> None:
    """One server that was ready ended the turn of another, and the next Model was upgraded."""
    rest = at(observed(phase=Phase.ROLLED_BACK))
    await run_servers(world, "1.0.0")
    become(world, OLD, ready=True)
    began = await act_on(world, decided(Phase.ROLLED_BACK), rest, RELEASED)
    await act_on(world, decided(Phase.PENDING), at(pending()), RELEASED)
    become(world, OLD, ready=stable)
    become(world, NEW, ready=candidate)

    outcome = await act_on(world, decided(Phase.PENDING), at(pending()), RELEASED)

    words = "the pods of energy/nsw-price 1.0.0 are being replaced"
    assert began.held == words
    assert outcome.held == (words if goes_on else None)
