"""kubectl against one cluster."""

import os
import subprocess
from pathlib import Path

from cluster.command import Run
from cluster.errors import ClusterError


class Kubectl:
    """A kubectl that uses one kubeconfig, whatever the caller's shell says."""

    def __init__(self, program: Path, kubeconfig: Path, state: Path, run: Run) -> None:
        self._program = program
        self._kubeconfig = kubeconfig
        # What an earlier cluster behind the same address could do must not be believed.
        self._cache = state / "kubectl-cache"
        self._run = run

    def __call__(
        self,
        *args: str,
        input: str | None = None,  # noqa: A002 - the word subprocess.run has for it
        check: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        """Run it.

        Raises:
            ClusterError: there is no cluster yet, or ``check`` is set and kubectl failed; the
                message is its complaint.
        """
        if not self._kubeconfig.exists():
            raise ClusterError(
                f"there is no cluster: {self._kubeconfig} does not exist; run make cluster-up first"
            )
        env = {**os.environ, "KUBECACHEDIR": str(self._cache)}
        argv: list[str | Path] = [self._program, f"--kubeconfig={self._kubeconfig}", *args]
        return self._run(argv, stdin=input, check=check, env=env)
