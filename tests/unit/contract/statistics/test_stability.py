"""The stability index: nothing of equal distributions, much of different ones."""

import pytest

from fairlead_contract.statistics.stability import stability_index


@pytest.mark.parametrize(
    ("candidate", "stable", "expected"),
    [
        pytest.param((500, 500), (500, 500), 0, id="the same"),
        pytest.param((510, 490), (500, 500), 0, id="no more than chance gives"),
        pytest.param((9000, 1000), (5000, 5000), 0.8787, id="another distribution"),
        pytest.param((1000, 0), (500, 500), 3.795, id="a bin that one never uses"),
        pytest.param((), (), None, id="nothing"),
        pytest.param((10,), (0,), None, id="one has no predictions"),
    ],
)
def test_stability_index(
    candidate: tuple[int, ...], stable: tuple[int, ...], expected: float | None
) -> None:
    assert stability_index(candidate, stable) == pytest.approx(expected, abs=0.01)
