"""Say of a long step what it is for, how far it is, and about how long it takes.

Needs nothing but Python, since the first long step installs everything else.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

EVERY = 8.0  # seconds; nobody should look at a silent screen for ten
_LONGEST_QUOTE = 70


@contextmanager
def told(
    step: str,
    progress: Callable[[str], object],
    *,
    about: float,
    log: Path | None = None,
    every: float = EVERY,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[None]:
    """Announce a step, then say every few seconds how far it is, until it ends.

    Args:
        about: how many seconds it usually takes.
        log: where it writes; the last line of it is shown.
    """
    begin = clock()
    ended = threading.Event()

    def report() -> None:
        while not ended.wait(every):
            progress(describe(step, clock() - begin, about=about, last=_last_line(log)))

    progress(f"{step}; takes about {about:.0f} s")
    reporter = threading.Thread(target=report, name="pace", daemon=True)
    reporter.start()
    try:
        yield
    finally:
        ended.set()
        reporter.join()


def describe(step: str, passed: float, *, about: float, last: str = "") -> str:
    """Say how far a step is.  Pure."""
    how_far = f"{passed:.0f} s of about {about:.0f} s"
    if passed > about:
        how_far = f"{passed:.0f} s, usually {about:.0f} s"
    return f"{step}: {how_far}{f' ({last})' if last else ''}"


def _last_line(log: Path | None) -> str:
    if log is None or not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 4096))
        lines = file.read().decode(errors="replace").split("\n")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return last if len(last) <= _LONGEST_QUOTE else f"{last[:_LONGEST_QUOTE]}…"
