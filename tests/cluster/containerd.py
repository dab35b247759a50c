"""The node's image store, by containerd's own client."""

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

from cluster.command import Run
from cluster.errors import ClusterError
from images.increment import write_increment


class Containerd:
    """The containerd behind one socket; images are where the kubelet looks for them."""

    def __init__(self, socket: Path, run: Run) -> None:
        self._client: Sequence[str | Path] = ["ctr", "--address", socket, "--namespace", "k8s.io"]
        self._run = run

    def answers(self) -> bool:
        try:
            return self._run([*self._client, "version"], check=False, timeout=30).returncode == 0
        except ClusterError:
            return False

    def images(self) -> dict[str, str]:
        """Return each reference and the digest of its configuration."""
        listing = self._run([*self._client, "images", "list"]).stdout.splitlines()[1:]
        columns = [line.split() for line in listing]
        return {reference: self._config(digest) for reference, _, digest, *_ in columns}

    def _config(self, digest: str) -> str:
        found = self._run([*self._client, "content", "get", digest], check=False)
        if found.returncode != 0:
            return ""  # an import that was killed names what it never stored
        document = json.loads(found.stdout)
        if "config" in document:
            return str(document["config"]["digest"])
        return self._config(document["manifests"][0]["digest"])

    def import_archive(self, archive: Path) -> None:
        """Import what the node does not have of it: a changed source is a small layer."""
        held = self._run([*self._client, "content", "list", "--quiet"]).stdout.split()
        with tempfile.TemporaryDirectory(prefix="fairlead-import-") as folder:
            increment = Path(folder, archive.name)
            try:
                write_increment(archive, increment, present=set(held))
            except (KeyError, ValueError):  # not as docker save writes it: take the whole
                increment = archive
            self._run([*self._client, "images", "import", increment])


def shim_sockets(state: Path) -> list[Path]:
    """Return the sockets of pods' shims, which containerd keeps outside its own folders."""
    addresses = (
        path.read_text() for path in state.glob("io.containerd.runtime.v2.task/*/*/address")
    )
    return [Path(address.removeprefix("unix://")) for address in addresses]
