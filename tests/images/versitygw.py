"""Versity's gateway: an S3 server before a folder, for the tests of sources."""

from collections.abc import Callable
from pathlib import Path

from images.cache import default_cache
from images.catalogue import VERSITYGW
from images.programs import binary_path, build_for_tests


def versitygw_path() -> Path | None:
    """Return the program, or nothing.  Never builds; `make s3-tools` does."""
    built = binary_path(default_cache(), VERSITYGW, "versitygw")
    return built if built.exists() else None


def build_versitygw(progress: Callable[[str], object]) -> Path:
    """Build it unless it is there: two minutes, once."""
    return build_for_tests(VERSITYGW, "versitygw, for tests of S3", about=120, progress=progress)
