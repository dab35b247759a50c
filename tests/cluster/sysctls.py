"""Kernel settings the kubelet changes for the whole machine, and how they were before.

Network settings are not among them: those belong to the cluster's own namespace.
"""

import json
from pathlib import Path

from cluster.files import write_atomically

_CHANGED_BY_KUBELET = (
    "kernel/keys/root_maxbytes",
    "kernel/keys/root_maxkeys",
    "kernel/panic",
    "kernel/panic_on_oops",
    "vm/overcommit_memory",
    "vm/panic_on_oom",
)
_ROOT = Path("/proc/sys")


def remember(record: Path, root: Path = _ROOT) -> None:
    """Write down the settings, once: a second look would see the kubelet's values."""
    if record.exists():
        return
    values = {name: _read(root / name) for name in _CHANGED_BY_KUBELET if (root / name).exists()}
    write_atomically(record, json.dumps(values, indent=2))


def restore(record: Path, root: Path = _ROOT) -> None:
    """Put back what was remembered; without a record nothing was changed."""
    if not record.exists():
        return
    for name, value in json.loads(record.read_text()).items():
        if _read(root / name) != value:
            (root / name).write_text(value)
    record.unlink()


def _read(path: Path) -> str:
    return path.read_text().strip()
