"""Whole lives of a rollout with a fault at every call the operator makes.

    PYTHONPATH=tests python -m pytest tests/scenario/test_faults.py --faults all

lives every life once for each call and each kind of trouble; without the option
a seeded part of them is lived.
"""

import dataclasses
import json
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

import pytest

from support.faults import FaultyWorld, Outage, Trouble
from support.invariants import Expectation, Invariants
from support.world import NAMESPACE, model_manifest

SECOND: Final = timedelta(seconds=1)
MINUTE: Final = timedelta(minutes=1)
_SAMPLED: Final = 2  # lives of each kind and trouble in the short run
_LONGEST: Final = 60  # minutes of a life


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """A rollout, what happens to it, and how it must end."""

    rollout: Mapping[str, Any]
    weights: tuple[int, ...]
    end: tuple[str, str]  # phase and reason
    happens: Callable[[FaultyWorld, Invariants], Awaitable[None]]
    route: Mapping[str, int]
    broken: bool = False  # the candidate cannot start
    has_downtime: bool = False
    follows_reward: bool = False


async def nothing(_: FaultyWorld, __: Invariants) -> None:
    """A good candidate."""


async def bad_answers(world: FaultyWorld, checker: Invariants) -> None:
    """The candidate turns bad in its last step before all traffic."""
    await until_step(world, len(checker.expected.weights) - 2)
    checker.expected.may_roll_back = True
    checker.expected.has_evidence = False
    world.prometheus.success_rate = 0.7


async def bad_answers_in_the_guard_window(world: FaultyWorld, checker: Invariants) -> None:
    await until_step(world, len(checker.expected.weights) - 1)
    checker.expected.may_roll_back = True
    world.prometheus.success_rate = 0.7


async def an_alert(world: FaultyWorld, checker: Invariants) -> None:
    await until_step(world, 0)
    checker.expected.may_roll_back = True
    document = {"receivedAt": world.clock().isoformat(), "message": "FairleadVersionSlow"}
    await annotate(world, "alert", json.dumps(document))


async def a_person_aborts(world: FaultyWorld, checker: Invariants) -> None:
    await until_step(world, 0)
    checker.expected.may_roll_back = True
    await annotate(world, "abort", "Ada: wrong data")


async def a_tripped_guard(world: FaultyWorld, checker: Invariants) -> None:
    """The gateway took the candidate out by itself."""
    await until_step(world, 0)
    checker.expected.may_roll_back = True
    route = json.loads(
        world.kube.objects["ConfigMap", NAMESPACE, "nsw-price-route"]["data"]["route.json"]
    )
    world.trips["1.1.0"] = {
        "guard": route["guard"]["id"],
        "at": world.clock().isoformat(),
        "message": "12 of 14 answers failed in 2 s, allowed 50 %",
        "requests": 14,
        "failures": 12,
    }


async def a_trial_that_is_won(world: FaultyWorld, _: Invariants) -> None:
    await until_step(world, 0)
    world.prometheus.counts = counted(failed=50)


async def a_trial_that_is_lost(world: FaultyWorld, checker: Invariants) -> None:
    await until_step(world, 0)
    checker.expected.may_roll_back = True
    world.prometheus.counts = counted(failed=2500)


async def a_bandit_that_is_won(world: FaultyWorld, _: Invariants) -> None:
    """The shares move for some minutes before the candidate is surely the best."""
    await until_step(world, 0)
    world.prometheus.counts = counted(failed=980)
    await world.pass_time(5 * MINUTE)
    world.prometheus.counts = counted(failed=50)


def counted(*, failed: int) -> dict[str, float]:
    """Answers of both versions since the trial began; of the stable one's 1,000 failed."""
    return {
        "1.0.0-total": 5000.0,
        "1.0.0-bad": 1000.0,
        "1.1.0-total": 5000.0,
        "1.1.0-bad": float(failed),
    }


async def an_outage_of_prometheus(world: FaultyWorld, checker: Invariants) -> None:
    await until_step(world, 0)
    checker.expected.has_evidence = False
    world.prometheus.down = True
    await world.pass_time(10 * MINUTE)
    world.prometheus.down = False
    checker.expected.has_evidence = True


