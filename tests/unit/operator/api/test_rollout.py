"""What a Rollout's spec says of itself: its candidates, and whether it goes back."""

from typing import Any

import pytest

from fairlead_operator.api.rollout import RolloutSpec


def spec(**fields: Any) -> RolloutSpec:
    return RolloutSpec.model_validate({"model": "nsw-price", "version": "1.1.0"} | fields)


@pytest.mark.parametrize(
    ("fields", "versions"),
    [
        pytest.param({}, ("1.1.0",), id="one candidate"),
        pytest.param(
            {"alternatives": ["1.3.0", "1.2.0"]},
            ("1.1.0", "1.3.0", "1.2.0"),
            id="its own version first, the others as written",
        ),
    ],
)
def test_versions(fields: dict[str, Any], versions: tuple[str, ...]) -> None:
    assert spec(**fields).versions == versions


@pytest.mark.parametrize(
    ("trigger", "goes_back"),
    [
        ("trained", False),
        ("pinned", False),
        ("hand", False),
        ("restored", True),
        ("rollback", True),
    ],
)
def test_goes_back(trigger: str, goes_back: bool) -> None:
    assert spec(trigger=trigger).goes_back is goes_back
