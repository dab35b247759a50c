"""What a pipeline waits for, and how it hears of the end."""

from collections.abc import Iterator
from typing import Any

import pytest

from fairlead_operator.command.failures import (
    CommandError,
    NotReachedError,
    SilentError,
    UnansweredError,
)
from fairlead_operator.command.waiting import Standing, judge, judge_check, wait


def model(
    phase: str = "Serving",
    *,
    current: str = "True",
    moving: str = "False",
    reason: str = "Serving",
    generation: int = 3,
) -> dict[str, Any]:
    def condition(kind: str, status: str, message: str) -> dict[str, Any]:
        return {
            "type": kind, "status": status, "reason": reason, "message": message,
            "observedGeneration": generation,
        }  # fmt: skip

    conditions = [
        condition("UpToDate", current, "1.0.0 is in charge"),
        condition("Progressing", moving, "r-2 to 1.1.0"),
    ]
    return {
        "metadata": {"name": "prices", "generation": 3},
        "spec": {},
        "status": {"phase": phase, "conditions": conditions},
    }


def stopped(reason: str, *, status: str = "False", generation: int = 3) -> dict[str, Any]:
    """Return a Model whose last look ended before anything was decided of its spec."""
    body = model(generation=2)
    body["status"]["conditions"][1] |= {
        "status": status, "reason": reason, "message": "it cannot go on",
        "observedGeneration": generation,
    }  # fmt: skip
    return body


IN_CHARGE = "Serving: 1.0.0 is in charge"
MOVING = model("RollingOut", current="False", moving="True", reason="RollingOut")


@pytest.mark.parametrize(
    ("seen", "standing"),
    [
        pytest.param(model(), Standing(line=IN_CHARGE, reached=True), id="in charge"),
        pytest.param(MOVING, Standing(line="RollingOut: r-2 to 1.1.0"), id="in a rollout"),
        pytest.param(
            model(moving="True"),
            Standing(line="Serving: r-2 to 1.1.0"),
            id="a training beside what serves",
        ),
        pytest.param(
            model("Pending", current="False", reason="Waiting"),
            Standing(line="Pending: 1.0.0 is in charge"),
            id="a version that is not registered yet",
        ),
        *(
            pytest.param(
                model(phase, current="False", reason=reason),
                Standing(line=f"{phase}: 1.0.0 is in charge", stopped=True),
                id=f"{phase} for {reason}",
            )
            for phase, reason in [
                ("Blocked", "VersionBlocked"),
                ("Failed", "DataInvalid"),
                ("Serving", "TargetRefused"),
                ("Serving", "ClusterRefused"),
                ("Pending", "NameTaken"),
            ]
        ),
        pytest.param(
            model(generation=2),
            Standing(line="the operator has not looked at the spec as it is now"),
            id="of the spec before",
        ),
        pytest.param(
            stopped("InvalidSpec"),
            Standing(line="InvalidSpec: it cannot go on", stopped=True),
            id="a spec that the operator cannot read",
        ),
        pytest.param(
            stopped("ClusterRefused", status="Unknown"),
            Standing(line="ClusterRefused: it cannot go on"),
            id="what it needs may not be read now",
        ),
        pytest.param(
            stopped("InvalidSpec", generation=2),
            Standing(line="the operator has not looked at the spec as it is now"),
            id="the spec before could not be read",
        ),
        pytest.param(
            {"metadata": {"name": "prices", "generation": 1}, "spec": {}},
            Standing(line="the operator has not looked at the spec as it is now"),
            id="just applied",
        ),
    ],
)
def test_where_a_model_stands(seen: dict[str, Any], standing: Standing) -> None:
    assert judge(seen) == standing


def rollout(phase: str, reason: str = "AnalysisFailed", **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "r-2"},
        "spec": {"version": "1.1.0", **spec},
        "status": {"phase": phase, "reason": reason},
    }


def training(phase: str, reason: str = "DataEmpty") -> dict[str, Any]:
    status = {"phase": phase, "reason": reason, "message": "no rows"}
    return {"metadata": {"name": "t-2"}, "status": status}