async def annotate(world: FaultyWorld, what: str, text: str) -> None:
    current = world.model()["status"]["rollout"]
    await world.kube.annotate("Rollout", NAMESPACE, current, {f"fairlead.dev/{what}": text})


CANARY: Final = {"steps": [{"weight": 10, "hold": "1m"}, {"weight": 50, "hold": "1m"}]}
BLUE_GREEN: Final = {"strategy": "blueGreen", "blueGreen": {"hold": "1m"}}
SHADOW: Final = {"strategy": "shadow", "shadow": {"hold": "1m"}, "steps": [{"weight": 20}]}
RECREATE: Final = {"strategy": "recreate"}
AB_TEST: Final = {
    "strategy": "abTest",
    "abTest": {"goal": {"metric": "success-rate"}, "weight": 20, "maxDuration": "1h"},
}
BANDIT: Final = {
    "strategy": "bandit",
    "bandit": {"goal": {"metric": "success-rate"}, "maxDuration": "1h"},
}

PROMOTED: Final = ("Succeeded", "Promoted")
FAILED: Final = ("RolledBack", "AnalysisFailed")
Happening = Callable[[FaultyWorld, Invariants], Awaitable[None]]


def forward(rollout: Mapping[str, Any], *weights: int, happens: Happening = nothing) -> Life:
    """A life that ends with the candidate in charge."""
    return Life(
        rollout=rollout,
        weights=(*weights, 100),
        end=PROMOTED,
        happens=happens,
        route={"1.1.0": 100},
        has_downtime=rollout is RECREATE,
        follows_reward=rollout is BANDIT,
    )


def back(
    rollout: Mapping[str, Any],
    *weights: int,
    happens: Happening = nothing,
    end: tuple[str, str] = FAILED,
    broken: bool = False,
) -> Life:
    """A life that ends with the stable version in charge."""
    return Life(
        rollout=rollout,
        weights=(*weights, 100),
        end=end,
        happens=happens,
        route={"1.0.0": 100},
        broken=broken,
        has_downtime=rollout is RECREATE,
        follows_reward=rollout is BANDIT,
    )


IN_GUARD: Final = bad_answers_in_the_guard_window
ALERT: Final = ("RolledBack", "AlertFired")
ABORT: Final = ("RolledBack", "Aborted")
TRIP: Final = ("RolledBack", "GuardTripped")
LOST: Final = ("RolledBack", "TrialLost")
CRASH: Final = ("RolledBack", "CandidateFailed")

LIVES: Final = {
    "canary, good": forward(CANARY, 10, 50),
    "canary, bad answers": back(CANARY, 10, 50, happens=bad_answers),
    "canary, bad in the guard window": back(CANARY, 10, 50, happens=IN_GUARD),
    "canary, an alert": back(CANARY, 10, 50, happens=an_alert, end=ALERT),
    "canary, a person aborts": back(CANARY, 10, 50, happens=a_person_aborts, end=ABORT),
    "canary, the guard trips": back(CANARY, 10, 50, happens=a_tripped_guard, end=TRIP),
    "canary, Prometheus away": forward(CANARY, 10, 50, happens=an_outage_of_prometheus),
    "canary, cannot start": back(CANARY, 10, 50, end=CRASH, broken=True),
    "blueGreen, good": forward(BLUE_GREEN, 0),
    "blueGreen, a bad preview": back(BLUE_GREEN, 0, happens=bad_answers),
    "blueGreen, bad in the guard window": back(BLUE_GREEN, 0, happens=IN_GUARD),
    "shadow, good": forward(SHADOW, 0, 20),
    "shadow, bad answers": back(SHADOW, 0, 20, happens=bad_answers),
    "recreate, good": forward(RECREATE),
    "recreate, bad in the guard window": back(RECREATE, happens=IN_GUARD),
    "abTest, won": forward(AB_TEST, 20, happens=a_trial_that_is_won),
    "abTest, lost": back(AB_TEST, 20, happens=a_trial_that_is_lost, end=LOST),
    "abTest, the guard trips": back(AB_TEST, 20, happens=a_tripped_guard, end=TRIP),
    "bandit, won": forward(BANDIT, 50, happens=a_bandit_that_is_won),
    "bandit, lost": back(BANDIT, 50, happens=a_trial_that_is_lost, end=LOST),
}


