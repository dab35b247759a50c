"""Start a daemon that outlives its starter: ``python -m cluster.launch PID_FILE [option] -- ARGV``.

The daemon waits until its pid file is written and runs only then.  If the launcher is killed in
between, the daemon sees its pipe close and ends: nothing ever runs that no file knows of.
"""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from cluster.packages import SYSTEM_PATH
from cluster.process import identify, write_pid_file


def main(arguments: Sequence[str]) -> int:
    options, argv = _parse(arguments)
    go_ahead, gate = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(gate)
        _become(argv, go_ahead, options.cgroup)
    os.close(go_ahead)
    process = identify(child)
    if process is None:
        return 1
    write_pid_file(options.pid_file, process)
    os.write(gate, b"go")
    return 0


def _parse(arguments: Sequence[str]) -> tuple[argparse.Namespace, Sequence[str]]:
    parser = argparse.ArgumentParser()
    parser.add_argument("pid_file", type=Path)
    parser.add_argument("--cgroup", type=Path, action="append", default=[])
    cut = list(arguments).index("--")
    return parser.parse_args(arguments[:cut]), arguments[cut + 1 :]


def _become(argv: Sequence[str], go_ahead: int, cgroups: Sequence[Path]) -> None:
    """Turn this process into the daemon; never return."""
    os.setsid()
    try:
        if not os.read(go_ahead, 2):
            os._exit(1)
        for cgroup in cgroups:
            (cgroup / "cgroup.procs").write_text("0")  # zero is the writer
        os.execvpe(argv[0], list(argv), clean_environment())
    except OSError as error:
        sys.stderr.write(f"{argv[0]}: {error}\n")
        sys.stderr.flush()
    os._exit(127)


def clean_environment() -> Mapping[str, str]:
    """Return a daemon's environment: no proxy, no ``ETCD_…``, nothing of the caller's shell."""
    return {
        "PATH": SYSTEM_PATH,
        "HOME": os.environ.get("HOME", "/root"),
        "LANG": "C.UTF-8",
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
