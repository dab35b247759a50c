"""When a password gives way to another, and whose turn it is."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_operator.renewal import SPREAD, Step, Turns, decide, read_moment

NOW = datetime(2026, 6, 1, tzinfo=UTC)
AGE, DAY = timedelta(days=30), timedelta(days=1)
MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("made", "told", "age", "has_turn", "step"),
    [
        pytest.param(None, None, AGE, True, Step.COUNT, id="of an earlier release"),
        pytest.param(None, None, None, True, Step.COUNT, id="its age is shown, renewed or not"),
        pytest.param(NOW + DAY, None, AGE, True, Step.COUNT, id="made in the future"),
        pytest.param(NOW + MINUTE, None, AGE, True, Step.STAY, id="another operator's clock"),
        pytest.param(NOW - AGE + MINUTE, None, AGE, True, Step.STAY, id="younger"),
        pytest.param(NOW - AGE, None, AGE, True, Step.TELL, id="as old"),
        pytest.param(NOW - AGE, None, AGE, False, Step.STAY, id="as old, another is at it"),
        pytest.param(NOW - 9 * AGE, None, None, True, Step.STAY, id="any age"),
        pytest.param(NOW - AGE, NOW, AGE, False, Step.WAIT, id="just told"),
        pytest.param(NOW - AGE, NOW - SPREAD + MINUTE, AGE, False, Step.WAIT, id="not for long"),
        pytest.param(NOW - AGE, NOW - SPREAD, AGE, False, Step.TAKE, id="told for long enough"),
        pytest.param(NOW - AGE, NOW - SPREAD, None, False, Step.TAKE, id="begun is ended"),
        pytest.param(None, NOW - SPREAD, AGE, False, Step.TAKE, id="since when is gone"),
        pytest.param(NOW - AGE, NOW + DAY, AGE, False, Step.TELL, id="told in the future"),
    ],
)
def test_each_look_takes_one_step(
    made: datetime | None,
    told: datetime | None,
    age: timedelta | None,
    *,
    has_turn: bool,
    step: Step,
) -> None:
    assert decide(made, told, now=NOW, age=age, has_turn=has_turn) is step


_moments = st.none() | st.timedeltas(-3 * AGE, 3 * AGE).map(lambda away: NOW + away)


@given(_moments, _moments, st.none() | st.just(AGE), st.booleans())
def test_no_password_ends_that_pods_have_not_had_the_next_one_beside(
    made: datetime | None, told: datetime | None, age: timedelta | None, has_turn: bool
) -> None:
    step = decide(made, told, now=NOW, age=age, has_turn=has_turn)

    if step is Step.TAKE:
        assert told is not None
        assert NOW - told >= SPREAD
    if step is Step.TELL and told is None:
        assert has_turn
        assert age is not None
        assert made is not None
        assert NOW - made >= age


def test_one_namespace_after_the_other() -> None:
    turns = Turns()
    free = [turns.is_free("energy", NOW)]
    later = NOW + SPREAD + MINUTE
    free.append(turns.is_free("energy", later))
    turns.take("energy", later, age=AGE)
    free += [turns.is_free("shop", later), turns.is_free("shop", later + SPREAD)]
    free.append(turns.is_free("shop", later + SPREAD + MINUTE))

    assert free == [False, True, False, False, True], "what an operator before began may go on"


def test_a_clock_that_was_set_back_keeps_nobody_waiting() -> None:
    turns = Turns()
    turns.take("energy", NOW + DAY, age=AGE)

    assert not turns.is_free("shop", NOW)
    assert turns.is_free("shop", NOW + SPREAD + MINUTE)


def test_nobody_has_two_turns_while_a_password_is_young() -> None:
    turns = Turns()
    turns.take("energy", NOW, age=AGE)
    later = NOW + AGE - MINUTE

    assert (turns.is_free("energy", later), turns.is_free("shop", later)) == (False, True)
    assert turns.is_free("energy", NOW + AGE)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        pytest.param(NOW.isoformat(), NOW, id="a moment"),
        pytest.param(None, None, id="none"),
        pytest.param("yesterday", None, id="a person's word"),
        pytest.param("2026-06-01", None, id="without a time zone"),
    ],
)
def test_what_stands_on_a_secret(text: str | None, moment: datetime | None) -> None:
    assert read_moment(text) == moment
