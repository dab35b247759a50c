"""Lives of a Model whose traffic the cluster's own Gateways carry."""

from datetime import timedelta
from typing import Any

import pytest

from support.world import NAMESPACE, World, model_manifest

MINUTE = timedelta(minutes=1)
OTHERS = {
    "kind": "GatewayAPI",
    "parentRefs": [{"name": "models", "namespace": "gateways"}],
    "hostnames": ["nsw-price.example.com"],
}
BLUE_GREEN = {"strategy": "blueGreen", "blueGreen": {"hold": "1m"}, "steps": None}
STABLE, CANDIDATE = "nsw-price-1-0-0", "nsw-price-1-1-0"


@pytest.fixture
def world() -> World:
    """A cluster that knows HTTPRoutes."""
    world = World()
    world.kube.unknown_kinds.clear()
    return world


@pytest.fixture
async def serving(world: World) -> World:
    """The first version is in charge, behind a Gateway of the cluster."""
    world.kube.put(model_manifest(serving={"gateway": OTHERS}))
    await world.train("nsw-price-training-1", "1.0.0")
    return world


def change(world: World, **spec: Any) -> None:
    world.kube.put(
        {
            "kind": "Model",
            "metadata": {"namespace": NAMESPACE, "name": "nsw-price"},
            "spec": spec,
        }
    )


async def pin(world: World, version: str = "1.1.0") -> None:
    world.registry.register(f"{NAMESPACE}.nsw-price", version)
    change(world, version=version)
    await world.run()


async def choose(world: World, gateway: dict[str, Any]) -> None:
    """Another gateway, as a person would apply it: whole."""
    change(world, serving={"gateway": {"parentRefs": None, "hostnames": None} | gateway})
    await world.run()


def condition(world: World, kind: str) -> tuple[str, str, str]:
    found = {c["type"]: c for c in world.rollout()["status"]["conditions"]}
    return found[kind]["status"], found[kind]["reason"], found[kind]["message"]


def kinds(world: World) -> set[tuple[str, str]]:
    return {(kind, name) for kind, _, name in world.kube.objects}


async def test_the_cluster_s_own_gateway_gets_the_route_and_no_other_is_made(
    serving: World,
) -> None:
    assert serving.http_weights() == {STABLE: 100}
    assert serving.model()["status"]["url"] == "http://nsw-price.example.com"
    assert condition(serving, "Routed")[:2] == ("True", "RouteAccepted")
    assert not {
        ("Deployment", "fairlead-gateway"),
        ("Service", "nsw-price"),
        ("ConfigMap", "nsw-price-route"),
    } & kinds(serving)


async def test_a_candidate_goes_up_step_by_step_and_old_servers_go(serving: World) -> None:
    serving.prometheus.healthy()
    await pin(serving)
    seen = [serving.http_weights().get(CANDIDATE)]

    for _ in range(24):
        await serving.pass_time(timedelta(seconds=10))
        seen.append(serving.http_weights().get(CANDIDATE))

    assert sorted({weight for weight in seen if weight}) == [10, 50, 100]
    assert serving.model()["status"]["stable"]["version"] == "1.1.0"
    assert ("Deployment", STABLE) not in kinds(serving)


async def test_the_servers_own_counts_are_asked(serving: World) -> None:
    serving.prometheus.healthy()
    await pin(serving)
    await serving.pass_time(MINUTE)

    assert serving.prometheus.asked
    assert all("fairlead_predictions_total" in query for query in serving.prometheus.asked)


async def test_a_bad_candidate_is_taken_out_of_the_route(serving: World) -> None:
    serving.prometheus.healthy()
    await pin(serving)
    serving.prometheus.success_rate = 0.5
    await serving.pass_time(MINUTE)

    assert serving.rollout()["status"]["phase"] == "RolledBack"
    assert serving.http_weights() == {STABLE: 100}
    assert ("Deployment", CANDIDATE) not in kinds(serving)


async def test_a_refusal_of_the_gateway_holds_the_rollout_and_is_told(serving: World) -> None:
    serving.prometheus.healthy()
    await pin(serving)
    serving.route_refusal = "no listener takes the host"
    await serving.run()
    await serving.pass_time(2 * MINUTE)

    status = serving.rollout()["status"]
    assert (status["phase"], status["weight"]) == ("Progressing", 10)
    assert status["reason"] == "WaitingForGateway"
    assert "no listener takes the host" in status["message"]
    assert condition(serving, "Routed")[1] == "RouteRefused"
    assert "observedWeight" not in status


