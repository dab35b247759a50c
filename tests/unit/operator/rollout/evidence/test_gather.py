"""Which candidates are looked at and when, by which checks, and what is gathered of a trial."""

import dataclasses
from datetime import datetime, timedelta
from typing import Any

import pytest

from fairlead_operator.api.model import ModelSpec
from fairlead_operator.api.phases.rollout import Verdict
from fairlead_operator.api.policy import RolloutPolicy
from fairlead_operator.api.rollout import RolloutSpec
from fairlead_operator.ports import Tally
from fairlead_operator.rollout.case import Case
from fairlead_operator.rollout.decision.plan import Plan, Step, compile_plan, standing_plan
from fairlead_operator.rollout.evidence.gather import (
    Evidence,
    find_unreadable,
    gather_evidence,
    keep_evidence,
)
from fairlead_operator.rollout.statistics.ab_test import Outcome
from support import builders
from support.builders import HOUR
from support.fakes import START
from support.world import NAMESPACE, World, model_manifest

NOW = START + timedelta(minutes=10)
TEMPLATE = {"checks": [{"name": "own", "query": "good", "atLeast": 0.5}]}
SHARED = {"templateRef": {"name": "shared"}}
STEPS = [{"weight": 10, "checks": [{"name": "first", "query": "one", "atMost": 1}]}, {"weight": 50}]
RATE = {"builtin": "success-rate", "atLeast": 0.9}
DECIDES = {"name": "decides", **RATE}
BACK = RolloutSpec.model_validate({"model": "nsw-price", "version": "1.1.0", "trigger": "rollback"})
ARMS = [{"version": "1.1.0", "weight": 30}, {"version": "1.2.0", "weight": 20}]


def case(*, policy: Any = None, candidates: tuple[str, ...] = ("1.1.0",), **status: Any) -> Case:
    """A rollout ten minutes into its first step, measured then for the last time."""
    rollout = RolloutPolicy.model_validate(policy or {"steps": STEPS})
    first, *others = candidates
    model = model_manifest(serving={"predictionLog": {"enabled": True}})["spec"]
    usual = {"phase": "Progressing", "step": 0, "stepSince": START, "measuredAt": START}
    return builders.case(
        now=NOW,
        spec=RolloutSpec.model_validate(
            {"model": "nsw-price", "version": first, "alternatives": others}
        ),
        status=usual | status,
        model=ModelSpec.model_validate(model),
        policy=rollout,
        plan=compile_plan(rollout, candidates=len(candidates)),
    )


def no_clock() -> datetime:
    raise AssertionError("the moment is the one of the case")


async def gather(world: World, one: Case) -> Evidence:
    return await gather_evidence(one, dataclasses.replace(world.ports, now=no_clock))


async def ask(world: World, one: Case) -> str | None:
    checks = (await gather(world, one)).checks
    return await find_unreadable(one, checks, world.prometheus)


@pytest.fixture
def world() -> World:
    world = World()
    world.prometheus.healthy()
    world.prometheus.own = {"good": 1.0, "one": 1.0}
    return world


def put_template(world: World, spec: Any) -> None:
    meta = {"namespace": NAMESPACE, "name": "shared"}
    world.kube.put({"kind": "AnalysisTemplate", "metadata": meta, "spec": spec})


def names(evidence: Evidence) -> list[tuple[str, str]]:
    return [(version, judgment.name) for version, judgment in evidence.judgments]


FIRST = ("1.1.0", "first")
SUCCESS = ("1.1.0", "success-rate")
ACCEPTED = ("1.1.0", "acceptance-rate")


@pytest.mark.parametrize(
    ("status", "judged"),
    [
        pytest.param({}, [SUCCESS, ACCEPTED, FIRST], id="in a step: its own checks as well"),
        pytest.param({"step": 1}, [SUCCESS, ACCEPTED], id="in the next step: without those"),
        pytest.param({"phase": "Paused"}, [SUCCESS, ACCEPTED, FIRST], id="in a pause"),
        pytest.param(
            {"phase": "Guarding", "step": 2}, [SUCCESS, ACCEPTED], id="in the guard window"
        ),
        pytest.param({"phase": "Pending"}, [], id="before any traffic: nothing to judge"),
        pytest.param({"phase": "RollingBack"}, [], id="on the way back: nothing to judge"),
    ],
)
async def test_what_is_judged_in_a_phase(
    world: World, status: Any, judged: list[tuple[str, str]]
) -> None:
    assert names(await gather(world, case(**status))) == judged


