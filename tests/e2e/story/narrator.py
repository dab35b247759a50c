"""What the person before the terminal reads: lines behind the seconds since the beginning."""

import sys
import time
from collections.abc import Callable
from typing import TextIO


class Narrator:
    """Prints lines; a line that only repeats the last one is left out."""

    def __init__(
        self, out: TextIO = sys.stdout, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._out = out
        self._clock = clock
        self._begin = clock()

    def __call__(self, line: str) -> None:
        """Print one line."""
        self._write(f"{self.seconds:6.1f}s  {line}")

    def chapter(self, title: str) -> None:
        """Print a heading."""
        self._write(f"\n{self.seconds:6.1f}s  == {title}")

    def command(self, line: str) -> None:
        """Print what a person would type."""
        self._write(f"{self.seconds:6.1f}s  $ {line}")

    def block(self, text: str) -> None:
        """Print several lines as they are."""
        self._write(text.rstrip("\n"))

    @property
    def seconds(self) -> float:
        """Return the seconds since the beginning."""
        return self._clock() - self._begin

    def _write(self, text: str) -> None:
        self._out.write(text + "\n")
        self._out.flush()