async def test_servers_stay_until_the_rollback_is_accepted(serving: World) -> None:
    serving.prometheus.healthy()
    await pin(serving)
    serving.route_refusal = "busy"
    serving.prometheus.success_rate = 0.5
    await serving.pass_time(MINUTE)

    assert serving.rollout()["status"]["phase"] == "RollingBack"
    assert serving.http_weights() == {STABLE: 100}
    assert ("Deployment", CANDIDATE) in kinds(serving)

    serving.route_refusal = ""
    await serving.pass_time(MINUTE)

    assert serving.rollout()["status"]["phase"] == "RolledBack"
    assert ("Deployment", CANDIDATE) not in kinds(serving)


async def test_a_preview_has_a_route_of_its_own_until_the_switch(serving: World) -> None:
    serving.prometheus.healthy()
    preview = {"previewHostnames": ["nsw-price-preview.example.com"]}
    change(serving, serving={"gateway": OTHERS | preview}, rollout=BLUE_GREEN)
    await serving.run()
    await pin(serving)
    route = serving.kube.objects["HTTPRoute", NAMESPACE, "nsw-price-preview"]

    assert route["spec"]["hostnames"] == ["nsw-price-preview.example.com"]
    assert route["spec"]["rules"][0]["backendRefs"][0]["name"] == CANDIDATE

    await serving.pass_time(2 * MINUTE)

    assert serving.http_weights() == {CANDIDATE: 100}
    assert ("HTTPRoute", "nsw-price-preview") not in kinds(serving)


async def test_a_preview_nobody_could_reach_is_refused(serving: World) -> None:
    change(serving, rollout=BLUE_GREEN)
    await pin(serving)

    status = serving.rollout()["status"]
    assert (status["phase"], status["reason"]) == ("RolledBack", "UnsupportedByTarget")
    assert "previewHostnames" in status["message"]


async def test_a_cluster_without_the_gateway_api_is_told_so_and_waited_for(world: World) -> None:
    world.kube.unknown_kinds.add("HTTPRoute")
    world.kube.put(model_manifest(serving={"gateway": OTHERS}))
    await world.train("nsw-price-training-1", "1.0.0")
    await world.pass_time(MINUTE)

    status = world.rollout()["status"]
    assert (status["phase"], status["reason"]) == ("Pending", "WaitingForGateway")
    assert "install the Gateway API CRDs" in status["message"]
    assert condition(world, "Routed")[:2] == ("False", "GatewayApiMissing")

    world.kube.unknown_kinds.clear()
    await world.pass_time(MINUTE)

    assert world.rollout()["status"]["phase"] == "Succeeded"
    assert world.http_weights() == {STABLE: 100}


async def test_a_model_behind_a_gateway_that_is_not_there_is_not_ready(world: World) -> None:
    world.has_gateways = False
    world.kube.put(model_manifest(serving={"gateway": OTHERS}))
    await world.train("nsw-price-training-1", "1.0.0")
    await world.pass_time(MINUTE)

    ready = {entry["type"]: entry for entry in world.model()["status"]["conditions"]}["Ready"]
    assert (ready["status"], ready["reason"]) == ("False", "NotAnswering")
    assert "Gateway gateways/models says nothing of the route yet" in ready["message"]

    world.has_gateways = True
    change(world, serving={"gateway": OTHERS | {"hostnames": ["other.example.com"]}})
    await world.pass_time(MINUTE)

    ready = {entry["type"]: entry for entry in world.model()["status"]["conditions"]}["Ready"]
    assert ready["status"] == "True"


async def test_a_rollout_that_asks_for_more_than_a_route_can_say_never_starts(
    serving: World,
) -> None:
    serving.registry.register(f"{NAMESPACE}.nsw-price", "1.1.0")
    serving.kube.put(
        {
            "apiVersion": "fairlead.dev/v1alpha1",
            "kind": "Rollout",
            "metadata": {"namespace": NAMESPACE, "name": "by-hand"},
            "spec": {
                "model": "nsw-price",
                "version": "1.1.0",
                "policy": {"fastGuard": {"minRequests": 5}},
            },
        }
    )
    await serving.pass_time(MINUTE)

    status = serving.kube.objects["Rollout", NAMESPACE, "by-hand"]["status"]
    assert (status["phase"], status["reason"]) == ("RolledBack", "UnsupportedByTarget")
    assert "fastGuard works only with the built-in gateway" in status["message"]
    assert serving.http_weights() == {STABLE: 100}


