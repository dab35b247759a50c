"""What an answer means; tests/integration/training downloads from a real server."""

import pytest

from fairlead_training.failure import Reason
from fairlead_training.sources.http import explain_answer


@pytest.mark.parametrize(
    ("status", "reason", "field"),
    [
        pytest.param(401, Reason.CREDENTIALS_REFUSED, "credentials", id="no or wrong password"),
        pytest.param(403, Reason.CREDENTIALS_REFUSED, "credentials", id="not for this user"),
        pytest.param(404, Reason.DATA_SOURCE_UNAVAILABLE, "uri", id="not there"),
        pytest.param(503, Reason.DATA_SOURCE_UNAVAILABLE, "uri", id="in trouble"),
    ],
)
def test_an_answer_is_judged_by_its_status(status: int, reason: Reason, field: str) -> None:
    failure = explain_answer(status, "https://h/d.csv")

    assert failure.reason is reason
    assert f"https://h/d.csv answered {status}" in failure.message
    assert f"spec.data.source.{field}" in failure.message
