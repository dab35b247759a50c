"""Run host commands: output goes to a log as it comes, a failure is told in one line."""

import dataclasses
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

_TAIL_LINES = 4
_LONGEST_QUOTE = 240


class BuildError(Exception):
    """An image could not be built; the message is one line for a person."""


class Runner(Protocol):
    """What building needs from the host; tests pass a recorder instead."""

    def run(self, argv: Sequence[str], *, env: Mapping[str, str] | None = None) -> None: ...

    def read(self, argv: Sequence[str]) -> str: ...


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class HostRunner:
    """Runs commands on this machine."""

    log: Path  # appended to, so that a long build can be followed while it runs

    def run(self, argv: Sequence[str], *, env: Mapping[str, str] | None = None) -> None:
        """Run to the end.  `env` replaces the environment; `None` inherits it."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as sink:
            sink.write(f"$ {shlex.join(argv)}\n".encode())
            sink.flush()
            started = sink.tell()
            try:
                done = subprocess.run(
                    list(argv), stdout=sink, stderr=subprocess.STDOUT, env=env, check=False
                )
            except FileNotFoundError as missing:
                raise BuildError(f"{argv[0]}: command not found") from missing
        if done.returncode != 0:
            output = self.log.read_bytes()[started:].decode(errors="replace")
            raise BuildError(_explain(argv, done.returncode, output, self.log))

    def read(self, argv: Sequence[str]) -> str:
        """Run to the end and return what it printed."""
        try:
            done = subprocess.run(list(argv), capture_output=True, text=True, check=False)
        except FileNotFoundError as missing:
            raise BuildError(f"{argv[0]}: command not found") from missing
        if done.returncode != 0:
            raise BuildError(_explain(argv, done.returncode, done.stderr, None))
        return done.stdout


def _explain(argv: Sequence[str], code: int, output: str, log: Path | None) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    tail = " | ".join(_shorten(line) for line in lines[-_TAIL_LINES:]) or "no output"
    where = f" (all of it in {log})" if log else ""
    return f"`{_shorten(shlex.join(argv))}` exited with {code}: {tail}{where}"


def _shorten(text: str) -> str:
    """Keep both ends: the command is at the start, what it was about at the end."""
    if len(text) <= _LONGEST_QUOTE:
        return text
    half = _LONGEST_QUOTE // 2
    return f"{text[:half]} … {text[-half:]}"