async def until_step(world: FaultyWorld, step: int) -> None:
    """Let time pass until the rollout has come to that step; past the last is the guard window."""
    for _ in range(_LONGEST * 12):
        status = world.rollout().get("status") or {}
        moving = status.get("phase") in {"Progressing", "Guarding"}
        if moving and world.rollout()["spec"]["version"] == "1.1.0" and status["step"] >= step:
            return
        await world.pass_time(5 * SECOND)
    raise AssertionError(f"never came to step {step}: {world.rollout()['status']}")


async def begin(life: Life) -> tuple[FaultyWorld, Invariants]:
    """1.0.0 serves, and 1.1.0 is asked for."""
    world = FaultyWorld()
    world.prometheus.healthy()
    world.registry.register(f"{NAMESPACE}.nsw-price", "1.0.0")
    world.registry.register(f"{NAMESPACE}.nsw-price", "1.1.0")
    world.kube.put(model_manifest(version="1.0.0"))
    await world.run()
    spec: dict[str, Any] = world.model()["spec"]["rollout"] | dict(life.rollout)
    world.kube.put(
        {
            "kind": "Model",
            "metadata": {"namespace": NAMESPACE, "name": "nsw-price"},
            "spec": {"version": "1.1.0", "rollout": spec},
        }
    )
    if life.broken:
        world.broken["1.1.0"] = json.dumps({"reason": "DigestMismatch", "message": "altered"})
    expected = Expectation(
        weights=life.weights,
        may_roll_back=life.broken,
        has_downtime=life.has_downtime,
        follows_reward=life.follows_reward,
    )
    checker = Invariants(world.snapshot(), expected)
    world.kube.after_write = lambda: checker.hold(world.snapshot())
    world.gate.calls = 0
    return world, checker


async def live(life: Life, trouble: Trouble | None = None, *, at: int = 0) -> FaultyWorld:
    """Live the life to its end, with the trouble at that call."""
    world, checker = await begin(life)
    if trouble is not None:
        world.gate.plan(trouble, at=at)
    await world.run()
    await life.happens(world, checker)
    await to_the_end(world, checker)
    status = world.rollout()["status"]
    assert (status["phase"], status["reason"]) == life.end, status["message"]
    assert world.weights() == life.route
    return world


async def end_of(life: Life, disturb: Callable[[FaultyWorld], Awaitable[None]]) -> tuple[str, str]:
    """Live the life with this disturbance from its begin; phase and reason at its end."""
    world, checker = await begin(life)
    await disturb(world)
    await life.happens(world, checker)
    await to_the_end(world, checker)
    status = world.rollout()["status"]
    return status["phase"], status["reason"]


def out_of_order(
    port: str, *, begins: int, seconds: int, delay: timedelta | None = None
) -> Callable[[FaultyWorld], Awaitable[None]]:
    """A port that does not answer for a while, or slowly, so many seconds from now."""

    async def disturb(world: FaultyWorld) -> None:
        start = world.clock() + begins * SECOND
        end = start + seconds * SECOND
        world.gate.outages = [Outage(port=port, begins=start, ends=end, delay=delay)]
        await world.run()

    return disturb


def jumping(after: timedelta, by: timedelta) -> Callable[[FaultyWorld], Awaitable[None]]:
    """The clock is set, that long from now."""

    async def disturb(world: FaultyWorld) -> None:
        await world.pass_time(after)
        world.jump(by)

    return disturb


async def to_the_end(world: FaultyWorld, checker: Invariants) -> None:
    for _ in range(_LONGEST):
        await world.pass_time(MINUTE)
        if world.rollout()["status"]["phase"] in {"Succeeded", "RolledBack"}:
            break
    await world.pass_time(MINUTE)
    checker.at_rest(world.snapshot())


def chosen(points: range, seed: str, request: pytest.FixtureRequest) -> Sequence[int]:
    """All of them, or in the short run a few that the seed decides."""
    if request.config.getoption("--faults", default="some") == "all":
        return points
    return sorted(random.Random(seed).sample(points, k=min(_SAMPLED, len(points))))


_CALLS: Final[dict[str, int]] = {}


