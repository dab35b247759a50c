"""The command's output: in color on a terminal, in plain lines to a pipe."""

import time
from collections.abc import Callable, Iterator
from typing import Final

from rich.console import Console, RenderableType
from rich.live import Live

Frame = Callable[[int], RenderableType]  # from the width in columns

_EVERY: Final = 1.0  # seconds between two frames
_WIDE: Final = 1000  # columns of a pipe: what is searched or kept is neither cut nor folded


def console() -> Console:
    """Build a console for standard output that never takes people's text for markup."""
    return Console(markup=False, highlight=False, emoji=False)


def show(frame: Frame) -> None:
    """Write one frame."""
    out = console()
    if out.is_terminal:
        out.print(frame(out.width))
    else:
        out.file.write(_plain(frame))


def follow(frames: Iterator[Frame], *, sleep: Callable[[float], None] = time.sleep) -> None:
    """Write frames as they come: in place on a terminal, one below the other elsewhere.

    Without a terminal a frame is written when it differs from the one before.
    """
    out = console()
    if not out.is_terminal:
        before = ""
        for frame in frames:
            text = _plain(frame)
            if text != before:
                out.file.write(f"{text}\n")
                out.file.flush()
            before = text
            sleep(_EVERY)
        return
    with Live(console=out, auto_refresh=False, vertical_overflow="crop") as live:
        for frame in frames:
            live.update(frame(out.width), refresh=True)
            sleep(_EVERY)


def _plain(frame: Frame) -> str:
    """Render lines without color, and without the spaces that tables end in."""
    quiet = Console(width=_WIDE, markup=False, highlight=False, emoji=False, color_system=None)
    with quiet.capture() as captured:
        quiet.print(frame(_WIDE))
    return "".join(f"{line.rstrip()}\n" for line in captured.get().splitlines())
