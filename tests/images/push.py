"""Push our own images to a registry, for a cluster that has to pull them."""

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from images.build import BuiltImage, build_all
from images.cache import default_cache, write_atomically
from images.catalogue import CRANE, IMAGES, REPOSITORY
from images.commands import BuildError, HostRunner, Runner
from images.programs import ensure_program

VALUES = REPOSITORY / "build" / "images.yaml"


def push_all(registry: str, progress: Callable[[str], object] = print) -> Path:
    """Build our images, push them below `registry`, and write the chart's values for them.

    Raises:
        BuildError: an image could not be built or pushed; the message names the command.
    """
    require_registry(registry)
    built = build_all((image.name for image in IMAGES if not image.stands_in), progress)
    cache = default_cache()
    runner = HostRunner(log=cache.log)
    with cache.lock():
        progress("crane, which pushes the images: built from source the first time, about 15 s")
        crane = ensure_program(cache, CRANE, runner) / "crane"
    references = push(built, registry, crane=crane, runner=runner, progress=progress)
    VALUES.parent.mkdir(exist_ok=True)
    write_atomically(VALUES, to_values(references))
    progress(f"install with: helm install … --values {os.path.relpath(VALUES, Path.cwd())}")
    return VALUES


def push(
    images: Iterable[BuiltImage],
    registry: str,
    *,
    crane: Path,
    runner: Runner,
    progress: Callable[[str], object],
) -> Mapping[str, str]:
    """Push the archives; return each image's reference in the registry."""
    references = {}
    for image in images:
        reference = remote_reference(image, registry)
        progress(f"pushing {reference}")
        runner.run([str(crane), "push", str(image.archive), reference])
        references[image.name] = reference
    return references


def remote_reference(image: BuiltImage, registry: str) -> str:
    """Name an image in the registry; the tag changes with what the image is made of."""
    tag = image.reference.rpartition(":")[2]
    return f"{registry.rstrip('/')}/fairlead-{image.name}:{tag}"


def to_values(references: Mapping[str, str]) -> str:
    """Write the references as values of the chart."""
    lines = [f"  {name}: {reference}" for name, reference in sorted(references.items())]
    return "\n".join(["images:", *lines, ""])


def require_registry(registry: str) -> None:
    """Refuse what is no registry before minutes are spent on a build."""
    if not registry.strip("/") or "://" in registry or any(c.isspace() for c in registry):
        raise BuildError(
            f"{registry!r} is not a registry; write its host and a path without https://, "
            "for example REGISTRY=registry.example.com/ml"
        )