async def test_the_gateway_is_changed_without_a_gap(world: World) -> None:
    world.kube.put(model_manifest())
    await world.train("nsw-price-training-1", "1.0.0")
    await world.run()
    world.route_refusal = "not yet"

    await choose(world, OTHERS)
    await world.pass_time(MINUTE)

    assert world.http_weights() == {STABLE: 100}
    assert world.weights() == {"1.0.0": 100}, "the old gateway serves until the new one has it"
    assert "gateway" not in world.model()["status"]

    world.route_refusal = ""
    await world.pass_time(MINUTE)

    assert world.model()["status"]["gateway"] == "GatewayAPI"
    assert not {
        ("Deployment", "fairlead-gateway"),
        ("Service", "nsw-price"),
        ("ConfigMap", "nsw-price-route"),
    } & kinds(world)


async def test_the_built_in_gateway_takes_the_traffic_back(serving: World) -> None:
    await choose(serving, {"kind": "BuiltIn"})
    await serving.pass_time(MINUTE)

    assert serving.weights() == {"1.0.0": 100}
    assert ("HTTPRoute", "nsw-price-route") not in kinds(serving)
    assert serving.model()["status"]["url"] == "http://nsw-price.energy"
    with pytest.raises(KeyError):
        condition(serving, "Routed")


async def test_a_rollout_in_flight_ends_with_the_gateway_it_began_with(world: World) -> None:
    world.prometheus.healthy()
    world.kube.put(model_manifest())
    await world.train("nsw-price-training-1", "1.0.0")
    await pin(world)

    await choose(world, OTHERS)
    await world.pass_time(MINUTE)

    assert ("HTTPRoute", "nsw-price-route") not in kinds(world)
    assert world.weights()["1.1.0"] > 0

    await world.pass_time(10 * MINUTE)

    assert world.http_weights() == {CANDIDATE: 100}
    assert ("ConfigMap", "nsw-price-route") not in kinds(world)


async def test_the_gateway_of_the_namespace_stays_for_other_models(world: World) -> None:
    world.kube.put(model_manifest())
    other = model_manifest()
    other["metadata"]["name"] = "demand"
    world.kube.put(other)
    await world.train("nsw-price-training-1", "1.0.0")

    await choose(world, OTHERS)
    await world.pass_time(MINUTE)

    assert ("Deployment", "fairlead-gateway") in kinds(world)
    assert ("Service", "nsw-price") not in kinds(world)


def add(world: World, name: str, namespace: str = NAMESPACE, **gateway: Any) -> None:
    """Another Model at the same Gateway."""
    other = model_manifest(serving={"gateway": OTHERS | gateway})
    other["metadata"] = {"namespace": namespace, "name": name}
    world.kube.put(other)


async def serve(
    world: World, name: str, *names: str, namespace: str = NAMESPACE, **spec: Any
) -> None:
    """Bring up another Model with these host names, a minute later."""
    await world.pass_time(MINUTE)
    world.registry.register(f"{namespace}.{name}", "1.0.0")
    gateway = OTHERS | {"hostnames": [*names]}
    other = model_manifest(serving={"gateway": gateway}, version="1.0.0", **spec)
    other["metadata"] = {"namespace": namespace, "name": name}
    world.kube.put(other)
    await world.pass_time(MINUTE)
    assert hosts(world, name, namespace) == [*names]


async def serve_younger(world: World) -> None:
    """Bring up a Model that is younger than the first, with a host name of its own."""
    await serve(world, "younger", "younger.example.com")


async def ask_for(world: World, *names: str, **gateway: Any) -> None:
    """Change what the first Model asks for."""
    change(world, serving={"gateway": OTHERS | {"hostnames": [*names], **gateway}})
    await world.pass_time(MINUTE)


def says(world: World, name: str, kind: str = "Model", namespace: str = NAMESPACE) -> Any:
    """What an object says of what could not be written: status, reason and message."""
    status = world.kube.objects[kind, namespace, name].get("status") or {}
    told = {c["type"]: c for c in status.get("conditions", [])}.get("Applied")
    return told and (told["status"], told["reason"], told["message"])


def hosts(world: World, name: str, namespace: str = NAMESPACE) -> list[str] | None:
    route = world.kube.objects.get(("HTTPRoute", namespace, f"{name}-route"))
    return None if route is None else route["spec"]["hostnames"]


HOST = OTHERS["hostnames"][0]


