"""The machine a benchmark ran on, and how busy it was with other things."""

import os
import platform
from pathlib import Path

_MIB_PER_GIB = 1024


def describe_machine() -> str:
    """Cores, processor, memory, kernel and Python in one line."""
    model = _field(Path("/proc/cpuinfo"), "model name")
    memory = round(int(_field(Path("/proc/meminfo"), "MemTotal").split()[0]) / _MIB_PER_GIB**2)
    return (
        f"{os.cpu_count()} cores of {model}, {memory} GiB, Linux {platform.release()}, "
        f"Python {platform.python_version()}"
    )


def load_average() -> float:
    """Of the last minute."""
    return round(os.getloadavg()[0], 1)


def resident_mebibytes(pid: int) -> float:
    """What a process holds in memory, the pages of its files included."""
    resident = _field(Path(f"/proc/{pid}/status"), "VmRSS")
    return round(int(resident.split()[0]) / 1024, 1)


def processor_seconds(pid: int) -> float:
    """How long a process has kept a processor busy so far, in all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _field(file: Path, name: str) -> str:
    for line in file.read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return "unknown"
