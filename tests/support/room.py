"""A room of its own for programs that listen where they like: network, processes and root.

Some programs cannot be told to stay on loopback, or read fixed paths.  In a room they hurt
nobody: its network has no way out, its root holds only what is put there, and everything in
it ends with the test, or with the test's process where that is killed.  Needs root.

Sockets belong to the network they were made in, whoever uses them.  So the test itself stays
outside, and takes sockets of the room.
"""

import contextlib
import dataclasses
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cluster import relay
from cluster.wait import wait_until

_RELAY = Path(relay.__file__)
_MORTAL = ("setpriv", "--pdeathsig=KILL")  # ends with the tests even where those are killed
# The system's folders are the machine's, as links or as mounts; the rest is given.
_FURNISH = """
set -eu
root=$1; shift
ip link set lo up
while [ "$1" != -- ]; do ip address add "$1/32" dev lo; shift; done; shift
mount -t tmpfs none "$root"
for name in bin lib lib64 sbin usr etc dev; do
  if [ -L "/$name" ]; then cp -P "/$name" "$root/$name"
  elif [ -d "/$name" ]; then mkdir "$root/$name"; mount --rbind "/$name" "$root/$name"; fi
done
mkdir "$root/proc" "$root/tmp" && mount -t proc none "$root/proc"
while [ $# -gt 0 ]; do mkdir -p "$root$1"; mount --bind "$2" "$root$1"; shift 2; done
echo furnished
exec chroot "$root" sleep infinity
"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Room:
    """The room, by its first process."""

    pid: int

    def command(self, words: Sequence[str], environment: Mapping[str, str]) -> Sequence[str]:
        """Return the words that run a program in the room, with this environment and no other."""
        variables = [f"{name}={value}" for name, value in environment.items()]
        inside = ("--net", "--mount", "--pid", "--root", "--wd=/")
        return ["nsenter", f"--target={self.pid}", *inside, "--", "env", "-i", *variables, *words]

    def listener(self, host: str, port: int) -> socket.socket:
        """Open a socket that listens in the room."""
        return self._inside(lambda: socket.create_server((host, port), backlog=128))

    def connection(self, host: str, port: int) -> socket.socket:
        """Open a socket connected to a server in the room.

        Raises:
            OSError: nobody listens there.
        """
        return self._inside(lambda: socket.create_connection((host, port), timeout=60))

    def listens(self, host: str, port: int) -> bool:
        """Tell whether a server in the room takes connections."""
        try:
            self.connection(host, port).close()
        except OSError:
            return False
        return True

    @contextlib.contextmanager
    def window(self, port: int) -> Iterator[None]:
        """Let the room reach a loopback port of the machine, under the same number."""
        outside = f"/proc/{os.getpid()}/ns/net"
        program = [sys.executable, str(_RELAY), outside, str(port), f"127.0.0.1:{port}"]
        process = subprocess.Popen(
            [*_MORTAL, "nsenter", f"--target={self.pid}", "--net", "--", *program]
        )
        try:
            wait_until(
                lambda: self.listens("127.0.0.1", port),
                timeout=120,
                otherwise=lambda: f"the room has no window to port {port}",
            )
            yield
        finally:
            process.kill()
            process.wait()

    @contextlib.contextmanager
    def door(self, port: int) -> Iterator[None]:
        """Let the machine reach a loopback port of the room, under the same number."""
        inside = f"/proc/{self.pid}/ns/net"
        program = [sys.executable, str(_RELAY), inside, str(port), f"127.0.0.1:{port}"]
        process = subprocess.Popen([*_MORTAL, *program])
        try:
            yield
        finally:
            process.kill()
            process.wait()

    def _inside(self, make: Callable[[], socket.socket]) -> socket.socket:
        """Make a socket in a thread that has moved into the room, and ends there."""

        def move_and_make() -> socket.socket:
            relay.enter_network(f"/proc/{self.pid}/ns/net")
            return make()

        with ThreadPoolExecutor(max_workers=1) as thread:
            return thread.submit(move_and_make).result()


@contextlib.contextmanager
def furnished(
    root: Path, *, addresses: Sequence[str], folders: Mapping[str, Path]
) -> Iterator[Room]:
    """Furnish a room with these addresses, and these folders of the machine at these paths."""
    mounts = [str(word) for pair in folders.items() for word in pair]
    root.mkdir()
    process = subprocess.Popen(
        [
            *_MORTAL,
            *("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child=KILL"),
            *("sh", "-c", _FURNISH, "furnish", str(root), *addresses, "--", *mounts),
        ],
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
    )
    with process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "furnished\n", "the room is not furnished"
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
            yield Room(pid=int(children.split()[0]))
        finally:
            process.kill()
