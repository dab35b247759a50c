"""The profile of a version's rows: what is written is read again, and anything else is refused."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_contract.graph import ColumnType
from fairlead_contract.profile import (
    Column,
    InvalidProfileError,
    Profile,
    Spread,
    Values,
    read_profile,
    write_profile,
)

SPREAD = Spread(
    missing=1, low=0.0, high=9.0, mean=4.5, deviation=2.5, edges=(3.0, 6.0), counts=(3, 3, 4)
)
VALUES = Values(missing=2, counts={"yes": 5, "no": 3}, others=1, different=3)
PROFILE = Profile(
    rows=11,
    columns={
        "demand": Column(type=ColumnType.NUMBER, seen=SPREAD),
        "plan": Column(type=ColumnType.CATEGORY, seen=VALUES),
        "empty": Column(type=ColumnType.NUMBER, seen=Spread(missing=11)),
    },
    target=VALUES,
    answered=4,
    answers=SPREAD,
)


def document(**changes: Any) -> str:
    return json.dumps({**json.loads(write_profile(PROFILE)), **changes})


def test_what_is_written_is_read_again() -> None:
    assert read_profile(write_profile(PROFILE)) == PROFILE


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("", "no profile", id="empty"),
        pytest.param("[]", "no profile", id="a list"),
        pytest.param("{}", "no profile", id="nothing in it"),
        pytest.param(document(format=2), "this release reads 1", id="of a later release"),
        pytest.param(document(rows=None), "no profile", id="no rows"),
        pytest.param(document(columns={"a": {"type": "shape"}}), "no profile", id="no such type"),
        pytest.param(
            document(answers={"missing": 0, "edges": [2, 1], "counts": [1, 1, 1]}),
            "bins",
            id="edges that do not ascend",
        ),
        pytest.param(
            document(answers={"missing": 0, "edges": [1], "counts": [1]}),
            "bins",
            id="a bin too few",
        ),
    ],
)
def test_anything_else_is_refused(text: str, said: str) -> None:
    with pytest.raises(InvalidProfileError, match=said):
        read_profile(text)


@pytest.mark.parametrize(
    ("value", "place"),
    [(None, None), (math.nan, None), (-1.0, 0), (3.0, 1), (5.9, 1), (6.0, 2), (math.inf, 2)],
)
def test_a_number_has_a_bin(value: float | None, place: int | None) -> None:
    assert SPREAD.place(value) == place


@pytest.mark.parametrize(
    ("value", "place"), [(None, None), ("", None), ("yes", "yes"), ("perhaps", "")]
)
def test_a_category_has_a_place(value: str | None, place: str | None) -> None:
    assert VALUES.place(value) == place


@given(st.text())
def test_no_text_is_taken_for_a_profile_by_chance(text: str) -> None:
    with pytest.raises(InvalidProfileError):
        read_profile(text)