@pytest.mark.parametrize(
    ("namespace", "gateway", "whose"),
    [
        pytest.param(NAMESPACE, {}, "Model nsw-price's", id="the same host name"),
        pytest.param("trade", {}, "a Model of another namespace's", id="of another tenant"),
        pytest.param(
            NAMESPACE,
            {"hostnames": ["other.example.com"], "previewHostnames": [HOST]},
            "Model nsw-price's",
            id="for a preview",
        ),
        pytest.param(
            NAMESPACE,
            {"parentRefs": [*OTHERS["parentRefs"], {"name": "inner"}]},
            "Model nsw-price's",
            id="at one Gateway of two",
        ),
    ],
)
async def test_a_host_name_that_another_model_has_is_refused_before_anything_is_made(
    serving: World, namespace: str, gateway: dict[str, Any], whose: str
) -> None:
    """Both were Ready, and the callers of the second reached the first."""
    await serving.pass_time(MINUTE)
    add(serving, "aaa", namespace, **gateway)
    before = set(serving.kube.objects)
    await serving.pass_time(MINUTE)

    status, reason, message = says(serving, "aaa", namespace=namespace)
    assert (status, reason) == ("False", "NameTaken")
    assert f"the host name {HOST} is {whose} at the same Gateway" in message
    assert {kind for kind, *_ in set(serving.kube.objects) - before} == {"Event"}
    assert says(serving, "nsw-price") is None
    assert serving.http_weights() == {STABLE: 100}

    change(serving, serving={"gateway": OTHERS | {"hostnames": ["moved.example.com"]}})
    await serving.pass_time(6 * MINUTE)

    assert says(serving, "aaa", namespace=namespace)[0] == "True"


@pytest.mark.parametrize(
    "gateway",
    [
        pytest.param({"hostnames": ["other.example.com"]}, id="another host name"),
        pytest.param({"parentRefs": [{"name": "inner"}]}, id="another Gateway"),
        pytest.param({"parentRefs": [{"name": "models"}]}, id="a Gateway of another namespace"),
        pytest.param(
            {"parentRefs": [{**OTHERS["parentRefs"][0], "sectionName": "inside"}]},
            id="a listener that the first does not use",
        ),
    ],
)
async def test_a_host_name_is_shared_where_no_gateway_is(
    world: World, gateway: dict[str, Any]
) -> None:
    at = {**OTHERS["parentRefs"][0], "sectionName": "outside"}
    world.kube.put(model_manifest(serving={"gateway": OTHERS | {"parentRefs": [at]}}))
    await world.train("nsw-price-training-1", "1.0.0")
    add(world, "aaa", **gateway)
    await world.pass_time(MINUTE)

    assert says(world, "aaa") is None
    assert world.kube.objects["Model", NAMESPACE, "aaa"]["status"]["phase"] == "Training"


async def test_who_serves_a_host_name_keeps_it_when_an_older_model_asks_for_it(
    serving: World,
) -> None:
    await serve_younger(serving)
    change(serving, serving={"gateway": OTHERS | {"hostnames": [HOST, "younger.example.com"]}})
    await serving.pass_time(MINUTE)

    assert says(serving, "younger") is None
    for kind, name in (("Model", "nsw-price"), ("Rollout", serving.rollout()["metadata"]["name"])):
        status, reason, message = says(serving, name, kind)
        assert (status, reason) == ("False", "NameTaken")
        assert "the host name younger.example.com is Model younger's" in message
    assert (hosts(serving, "nsw-price"), hosts(serving, "younger")) == (
        [HOST],
        ["younger.example.com"],
    )

    change(serving, serving={"gateway": OTHERS | {"hostnames": ["younger.example.com"]}})
    await serving.pass_time(MINUTE)

    assert hosts(serving, "nsw-price") == [HOST], "a route without any takes all of a Gateway"


async def test_a_host_name_that_another_has_holds_up_no_rollout_and_no_way_back(
    serving: World,
) -> None:
    serving.prometheus.healthy()
    await serve_younger(serving)
    change(serving, serving={"gateway": OTHERS | {"hostnames": ["younger.example.com"]}})
    await serving.pass_time(MINUTE)
    await pin(serving)
    await serving.pass_time(30 * timedelta(seconds=1))
    during = serving.http_weights().get(CANDIDATE)
    told = says(serving, serving.rollout()["metadata"]["name"], "Rollout")[:2]
    serving.prometheus.success_rate = 0.5
    await serving.pass_time(MINUTE)

    assert during
    assert told == ("False", "NameTaken")
    assert serving.rollout()["status"]["phase"] == "RolledBack"
    assert serving.http_weights() == {STABLE: 100}
    assert (hosts(serving, "nsw-price"), hosts(serving, "younger")) == (
        [HOST],
        ["younger.example.com"],
    )


