"""What each benchmark makes of what it saw."""

import pytest

from bench import (
    alert_reaction,
    gate,
    guard,
    hostile,
    many_models,
    operator_memory,
    serving,
    single_row,
    weight_changes,
)
from bench.alert_reaction import Reaction, seconds_to_last_answer
from bench.alerts import build_alert
from bench.installed import NAMESPACE, STABLE, build_model, is_serving
from bench.machine import describe_machine, resident_mebibytes
from bench.numbers import summarize
from bench.operator_memory import Memory, parse_resident, parse_writes
from bench.weight_changes import Measured
from e2e.story.answers import Answer
from fairlead_operator.alert_labels import AlertLabels
from fairlead_operator.api.model import ModelSpec
from fairlead_operator.inbound.alerts import Alert, parse_alerts
from support.gateway import Tally

METRICS = """
# TYPE apiserver_request_total counter
apiserver_request_total{code="200",group="fairlead.dev",resource="rollouts",subresource="status",verb="APPLY"} 7
apiserver_request_total{code="201",group="fairlead.dev",resource="rollouts",subresource="",verb="APPLY"} 2
apiserver_request_total{code="200",group="",resource="configmaps",subresource="",verb="PATCH"} 1e+01
apiserver_request_total{code="200",group="",resource="configmaps",subresource="",verb="GET"} 99
apiserver_request_total{code="200",group="coordination.k8s.io",resource="leases",subresource="",verb="PUT"} 500
apiserver_request_duration_seconds_count{resource="rollouts",verb="APPLY"} 9
"""  # noqa: E501


def answer(second: float, *, version: str = "1.1.0", status: int = 200) -> Answer:
    return Answer(sent=second, seconds=0.5, status=status, version=version, failure=None)


@pytest.mark.parametrize(
    ("answers", "seconds"),
    [
        pytest.param([answer(9), answer(10.25)], 0.75, id="under way when the alert was sent"),
        pytest.param([answer(9)], 0.0, id="none came after it"),
        pytest.param([], 0.0, id="none at all"),
        pytest.param([answer(9.75), answer(12, version="1.0.0")], 0.25, id="the stable one's"),
    ],
)
def test_the_last_answer_is_the_candidates(answers: list[Answer], seconds: float) -> None:
    assert seconds_to_last_answer(answers, "1.1.0", since=10.0) == seconds


def test_the_alert_is_one_the_operator_acts_on() -> None:
    (alert,) = parse_alerts(build_alert("model-1", "1.1.0", "run 3"), AlertLabels())

    assert isinstance(alert, Alert)
    assert (alert.namespace, alert.model, alert.version) == (NAMESPACE, "model-1", "1.1.0")
    assert "run 3" in alert.message


def test_the_model_pins_its_version_so_that_nothing_is_trained() -> None:
    spec = ModelSpec.model_validate(build_model("model-1")["spec"])

    assert spec.version == STABLE
    assert [step.weight for step in spec.rollout.steps] == [10]


@pytest.mark.parametrize(
    ("phase", "version", "generation", "serving"),
    [
        pytest.param("Serving", "1.0.0", 2, True, id="serves it"),
        pytest.param("RollingOut", "1.0.0", 2, False, id="is on its way"),
        pytest.param("Serving", "1.1.0", 2, False, id="serves another"),
        pytest.param("Serving", "1.0.0", 1, False, id="has not looked at the spec yet"),
    ],
)
def test_a_model_serves(phase: str, version: str, generation: int, *, serving: bool) -> None:
    status = {
        "phase": phase,
        "stable": {"version": version},
        "observedGeneration": generation,
    }

    assert is_serving({"metadata": {"generation": 2}, "status": status}) is serving


def reactions(slowest: float) -> list[Reaction]:
    return [
        Reaction(round_trip=0.02, zero_weight=seconds, last_answer=0.1)
        for seconds in [0.2] * 18 + [slowest] * 2
    ]


