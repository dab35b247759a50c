"""Waits grow, begin anew, and are never shorter than the other side asks for."""

import pytest

from fairlead_serving.gateway.cluster.backoff import Backoff


def test_waits_double_up_to_the_most_and_begin_anew() -> None:
    backoff = Backoff(first=1.0, most=4.0)

    waits = [backoff.next_delay() for _ in range(5)]
    backoff.reset()
    anew = backoff.next_delay()

    for wait, most in zip(waits, (1, 2, 4, 4, 4), strict=True):
        assert most / 2 <= wait <= most
    assert anew <= 1.0


@pytest.mark.parametrize(
    ("asked", "least", "most"),
    [
        pytest.param(None, 0.5, 1.0, id="nothing asked: our own wait"),
        pytest.param(0.1, 0.5, 1.0, id="less than ours: our own wait"),
        pytest.param(7.0, 7.0, 7.0, id="more than ours: what was asked for"),
    ],
)
def test_a_wait_is_as_long_as_the_other_side_asks(
    asked: float | None, least: float, most: float
) -> None:
    assert least <= Backoff(first=1.0, most=4.0).next_delay(at_least=asked) <= most