async def test_the_built_in_gateway_goes_on_while_every_host_name_is_anothers(world: World) -> None:
    world.prometheus.healthy()
    world.kube.put(model_manifest())
    await world.train("nsw-price-training-1", "1.0.0")
    await serve_younger(world)
    await choose(world, OTHERS | {"hostnames": ["younger.example.com"]})
    await world.pass_time(MINUTE)
    conditions = {c["type"]: c["status"] for c in world.model()["status"]["conditions"]}
    await pin(world)
    await world.pass_time(30 * timedelta(seconds=1))
    during = world.weights()
    world.prometheus.success_rate = 0.5
    await world.pass_time(MINUTE)

    assert says(world, "nsw-price")[:2] == ("False", "NameTaken")
    assert (conditions["Ready"], conditions["UpToDate"]) == ("True", "False")
    assert world.model()["status"]["url"] == "http://nsw-price.energy"
    assert (during, world.weights()) == ({"1.1.0": 10, "1.0.0": 90}, {"1.0.0": 100})
    assert world.rollout()["status"]["reason"] == "AnalysisFailed"

    await choose(world, OTHERS)
    await world.pass_time(MINUTE)

    assert (world.weights(), world.http_weights()) == ({}, {STABLE: 100})


async def test_a_first_version_by_hand_gets_no_host_name_of_another(serving: World) -> None:
    await serving.pass_time(MINUTE)
    add(serving, "aaa")
    serving.registry.register(f"{NAMESPACE}.aaa", "1.0.0")
    serving.kube.put(
        {
            "kind": "Rollout",
            "metadata": {"namespace": NAMESPACE, "name": "hand"},
            "spec": {"model": "aaa", "version": "1.0.0"},
        }
    )
    await serving.pass_time(MINUTE)

    assert says(serving, "hand", "Rollout")[:2] == ("False", "NameTaken")
    assert hosts(serving, "aaa") is None
    assert ("Deployment", "aaa-1-0-0") not in kinds(serving)


@pytest.mark.parametrize("closed", [False, True], ids=["it has no route", "its route is refused"])
async def test_a_host_name_that_another_namespace_only_asks_for_is_free(
    world: World, closed: bool
) -> None:
    """Whoever could make a Model kept host names from all others."""
    if closed:
        world.closed.add("evil")
        await serve(world, "aaa", HOST, namespace="evil")
    else:
        add(world, "aaa", "evil")
        await world.pass_time(MINUTE)
    world.kube.put(model_manifest(serving={"gateway": OTHERS}))
    await world.train("nsw-price-training-1", "1.0.0")
    await world.pass_time(MINUTE)

    assert says(world, "nsw-price") is None
    assert (hosts(world, "nsw-price"), world.http_weights()) == ([HOST], {STABLE: 100})


@pytest.mark.parametrize(
    ("closed", "told"),
    [pytest.param(False, True, id="accepted"), pytest.param(True, False, id="refused")],
)
async def test_an_upgrade_takes_no_host_name_out_of_a_route_that_has_it(
    world: World, closed: bool, told: bool
) -> None:
    """The release before wrote into each route what its Model asks for, whoever had it too."""
    if closed:
        world.closed.add("evil")
    await serve(world, "aaa", "second.example.com", namespace="evil")
    world.kube.put(model_manifest(serving={"gateway": OTHERS}))
    await world.train("nsw-price-training-1", "1.0.0")
    await world.pass_time(MINUTE)
    both = [HOST, "second.example.com"]
    at = {"namespace": NAMESPACE, "name": "nsw-price-route"}
    world.kube.put({"kind": "HTTPRoute", "metadata": at, "spec": {"hostnames": both}})
    await ask_for(world, *both)

    assert hosts(world, "nsw-price") == both
    assert ((says(world, "nsw-price") or ("True",))[0] == "False") is told
    assert (says(world, "aaa", namespace="evil") is None) is told, "who has it not, says so"


