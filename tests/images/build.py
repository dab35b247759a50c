"""Build the images that changed and hand out their archives."""

import dataclasses
import json
import time
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path

from images.archive import read_image_id
from images.cache import ArchiveRecord, Cache, default_cache
from images.catalogue import IMAGES, REPOSITORY, Image
from images.commands import BuildError, HostRunner, Runner
from images.engine import docker_answers
from images.fingerprint import fingerprint
from images.programs import ensure_program, program_key
from images.workshop import DockerWorkshop, NativeWorkshop, Workshop
from pace import told


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BuiltImage:
    """An image as a docker-archive, ready to be imported."""

    name: str
    reference: str
    archive: Path
    digest: str  # the image id, `sha256:…`


def build_all(
    names: Iterable[str] | None = None, progress: Callable[[str], object] = print
) -> list[BuiltImage]:
    """Return the named images, or all that this machine needs, building what changed.

    With Docker the stand-ins are left out by default: there, the upstream images are pulled.

    Raises:
        BuildError: an image could not be built; the message names the command that failed.
    """
    with_docker = docker_answers()
    images = choose_images(names, with_standins=not with_docker)
    cache = default_cache()
    with cache.lock():
        cache.drop_partial_archives()
        runner = HostRunner(log=cache.log)
        workshop: Workshop = (
            DockerWorkshop(runner)
            if with_docker
            else NativeWorkshop(cache=cache, runner=runner, progress=progress)
        )
        run = _Run(cache=cache, runner=runner, workshop=workshop, progress=progress)
        return [run.provide(image) for image in images]


def choose_images(names: Iterable[str] | None, *, with_standins: bool) -> tuple[Image, ...]:
    """Return the named images in the order of the catalogue; `None` means all that are needed."""
    if names is None:
        return tuple(image for image in IMAGES if with_standins or not image.stands_in)
    wanted = set(names)
    unknown = wanted - {image.name for image in IMAGES}
    if unknown:
        known = ", ".join(image.name for image in IMAGES)
        raise BuildError(f"there is no image {', '.join(sorted(unknown))}; choose from {known}")
    return tuple(image for image in IMAGES if image.name in wanted)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """One call of `build_all`, holding the cache's lock."""

    cache: Cache
    runner: Runner
    workshop: Workshop
    progress: Callable[[str], object]

    def provide(self, image: Image) -> BuiltImage:
        """Return the image's archive, made now or before."""
        started = time.monotonic()
        tag = _tag(image, self.workshop)
        archive = self.cache.archive(image.name, tag)
        record = self.cache.find(image.name, tag)
        outcome = "unchanged"
        if record is None:
            reference = f"localhost/fairlead/{image.name}:{tag}"
            step = f"building image {image.name}"
            with told(step, self.progress, about=image.seconds, log=self.cache.log):
                record = self._build(image, reference, archive)
            outcome = "built"
        seconds, megabytes = time.monotonic() - started, archive.stat().st_size / 1e6
        self.progress(f"{record.reference}  {outcome}  {seconds:.1f} s  {megabytes:.0f} MB")
        return BuiltImage(
            name=image.name, reference=record.reference, archive=archive, digest=record.digest
        )

    def _build(self, image: Image, reference: str, archive: Path) -> ArchiveRecord:
        engine = self.workshop.engine
        context, arguments = image.context, {}
        if image.program:
            context = ensure_program(self.cache, image.program, self.runner)
        else:
            arguments = {"BASE_IMAGE": self.workshop.base.reference}
        engine.build(
            dockerfile=image.dockerfile,
            context=context,
            reference=reference,
            arguments=arguments,
            target=image.target,
        )
        partial = archive.with_name(archive.name + ".partial")
        engine.save(reference, partial)
        record = ArchiveRecord(name=image.name, reference=reference, digest=read_image_id(partial))
        self.cache.keep(partial, archive, record)
        for old in self.cache.prune(image.name):
            engine.remove(old)
        return record


def _tag(image: Image, workshop: Workshop) -> str:
    """Return what the image is called by: it changes with anything the image is made of."""
    if image.program:
        facts = [program_key(image.program)]
    else:
        facts = [workshop.base.identity, *_requirements(image.extras)]
        facts += [image.target] if image.target else []
    return fingerprint(root=REPOSITORY, files=image.files, facts=facts)


def _requirements(extras: tuple[str, ...]) -> list[str]:
    """Return the extras' lines only: the rest of pyproject.toml does not reach an image."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    return [json.dumps([extra, project["optional-dependencies"][extra]]) for extra in extras]