@pytest.mark.parametrize(
    ("slowest", "is_met"),
    [
        pytest.param(1.9, True, id="p95 below two seconds"),
        pytest.param(2.1, False, id="p95 above two seconds"),
    ],
)
def test_the_goal_of_alert_reaction_is_its_p95(slowest: float, *, is_met: bool) -> None:
    result = alert_reaction.to_result(reactions(slowest), [answer(1)])

    assert [goal.is_met for goal in result.goals] == [is_met, True, True]
    assert result.rows[1][1:] == ("0.20", "0.20", f"{slowest:.2f}", f"{slowest:.2f}")


def test_a_failed_request_misses_the_goal_of_alert_reaction() -> None:
    result = alert_reaction.to_result(reactions(1), [answer(1), answer(2, status=503)])

    assert str(result.goals[-1]) == "no failed request (1 of 2 failed): missed"


def measured(*failures: str) -> Measured:
    return Measured(
        answers=[0.01, 0.02],
        reports=[0.001, 0.002, 0.003],
        tally=Tally(versions={"1.0.0": 8}, failures=list(failures)),
        agent_mebibytes=50.0,
        envoy_mebibytes=60.0,
    )


def test_weight_changes_are_told_in_milliseconds() -> None:
    result = weight_changes.to_result(measured())

    assert result.rows[1][1:] == ("3", "1.0", "2.0", "3.0", "3.0")
    assert str(result.goals[0]) == "no failed request in 3 changes (0 of 8 failed): met"


def test_a_failed_request_misses_the_goal_of_weight_changes() -> None:
    assert not weight_changes.to_result(measured("reset")).goals[0].is_met


def guarded(*seconds: float, lost: int = 0) -> list[guard.Run]:
    return [guard.Run(seconds=each, bad=7, lost=lost, requests=100) for each in seconds]


def test_the_goals_of_the_guard_are_for_every_case() -> None:
    good, slow = guarded(*[0.5] * 20), guarded(*[0.5] * 18, 1.6, 1.7)

    result = guard.to_result({guard.Case.TURNS_BAD: good, guard.Case.BAD_FROM_START: slow})

    assert [goal.is_met for goal in result.goals] == [False, True]
    assert result.rows[0][1:] == ("20", "0.50", "0.50", "0.50", "0.50")
    assert result.rows[1][1:] == ("20", "7", "7", "7", "7")


def test_another_failure_than_the_candidates_misses_the_goal_of_the_guard() -> None:
    result = guard.to_result({guard.Case.TURNS_BAD: guarded(0.5, lost=1)})

    assert str(result.goals[1]) == "no other failed request (1 of 100 failed): missed"


@pytest.mark.parametrize(("slowest", "is_met"), [(0.049, True), (0.051, False)])
def test_the_goal_of_many_models_is_the_p99_of_the_largest(slowest: float, *, is_met: bool) -> None:
    def sized(models: int, *answers: float) -> many_models.Measured:
        return many_models.Measured(
            models=models,
            answers=[*answers],
            lost=0,
            agent_processor_seconds=0.02,
            envoy_processor_seconds=0.04,
            agent_mebibytes=60.4,
            envoy_mebibytes=70.6,
        )

    result = many_models.to_result([sized(1, 9.0), sized(1000, 0.01, slowest)])

    assert [goal.is_met for goal in result.goals] == [is_met, True]
    assert result.rows[1][0] == "1,000"
    assert result.rows[1][-4:] == ("10.0", "20.0", "60", "71")


def test_writes_of_our_kinds_are_counted_and_nothing_else() -> None:
    writes = parse_writes(METRICS)

    assert dict(writes) == {("APPLY", "rollouts"): 9, ("PATCH", "configmaps"): 10}


def test_resident_memory_is_in_mebibytes() -> None:
    assert parse_resident("Name:\tpython\nVmRSS:\t   73728 kB\nThreads:\t1\n") == 72.0


