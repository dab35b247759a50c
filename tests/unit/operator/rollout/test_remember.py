"""What goes into the record, and what becomes of a report when it does not."""

from datetime import timedelta
from typing import Any

import pytest

from fairlead_operator.api.rollout import RolloutStatus
from fairlead_operator.report import Report
from fairlead_operator.rollout.remember import remember
from support.builders import plain_rollout
from support.fake_record import FakeRecord
from support.fakes import Clock

AT = "2026-01-01T00:00:00.000Z"
LIVE = {"phase": "Progressing", "startedAt": AT, "liveSince": AT}
ENDED = LIVE | {"phase": "Succeeded", "finishedAt": AT}
WAITING = {"phase": "Pending", "startedAt": AT}


@pytest.fixture
def record() -> FakeRecord:
    return FakeRecord(Clock())


async def told(
    record: FakeRecord, status: dict[str, Any], look_again: timedelta | None = None
) -> Report:
    body = plain_rollout() | {"spec": {"model": "nsw-price", "version": "1.1.0"}}
    report = Report(status={"phase": status["phase"]}, look_again=look_again)
    return await remember(body, RolloutStatus.model_validate(status), report, record)


@pytest.mark.parametrize(
    ("status", "transition"),
    [
        pytest.param(LIVE, "Started", id="its first traffic"),
        pytest.param(LIVE | {"recorded": "Started"}, None, id="that is recorded"),
        pytest.param(ENDED | {"recorded": "Started"}, "Promoted", id="its end"),
        pytest.param(ENDED, "Promoted", id="its end, when the start was missed"),
        pytest.param(WAITING, None, id="nothing before there is traffic"),
    ],
)
async def test_what_is_due_is_written_and_noted(
    record: FakeRecord, status: dict[str, Any], transition: str | None
) -> None:
    report = await told(record, status)

    written = [entry.transition for entry in await record.history("energy", "nsw-price", 10)]
    assert written == [transition] * (transition is not None)
    assert report.status.get("recorded") == transition
    assert report.status["phase"] == status["phase"], "and the rest of the status stays"


@pytest.mark.parametrize(
    ("look_again", "soonest"),
    [
        pytest.param(None, timedelta(seconds=30), id="a Rollout that has ended is looked at again"),
        pytest.param(timedelta(hours=1), timedelta(seconds=30), id="sooner than it would be"),
        pytest.param(timedelta(seconds=10), timedelta(seconds=10), id="no later than it would be"),
    ],
)
async def test_with_the_database_away_the_entry_stays_due(
    record: FakeRecord, look_again: timedelta | None, soonest: timedelta
) -> None:
    record.down = True

    report = await told(record, ENDED, look_again)

    assert "recorded" not in report.status
    assert report.look_again == soonest


async def test_a_written_entry_asks_for_no_other_look(record: FakeRecord) -> None:
    assert (await told(record, ENDED)).look_again is None
