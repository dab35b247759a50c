"""Start, watch and end daemons.

Two ways: ``Detached`` ones live on when the command ends and are found again by their pid
files; ``Bound`` ones die with the process that started them, even when that is killed.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from cluster import process
from cluster.errors import ClusterError
from cluster.files import write_atomically
from cluster.launch import clean_environment
from cluster.layout import PACKAGE


class Daemons(Protocol):
    """A group of daemons that are started and ended together."""

    def start(self, name: str, argv: Sequence[str]) -> bool:
        """Run the daemon unless it runs; say whether it was started now."""

    def is_running(self, name: str) -> bool: ...

    def log(self, name: str) -> Path: ...

    def stop(self, name: str) -> None:
        """End the daemon; an absent one is fine."""


class Detached:
    """Daemons in sessions of their own, each with a pid file, and a log."""

    def __init__(self, *, run: Path, log: Path, cgroups: Sequence[Path] = ()) -> None:
        self._run = run
        self._log = log
        self._cgroups = cgroups  # one in each hierarchy

    def start(self, name: str, argv: Sequence[str]) -> bool:
        if self.is_running(name):
            return False
        self._run.mkdir(parents=True, exist_ok=True)
        self._log.mkdir(parents=True, exist_ok=True)
        options = [f"--cgroup={cgroup}" for cgroup in self._cgroups]
        launcher = [sys.executable, "-S", "-m", "cluster.launch", str(self.pid_file(name))]
        with self.log(name).open("a") as output:
            done = subprocess.run(
                [*launcher, *options, "--", *argv],
                env={**os.environ, "PYTHONPATH": str(PACKAGE.parent)},
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                check=False,
            )
        if done.returncode != 0:
            raise ClusterError(f"could not start {name}; see {self.log(name)}")
        return True

    def pid_file(self, name: str) -> Path:
        return self._run / f"{name}.pid"

    def log(self, name: str) -> Path:
        return self._log / f"{name}.log"

    def process(self, name: str) -> process.ProcessId | None:
        return process.running(self.pid_file(name))

    def is_running(self, name: str) -> bool:
        return self.process(name) is not None

    def names(self) -> list[str]:
        """Return all daemons that have a pid file, running or not."""
        return sorted(path.stem for path in self._run.glob("*.pid"))

    def stop(self, name: str) -> None:
        process.stop(self.pid_file(name))

    def note(self, name: str, content: str) -> None:
        """Remember something about a daemon, for whoever finds it running later."""
        write_atomically(self._run / f"{name}.note", content)

    def noted(self, name: str) -> str | None:
        path = self._run / f"{name}.note"
        return path.read_text() if path.exists() else None


class Bound:
    """Daemons that the kernel ends when the thread that started them does."""

    def __init__(self, *, log: Path) -> None:
        self._log = log
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, argv: Sequence[str]) -> bool:
        if self.is_running(name):
            return False
        self._log.mkdir(parents=True, exist_ok=True)
        with self.log(name).open("ab") as output:
            self._processes[name] = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", *argv],
                env=clean_environment(),
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # a Ctrl-C is for the tests; they stop us in order
            )
        return True

    def log(self, name: str) -> Path:
        return self._log / f"{name}.log"

    def is_running(self, name: str) -> bool:
        started = self._processes.get(name)
        return started is not None and started.poll() is None

    def stop(self, name: str) -> None:
        started = self._processes.pop(name, None)
        if started is None:
            return
        started.kill()  # nothing is asked: what they store is thrown away
        started.wait()
