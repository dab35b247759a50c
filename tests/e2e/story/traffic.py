"""The load generator's process, seen from the story: start, read, end."""

import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from e2e.story.answers import Answer, describe, parse_line
from e2e.story.errors import StoryError

_TESTS = Path(__file__).resolve().parents[2]
_END = 120.0  # seconds; longer than the slowest answer


class Traffic:
    """Requests at a fixed rate, each answer kept."""

    def __init__(self, folder: Path) -> None:
        self._out = folder / "answers.jsonl"
        self._log = folder / "load.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._answers: list[Answer] = []
        self._read = 0  # bytes of the file

    def start(
        self,
        *,
        url: str,
        host: str,
        rate: float,
        first: int,
        count: int,
        options: Sequence[str] = (),
    ) -> None:
        """Begin; the rows of the data set from ``first`` on are sent over and over.

        Args:
            options: further ones of ``e2e.story.load``.
        """
        self._out.parent.mkdir(parents=True, exist_ok=True)
        self._out.write_text("")
        values = {"url": url, "host": host, "rate": rate, "first": first, "count": count}
        argv = [sys.executable, "-m", "e2e.story.load", f"--out={self._out}", *options]
        argv += [f"--{name}={value}" for name, value in values.items()]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(argv, cwd=_TESTS, stdout=log, stderr=log)

    def mark(self, *, marked: bool) -> None:
        """Send marked rows from now on, or plain ones again; only once answers have come.

        Raises:
            StoryError: the generator does not run.
        """
        if self._process is None:
            raise StoryError("the load generator is not running")
        self._process.send_signal(signal.SIGUSR1 if marked else signal.SIGUSR2)

    def stop(self) -> Sequence[Answer]:
        """End it once all answers are in; return them."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(_END)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        return self._read_more()

    def answers(self) -> Sequence[Answer]:
        """Return everything answered so far.

        Raises:
            StoryError: the generator has ended by itself.
        """
        if self._process is not None and self._process.poll() is not None:
            raise StoryError(f"the load generator ended; see {self._log}")
        return self._read_more()

    def describe(self) -> str:
        """Describe the counters, for the end of another line."""
        return "" if self._process is None else f"   | {describe(self.answers())}"

    def _read_more(self) -> Sequence[Answer]:
        if not self._out.exists():
            return self._answers
        with self._out.open("rb") as file:
            file.seek(self._read)
            fresh = file.read()
        whole = fresh[: fresh.rfind(b"\n") + 1]  # the last line may still be in the writing
        self._read += len(whole)
        self._answers += [parse_line(line) for line in whole.decode().splitlines()]
        return self._answers