@pytest.mark.parametrize(
    ("status", "versions"),
    [
        pytest.param({}, ["1.1.0", "1.2.0"], id="all"),
        pytest.param(
            {"arms": [ARMS[0], {"version": "1.2.0", "weight": 0, "reason": "AnalysisFailed"}]},
            ["1.1.0"],
            id="not one that left",
        ),
        pytest.param({"winner": "1.2.0"}, ["1.2.0"], id="the winner alone"),
    ],
)
async def test_whose_checks_are_asked(world: World, status: Any, versions: list[str]) -> None:
    policy = {"strategy": "abTest", "abTest": {"goal": {"metric": "live-accuracy"}}}
    one = case(policy=policy, candidates=("1.1.0", "1.2.0"), **{"arms": ARMS} | status)

    evidence = await gather(world, one)

    assert [
        version for version, judgment in evidence.judgments if judgment.name != ACCEPTED[1]
    ] == (versions)
    assert list(evidence.analyses) == ["1.1.0", "1.2.0"]


async def test_a_preview_is_judged_by_the_copies(world: World) -> None:
    await gather(world, case(policy={"strategy": "blueGreen"}))

    assert all('role="shadow"' in question for question in world.prometheus.asked)


async def test_at_all_traffic_the_last_hold_of_the_stable_version_is_compared(
    world: World,
) -> None:
    beside = {"name": "beside", "builtin": "success-rate", "relative": {"margin": 0.01}}
    policy = {"steps": [{"weight": 10, "hold": "4m"}], "analysis": {"checks": [beside]}}

    await gather(world, case(policy=policy, phase="Guarding", step=1))

    assert "offset 840s" in world.prometheus.asked[0]  # the hold before ten minutes


COOKIES = {"strategy": "abTest", "abTest": {"goal": {"metric": "success-rate"}, "weight": 20}}
BANDIT = {"strategy": "bandit", "bandit": {"goal": {"metric": "success-rate"}}}
GUARDING = {"phase": "Guarding", "step": 1}
REFUSING = {
    "candidate-total": 1400.0,
    "candidate-refused": 1000.0,
    "stable-total": 1000.0,
    "stable-refused": 0.0,
}


@pytest.mark.parametrize(
    ("policy", "status", "verdict"),
    [
        pytest.param({"steps": [{"weight": 10}]}, {}, Verdict.FAILED, id="dealt by chance"),
        pytest.param(
            {"strategy": "blueGreen"}, {}, Verdict.FAILED, id="copies of the same requests"
        ),
        pytest.param(
            COOKIES,
            {"arms": [{"version": "1.1.0", "weight": 20}]},
            Verdict.INCONCLUSIVE,
            id="users keep their version, and 400 of 250 expected are accepted",
        ),
        pytest.param(
            COOKIES,
            {"arms": [{"version": "1.1.0", "weight": 60}]},
            Verdict.FAILED,
            id="400 of 1500 are",
        ),
        pytest.param(
            BANDIT, {"arms": [{"version": "1.1.0", "weight": 20}]}, Verdict.FAILED, id="no cookies"
        ),
        pytest.param(
            {"steps": [{"weight": 50, "hold": "10m"}]}, GUARDING, Verdict.FAILED,
            id="all traffic: 400 of 2000",
        ),
        pytest.param(
            {"steps": [{"weight": 50, "hold": "60m"}]}, GUARDING, Verdict.INCONCLUSIVE,
            id="all traffic: 400 of 333, as few ask as before",
        ),
        pytest.param(
            {"steps": [{"weight": 50, "hold": "60m"}, {"weight": 100, "hold": "1h"}]},
            {"step": 1},
            Verdict.INCONCLUSIVE,
            id="a step with all traffic: the same",
        ),
        pytest.param(
            {"strategy": "recreate"}, GUARDING, Verdict.FAILED, id="after the downtime: 400 of 667"
        ),
        pytest.param(BANDIT, GUARDING, Verdict.FAILED, id="a share that moved is not known"),
    ],
)  # fmt: skip
async def test_refusals_are_blamed_where_answers_are_missing(
    world: World, policy: Any, status: Any, verdict: Verdict
) -> None:
    world.prometheus.counts = REFUSING

    evidence = await gather(world, case(policy=policy, **status))

    said = {judgment.name: judgment.verdict for _, judgment in evidence.judgments}
    assert said["acceptance-rate"] is verdict


