"""From what was measured with thousands of Models to tables and goals."""

import json
from collections import Counter

from bench.numbers import summarize
from bench.operator_scale import Measured, Rest, to_result
from bench.result import to_markdown, to_terminal
from bench.scale.place import count_requests


def rest(models: int, *, in_flight: int = 0, mebibytes: float = 100, requests: int = 24) -> Rest:
    return Rest(
        models=models,
        in_flight=in_flight,
        mebibytes=mebibytes,
        cpu=0.0123,
        requests=Counter({("update", "leases"): requests}),
        seconds=60.0,
    )


def measured(*rests: Rest, slowest: float = 0.5) -> Measured:
    summary = summarize([0.1, 0.2, slowest])
    return Measured(
        rests=[rest(1000), rest(1000, in_flight=200, mebibytes=200, requests=600), *rests],
        light=summary,
        rounds=summarize([slowest]),
        heavy=summary,
        heavy_round=slowest,
        events=summary,
        removals=summary,
        start=2.5,
        restart=4.0,
    )


def met(result: Measured) -> list[bool]:
    return [goal.is_met for goal in to_result(result).goals]


def test_goals_are_met_or_missed_one_by_one() -> None:
    assert met(measured()) == [True] * 7
    assert met(measured(rest(1000, mebibytes=151)))[0] is False
    assert met(measured(rest(3000, mebibytes=151)))[0] is True
    assert met(measured(rest(1000, in_flight=200, mebibytes=301)))[1] is False
    assert met(measured(rest(3000, requests=31)))[2] is False
    assert met(measured(slowest=2.5))[3:6] == [False, False, False]


def test_both_tables_are_shown() -> None:
    result = to_result(measured())

    for text in (to_terminal(result), to_markdown(result, "a machine")):
        assert "resident MiB" in text
        assert "rollouts in flight" in text
        assert "200 specs changed at once" in text
    assert "| 1,000 | 200 | 200 | 1.2 | 10.00 |" in to_markdown(result, "")
    json.dumps(result.numbers)
    assert result.numbers["rests"][0]["requests"] == {"update leases": 24}


def test_a_watch_counts_when_it_begins_and_all_else_when_it_ends() -> None:
    def event(verb: str, stage: str, resource: str | None = "models") -> bytes:
        reference = {"objectRef": {"resource": resource}} if resource else {}
        return json.dumps({"verb": verb, "stage": stage, **reference}).encode()

    counted = count_requests(
        [
            event("watch", "ResponseStarted"),
            event("watch", "ResponseComplete"),
            event("get", "ResponseComplete"),
            event("get", "ResponseComplete", None),
        ]
    )

    assert counted == {("watch", "models"): 1, ("get", "models"): 1, ("get", ""): 1}
