"""Look again and again until something is so, and tell each change on the way."""

import time
from collections.abc import Callable
from typing import TypeVar

from e2e.story.errors import StoryError

T = TypeVar("T")

_PAUSE = 0.4
_HEARTBEAT = 8.0  # a line at least this often, so that nobody thinks it hangs


def wait_for(
    expected: str,
    look: Callable[[], T],
    done: Callable[[T], bool],
    *,
    describe: Callable[[T], str],
    say: Callable[[str], None],
    timeout: float,
    aside: Callable[[], str] = str,
    pause: float = _PAUSE,
) -> T:
    """Return the first look that is ``done``.

    Args:
        expected: what is waited for, for the error.
        describe: a line for each look; it is said when it differs from the last.
        aside: said behind the line, but no reason to say it again.
        pause: seconds between two looks.

    Raises:
        StoryError: it did not come true in time.
    """
    begin = time.monotonic()
    told, told_at = "", begin
    while True:
        seen = look()
        line, now = describe(seen), time.monotonic()
        if line and (line != told or now - told_at > _HEARTBEAT):
            say(f"{line}{aside()}")
            told, told_at = line, now
        if done(seen):
            return seen
        if now - begin > timeout:
            raise StoryError(f"waited {timeout:.0f} s for {expected}, but got: {line or seen}")
        time.sleep(pause)
