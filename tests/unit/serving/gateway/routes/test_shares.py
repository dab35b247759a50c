"""Whose users stay when weights change."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_serving.gateway.routes.route import TOTAL_WEIGHT
from fairlead_serving.gateway.routes.shares import lay_out


def places(weights: list[int]) -> list[int]:
    """The version at each place."""
    return [version for version, width in lay_out(weights) for _ in range(width)]


def users(weights: list[int], version: int) -> set[int]:
    return {place for place, owner in enumerate(places(weights)) if owner == version}


@pytest.mark.parametrize(
    ("weights", "pieces"),
    [
        pytest.param([100], [(0, 100)], id="one version"),
        pytest.param([10, 90], [(0, 10), (1, 90)], id="a candidate is first"),
        pytest.param([0, 100], [(1, 100)], id="no share, no piece"),
        pytest.param([100, 0], [(0, 100)], id="nothing left to fill"),
        pytest.param([20, 30, 50], [(0, 20), (2, 50), (1, 30)], id="two from both ends"),
        pytest.param([70, 30, 0], [(0, 70), (1, 30)], id="one in the home of the other"),
        pytest.param(
            [25, 25, 25, 25],
            [(0, 25), (3, 16), (1, 25), (2, 25), (3, 9)],
            id="three homes with gaps",
        ),
    ],
)
def test_shares_side_by_side(weights: list[int], pieces: list[tuple[int, int]]) -> None:
    assert lay_out(weights) == pieces


_splits = st.lists(st.integers(0, TOTAL_WEIGHT), max_size=7).map(
    lambda cuts: [
        after - before
        for before, after in zip([0, *sorted(cuts)], [*sorted(cuts), TOTAL_WEIGHT], strict=True)
    ]
)


@given(_splits)
def test_every_version_has_its_share(weights: list[int]) -> None:
    assert [len(users(weights, version)) for version in range(len(weights))] == weights


def _fitting(count: int) -> st.SearchStrategy[list[int]]:
    """Weights of so many candidates, each no more than its home, and the rest for the last."""
    most = TOTAL_WEIGHT // count
    shares = st.lists(st.integers(0, most), min_size=count, max_size=count)
    return shares.map(lambda found: [*found, TOTAL_WEIGHT - sum(found)])


_pairs = st.integers(1, 7).flatmap(lambda count: st.tuples(_fitting(count), _fitting(count)))
_two = st.lists(st.integers(0, TOTAL_WEIGHT), min_size=2, max_size=2).map(
    lambda cuts: [min(cuts), TOTAL_WEIGHT - max(cuts), max(cuts) - min(cuts)]
)


@given(_pairs | st.tuples(_two, _two))
def test_a_candidate_keeps_its_users_whatever_the_others_do(
    pair: tuple[list[int], list[int]],
) -> None:
    before, after = pair
    for version in range(len(before) - 1):
        kept, now = users(before, version), users(after, version)
        assert kept <= now or kept >= now
