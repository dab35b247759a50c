"""A Debian with Python that stands in for `python:3.13-slim` where no registry is reachable."""

import dataclasses
import hashlib
import json
import shutil
from pathlib import Path

from images.cache import write_atomically
from images.commands import Runner
from images.host import find_debian_mirror

REFERENCE = "localhost/python-base:3.13"

_SUITE = "trixie"
_PACKAGES = ("ca-certificates", "python3", "python3-pip", "python3-venv")
_UNWANTED = ("usr/share/doc", "usr/share/man", "usr/share/info", "usr/share/locale")
_EMPTIED = ("var/cache/apt", "var/lib/apt/lists", "var/log", "dev", "tmp")
_NO_DOCS = "".join(f"path-exclude=/{folder}/*\n" for folder in _UNWANTED)
_CONTAINERFILE = """\
FROM scratch
ADD rootfs.tar /
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8
CMD ["python3"]
"""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BaseRecord:
    """The base image that was built, and from which recipe."""

    recipe: str
    image_id: str
    stored_in: str  # a folder of the image store; gone when somebody cleaned the store


def find_base(folder: Path) -> BaseRecord | None:
    """Return the base image's record if it still exists and is the one we would build."""
    record_path = folder / "record.json"
    if not record_path.exists():
        return None
    record = BaseRecord(**json.loads(record_path.read_text()))
    if record.recipe != _recipe() or not Path(record.stored_in).exists():
        return None
    return record


def keep_base(folder: Path, *, image_id: str, stored_in: Path) -> BaseRecord:
    """Remember the base image for the next run."""
    record = BaseRecord(recipe=_recipe(), image_id=image_id, stored_in=str(stored_in))
    write_atomically(folder / "record.json", json.dumps(dataclasses.asdict(record)))
    return record


def prepare_base(runner: Runner, folder: Path) -> Path:
    """Bootstrap a root file system; return the build context that holds it."""
    shutil.rmtree(folder, ignore_errors=True)
    rootfs, context = folder / "rootfs", folder / "context"
    context.mkdir(parents=True)
    mirror = find_debian_mirror(runner)
    runner.run(
        [
            "debootstrap",
            "--variant=minbase",
            f"--include={','.join(_PACKAGES)}",
            _SUITE,
            str(rootfs),
            *([mirror] if mirror else []),
        ]
    )
    _slim(rootfs)
    # A tar keeps owners and set-id bits, which COPY would not.
    runner.run(["tar", "-C", str(rootfs), "-cf", str(context / "rootfs.tar"), "."])
    (context / "Dockerfile").write_text(_CONTAINERFILE)
    shutil.rmtree(rootfs)
    return context


def _slim(rootfs: Path) -> None:
    for relative in (*_UNWANTED, *_EMPTIED):
        for path in (rootfs / relative).glob("*"):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
    (rootfs / "etc/dpkg/dpkg.cfg.d/no-docs").write_text(_NO_DOCS)


def _recipe() -> str:
    recipe = repr((_SUITE, _PACKAGES, _UNWANTED, _EMPTIED, _CONTAINERFILE))
    return hashlib.sha256(recipe.encode()).hexdigest()