@pytest.mark.parametrize(
    ("spec", "last", "why"),
    [
        pytest.param({}, {"rollout": rollout("Succeeded")}, "", id="promoted"),
        pytest.param(
            {},
            {"rollout": rollout("RolledBack")},
            "the last, r-2 to 1.1.0, ended RolledBack (AnalysisFailed)",
            id="taken back, and the version before serves on",
        ),
        pytest.param(
            {"version": "1.0.0"},
            {"rollout": rollout("RolledBack", "Superseded")},
            "",
            id="the pin went back to what serves",
        ),
        pytest.param(
            {},
            {"rollout": rollout("RolledBack", "Superseded")},
            "",
            id="the pin was taken out",
        ),
        pytest.param(
            {"version": "1.0.0"},
            {"rollout": rollout("RolledBack")},
            "",
            id="taken back, and the spec went back to what serves",
        ),
        pytest.param(
            {"version": "1.0.0", "alternatives": ["1.1.0", "1.2.0"]},
            {"rollout": rollout("RolledBack", alternatives=["1.2.0"])},
            "the last, r-2 to 1.1.0, ended RolledBack (AnalysisFailed)",
            id="a trial that the spec asks for was taken back",
        ),
        pytest.param({}, {"training": training("Succeeded")}, "", id="trained"),
        pytest.param({}, {"training": training("Failed")}, "t-2 failed: no rows", id="untrained"),
        pytest.param(
            {}, {"training": training("Failed", "Superseded")}, "", id="another training follows"
        ),
        pytest.param(
            {"version": "1.0.0"}, {"training": training("Failed")}, "", id="no matter: it is pinned"
        ),
        pytest.param({"suspend": True}, {}, "", id="suspended with all that was asked for"),
        pytest.param(
            {"suspend": True, "version": "1.1.0"},
            {},
            "nothing starts while it is suspended; set spec.suspend to false",
            id="suspended before the version that is asked for",
        ),
    ],
)
def test_what_serves_on_is_not_always_what_was_asked_for(
    spec: dict[str, Any], last: dict[str, Any], why: str
) -> None:
    body = model()
    body["spec"] = spec
    body["status"]["stable"] = {"version": "1.0.0"}

    standing = judge(body, **last)

    assert standing.line == (f"{IN_CHARGE}; {why}" if why else IN_CHARGE)
    assert (standing.reached, standing.stopped) == (not why, bool(why))


class Time:
    def __init__(self) -> None:
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def run(*looks: dict[str, Any] | CommandError, seconds: float = 60) -> tuple[str, list[str]]:
    """Wait over these looks, of which the last one stays; return the end and what was said."""
    time, said = Time(), list[str]()

    def states() -> Iterator[dict[str, Any] | CommandError]:
        yield from looks
        while True:
            yield looks[-1]

    coming = states()

    def look() -> Standing:
        state = next(coming)
        if isinstance(state, CommandError):
            raise state
        return judge(state)

    clock, sleep = (lambda: time.now), time.sleep
    end = wait(look, seconds=seconds, say=said.append, clock=clock, sleep=sleep)
    return end, said


def test_it_ends_when_all_is_reached_and_says_each_change_once() -> None:
    end, said = run(MOVING, MOVING, SilentError("no answer"), MOVING, model())

    assert end == IN_CHARGE
    assert said == [
        "   0 s  RollingOut: r-2 to 1.1.0", "   2 s  no answer", "   3 s  RollingOut: r-2 to 1.1.0",
    ]  # fmt: skip


def test_a_version_that_was_taken_back_ends_it_at_once() -> None:
    with pytest.raises(NotReachedError, match="Blocked: 1"):
        run(MOVING, model("Blocked", current="False", reason="VersionBlocked"))


def test_a_model_that_is_gone_ends_it_at_once() -> None:
    with pytest.raises(CommandError, match="there is no Model") as error:
        run(MOVING, CommandError("there is no Model prices"))

    assert error.value.exit_code == 3


def test_it_is_never_silent_for_ten_seconds_and_ends_in_time() -> None:
    said: list[str] = []
    time = Time()

    with pytest.raises(UnansweredError, match="not reached within 30 s; RollingOut"):
        wait(
            lambda: judge(MOVING),
            seconds=30,
            say=said.append,
            clock=lambda: time.now,
            sleep=time.sleep,
        )

    assert [line.split(" s ")[0].strip() for line in said] == ["0", "8", "16", "24"]


@pytest.mark.parametrize(
    ("status", "standing"),
    [
        pytest.param(
            None, Standing(line="the operator has not looked at it yet"), id="no operator"
        ),
        pytest.param(
            {"phase": "Checking", "message": "reading"},
            Standing(line="Checking: reading"),
            id="it reads",
        ),
        pytest.param(
            {"phase": "Succeeded", "message": "30 rows"},
            Standing(line="Succeeded: 30 rows", reached=True),
            id="the data can be used",
        ),
        pytest.param(
            {"phase": "Failed", "message": "column a"},
            Standing(line="Failed: column a", reached=True),
            id="the data cannot be used, which is an answer as well",
        ),
    ],
)
def test_judge_check(status: dict[str, str] | None, standing: Standing) -> None:
    run = {"metadata": {"name": "prices-check-1"}, **({"status": status} if status else {})}

    assert judge_check(run) == standing