@pytest.mark.parametrize(
    ("resident", "write", "goals"),
    [
        pytest.param(99.0, 0, [True, True], id="both met"),
        pytest.param(101.0, 0, [False, True], id="too much memory"),
        pytest.param(99.0, 1, [True, False], id="a write at rest"),
    ],
)
def test_the_goals_of_operator_memory(resident: float, write: int, goals: list[bool]) -> None:
    looks = [Memory(resident=resident, working_set=50), Memory(resident=60, working_set=60)]
    writes = parse_writes(METRICS) if write else parse_writes("")

    result = operator_memory.to_result(Memory(resident=50, working_set=40), looks, writes, 30.2)

    assert [goal.is_met for goal in result.goals] == goals
    assert result.rows[0][1:] == ("50.0", f"{resident:.1f}")
    assert result.rows[1][1:] == ("40.0", "60.0")


def test_single_row_gives_ratios_to_both_yardsticks() -> None:
    ways = {
        way: summarize([seconds])
        for way, seconds in {
            single_row.IN_PROCESS: 100e-6,
            single_row.FASTAPI: 500e-6,
            single_row.SERVER: 600e-6,
            single_row.GATEWAY: 1e-3,
        }.items()
    }

    rows = {row[0]: row[1:] for row in single_row.to_result(ways, {}).rows}

    assert rows[single_row.GATEWAY] == ("1,000", "1,000", "10.0", "2.00")
    assert rows[single_row.FASTAPI] == ("500", "500", "5.0", "1.00")


@pytest.mark.parametrize(
    ("ours", "times", "goals"),
    [
        pytest.param([300.0, 330.0, 10.0], "3.0", [True, True, True], id="met"),
        pytest.param([200.0, 220.0, 10.0], "2.0", [False, True, True], id="too few requests"),
    ],
)
def test_serving_compares_turns_that_follow_each_other(
    ours: list[float], times: str, goals: list[bool]
) -> None:
    """A third turn on a busy machine is busy for both."""

    def turns(rates: list[float], seconds: float) -> list[serving.Turn]:
        return [
            serving.Turn(rate=rate, seconds=summarize([seconds]), processor=1e-4) for rate in rates
        ]

    taken = {serving.OURS: turns(ours, 1e-3), serving.FASTAPI: turns([100.0, 110.0, 3.0], 2e-3)}

    result = serving.to_result({8: taken}, {serving.OURS: 100.0, serving.FASTAPI: 50.0})

    assert result.rows[0] == ("8, ours", f"{ours[0]:,.0f}", times, "1.00", "1.0", "100")
    assert result.rows[1] == ("8, FastAPI", "100", "1.0", "2.00", "2.0", "100")
    assert [goal.is_met for goal in result.goals] == goals


def test_the_machine_is_described() -> None:
    assert "cores of" in describe_machine()
    assert resident_mebibytes(1) > 0


def test_one_kind_of_bodies_that_keeps_callers_waiting_misses_the_goal() -> None:
    rest = summarize([0.005] * 100)
    measured = {
        "NaN": hostile.Measured(rest=rest, attacked=summarize([0.014] * 100), bodies=9),
        "escapes": hostile.Measured(rest=rest, attacked=summarize([0.016] * 100), bodies=4),
    }

    result = hostile.to_result(measured)

    assert [row[3:] for row in result.rows] == [("2.8", "9"), ("3.2", "4")]
    assert [goal.is_met for goal in result.goals] == [False]
    assert hostile.to_result({"NaN": measured["NaN"]}).goals[0].is_met


@pytest.mark.parametrize(
    ("worst", "is_met"),
    [pytest.param(0.025, True, id="as declared"), pytest.param(0.06, False, id="too many")],
)
def test_the_gates_table_says_whether_the_interval_keeps_what_it_declares(
    worst: float, is_met: bool
) -> None:
    rates = {("in time", 1_000): {"roc_auc": 0.01, "log_loss": 0.0, "rmse": worst, "mae": 0.02}}

    result = gate.to_result(rates)

    assert result.rows == (("in time", "1,000", "1.0%", "0.0%", f"{worst:.1%}", "2.0%"),)
    assert [goal.is_met for goal in result.goals] == [is_met]
