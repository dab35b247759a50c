"""Lives that are decided by evidence: templates, comparisons, dry runs, copies, labels."""

from datetime import timedelta
from typing import Any

from fairlead_operator.ports import Tally
from support.world import NAMESPACE, World, model_manifest

MINUTE = timedelta(minutes=1)
TEMPLATE = ("AnalysisTemplate", NAMESPACE, "shared")
GOOD = {"checks": [{"name": "own", "query": "good", "atLeast": 0.5}]}
BASE = model_manifest()["spec"]["rollout"]


async def moving(analysis: Any, *, serving: Any = None, **policy: Any) -> World:
    """1.0.0 is in charge, and the Model was just pinned to 1.1.0."""
    world = World()
    rollout = BASE | {"analysis": {"interval": "10s", **analysis}} | policy
    world.kube.put(model_manifest(rollout=rollout, serving=serving or {}))
    await world.train("nsw-price-training-1", "1.0.0")
    world.prometheus.healthy()
    world.prometheus.own = {"good": 1.0, "bad": 1.0}
    world.registry.register(f"{NAMESPACE}.nsw-price", "1.1.0")
    world.kube.put(
        {
            "kind": "Model",
            "metadata": {"namespace": NAMESPACE, "name": "nsw-price"},
            "spec": {"version": "1.1.0"},
        }
    )
    await world.run()
    return world


def put_template(world: World, spec: Any) -> None:
    meta = {"namespace": NAMESPACE, "name": "shared"}
    world.kube.put({"kind": "AnalysisTemplate", "metadata": meta, "spec": spec})


def standing(world: World) -> tuple[str, str, int]:
    """Phase, reason, and the candidate's weight."""
    status = world.rollout()["status"]
    return status["phase"], status["reason"], world.weights().get("1.1.0", 0)


def change(world: World, **spec: Any) -> None:
    meta = {"namespace": NAMESPACE, "name": "nsw-price"}
    world.kube.put({"kind": "Model", "metadata": meta, "spec": spec})


def ask(world: World, action: str, *, kind: str = "Rollout") -> None:
    name = world.rollout()["metadata"]["name"] if kind == "Rollout" else "nsw-price"
    meta = {"namespace": NAMESPACE, "name": name, "annotations": {f"fairlead.dev/{action}": "Ada"}}
    world.kube.put({"kind": kind, "metadata": meta})


def condition(body: Any, kind: str) -> dict[str, Any]:
    return next(entry for entry in body["status"]["conditions"] if entry["type"] == kind)


def check_status(world: World) -> dict[str, Any]:
    return dict(world.rollout()["status"]["checks"][0])


async def test_without_its_template_a_rollout_takes_no_traffic_until_it_is_there() -> None:
    world = await moving({"templateRef": {"name": "shared"}})

    assert standing(world) == ("Pending", "AnalysisUnavailable", 0)
    assert "no AnalysisTemplate shared" in world.rollout()["status"]["message"]

    await world.pass_time(30 * MINUTE)
    assert standing(world) == ("Pending", "AnalysisUnavailable", 0)

    put_template(world, GOOD)
    await world.run()
    assert standing(world)[::2] == ("Progressing", 10)


BROKEN = {"checks": [{"name": "own", "query": "good(", "atLeast": 0.5}]}


async def test_a_query_that_prometheus_cannot_read_is_told_and_takes_no_traffic() -> None:
    """It was found in the first step, and held there with traffic."""
    world = await moving(GOOD)
    await world.pass_time(20 * MINUTE)
    world.prometheus.mistakes["good("] = "1:6: parse error: unclosed left parenthesis"
    world.registry.register(f"{NAMESPACE}.nsw-price", "1.2.0")
    change(world, version="1.2.0", rollout=BASE | {"analysis": {"interval": "10s", **BROKEN}})
    await world.run()

    told = condition(world.model(), "QueriesReadable")
    refused = "analysis.checks, query of own: Prometheus refuses it: 1:6: parse error: unclosed"
    assert (told["status"], told["reason"]) == ("False", "QueryRefused")
    assert told["message"].startswith(refused)
    assert [reason for reason, _ in world.events()].count("QueryRefused") == 1
    status = world.rollout()["status"]
    assert (status["phase"], status["reason"]) == ("Pending", "AnalysisUnavailable")
    assert status["message"].startswith(refused)
    assert world.weights() == {"1.1.0": 100, "1.2.0": 0}

    change(world, rollout=BASE | {"analysis": {"interval": "10s", **GOOD}})
    await world.run()
    ask(world, "abort")
    await world.run()
    ask(world, "retry", kind="Model")
    await world.pass_time(20 * MINUTE)
    assert condition(world.model(), "QueriesReadable")["status"] == "True"
    assert world.weights()["1.2.0"] == 100


async def test_a_template_that_prometheus_cannot_read_holds_until_it_is_corrected() -> None:
    world = await moving({"templateRef": {"name": "shared"}})
    world.prometheus.mistakes["good("] = "1:6: parse error: unclosed left parenthesis"

    put_template(world, BROKEN)
    await world.run()
    assert standing(world) == ("Pending", "AnalysisUnavailable", 0)
    assert "templateRef shared, query of own" in world.rollout()["status"]["message"]

    put_template(world, GOOD)
    await world.run()
    assert standing(world)[::2] == ("Progressing", 10)


