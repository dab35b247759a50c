"""The sums over what clients saw."""

from typing import Any

import pytest

from e2e.story.answers import Answer, Requests, count, describe, parse_line, refused, to_line


def answer(**changes: Any) -> Answer:
    """A good answer of 1.0.0; each test names what differs."""
    healthy: dict[str, Any] = {
        "sent": 100.0,
        "seconds": 0.01,
        "status": 200,
        "version": "1.0.0",
        "failure": None,
    }
    return Answer(**healthy | changes)


BAD = "1.1.0"


@pytest.mark.parametrize(
    ("seen", "ours", "theirs"),
    [
        pytest.param(answer(), 0, 0, id="an answer is no failure"),
        pytest.param(answer(status=400), 0, 0, id="a refusal is no failure"),
        pytest.param(answer(status=500, version=BAD), 0, 1, id="a bad version's 500 is its own"),
        pytest.param(answer(status=500), 1, 0, id="a good version's 500 is ours"),
        pytest.param(answer(status=503, version=None), 1, 0, id="the gateway's 503 is ours"),
        pytest.param(
            answer(status=None, version=None, failure="timeout"), 1, 0, id="a timeout is ours"
        ),
    ],
)
def test_a_failure_is_attributed(seen: Answer, ours: int, theirs: int) -> None:
    requests = count([answer(), seen], bad_versions={BAD})

    assert requests == Requests(
        total=2, failed_not_from_bad_version=ours, failed_by_bad_version=theirs
    )


def test_a_line_reads_back() -> None:
    seen = answer(status=None, version=None, failure="reset")

    assert parse_line(to_line(seen)) == seen


def test_refusals_are_found() -> None:
    refusal = answer(status=400)

    assert refused([answer(), refusal, answer(status=500)]) == [refusal]


def test_the_counters_name_each_version() -> None:
    seen = [answer(), answer(), answer(version=BAD, status=500), answer(status=503, version=None)]

    assert describe(seen) == "4 answers (1.0.0: 2, 1.1.0: 1), 2 failed"
