"""What the benchmarks that repeat a peer's make of what they saw."""

import pytest

from bench import bad_canary, crash, no_evidence, promotions
from bench.bad_canary import Case
from bench.installed import CANDIDATE, STABLE
from bench.no_evidence import Seen
from bench.rolling import build_policy
from e2e.story.answers import Answer
from e2e.story.errors import StoryError
from fairlead_operator.api.policy import RolloutPolicy


def answer(second: float, status: int = 200, version: str | None = CANDIDATE) -> Answer:
    return Answer(sent=second, seconds=0.5, status=status, version=version, failure=None)


@pytest.mark.parametrize(
    "query",
    [
        pytest.param(None, id="by the success rate"),
        *(
            pytest.param(case.query, id=f"Prometheus {case}")
            for case in no_evidence.Case
            if case.query
        ),
    ],
)
def test_the_policy_is_one_the_operator_takes(query: str | None) -> None:
    policy = RolloutPolicy.model_validate(
        build_policy([(25, "2s"), (50, "2s")], interval="1s", fast_guard=False, query=query)
    )

    assert policy.steps is not None
    assert [step.weight for step in policy.steps] == [25, 50]
    assert policy.fast_guard is not None
    assert not policy.fast_guard.enabled


def test_what_stands_in_for_prometheus_is_behind_its_service_and_as_secure() -> None:
    container = {
        "name": "prometheus",
        "image": "prometheus",
        "args": ["--config.file=/etc/prometheus/prometheus.yml"],
        "ports": [{"name": "http", "containerPort": 9090}],
        "securityContext": {"allowPrivilegeEscalation": False},
        "volumeMounts": [{"name": "data", "mountPath": "/prometheus"}],
    }
    template = {
        "metadata": {"labels": {"app": "prometheus"}, "annotations": {"checksum": "1"}},
        "spec": {"securityContext": {"runAsNonRoot": True}, "containers": [container]},
    }

    pod = no_evidence.build_stand_in(template, image="python")

    assert pod["metadata"]["labels"] == {"app": "prometheus"}
    assert pod["spec"]["securityContext"] == {"runAsNonRoot": True}
    (ours,) = pod["spec"]["containers"]
    assert ours["image"] == "python"
    assert ours["ports"] == container["ports"]
    assert ours["securityContext"] == container["securityContext"]
    assert not {"args", "volumeMounts"} & ours.keys()


def test_only_failures_of_the_candidate_are_bad_answers() -> None:
    answers = [answer(1), answer(2, 500), answer(3.25, 500), answer(4, 503, STABLE), answer(5)]

    one = bad_canary.judge(answers, ended=6, reason="GuardTripped")

    assert (one.last, one.bad, one.lost, one.requests) == (1.25, 2, 1, 5)
    assert one.rolled_back == 3.5


def test_a_candidate_that_gave_no_bad_answer_measures_nothing() -> None:
    with pytest.raises(StoryError, match="a bad answer"):
        bad_canary.judge([answer(1)], ended=2, reason="GuardTripped")


def bad_run(last: float, *, lost: int = 0) -> bad_canary.Run:
    return bad_canary.Run(
        last=last, rolled_back=2, bad=7, lost=lost, requests=100, reason="GuardTripped"
    )


@pytest.mark.parametrize(
    ("runs", "met"),
    [
        pytest.param({Case.GUARD: [bad_run(1.4)]}, [True, True], id="quick"),
        pytest.param({Case.GUARD: [bad_run(1.6)]}, [False, True], id="late"),
        pytest.param(
            {Case.GUARD: [bad_run(1)], Case.ANALYSIS: [bad_run(5)]},
            [True, True],
            id="the analysis is not held to the guard's goal",
        ),
        pytest.param({Case.ANALYSIS: [bad_run(1)]}, [False, True], id="no run of the guard"),
        pytest.param({Case.GUARD: [bad_run(1, lost=1)]}, [True, False], id="another failure"),
    ],
)
def test_the_goals_of_bad_canary(runs: dict[Case, list[bad_canary.Run]], met: list[bool]) -> None:
    result = bad_canary.to_result(runs)

    assert [goal.is_met for goal in result.goals] == met
    assert len(result.rows) == len(runs)


@pytest.mark.parametrize(
    ("weights", "kept"),
    [
        pytest.param([25, 25, 50, 100, 100], (25, 50, 100), id="in order"),
        pytest.param([25, 50, 25, 50, 100], (25, 50, 25, 50, 100), id="a step repeated"),
        pytest.param([25, 100], (25, 100), id="a step lost"),
    ],
)
def test_every_change_of_a_weight_is_seen(weights: list[int], kept: tuple[int, ...]) -> None:
    one = crash.Run(
        leads=1, late=0, promoted=9, steps=crash.without_repeats(weights), failed=0, requests=50
    )

    assert one.steps == kept
    assert crash.to_result([one]).goals[0].is_met is (kept == crash.WEIGHTS)


def test_promotions_lose_nothing() -> None:
    assert promotions.to_result([6, 8, 7], [answer(1)]).rows == (
        ("3", "1", "0", "6.0", "7.0", "8.0"),
    )
    assert not promotions.to_result([6], [answer(1, 503)]).goals[0].is_met


def look(second: float, phase: str, weight: int, verdict: str = "") -> Seen:
    return Seen(second=second, phase=phase, weight=weight, verdict=verdict, message="no answer")


def test_looks_that_say_nothing_new_are_left_out() -> None:
    first, paused = look(1, "Progressing", 50), look(12, "Paused", 50, "Error")

    assert no_evidence.changes([first, look(2, "Progressing", 50), paused]) == (first, paused)


@pytest.mark.parametrize(
    ("last", "is_held"),
    [
        pytest.param(look(12, "Paused", 50, "Error"), True, id="paused"),
        pytest.param(look(12, "Guarding", 100, "Error"), False, id="promoted"),
        pytest.param(look(12, "RollingBack", 0, "Error"), False, id="rolled back"),
    ],
)
def test_a_candidate_without_evidence_is_held(last: Seen, *, is_held: bool) -> None:
    one = no_evidence.Run(
        seen=(look(1, "Progressing", 50), last),
        afterwards="Succeeded",
        back=4,
        failed=0,
        requests=9,
    )

    result = no_evidence.to_result({no_evidence.Case.REFUSED: one})

    assert result.goals[0].is_met is is_held
    assert result.rows[0][1] == "12.0 s"
