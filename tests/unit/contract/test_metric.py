"""A metric of a quantile says which one, in its name."""

import pytest

from fairlead_contract.metric import name_pinball, read_quantile


@pytest.mark.parametrize(
    ("quantile", "name"),
    [(0.9, "pinball_0.9"), (0.5, "pinball_0.5"), (0.025, "pinball_0.025"), (0.99, "pinball_0.99")],
)
def test_what_is_written_is_read(quantile: float, name: str) -> None:
    assert name_pinball(quantile) == name
    assert read_quantile(name) == quantile


@pytest.mark.parametrize(
    "name", ["rmse", "pinball", "pinball_", "pinball_0", "pinball_1", "pinball_nan", "pinball_x"]
)
def test_any_other_metric_is_of_no_quantile(name: str) -> None:
    assert read_quantile(name) is None
