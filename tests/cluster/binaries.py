"""Kubernetes, helm and kind, built from the Go module beside this file.

The folder is named after what it was built from, so clones that agree share one build and a
changed version never meets an old binary.  A build happens in a folder of its own that is
renamed at the end: an interrupted one leaves nothing that looks finished.
"""

import hashlib
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from cluster.api import Progress
from cluster.command import run
from cluster.errors import ClusterError
from cluster.files import locked
from cluster.layout import PACKAGE
from cluster.preflight import BUILD_SPACE, require_go, require_space
from pace import told

MODULE = PACKAGE / "go"
KUBERNETES_VERSION = "v1.36.3"  # that of k8s.io/kubernetes in go.mod

_MULTICALL = "kubernetes"
PROGRAMS = (
    "coredns",
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-proxy",
    "kube-scheduler",
    "kubectl",
    "kubelet",
)
_TOOLS = {
    "helm": "helm.sh/helm/v3/cmd/helm",
    "kind": "sigs.k8s.io/kind",
    "metrics-server": "sigs.k8s.io/metrics-server/cmd/metrics-server",
    "pause": "./pause",
}
# What each is for, and the seconds that it takes on two cores when nothing is cached.
_BUILDS = {
    _MULTICALL: ("Kubernetes, etcd and CoreDNS, which run the cluster", 290),
    "helm": ("Helm, which installs the chart", 40),
    "kind": ("kind, for machines with Docker", 10),
    "metrics-server": ("metrics-server, for Models that follow the load", 30),
    "pause": ("the program that holds a pod's network", 5),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Binaries:
    """A folder of programs; whether they are there yet is ``built``'s to say."""

    folder: Path

    def __getitem__(self, program: str) -> Path:
        return self.folder / program

    @property
    def built(self) -> bool:
        return self.folder.exists()


def binaries(cache: Path) -> Binaries:
    """Return the binaries that belong to this checkout."""
    return Binaries(folder=cache / f"bin-{_fingerprint()}")


def build(cache: Path, progress: Progress) -> Binaries:
    """Have the binaries, building them where no earlier clone did.

    Raises:
        ClusterError: no Go, no room, or the build failed.
    """
    wanted = binaries(cache)
    if wanted.built:
        return wanted
    require_go(run, (MODULE / "go.mod").read_text())
    require_space(cache, BUILD_SPACE)
    lock = cache / "build.lock"
    with locked(
        lock, waiting=lambda: progress("waiting for another process that builds the binaries")
    ):
        if not wanted.built:
            _build_into(wanted.folder, progress)
    return wanted


def _build_into(folder: Path, progress: Progress) -> None:
    for leftover in folder.parent.glob("building-*"):  # of a build that was killed
        shutil.rmtree(leftover)
    draft = folder.with_name(f"building-{os.getpid()}")
    draft.mkdir(parents=True)
    log = folder.parent / "build.log"
    total = sum(seconds for _, seconds in _BUILDS.values()) / 60
    progress(
        f"building Kubernetes {KUBERNETES_VERSION} and its tools from source, once: no package "
        f"registry has them ready to run; about {total:.0f} min; log: {log}"
    )
    packages = {_MULTICALL: ".", **_TOOLS}
    with log.open("w") as output:
        for name, package in packages.items():
            purpose, seconds = _BUILDS[name]
            with told(f"building {purpose}", progress, about=seconds):
                _go_build(draft / name, package, output.fileno())
            progress(f"built {name}")
    for program in PROGRAMS:
        (draft / program).symlink_to(_MULTICALL)
    draft.replace(folder)


def _go_build(target: Path, package: str, log: int) -> None:
    stamp = " ".join(
        f"-X {name}.gitVersion={KUBERNETES_VERSION}"
        for name in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    )
    argv = ["go", "build", "-trimpath", "-ldflags", f"-s -w {stamp}", "-o", str(target), package]
    env = {**os.environ, "CGO_ENABLED": "0"}
    done = subprocess.run(argv, cwd=MODULE, env=env, stdout=log, stderr=log, check=False)
    if done.returncode != 0:
        raise ClusterError(
            f"go build of {package} failed; see {target.parent.parent / 'build.log'}"
        )


def _fingerprint() -> str:
    digest = hashlib.sha256()
    for path in sorted(MODULE.rglob("*")):
        if path.name in {"go.mod", "go.sum"} or path.suffix == ".go":
            digest.update(f"{path.relative_to(MODULE)}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
