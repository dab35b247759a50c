"""The one exception of this package."""


class StoryError(Exception):
    """The story went another way: the message says what was expected and what was seen."""


def expect(holds: bool, expected: str, seen: object) -> None:
    """Go on only if it holds.

    Raises:
        StoryError: it does not.
    """
    if not holds:
        raise StoryError(f"expected {expected}, but got: {seen}")
