"""Run a program to its end and keep what it says."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from cluster.errors import ClusterError


class Run(Protocol):
    """``run`` below, or a fake of it."""

    def __call__(
        self,
        argv: Sequence[str | Path],
        *,
        stdin: str | None = None,
        check: bool = True,
        timeout: float | None = None,
        env: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]: ...


def run(
    argv: Sequence[str | Path],
    *,
    stdin: str | None = None,
    check: bool = True,
    timeout: float | None = None,
    env: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a command with its output captured.

    Raises:
        ClusterError: it is not installed, took too long, or failed while ``check`` is set.
    """
    words = [str(word) for word in argv]
    name = Path(words[0]).name
    try:
        done = subprocess.run(
            words,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            env=env,
            check=False,
        )
    except FileNotFoundError as error:
        raise ClusterError(
            f"{name} is not installed: there is no {words[0]}; install it"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise ClusterError(
            f"{name} did not end within {timeout:.0f} s: {' '.join(words)}"
        ) from error
    if check and done.returncode != 0:
        raise ClusterError(f"{_in_short(words)}: {_complaint(done)}")
    return done


def _in_short(words: Sequence[str]) -> str:
    shown = " ".join([Path(words[0]).name, *words[1:]])
    return shown if len(shown) <= 120 else f"{shown[:117]}..."


def _complaint(done: subprocess.CompletedProcess[str]) -> str:
    lines = (done.stderr or done.stdout or "").strip().splitlines()
    return lines[-1] if lines else f"exit code {done.returncode}"
