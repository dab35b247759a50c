"""Pid files that cannot be mistaken.

A number alone may belong to somebody else after a reboot or a long day.  The file therefore
also holds when the process started and in which boot; only a process that matches all three
is ours to watch or to end.
"""

import json
import os
import signal
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from cluster.files import write_atomically

PROC = Path("/proc")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessId:
    pid: int
    started: int  # clock ticks since boot
    boot: str


def boot_id(proc: Path = PROC) -> str:
    return (proc / "sys/kernel/random/boot_id").read_text().strip()


def identify(pid: int, proc: Path = PROC) -> ProcessId | None:
    """Describe a running process; a zombie has ended, so it counts as none."""
    try:
        stat = (proc / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rpartition(")")[2].split()  # the name before it may hold anything
    state, started = fields[0], int(fields[19])
    if state in "ZX":
        return None
    return ProcessId(pid=pid, started=started, boot=boot_id(proc))


def write_pid_file(path: Path, process: ProcessId) -> None:
    write_atomically(path, json.dumps(asdict(process)))


def running(pid_file: Path, proc: Path = PROC) -> ProcessId | None:
    """Return the process the file means; None when it has ended or the file is stale or broken."""
    try:
        recorded = ProcessId(**json.loads(pid_file.read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None
    return recorded if identify(recorded.pid, proc) == recorded else None


def started_at(process: ProcessId) -> float:
    """Return when the process started, in seconds since the epoch."""
    ticks = os.sysconf("SC_CLK_TCK")
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + process.started / ticks


def stop(pid_file: Path, *, patience: float = 10.0) -> None:
    """End the process, asking first; return when it is gone."""
    for number, wait in ((signal.SIGTERM, patience), (signal.SIGKILL, 5.0)):
        process = running(pid_file)
        if process is None:
            break
        send(process.pid, number)
        _wait_for_end(pid_file, wait)
    pid_file.unlink(missing_ok=True)


def send(pid: int, number: signal.Signals) -> None:
    """Signal a process that may be gone by now."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _wait_for_end(pid_file: Path, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while running(pid_file) is not None and time.monotonic() < deadline:
        time.sleep(0.02)
