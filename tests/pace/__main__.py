"""`python3 -m pace --about SECONDS --log FILE STEP COMMAND…` runs a command and tells its pace."""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from pace import told

_TAIL_LINES = 15


def main(argv: Sequence[str]) -> int:
    """Run the command; return its exit code, and show the end of its output if it failed."""
    parser = argparse.ArgumentParser(prog="python3 -m pace")
    parser.add_argument("--about", type=float, required=True, help="seconds it usually takes")
    parser.add_argument("--log", type=Path, required=True, help="file for its output")
    parser.add_argument("step", help="what is done, and what for")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args(argv)
    options.log.parent.mkdir(parents=True, exist_ok=True)
    # The command is another program: what this one is found by is not its business.
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    begin = time.monotonic()

    def say(line: str) -> None:
        print(f"{time.monotonic() - begin:6.1f}s  {line}", flush=True)

    with (
        options.log.open("w") as sink,
        told(options.step, say, about=options.about, log=options.log),
    ):
        done = subprocess.run(options.command, stdout=sink, stderr=sink, env=env, check=False)
    if done.returncode != 0:
        tail = options.log.read_text(errors="replace").splitlines()[-_TAIL_LINES:]
        print("\n".join(tail), file=sys.stderr)
        print(f"make: {options.command[0]} failed; all of it is in {options.log}", file=sys.stderr)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