@pytest.mark.parametrize(
    ("policy", "status", "offset"),
    [
        pytest.param({"strategy": "recreate"}, GUARDING, 600 + 900, id="before the downtime"),
        pytest.param(
            {"steps": [{"weight": 50, "hold": "3m"}, {"weight": 100, "hold": "2m"}]},
            {"phase": "Guarding", "step": 2},
            600 + 300,
            id="before the step with all traffic",
        ),
        pytest.param(
            {"steps": [{"weight": 100}]}, {}, 600 + 60, id="before a first step with all traffic"
        ),
    ],
)
async def test_without_traffic_for_the_stable_version_its_last_minutes_count(
    world: World, policy: Any, status: Any, offset: int
) -> None:
    await gather(world, case(policy=policy, **status))

    compared = next(text for text in world.prometheus.asked if "stable-refused" in text)
    assert f"offset {offset}s" in compared


@pytest.mark.parametrize("steps", [1, 3])
async def test_while_the_plan_is_not_known_its_last_minute_counts(world: World, steps: int) -> None:
    plan = standing_plan(
        RolloutPolicy(),
        strategy="canary",
        steps=steps,
        candidates=1,
        mirror=0,
        preview=False,
        sticky=None,
    )
    guarding = case(phase="Guarding", step=steps)
    await gather(world, dataclasses.replace(guarding, plan=plan))

    compared = next(text for text in world.prometheus.asked if "stable-refused" in text)
    assert f"offset {600 + 60}s" in compared


async def test_the_steps_and_the_guard_window_share_alpha(world: World) -> None:
    world.prometheus.counts = {"candidate-total": 1000.0, "stable-total": 1000.0}
    beside = {"name": "c", "builtin": "success-rate", "relative": {"margin": 0.01, "alpha": 0.05}}

    evidence = await gather(
        world, case(policy={"steps": STEPS[1:], "analysis": {"checks": [beside]}})
    )

    assert evidence.judgments[0][1].message.endswith(", 40 needed)")


async def test_nothing_is_asked_before_the_interval_is_over(world: World) -> None:
    measured_at = NOW - timedelta(seconds=4)

    evidence = await gather(world, case(measuredAt=measured_at))

    assert world.prometheus.asked == []
    assert evidence.measured_at == measured_at
    assert evidence.next_measurement == timedelta(seconds=6)


KEPT = {"name": "success-rate", "verdict": "Failed", "version": "1.1.0", "failures": 2}


@pytest.mark.parametrize(
    ("status", "kept"),
    [
        pytest.param({"checks": [KEPT]}, [SUCCESS], id="in a step: what the last look was told"),
        pytest.param({}, [], id="in a step: nothing yet"),
        pytest.param({"checks": [KEPT], "phase": "Pending"}, [], id="before any traffic"),
        pytest.param({"checks": [KEPT], "phase": "RollingBack"}, [], id="on the way back"),
    ],
)
def test_what_is_kept_without_asking(status: Any, kept: list[tuple[str, str]]) -> None:
    evidence = keep_evidence(case(**status))

    assert names(evidence) == kept
    assert all(judgment.verdict is Verdict.FAILED for _, judgment in evidence.judgments)
    assert (evidence.problem, evidence.trial) == (None, None)
    assert evidence.measured_at == (START if status.get("phase") is None else None)


async def test_a_template_is_asked_beside_the_policys_checks(world: World) -> None:
    put_template(world, TEMPLATE)

    evidence = await gather(world, case(policy={"analysis": SHARED}))

    assert evidence.problem is None
    assert names(evidence) == [("1.1.0", "own"), ACCEPTED]


