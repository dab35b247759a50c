"""A command runner that runs nothing: it answers from a table and remembers what was asked."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from cluster.errors import ClusterError


class FakeRun:
    """Answers a command by the longest known beginning of it; unknown ones succeed silently."""

    def __init__(self, answers: Mapping[str, str | None] | None = None) -> None:
        self._answers = dict(answers or {})  # None: the command fails
        self.asked: list[str] = []

    def __call__(
        self,
        argv: Sequence[str | Path],
        *,
        stdin: str | None = None,
        check: bool = True,
        timeout: float | None = None,
        env: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        words = [str(word) for word in argv]
        line = " ".join([Path(words[0]).name, *words[1:]])
        self.asked.append(line)
        known = [beginning for beginning in self._answers if line.startswith(beginning)]
        answer = self._answers[max(known, key=len)] if known else ""
        if answer is None and check:
            raise ClusterError(f"{line}: failed")
        return subprocess.CompletedProcess(words, int(answer is None), answer or "", "")
