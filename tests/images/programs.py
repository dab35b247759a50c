"""Build the Go programs that images are made of; each set is built once and kept."""

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from images.cache import Cache, default_cache
from images.catalogue import GoProgram
from images.commands import BuildError, HostRunner, Runner
from images.go_modules import module_folder
from pace import told

_LINKER_FLAGS = "-s -w"
_PASSWD = "root:x:0:0::/:/sbin/nologin\nnobody:x:65534:65534::/:/sbin/nologin\n"


def program_key(program: GoProgram) -> str:
    """Name a build by what goes into it."""
    digest = hashlib.sha256(
        repr((program.commands, program.version, program.build_tags, _LINKER_FLAGS)).encode()
    )
    if program.module:
        digest.update((program.module / "go.mod").read_bytes())
        digest.update((program.module / "go.sum").read_bytes())
    return digest.hexdigest()[:12]


def binary_path(cache: Cache, program: GoProgram, name: str) -> Path:
    """Return where a binary is, or will be once it is built."""
    return _folder(cache, program) / name


def ensure_program(cache: Cache, program: GoProgram, runner: Runner) -> Path:
    """Build the program unless it is there; return the folder, ready to be a build context."""
    folder = _folder(cache, program)
    if folder.exists():
        return folder
    if shutil.which("go") is None:
        raise BuildError(f"{_stem(program)} is built from source and needs Go (https://go.dev/dl)")
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    (partial / "data").mkdir(parents=True)
    (partial / "passwd").write_text(_PASSWD)
    env = {**os.environ, "CGO_ENABLED": "0", "GOBIN": str(partial)}
    runner.run(_build_command(program, partial), env=env)
    for old in folder.parent.glob(f"{_stem(program)}-*"):
        if old != partial:
            shutil.rmtree(old)
    partial.replace(folder)
    return folder


def build_for_tests(
    program: GoProgram, purpose: str, *, about: float, progress: Callable[[str], object]
) -> Path:
    """Have a program that tests run by itself; say how far it is, and nothing when it is there.

    The wait for another build is told of as well.
    """
    cache = default_cache()
    if _folder(cache, program).exists():
        return _folder(cache, program)
    with told(f"building {purpose}", progress, about=about, log=cache.log), cache.lock():
        return ensure_program(cache, program, HostRunner(log=cache.log))


def _build_command(program: GoProgram, folder: Path) -> list[str]:
    flags = ["-trimpath", "-tags", program.build_tags, "-ldflags", _LINKER_FLAGS]
    module = program.module
    if program.locked:
        module = module_folder(program.locked, program.version)
    if module:
        output = f"{folder}{os.sep}"  # the separator makes it a folder, not one file
        return ["go", "-C", str(module), "build", *flags, "-o", output, *program.commands]
    wanted = (f"{command}@{program.version}" for command in program.commands)
    return ["go", "install", *flags, *wanted]


def _folder(cache: Cache, program: GoProgram) -> Path:
    return cache.root / "programs" / f"{_stem(program)}-{program_key(program)}"


def _stem(program: GoProgram) -> str:
    return program.commands[0].rpartition("/")[2]
