"""The chart as Helm renders it, without a cluster."""

import functools
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from cluster.binaries import binaries
from cluster.layout import layout

CHART = Path(__file__).resolve().parents[3] / "charts" / "fairlead"
LOCAL_VALUES = Path(__file__).resolve().parents[2] / "e2e" / "values.yaml"
NAMESPACE = "fairlead-system"

Manifest = dict[str, Any]


def helm_path() -> Path:
    """Return the Helm to use: $FAIRLEAD_HELM, else the one built for the local cluster."""
    named = os.environ.get("FAIRLEAD_HELM")
    helm = Path(named) if named else binaries(layout(os.environ).cache)["helm"]
    assert helm.exists(), f"no Helm at {helm}: run `make cluster-up`, or set FAIRLEAD_HELM"
    return helm


def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(helm_path()), *arguments], capture_output=True, text=True, check=False
    )


@functools.cache
def try_render(*settings: str, files: tuple[Path, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Render with `--set-json key=value` settings; once for each, since Helm takes its time."""
    arguments = [f"--values={file}" for file in files]
    arguments += [f"--set-json={setting}" for setting in settings]
    # Helm's own version of Kubernetes is not set in every build.
    where = (f"--namespace={NAMESPACE}", "--kube-version=1.36.0")
    return helm("template", "fairlead", str(CHART), *where, *arguments)


def render(*settings: str, files: Sequence[Path] = ()) -> list[Manifest]:
    """Render every object of the release."""
    done = try_render(*settings, files=tuple(files))
    assert done.returncode == 0, done.stderr
    return load_all(done.stdout)


def load_all(text: str) -> list[Manifest]:
    # The CRDs are long, and PyYAML in Python alone takes a second for them.
    return [manifest for manifest in yaml.load_all(text, yaml.CSafeLoader) if manifest]


def refusal(*settings: str) -> str:
    """Return what Helm says of values it does not take."""
    done = try_render(*settings)
    assert done.returncode != 0, "the values were taken"
    return done.stderr


def find(manifests: Sequence[Manifest], kind: str, name: str) -> Manifest:
    found = [m for m in manifests if (m["kind"], m["metadata"]["name"]) == (kind, name)]
    assert len(found) == 1, f"{len(found)} {kind} named {name}"
    return found[0]


def of_kind(manifests: Sequence[Manifest], *kinds: str) -> list[Manifest]:
    return [manifest for manifest in manifests if manifest["kind"] in kinds]


def workloads(manifests: Sequence[Manifest]) -> list[Manifest]:
    return of_kind(manifests, "Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "Pod")


def containers(workload: Manifest) -> list[Manifest]:
    spec = workload["spec"]["template"]["spec"]
    return [*spec.get("initContainers", []), *spec["containers"]]