async def test_a_query_that_prometheus_reads_at_last_is_not_waited_for_any_longer() -> None:
    """No event tells of an upgrade of Prometheus: the candidate waited for up to half an hour."""
    world = await moving({"templateRef": {"name": "shared"}})
    world.prometheus.mistakes["good"] = "unknown function"
    put_template(world, GOOD)
    await world.run()
    assert standing(world) == ("Pending", "AnalysisUnavailable", 0)

    world.prometheus.mistakes.clear()
    await world.pass_time(2 * MINUTE)
    assert standing(world)[0] == "Progressing"


async def test_a_template_that_goes_in_mid_rollout_holds_and_then_pauses() -> None:
    world = await moving({"templateRef": {"name": "shared"}})
    put_template(world, GOOD)
    await world.run()
    await world.kube.delete(*TEMPLATE)

    await world.pass_time(2 * MINUTE)
    assert standing(world) == ("Progressing", "AnalysisInconclusive", 10)
    assert check_status(world)["verdict"] == "Error"

    await world.pass_time(5 * MINUTE)
    assert standing(world) == ("Paused", "AnalysisInconclusive", 10)

    put_template(world, GOOD)
    await world.pass_time(10 * MINUTE)
    assert standing(world) == ("Succeeded", "Promoted", 100)


async def test_a_template_that_becomes_stricter_is_in_force_at_the_next_look() -> None:
    world = await moving({"templateRef": {"name": "shared"}})
    put_template(world, GOOD)
    await world.run()

    put_template(world, {"checks": [{"name": "own", "query": "good", "atLeast": 2}]})
    await world.pass_time(MINUTE)

    assert standing(world) == ("RolledBack", "AnalysisFailed", 0)


RELATIVE = {"checks": [{"name": "beside", "builtin": "success-rate", "relative": {"margin": 0.01}}]}


def answers(candidate: tuple[int, int], stable: tuple[int, int]) -> dict[str, float]:
    """Bad of all, as the gateway counted them."""
    return {
        "candidate-bad": candidate[0],
        "candidate-total": candidate[1],
        "stable-bad": stable[0],
        "stable-total": stable[1],
    }


async def test_worse_than_the_stable_version_goes_back_with_the_numbers() -> None:
    world = await moving(RELATIVE)
    world.prometheus.counts = answers((100, 1000), (10, 9000))

    await world.pass_time(MINUTE)

    assert standing(world) == ("RolledBack", "AnalysisFailed", 0)
    kept = check_status(world)
    assert (kept["value"], kept["samples"]) == (0.9, 1000)
    assert kept["stable"] > 0.99
    assert kept["evidenceAgainst"] > 60
    assert kept["high"] < -0.01


async def test_an_hour_that_is_bad_for_both_versions_is_not_the_candidates_fault() -> None:
    world = await moving(RELATIVE)
    world.prometheus.counts = answers((3000, 30000), (27000, 270000))

    await world.pass_time(10 * MINUTE)

    assert standing(world) == ("Succeeded", "Promoted", 100)


async def test_what_is_not_decided_yet_is_waited_for_and_counted_on() -> None:
    """Going on after a pause must not throw away what was counted."""
    world = await moving(RELATIVE)
    world.prometheus.counts = answers((1, 100), (9, 900))
    await world.pass_time(7 * MINUTE)
    assert standing(world) == ("Paused", "AnalysisInconclusive", 10)
    began = world.rollout()["status"]["stepSince"]

    world.prometheus.counts = answers((10, 20000), (90, 180000))
    await world.pass_time(timedelta(seconds=20))

    assert standing(world)[::2] == ("Progressing", 10)
    assert world.rollout()["status"]["stepSince"] == began


async def test_a_dry_run_is_shown_and_decides_nothing() -> None:
    dry = {"name": "dry", "query": "bad", "atLeast": 5, "dryRun": True}
    sure = {"name": "sure", "builtin": "success-rate", "atLeast": 0.99}
    world = await moving({"checks": [dry, sure]})

    await world.pass_time(30 * timedelta(seconds=1))
    shown = check_status(world)
    assert (shown["name"], shown["verdict"], shown["dryRun"]) == ("dry", "Failed", True)

    await world.pass_time(10 * MINUTE)
    assert standing(world) == ("Succeeded", "Promoted", 100)


async def test_a_shadow_that_disagrees_never_takes_traffic() -> None:
    agree = {"name": "agree", "builtin": "prediction-agreement", "atLeast": 0.9}
    world = await moving(
        {"checks": [agree]},
        serving={"predictionLog": {"enabled": True}},
        strategy="shadow",
        shadow={"mirror": 100, "hold": "1m"},
    )
    world.record.agreements["1.1.0"] = Tally(successes=500, trials=1000)

    await world.pass_time(MINUTE)

    assert standing(world) == ("RolledBack", "AnalysisFailed", 0)
    assert "0.5 over 1000 predictions" in world.rollout()["status"]["message"]


async def test_a_record_that_is_down_holds() -> None:
    world = await moving(
        {"checks": [{"name": "right", "builtin": "live-accuracy", "atLeast": 0.7}]},
        serving={"predictionLog": {"enabled": True}},
    )
    world.record.down = True

    await world.pass_time(3 * MINUTE)

    assert standing(world) == ("Progressing", "AnalysisInconclusive", 10)
    assert check_status(world)["verdict"] == "Error"
