"""What is worked out once, and how long that is remembered."""

from fairlead_serving.gateway.xds.memo import Memo


def test_only_what_is_new_is_worked_out() -> None:
    asked: list[int] = []
    memo = Memo[int, str](lambda number: asked.append(number) or str(number))

    assert memo.map([1, 2]) == ["1", "2"]
    assert memo.map([3, 2]) == ["3", "2"]

    assert asked == [1, 2, 3]


def test_what_was_not_asked_for_again_is_forgotten() -> None:
    asked: list[int] = []
    memo = Memo[int, str](lambda number: asked.append(number) or str(number))

    memo.map([1])
    memo.map([])
    memo.map([1])

    assert asked == [1, 1]
