"""KEDA, which scales by a ScaledObject: its two programs, and its CRDs.

Nothing of it is in the repository: all of it comes from its Go module.
"""

from pathlib import Path

from images.cache import default_cache
from images.catalogue import KEDA
from images.commands import HostRunner
from images.go_modules import module_folder
from images.programs import binary_path, ensure_program


def keda_path() -> Path | None:
    """Return the folder of the programs, or nothing.  Never builds; `make keda-tools` does."""
    built = binary_path(default_cache(), KEDA, "operator")
    return built.parent if built.exists() else None


def build_keda() -> Path:
    """Build them unless they are there: five minutes, once."""
    cache = default_cache()
    with cache.lock():
        return ensure_program(cache, KEDA, HostRunner(log=cache.log))


def keda_crds() -> Path:
    """Return the folder with the YAML of every kind of KEDA's."""
    return module_folder(KEDA.locked, KEDA.version) / "config/crd/bases"