async def test_of_two_namespaces_the_first_whose_route_is_accepted_has_the_host_name(
    serving: World,
) -> None:
    """One noted it while it waited, and wrote it although another had it by then."""
    serving.registry.register("trade.late", "2.0.0")
    serving.slow.add("2.0.0")
    late = model_manifest(
        serving={"gateway": OTHERS | {"hostnames": ["y.example.com"]}}, version="2.0.0"
    )
    late["metadata"] = {"namespace": "trade", "name": "late"}
    serving.kube.put(late)
    await serving.pass_time(MINUTE)
    await ask_for(serving, HOST, "y.example.com")
    serving.slow.clear()
    await serving.pass_time(MINUTE)

    assert hosts(serving, "nsw-price") == [HOST, "y.example.com"]
    assert hosts(serving, "late", "trade") is None
    rollout = serving.kube.objects["Model", "trade", "late"]["status"]["rollout"]
    assert says(serving, rollout, "Rollout", "trade")[:2] == ("False", "NameTaken")
    status = serving.kube.objects["Rollout", "trade", rollout]["status"]
    assert (status["phase"], status["reason"]) == ("Pending", "WaitingForGateway")

    await ask_for(serving, HOST)
    await serving.pass_time(MINUTE)

    assert hosts(serving, "late", "trade") == ["y.example.com"]


async def test_a_host_name_that_is_given_up_joins_a_rollout_in_flight(serving: World) -> None:
    """Its condition said that all was applied, and the name stayed out until the end."""
    serving.prometheus.healthy()
    await serve_younger(serving)
    await ask_for(serving, HOST, "younger.example.com")
    hold = {"steps": [{"weight": 10, "hold": "1h"}]}
    change(serving, rollout=hold)
    await pin(serving)
    await serving.pass_time(MINUTE)
    rollout = serving.rollout()["metadata"]["name"]

    for kind, name in (("Model", "nsw-price"), ("Rollout", rollout)):
        assert says(serving, name, kind)[:2] == ("False", "NameTaken")
    assert hosts(serving, "nsw-price") == [HOST]

    await serving.kube.delete("Model", NAMESPACE, "younger")
    await serving.pass_time(MINUTE)

    assert serving.http_weights() == {STABLE: 90, CANDIDATE: 10}
    assert hosts(serving, "nsw-price") == [HOST, "younger.example.com"]
    assert says(serving, rollout, "Rollout")[0] == "True"

    await ask_for(serving, "younger.example.com")

    assert hosts(serving, "nsw-price") == [HOST, "younger.example.com"], "none goes in flight"


async def test_who_has_a_host_name_in_its_route_has_it_whatever_its_model_asks_for(
    serving: World,
) -> None:
    """A third Model was Ready, and its callers reached the first."""
    await serve_younger(serving)
    await ask_for(serving, "younger.example.com")
    add(serving, "third")
    await serving.pass_time(MINUTE)

    assert hosts(serving, "nsw-price") == [HOST]
    status, reason, message = says(serving, "third")
    assert (status, reason) == ("False", "NameTaken")
    assert f"the host name {HOST} is Model nsw-price's" in message


async def test_a_preview_waits_for_a_host_name_that_another_has(serving: World) -> None:
    """It was rolled back for good, in words that said that no name was given."""
    serving.prometheus.healthy()
    await serve(serving, "aaa", "preview.example.com", namespace="trade")
    preview = {"previewHostnames": ["preview.example.com"]}
    change(serving, serving={"gateway": OTHERS | preview}, rollout=BLUE_GREEN)
    await serving.run()
    await pin(serving)
    await serving.pass_time(20 * MINUTE)

    status = serving.rollout()["status"]
    assert (status["phase"], status["reason"]) == ("Pending", "WaitingForGateway")
    assert (
        "the host name preview.example.com is a Model of another namespace's" in status["message"]
    )
    assert says(serving, serving.rollout()["metadata"]["name"], "Rollout")[1] == "NameTaken"
    assert ("Deployment", CANDIDATE) not in kinds(serving)
    assert serving.http_weights() == {STABLE: 100}

    await serving.kube.delete("Model", "trade", "aaa")
    await serving.pass_time(5 * MINUTE)

    assert serving.http_weights() == {CANDIDATE: 100}


async def test_what_is_not_ours_is_left_alone(world: World) -> None:
    world.kube.put(
        {"kind": "Service", "metadata": {"namespace": NAMESPACE, "name": "nsw-price"}, "spec": {}}
    )
    world.kube.put(model_manifest(serving={"gateway": OTHERS}))
    await world.train("nsw-price-training-1", "1.0.0")
    await world.pass_time(MINUTE)

    assert ("Service", "nsw-price") in kinds(world)
