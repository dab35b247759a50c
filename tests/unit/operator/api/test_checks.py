"""What a check says of itself: how far back it looks, and whom it asks."""

from datetime import timedelta
from typing import Any

import pytest

from fairlead_operator.api.checks import Check


def check(**fields: Any) -> Check:
    return Check.model_validate({"name": "c", "atMost": 1} | fields)


@pytest.mark.parametrize(
    ("fields", "seconds"),
    [
        pytest.param({}, 30, id="half a minute unless it is said"),
        pytest.param({"window": "5m"}, 300, id="as it is said"),
    ],
)
def test_look_back(fields: dict[str, Any], seconds: int) -> None:
    assert check(query="up", **fields).look_back == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("fields", "is_recorded"),
    [
        pytest.param({"query": "up"}, False, id="a query asks Prometheus"),
        pytest.param({"builtin": "success-rate"}, False, id="answers are counted in Prometheus"),
        pytest.param({"builtin": "live-accuracy"}, True, id="labels are in the record"),
    ],
)
def test_is_recorded(fields: dict[str, Any], is_recorded: bool) -> None:
    assert check(**fields).is_recorded is is_recorded
