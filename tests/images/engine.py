"""The two builders that understand our Dockerfiles: Docker, and buildah where it is not."""

import dataclasses
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from images.commands import BuildError, Runner
from images.host import Mount

_INFO_TIMEOUT_SECONDS = 10  # a stopped Docker Desktop hangs instead of refusing


class Engine(Protocol):
    """Builds an image, writes it as a docker-archive, removes it."""

    def build(
        self,
        *,
        dockerfile: Path,
        context: Path,
        reference: str,
        arguments: Mapping[str, str],
        target: str = "",
    ) -> None: ...

    def save(self, reference: str, archive: Path) -> None: ...

    def remove(self, reference: str) -> None: ...


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Docker:
    """A Docker daemon, which has its own way to package indexes."""

    runner: Runner

    def build(
        self,
        *,
        dockerfile: Path,
        context: Path,
        reference: str,
        arguments: Mapping[str, str],
        target: str = "",
    ) -> None:
        self.runner.run(
            [
                *("docker", "build", "--file", str(dockerfile), "--tag", reference),
                *_build_arguments(arguments),
                *_stage(target),
                str(context),
            ]
        )

    def save(self, reference: str, archive: Path) -> None:
        self.runner.run(["docker", "save", "--output", str(archive), reference])

    def remove(self, reference: str) -> None:
        _ignore_failure(self.runner, ["docker", "image", "rm", reference])


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Buildah:
    """Buildah with an image store of our own, so that the user's is never touched."""

    runner: Runner
    root: Path
    runroot: Path
    driver: str
    policy: Path
    scratch: Path  # holds the cache mounts of RUN steps too
    mounts: tuple[Mount, ...]  # what RUN steps see of the host

    def build(
        self,
        *,
        dockerfile: Path,
        context: Path,
        reference: str,
        arguments: Mapping[str, str],
        target: str = "",
    ) -> None:
        self.runner.run(
            [
                *self._command(
                    "bud", "--isolation", "chroot", "--layers", "--force-rm", "--pull-never"
                ),
                *(f"--volume={mount.source}:{mount.target}:ro" for mount in self.mounts),
                *_build_arguments(arguments),
                *_stage(target),
                *("--file", str(dockerfile), "--tag", reference, str(context)),
            ],
            env={**os.environ, "TMPDIR": str(self.scratch)},
        )

    def save(self, reference: str, archive: Path) -> None:
        self.runner.run(
            self._command("push", "--quiet", reference, f"docker-archive:{archive}:{reference}")
        )

    def remove(self, reference: str) -> None:
        _ignore_failure(self.runner, self._command("rmi", reference))

    def discard_leftovers(self) -> None:
        """Remove the containers of builds that were killed, and images no tag leads to."""
        self.runner.run(self._command("rm", "--all"))
        self.runner.run(self._command("rmi", "--prune"))

    def image_id(self, reference: str) -> str:
        """Return the id of an image in the store."""
        query = self._command("images", "--quiet", "--no-trunc", reference)
        return self.runner.read(query).strip().removeprefix("sha256:")

    def stored_in(self, image_id: str) -> Path:
        """Return the folder that exists as long as the store holds the image."""
        return self.root / f"{self.driver}-images" / image_id

    def _command(self, verb: str, *arguments: str) -> list[str]:
        store = ["--root", str(self.root), "--runroot", str(self.runroot)]
        policy = ["--signature-policy", str(self.policy)] if verb in ("bud", "push") else []
        return ["buildah", *store, "--storage-driver", self.driver, verb, *policy, *arguments]


def docker_answers() -> bool:
    """Say whether a Docker daemon is there, not only its client."""
    if shutil.which("docker") is None:
        return False
    try:
        done = subprocess.run(
            ["docker", "info"], capture_output=True, timeout=_INFO_TIMEOUT_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def open_buildah(runner: Runner, folder: Path, mounts: tuple[Mount, ...]) -> Buildah:
    """Choose the storage driver; vfs copies whole layers but works on every file system."""
    scratch = folder / "tmp"
    scratch.mkdir(parents=True, exist_ok=True)
    policy = folder / "policy.json"
    policy.write_text('{"default": [{"type": "insecureAcceptAnything"}]}\n')

    def with_driver(driver: str) -> Buildah:
        return Buildah(
            runner=runner,
            root=folder / f"store-{driver}",
            runroot=folder / f"run-{driver}",
            driver=driver,
            policy=policy,
            scratch=scratch,
            mounts=mounts,
        )

    overlay = with_driver("overlay")
    try:
        runner.read(overlay._command("info"))
    except BuildError:
        return with_driver("vfs")
    return overlay


def _build_arguments(arguments: Mapping[str, str]) -> list[str]:
    return [f"--build-arg={key}={value}" for key, value in arguments.items()]


def _stage(target: str) -> list[str]:
    return [f"--target={target}"] if target else []


def _ignore_failure(runner: Runner, argv: list[str]) -> None:
    """Tidying up never fails a build: an image still in use is simply kept."""
    try:
        runner.run(argv)
    except BuildError:
        return
