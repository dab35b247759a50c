"""What a build needs besides the Dockerfile: an engine and the image Python images stand on.

Both are made ready only when something asks for them, since most runs build nothing.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Protocol

from images.base import REFERENCE, find_base, keep_base, prepare_base
from images.cache import Cache
from images.commands import Runner
from images.engine import Buildah, Docker, Engine, open_buildah
from images.host import build_mounts, require_tools
from pace import told

_UPSTREAM = "python:3.13-slim"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BaseImage:
    """The image Python images are built on."""

    reference: str
    identity: str  # differs whenever its content may differ


class Workshop(Protocol):
    """Where images are built."""

    @property
    def engine(self) -> Engine: ...

    @property
    def base(self) -> BaseImage: ...


class DockerWorkshop:
    """Docker, which pulls the base image itself."""

    def __init__(self, runner: Runner) -> None:
        self.engine: Engine = Docker(runner=runner)
        self.base = BaseImage(reference=_UPSTREAM, identity=_UPSTREAM)


class NativeWorkshop:
    """Buildah, and a base image made from Debian packages."""

    def __init__(self, *, cache: Cache, runner: Runner, progress: Callable[[str], object]) -> None:
        self._cache = cache
        self._runner = runner
        self._progress = progress

    @functools.cached_property
    def engine(self) -> Buildah:
        require_tools(self._runner, ("buildah", "debootstrap"))
        mounts = build_mounts(self._runner, self._cache.root / "host")
        engine = open_buildah(self._runner, self._cache.root, mounts)
        engine.discard_leftovers()
        return engine

    @functools.cached_property
    def base(self) -> BaseImage:
        folder = self._cache.root / "base"
        record = find_base(folder)
        if record is None:
            step = f"building {REFERENCE}, the Debian with Python that images stand on"
            with told(step, self._progress, about=60, log=self._cache.log):
                engine = self.engine
                context = prepare_base(self._runner, folder)
                engine.build(
                    dockerfile=context / "Dockerfile",
                    context=context,
                    reference=REFERENCE,
                    arguments={},
                )
                (context / "rootfs.tar").unlink()
                image_id = engine.image_id(REFERENCE)
                record = keep_base(folder, image_id=image_id, stored_in=engine.stored_in(image_id))
        return BaseImage(reference=REFERENCE, identity=record.image_id)