@pytest.mark.parametrize(
    ("template", "words"),
    [
        pytest.param(None, "there is no AnalysisTemplate shared in energy", id="none"),
        pytest.param({"checks": "x"}, "AnalysisTemplate shared: ", id="not readable"),
        pytest.param(
            {"arguments": [{"name": "shop"}], **TEMPLATE}, "shop has no value", id="not filled in"
        ),
    ],
)
async def test_checks_that_are_not_known_are_a_problem_and_an_error(
    world: World, template: Any, words: str
) -> None:
    if template is not None:
        put_template(world, template)

    evidence = await gather(world, case(policy={"analysis": SHARED}))

    assert words in (evidence.problem or "")
    assert [judgment.verdict for _, judgment in evidence.judgments] == [Verdict.ERROR]


BROKEN = {"name": "own", "query": "sum(x", "atMost": 1}
GOAL = {"query": "sum(x{{version}}", "total": "y{{version}}"}
UNREADABLE = [
    pytest.param({"analysis": {"checks": [BROKEN]}}, "analysis.checks, query of own", id="query"),
    pytest.param({"analysis": {"checks": [BROKEN | {"query": "y", "total": "sum(x"}]}},
                 "analysis.checks, total of own", id="total"),
    pytest.param({"steps": [{"weight": 10}, {"weight": 20, "checks": [BROKEN]}]},
                 "steps[1].checks, query of own", id="of a later step"),
    pytest.param({"strategy": "abTest", "abTest": {"goal": GOAL}}, "abTest.goal.query",
                 id="of an A/B test"),
    pytest.param({"strategy": "bandit", "bandit": {"goal": GOAL}}, "bandit.goal.query",
                 id="of a bandit"),
    pytest.param({"analysis": SHARED}, "analysis.templateRef shared, query of own",
                 id="of a template"),
]  # fmt: skip


@pytest.mark.parametrize(("policy", "place"), UNREADABLE)
async def test_what_prometheus_cannot_read_is_named(world: World, policy: Any, place: str) -> None:
    put_template(world, {"checks": [BROKEN]})
    world.prometheus.mistakes["sum(x"] = "1:6: parse error: unclosed left parenthesis"

    problem = await ask(world, case(policy=policy, phase="Pending", stepSince=None))

    refused = "Prometheus refuses it: 1:6: parse error: unclosed left parenthesis"
    assert (problem or "").startswith(f"{place}: {refused}")


@pytest.mark.parametrize(
    ("changes", "policy"),
    [
        pytest.param({}, {"analysis": {"checks": [BROKEN | {"query": "good"}]}}, id="it can read"),
        pytest.param({"spec": BACK}, {}, id="going back waits for nothing"),
        pytest.param({}, {"analysis": {"checks": [BROKEN | {"dryRun": True}, DECIDES]}},
                     id="a dry run decides nothing"),
    ],
)  # fmt: skip
async def test_when_no_query_holds_a_candidate(world: World, changes: Any, policy: Any) -> None:
    world.prometheus.mistakes["sum(x"] = "parse error"
    policy = policy or {"analysis": {"checks": [BROKEN]}}
    one = dataclasses.replace(case(policy=policy, phase="Pending", stepSince=None), **changes)

    assert await ask(world, one) is None


@pytest.mark.parametrize(
    ("reason", "checks", "words"),
    [
        pytest.param("WaitingForCandidate", [BROKEN], None, id="holds nothing"),
        pytest.param("AnalysisUnavailable", [BROKEN], "Prometheus does not answer whether",
                     id="but what was held: it may still refuse the query"),
        pytest.param("AnalysisUnavailable", [DECIDES], None, id="without a query: no doubt"),
    ],
)  # fmt: skip
async def test_a_silent_prometheus(
    world: World, reason: str, checks: Any, words: str | None
) -> None:
    world.prometheus.down = True
    one = case(policy={"analysis": {"checks": checks}}, phase="Pending", reason=reason)

    problem = await ask(world, one)

    assert problem is None if words is None else words in (problem or "")


