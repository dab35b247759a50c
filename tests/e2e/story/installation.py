"""What the story stands on: cluster, images, and the chart installed with Helm."""

import contextlib
import fcntl
import json
import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cluster.api import Cluster
from cluster.choose import choose
from cluster.layout import layout
from e2e.story.errors import StoryError
from e2e.story.narrator import Narrator
from e2e.story.waiting import wait_for
from images.build import BuiltImage, build_all

REPOSITORY = Path(__file__).resolve().parents[3]
CHART = REPOSITORY / "charts" / "fairlead"
VALUES = (
    REPOSITORY / "tests" / "e2e" / "values.yaml",  # of any local cluster
    Path(__file__).resolve().with_name("values.yaml"),
)
NAMESPACE = "fairlead-system"
RELEASE = "fairlead"
_HELM_TIMEOUT = 330  # a little more than Helm's own, whose message is the better one

# The chart's name of an image, where it differs from the image's own.
_CHART_NAMES = {"postgres": "postgresql"}
_NAMESPACE_MANIFEST = {
    "apiVersion": "v1",
    "kind": "Namespace",
    "metadata": {
        "name": NAMESPACE,
        "labels": {"pod-security.kubernetes.io/enforce": "restricted"},
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """A cluster with Fairlead on it, and what it took to have it."""

    cluster: Cluster
    images: Mapping[str, str]  # name → reference, of those built here
    seconds: Mapping[str, float] = field(default_factory=dict)  # by stage


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Hold the story's lock: one story at a time on a machine.

    Raises:
        StoryError: another one is under way.
    """
    lock = layout(os.environ, "story.lock").state
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StoryError(
                "another demo or end-to-end test is running; wait until it ends"
            ) from error
        yield


def install(say: Narrator, *values: str) -> Installation:
    """Have everything there; what is there already is kept.

    Args:
        values: ``NAME=VALUE`` of the chart, beside the story's.
    """
    seconds: dict[str, float] = {}
    cluster = choose()
    say.chapter("cluster, and beside it the images: the first time several minutes, then seconds")
    with ThreadPoolExecutor(max_workers=1) as beside:
        building = beside.submit(_build_images, say, seconds)
        with _timed("cluster", seconds):
            cluster.up(say)
        built = building.result()
    with _timed("images", seconds):
        cluster.load_images([image.archive for image in built], say)
    images = {image.name: image.reference for image in built}
    say.chapter("install")
    with _timed("install", seconds):
        _install_chart(cluster, [*image_values(images), *values], say)
    return Installation(cluster=cluster, images=images, seconds=seconds)


def _build_images(say: Narrator, seconds: dict[str, float]) -> Sequence[BuiltImage]:
    with _timed("images", seconds):
        return build_all(progress=say)


@contextlib.contextmanager
def _timed(name: str, seconds: dict[str, float]) -> Iterator[None]:
    begin = time.monotonic()
    yield
    seconds[name] = round(seconds.get(name, 0.0) + time.monotonic() - begin, 1)


def _install_chart(cluster: Cluster, values: Sequence[str], say: Narrator) -> None:
    cluster.kubectl("apply", "--filename=-", input=json.dumps(_NAMESPACE_MANIFEST))
    _undo_interrupted(cluster, say)
    arguments = ["upgrade", "--install", RELEASE, str(CHART)]
    arguments += [f"--values={file}" for file in VALUES]
    arguments += [f"--set={assignment}" for assignment in values]
    say.command(f"helm upgrade --install {RELEASE} charts/fairlead --namespace {NAMESPACE}")
    with ThreadPoolExecutor(max_workers=1) as beside:
        done = beside.submit(_helm, cluster, *arguments, "--wait", "--timeout=5m")
        wait_for(
            "helm to end",
            lambda: describe_pods(_list_pods(cluster)),
            lambda line: done.done(),
            describe=str,
            say=say,
            timeout=_HELM_TIMEOUT,
        )
        done.result()
    say(f"release {RELEASE} is installed in namespace {NAMESPACE}")


def _list_pods(cluster: Cluster) -> Sequence[Mapping[str, Any]]:
    found = cluster.kubectl("get", "pods", f"--namespace={NAMESPACE}", "--output=json")
    return list(json.loads(found.stdout)["items"])


def describe_pods(pods: Sequence[Mapping[str, Any]]) -> str:
    """Say how many pods are ready, and name the others.  Pure."""

    def is_ready(pod: Mapping[str, Any]) -> bool:
        conditions = (pod.get("status") or {}).get("conditions") or []
        return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)

    waiting = sorted(pod["metadata"]["name"] for pod in pods if not is_ready(pod))
    behind = f"; waiting for {', '.join(waiting)}" if waiting else ""
    return f"{len(pods) - len(waiting)} of {len(pods)} pods ready{behind}"


def image_values(images: Mapping[str, str]) -> Sequence[str]:
    """Tell the chart the references; what was not built stays the chart's default."""
    return [
        f"images.{_CHART_NAMES.get(name, name)}={reference}"
        for name, reference in sorted(images.items())
    ]


def _undo_interrupted(cluster: Cluster, say: Narrator) -> None:
    """Clear the way after a Helm that was killed: it refuses to work on a pending release."""
    found = _helm(cluster, "status", RELEASE, "--output=json", check=False)
    if found.returncode != 0:
        return
    release = json.loads(found.stdout)
    if not str(release["info"]["status"]).startswith("pending"):
        return
    say("undoing an earlier installation that was interrupted")
    if release["version"] == 1:
        _helm(cluster, "uninstall", RELEASE, "--wait")
    else:
        _helm(cluster, "rollback", RELEASE)


def _helm(
    cluster: Cluster, *arguments: str, check: bool = True
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [str(cluster.helm_path), f"--namespace={NAMESPACE}", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "KUBECONFIG": str(cluster.kubeconfig)},
    )
    if check and done.returncode != 0:
        pods = cluster.kubectl("get", "pods", f"--namespace={NAMESPACE}", check=False).stdout
        raise StoryError(f"helm {arguments[0]} failed: {done.stderr.strip()}\n{pods}")
    return done


def purge_record(cluster: Cluster, namespace: str) -> None:
    """Delete what the Models of a namespace left in the record: new ones take it for their past.

    Then a version of an earlier run is not known any more, and its number may be given anew.
    """
    tables = ("history", "predictions", "feedback")
    purge = [
        f"--command=DELETE FROM fairlead_record.{table} WHERE namespace = '{namespace}'"
        for table in tables
    ]
    cluster.kubectl(
        "exec", f"--namespace={NAMESPACE}", f"{RELEASE}-postgresql-0", "--",
        "psql", "--username=postgres", "--dbname=fairlead", "--quiet", *purge,
        check=False,  # of a release that has just been installed there is no table yet
    )  # fmt: skip