async def calls_of(name: str) -> int:
    """Count the calls of a life without trouble, which are the same each time."""
    if name not in _CALLS:
        _CALLS[name] = (await live(LIVES[name])).gate.calls
    return _CALLS[name]


@pytest.mark.parametrize("name", LIVES)
async def test_a_life_without_trouble_ends_as_it_should(name: str) -> None:
    world = await live(LIVES[name])

    assert world.kills == 0


@pytest.mark.parametrize("trouble", Trouble)
@pytest.mark.parametrize("name", LIVES)
async def test_trouble_at_any_call_changes_nothing_for_users(
    name: str, trouble: Trouble, request: pytest.FixtureRequest
) -> None:
    life, calls = LIVES[name], await calls_of(name)
    for at in chosen(range(1, calls + 1), f"{name}/{trouble}", request):
        try:
            world = await live(life, trouble, at=at)
        except AssertionError as error:
            raise AssertionError(f"{trouble} at call {at} of {calls}: {error}") from error
        if trouble in {Trouble.KILLED_BEFORE, Trouble.KILLED_AFTER}:
            assert world.kills == 1


@pytest.mark.parametrize("seconds", [5, 20, 60])
@pytest.mark.parametrize("port", ["kube", "prometheus", "registry", "record"])
@pytest.mark.parametrize("name", ["canary, good", "canary, bad answers", "shadow, good"])
async def test_an_outage_at_any_time_only_delays(
    name: str, port: str, seconds: int, request: pytest.FixtureRequest
) -> None:
    life = LIVES[name]
    for begins in chosen(range(0, 180, 10), f"{name}/{port}/{seconds}", request):
        end = await end_of(life, out_of_order(port, begins=begins, seconds=seconds))

        assert end == life.end, f"{port} away at {begins} s"


@pytest.mark.parametrize("port", ["kube", "prometheus", "registry", "record"])
@pytest.mark.parametrize("name", ["canary, good", "canary, an alert", "abTest, lost"])
async def test_slow_answers_for_a_minute_only_delay(
    name: str, port: str, request: pytest.FixtureRequest
) -> None:
    life = LIVES[name]
    for begins in chosen(range(0, 180, 10), f"{name}/{port}/slow", request):
        slow = out_of_order(port, begins=begins, seconds=60, delay=3 * SECOND)
        end = await end_of(life, slow)

        assert end == life.end, f"{port} slow at {begins} s"


@pytest.mark.parametrize("jump", [-3600, -5, 5, 3600], ids=lambda jump: f"{jump} s")
@pytest.mark.parametrize(
    "name",
    [
        *("canary, good", "canary, an alert", "blueGreen, good", "shadow, bad answers"),
        *("recreate, good", "abTest, won", "bandit, lost"),
    ],
)
async def test_a_clock_that_jumps_skips_no_step(
    name: str, jump: int, request: pytest.FixtureRequest
) -> None:
    """A jump ahead may end a hold early, but each weight is still measured and reported."""
    life = LIVES[name]
    for after in chosen(range(0, 150, 10), f"{name}/{jump}", request):
        end = await end_of(life, jumping(after * SECOND, jump * SECOND))

        assert end == life.end, f"jumped after {after} s"


async def start_training(trouble: Trouble | None = None, *, at: int = 0) -> FaultyWorld:
    """Apply a Model, and live until its first training searches."""
    world = FaultyWorld()
    if trouble is not None:
        world.gate.plan(trouble, at=at)
    world.kube.put(model_manifest())
    await world.run()
    return world


@pytest.mark.parametrize("trouble", Trouble)
async def test_trouble_while_a_training_starts_makes_nothing_twice(trouble: Trouble) -> None:
    """The run in MLflow is made before anything tells of it: the key finds it again."""
    calls = (await start_training()).gate.calls
    for at in range(1, calls + 1):
        world = await start_training(trouble, at=at)
        await world.pass_time(6 * SECOND)  # longer than any wait for another try

        runs = [item for key, item in world.kube.objects.items() if key[0] == "TrainingRun"]
        jobs = [key for key in world.kube.objects if key[0] == "Job"]
        assert [run["status"]["phase"] for run in runs] == ["Searching"], f"at call {at}"
        assert [run["status"]["mlflowRunId"] for run in runs] == list(world.registry.runs.values())
        assert len(jobs) == 1
