"""An image is built once for each content, and only then is an engine needed."""

import dataclasses
import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from images.archive import read_image_id
from images.build import _Run
from images.cache import Cache
from images.catalogue import IMAGES, Image
from images.commands import BuildError, HostRunner
from images.workshop import BaseImage

(POSTGRES,) = (image for image in IMAGES if image.name == "postgres")


def write_archive(path: Path, config: str) -> None:
    """Write what `docker save` and `buildah push` have in common."""
    manifest = json.dumps([{"Config": config, "RepoTags": [], "Layers": []}]).encode()
    with tarfile.open(path, "w") as tar:
        member = tarfile.TarInfo("manifest.json")
        member.size = len(manifest)
        tar.addfile(member, io.BytesIO(manifest))


@dataclasses.dataclass(slots=True)
class FakeEngine:
    """Remembers what it was asked for; writes archives without layers."""

    failing: bool = False
    built: list[str] = dataclasses.field(default_factory=list)
    removed: list[str] = dataclasses.field(default_factory=list)

    def build(
        self,
        *,
        dockerfile: Path,
        context: Path,
        reference: str,
        arguments: Mapping[str, str],
        target: str = "",
    ) -> None:
        stage = f" up to {target}" if target else ""
        self.built.append(f"{dockerfile.parent.name} on {arguments['BASE_IMAGE']}{stage}")

    def save(self, reference: str, archive: Path) -> None:
        write_archive(archive, "abc.json")
        if self.failing:
            raise BuildError("no space left")

    def remove(self, reference: str) -> None:
        self.removed.append(reference)


@dataclasses.dataclass(slots=True)
class FakeWorkshop:
    engine: FakeEngine
    base: BaseImage


def run_with(root: Path, engine: FakeEngine, *, base: str = "one") -> _Run:
    return _Run(
        cache=Cache(root=root),
        runner=HostRunner(log=root / "build.log"),
        workshop=FakeWorkshop(engine, BaseImage(reference="base:1", identity=base)),
        progress=lambda _line: None,
    )


def provide(root: Path, engine: FakeEngine, image: Image = POSTGRES, *, base: str = "one") -> str:
    run = run_with(root, engine, base=base)
    with run.cache.lock():
        return run.provide(image).reference


def test_an_image_is_built_on_the_base_it_is_given(tmp_path: Path) -> None:
    engine = FakeEngine()

    reference = provide(tmp_path, engine)

    assert engine.built == ["postgres on base:1"]
    assert reference.startswith("localhost/fairlead/postgres:")


def test_two_images_of_one_dockerfile_differ_by_their_stage(tmp_path: Path) -> None:
    engine = FakeEngine()
    stage = dataclasses.replace(POSTGRES, target="lean")

    whole, part = provide(tmp_path, engine), provide(tmp_path, engine, stage)

    assert engine.built == ["postgres on base:1", "postgres on base:1 up to lean"]
    assert whole != part


def test_an_unchanged_image_is_not_built_again(tmp_path: Path) -> None:
    engine = FakeEngine()

    first, second = provide(tmp_path, engine), provide(tmp_path, engine)

    assert first == second
    assert len(engine.built) == 1


def test_another_base_makes_another_image(tmp_path: Path) -> None:
    engine = FakeEngine()

    first, second = provide(tmp_path, engine), provide(tmp_path, engine, base="two")

    assert first != second
    assert len(engine.built) == 2


def test_a_failed_build_leaves_nothing_that_looks_finished(tmp_path: Path) -> None:
    with pytest.raises(BuildError):
        provide(tmp_path, FakeEngine(failing=True))

    assert [path.suffix for path in Cache(root=tmp_path).archives.iterdir()] == [".partial"]


def test_the_third_content_removes_the_first_from_the_engine(tmp_path: Path) -> None:
    engine = FakeEngine()
    first = provide(tmp_path, engine, base="one")
    provide(tmp_path, engine, base="two")

    provide(tmp_path, engine, base="three")

    assert engine.removed == [first]


@pytest.mark.parametrize(
    "config",
    [pytest.param("abc.json", id="buildah"), pytest.param("blobs/sha256/abc", id="docker")],
)
def test_the_image_id_is_read_from_the_archive(tmp_path: Path, config: str) -> None:
    write_archive(tmp_path / "image.tar", config)

    assert read_image_id(tmp_path / "image.tar") == "sha256:abc"
