"""A request: what is written with it, and what the answer means."""

import dataclasses
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from fairlead_operator.command.ask import LONGEST_WHY, Patience, ask, compose, confirm, find_answer
from fairlead_operator.command.failures import CommandError, RefusedError, UnansweredError
from fairlead_operator.requests import Action, Word, parse_request

AT = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


def test_the_longest_request_keeps_who_when_and_why() -> None:
    text = compose(by="a" * 64, at=AT, why="ü" * LONGEST_WHY, words=Word)

    request = parse_request(Action.ABORT, text)

    assert (request.by, request.at, request.why) == ("a" * 64, AT, "ü" * LONGEST_WHY)
    assert request.text == text


def test_what_is_said_besides_is_understood() -> None:
    text = compose(by="ada", at=AT, why="", words=Word)

    assert parse_request(Action.PROMOTE, text).words == set(Word)


@dataclasses.dataclass
class FakeCluster:
    """A cluster whose operator answers after a few looks, or never."""

    outcome: str | None
    looks: int = 2
    written: dict[str, str] = dataclasses.field(default_factory=dict)

    def whoami(self) -> str:
        return "ada"

    def annotate(self, kind: str, name: str, annotations: dict[str, str]) -> None:
        self.written = annotations

    def rollout(self, name: str) -> dict[str, Any]:
        self.looks -= 1
        (text,) = self.written.values()
        answer = {
            "action": "pause", "text": text, "outcome": self.outcome, "message": "held at 25 %",
        }  # fmt: skip
        old = {"action": "pause", "text": "before", "outcome": "Refused", "message": "old"}
        answered = self.outcome is not None and self.looks <= 0
        requests = [old, *([answer] if answered else [])]
        return {"status": {"requests": requests, "message": "step 1 of 2 is held"}}


def patience() -> Patience:
    """Ten seconds that pass at once."""
    moments = iter(range(100))
    return Patience(seconds=10, clock=lambda: next(moments), sleep=lambda _: None)


def asked(cluster: FakeCluster, patience: Patience | None) -> str:
    return ask(
        cluster,
        Action.PAUSE,
        "Rollout",
        "r-4",
        why="lunch",
        patience=patience,  # type: ignore[arg-type]
    )


def test_an_accepted_request_says_what_was_done_and_was_written_with_who_when_and_why() -> None:
    cluster = FakeCluster("Accepted")

    words = asked(cluster, patience())

    assert words == "request to pause r-4 accepted: held at 25 %"
    written = json.loads(cluster.written["fairlead.dev/pause"])
    assert (written["by"], written["why"]) == ("ada", "lunch")
    assert datetime.fromisoformat(written["at"]).tzinfo is not None


def test_a_refused_request_is_an_error_with_the_operators_reason() -> None:
    with pytest.raises(RefusedError, match="request to pause r-4 refused: held at 25 %") as refused:
        asked(FakeCluster("Refused"), patience())

    assert refused.value.exit_code == 1


def test_a_request_without_an_answer_says_that_it_stays_and_how_the_rollout_stands() -> None:
    with pytest.raises(UnansweredError, match="within 10 s; the request stays") as unanswered:
        asked(FakeCluster(None), patience())

    assert unanswered.value.exit_code == 4
    assert str(unanswered.value).endswith("; r-4 says: step 1 of 2 is held")


def test_without_patience_nobody_waits() -> None:
    assert (
        asked(FakeCluster(None), None)
        == "request to pause r-4 sent; see the answer with fairlead status"
    )


@pytest.mark.parametrize(
    ("entries", "is_answered"),
    [
        pytest.param([("pause", "this")], True, id="the same action and text"),
        pytest.param([("pause", "before"), ("pause", "this")], True, id="after an older one"),
        pytest.param([("pause", "before")], False, id="the same action at another time"),
        pytest.param([("abort", "this")], False, id="another action with the same text"),
        pytest.param([], False, id="nothing answered yet"),
    ],
)
def test_find_answer(entries: list[tuple[str, str]], is_answered: bool) -> None:
    answers = [{"action": action, "text": text} for action, text in entries]

    answer = find_answer({"status": {"requests": answers}}, Action.PAUSE, "this")

    assert answer == ({"action": "pause", "text": "this"} if is_answered else None)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(None, id="the object is gone"),
        pytest.param({}, id="no status"),
        pytest.param({"status": {"requests": None}}, id="no requests"),
    ],
)
def test_without_requests_there_is_no_answer(body: dict[str, Any] | None) -> None:
    assert find_answer(body, Action.PAUSE, "this") is None


MADE = {"metadata": {"name": "r-9"}, "spec": {"version": "1.0.0"}}
FOUND = {"phase": "Pending", "candidate": {"version": "1.0.0"}}
NOT_FOUND = {"phase": "RolledBack", "reason": "VersionNotFound", "message": "MLflow has none"}


class Registering(FakeCluster):
    """A cluster whose operator says this of a Rollout, one status a look, the last for ever."""

    def __init__(self, *statuses: dict[str, Any] | BaseException) -> None:
        super().__init__(None)
        self.statuses = list(statuses)

    def rollout(self, name: str) -> dict[str, Any]:
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        if isinstance(status, BaseException):
            raise status
        return {"status": status}


def confirmed(cluster: Registering) -> None:
    confirm(cluster, MADE, patience=patience())  # type: ignore[arg-type]


@pytest.mark.parametrize("later", [FOUND, FOUND | {"phase": "Guarding"}, FOUND | NOT_FOUND])
def test_a_rollout_whose_version_is_found_stands(later: dict[str, Any]) -> None:
    cluster = Registering({}, {"phase": "Pending"}, later)

    confirmed(cluster)

    assert cluster.written == {}


def test_a_rollout_whose_version_is_not_found_is_an_error_with_the_operators_reason() -> None:
    words = "r-9 ended at once, and nothing else was done (VersionNotFound: MLflow has none)"
    with pytest.raises(RefusedError) as refused:
        confirmed(Registering({}, NOT_FOUND))

    assert (str(refused.value), refused.value.exit_code) == (words, 1)


@pytest.mark.parametrize(
    ("says", "error"),
    [
        pytest.param({"phase": "Pending"}, UnansweredError, id="nobody looks it up in time"),
        pytest.param(CommandError("no answer"), CommandError, id="the cluster does not answer"),
        pytest.param(KeyboardInterrupt(), KeyboardInterrupt, id="a person gives up"),
    ],
)
def test_a_rollout_that_nobody_could_confirm_is_withdrawn(
    says: dict[str, Any] | BaseException, error: type[BaseException]
) -> None:
    cluster = Registering(says)
    with pytest.raises(error):
        confirmed(cluster)

    assert "its version was not found" in cluster.written["fairlead.dev/abort"]
