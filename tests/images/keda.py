"""KEDA, which scales by a ScaledObject: its two programs, and its CRDs.

Nothing of it is in the repository: all of it comes from its Go module.
"""

from collections.abc import Callable
from pathlib import Path

from images.cache import default_cache
from images.catalogue import KEDA
from images.go_modules import module_folder
from images.programs import binary_path, build_for_tests


def keda_path() -> Path | None:
    """Return the folder of the programs, or nothing.  Never builds; `make keda-tools` does."""
    built = binary_path(default_cache(), KEDA, "operator")
    return built.parent if built.exists() else None


def build_keda(progress: Callable[[str], object]) -> Path:
    """Build them unless they are there: five minutes, once."""
    return build_for_tests(KEDA, "KEDA, for its integration test", about=300, progress=progress)


def keda_crds() -> Path:
    """Return the folder with the YAML of every kind of KEDA's."""
    return module_folder(KEDA.locked, KEDA.version) / "config/crd/bases"
