"""What ``make chaos`` lives, and how it reads a life back from the writes of the API server."""

import json
import time
from collections import Counter
from pathlib import Path
from typing import Any, get_args

import pytest

from bench.installed import NAMESPACE
from bench.result import replace_between_markers
from chaos.chronicle import Follower, Write, replay
from chaos.plan import STRATEGIES, plan
from chaos.record import NAME, to_result
from chaos.troubles import PARTS, How
from chaos.ways import MOMENTS, has_come, way
from fairlead_operator.api.policy import RolloutPolicy
from fairlead_operator.rollout.decision.plan import compile_plan

DOCUMENT = Path(__file__).parents[3] / "docs" / "benchmarks.md"


def test_a_seed_is_a_plan() -> None:
    assert plan(seed=1) == plan(seed=1)
    assert plan(seed=1) != plan(seed=2)


def test_the_operator_is_killed_at_each_moment_of_each_strategy() -> None:
    kills = Counter(
        (life.strategy, moment) for life in plan(seed=1) if not life.cause for moment in life.kills
    )

    assert kills == {(strategy, moment): 1 for strategy in STRATEGIES for moment in MOMENTS}


def test_every_part_is_taken_away_for_a_while_or_at_once() -> None:
    troubles = [trouble for life in plan(seed=1) for trouble in life.troubles]

    assert {trouble.part for trouble in troubles} == {*PARTS, "stable", "candidate"}
    assert all(trouble.seconds == 0 or 5 <= trouble.seconds <= 60 for trouble in troubles)
    assert {trouble.how for trouble in troubles} == set(get_args(How))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_way_is_the_plan_that_the_operator_makes_of_it(strategy: Any) -> None:
    chosen = way(strategy, liked="1.1.0")
    given = {name: value for name, value in chosen.policy.items() if value is not None}
    policy = RolloutPolicy.model_validate(given)

    assert tuple(step.weight for step in compile_plan(policy).steps) == chosen.weights


def test_moments_come_one_after_the_other() -> None:
    statuses: list[dict[str, Any]] = [
        {},
        {"phase": "Pending"},
        {"phase": "Progressing", "step": 0},
        {"phase": "Progressing", "step": 1},
        {"phase": "Guarding", "step": 2},
    ]
    canary = way("canary", liked="1.1.0")

    come = [sum(has_come(moment, status, way=canary) for moment in MOMENTS) for status in statuses]

    assert come == [0, 1, 2, 3, 4]


def written(revision: int, kind: str, name: str, *, gone: bool = False, **fields: Any) -> Write:
    meta = {"namespace": NAMESPACE, "name": name}
    item = {"kind": kind, "metadata": meta, **fields}
    return Write(revision=revision, seen=float(revision), item=item, gone=gone)


def test_a_life_is_read_back_write_by_write() -> None:
    def route(weight: int) -> dict[str, str]:
        versions = [
            {"version": "1.1.0", "weight": weight},
            {"version": "1.0.0", "weight": 100 - weight},
        ]
        return {"route.json": json.dumps({"versions": versions})}

    report = {
        "other.gateway-0": '{"weights": {}}',
        "prices.gateway-0": '{"weights": {"1.0.0": 100}}',
    }
    spec = {"model": "prices", "version": "1.1.0"}
    writes = [
        written(2, "ConfigMap", "prices-route", data=route(0)),
        written(3, "ConfigMap", "fairlead-gateway", data=report),
        written(5, "Rollout", "second", spec=spec),
        written(7, "ConfigMap", "prices-route", data=route(10)),
        written(9, "Rollout", "second", spec=spec, gone=True),
    ]

    states = list(replay(writes, "prices", since=4))

    assert [moment for moment, _ in states] == [5, 5, 7, 9]
    assert [state.route["1.1.0"] for _, state in states] == [0, 0, 10, 10]
    assert [len(state.rollouts) for _, state in states] == [0, 1, 1, 0]
    assert states[0][1].reports == {"gateway-0": {"1.0.0": 100}}


def lived(**fields: Any) -> dict[str, Any]:
    return {
        "strategy": "canary",
        "what": "operator killed",
        "away": 0.0,
        "kills": ["starting", "guard"],
        "answers": 1000,
        "bad": 0,
        "without": 0,
        "failures": [],
        **fields,
    }


def test_the_table_counts_what_nothing_excuses() -> None:
    lives = [
        lived(),
        lived(what="etcd frozen", strategy="shadow", away=15.0, kills=[], failures=[{}], bad=7),
    ]

    result = to_result(lives, seed=1, planned=2)

    assert result.rows[-1] == ("all", "", "2", "15", "2,000", "1", "7", "0")
    assert [goal.is_met for goal in result.goals] == [True, False, False]
    assert result.more[0][1:] == tuple(
        (moment, str(int(moment in {"starting", "guard"}))) for moment in MOMENTS
    )


def test_the_document_has_a_place_for_the_table() -> None:
    assert "\nput here\n" in replace_between_markers(DOCUMENT.read_text(), NAME, "put here")


class Answers:
    """What an API server says, one call after the other; then nothing more."""

    def __init__(self, *answers: Any) -> None:
        self._answers = list(answers)
        self.asked: list[str | None] = []

    def __call__(self, *, resource_version: str | None = None, **_: Any) -> Any:
        self.asked.append(resource_version)
        if not self._answers:
            raise OSError("away")
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


class Response:
    """A list's answer, or a watch's."""

    def __init__(self, *documents: Any, cut: bool = False) -> None:
        self.data = json.dumps(documents[0]) if documents else ""
        text = "".join(f"{json.dumps(document)}\n" for document in documents).encode()
        self._chunks = [text[:7], text[7:-5] if cut else text[7:]]

    def stream(self, **_: Any) -> list[bytes]:
        return self._chunks

    def close(self) -> None:
        """Nothing is open."""


def listed(revision: int, *items: dict[str, Any]) -> Response:
    return Response({"metadata": {"resourceVersion": str(revision)}, "items": list(items)})


def event(kind: str, revision: int, name: str) -> dict[str, Any]:
    return {"type": kind, "object": item(revision, name)}


def item(revision: int, name: str) -> dict[str, Any]:
    meta = {"namespace": NAMESPACE, "name": name, "resourceVersion": str(revision)}
    return {"metadata": meta}


def test_a_history_is_followed_through_cuts_and_a_server_that_knows_no_old_version() -> None:
    gone = {"type": "ERROR", "object": {"code": 410, "message": "too old"}}
    answers = Answers(
        listed(5, item(3, "first")),
        Response(event("MODIFIED", 6, "first"), event("ADDED", 7, "second"), cut=True),
        OSError("cut"),
        Response(event("ADDED", 7, "second"), event("BOOKMARK", 8, ""), gone),
        listed(12, item(11, "second")),
    )
    follower = Follower("Rollout", answers)

    follower.begin()
    while len(answers.asked) < 6:
        time.sleep(0.01)
    follower.stop.set()
    follower.join()

    heard = [(write.revision, write.key[2], write.gone) for write in follower.writes]
    assert heard == [
        (3, "first", False),
        (6, "first", False),
        (7, "second", False),
        (11, "second", False),
        (12, "first", True),
    ]
    assert answers.asked[:6] == [None, "5", "6", "6", None, "12"]