async def test_with_traffic_the_other_checks_go_on(world: World) -> None:
    world.prometheus.mistakes["sum(x"] = "parse error"
    world.prometheus.own["sum(x"] = None
    policy = {"analysis": {"checks": [BROKEN, {"name": "well"} | RATE]}}

    evidence = await gather(world, case(policy=policy))

    assert evidence.problem is None
    assert ("1.1.0", "well") in names(evidence)


async def test_a_finished_rollout_asks_for_nothing_more(world: World) -> None:
    evidence = await gather(world, case(policy={"analysis": SHARED}, phase="Succeeded", step=5))

    assert (evidence.problem, evidence.judgments, evidence.measured_at) == (None, (), None)
    assert world.prometheus.asked == []


@pytest.mark.parametrize(
    ("status", "is_due"),
    [
        pytest.param({}, True, id="an interval after it began"),
        pytest.param({"phase": "Paused"}, True, id="in a pause"),
        pytest.param({"step": 1, "phase": "Guarding"}, False, id="not in the guard window"),
        pytest.param({"stepSince": NOW - timedelta(seconds=9)}, False, id="not before"),
        pytest.param(
            {"trial": {"measuredAt": NOW - timedelta(seconds=9)}}, False, id="not twice at a time"
        ),
        pytest.param(
            {"trial": {"measuredAt": NOW + timedelta(hours=1)}}, True, id="the clock was set back"
        ),
    ],
)
async def test_when_a_trial_counts(world: World, status: Any, is_due: bool) -> None:
    for version, good in {"1.0.0": 500, "1.1.0": 900, "1.2.0": 100}.items():
        world.record.ratings["accuracy", version] = Tally(successes=good, trials=1000)
    policy = {"strategy": "abTest", "abTest": {"goal": {"metric": "live-accuracy"}}}
    one = case(policy=policy, candidates=("1.1.0", "1.2.0"), **{"arms": ARMS} | status)

    trial = (await gather(world, one)).trial

    assert (trial is not None) == is_due
    assert trial is None or [arm.version for arm in trial.arms] == ["1.0.0", "1.1.0", "1.2.0"]


@pytest.mark.parametrize(
    ("seconds", "decides"), [(1, False), (0, True)], ids=["pods are replaced", "they were"]
)
async def test_a_trial_decides_nothing_while_pods_are_replaced(
    world: World, seconds: int, decides: bool
) -> None:
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        world.record.ratings["accuracy", version] = Tally(successes=5, trials=10)
    policy = {"strategy": "abTest", "abTest": {"goal": {"metric": "live-accuracy"}}}
    one = case(policy=policy, candidates=("1.1.0", "1.2.0"), arms=ARMS)
    settled_at = {"1.2.0": NOW + timedelta(seconds=seconds)}

    evidence = await gather_evidence(one, world.ports, settled_at=settled_at)

    assert (evidence.trial is not None) == decides


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        pytest.param({"step": 0}, None, id="in the step before it: not yet"),
        pytest.param({"step": 1}, Outcome.RUNNING, id="in its step"),
        pytest.param(
            {"step": 1, "stepSince": NOW - timedelta(days=8)},
            Outcome.UNDECIDED,
            id="in its step, at the end of maxDuration",
        ),
        pytest.param({"step": 1, "phase": "Paused"}, Outcome.RUNNING, id="in a pause of its step"),
        pytest.param({"step": 2}, None, id="in the step after it: no more"),
        pytest.param({"step": 3, "phase": "Guarding"}, None, id="in the guard window"),
    ],
)
async def test_a_trial_counts_in_its_own_step(
    world: World, status: Any, outcome: Outcome | None
) -> None:
    """A trial was gathered in the first step of a plan alone, and held any other for ever."""
    for version in ("1.0.0", "1.1.0"):
        world.record.ratings["accuracy", version] = Tally(successes=5, trials=10)
    rules = {"goal": {"metric": "live-accuracy"}, "maxDuration": "168h"}
    one = case(policy={"strategy": "abTest", "abTest": rules}, **{"arms": ARMS[:1]} | status)
    steps = (Step(weight=0, hold=HOUR, mirror=50), *one.plan.steps, Step(weight=80, hold=HOUR))

    trial = (await gather(world, dataclasses.replace(one, plan=Plan(steps=steps)))).trial

    assert (trial.outcome if trial else None) is outcome
