"""Prometheus's own tool, for tests that check rules and queries without a cluster."""

import shutil
from pathlib import Path

from images.cache import default_cache
from images.catalogue import PROMETHEUS
from images.commands import HostRunner
from images.programs import binary_path, ensure_program


def promtool_path() -> Path | None:
    """Return promtool: the one built for the cluster, else the machine's own, else nothing.

    Never builds, since that takes minutes; `python3 -m images promtool` does.
    """
    built = binary_path(default_cache(), PROMETHEUS, "promtool")
    if built.exists():
        return built
    installed = shutil.which("promtool")
    return Path(installed) if installed else None


def build_promtool() -> Path:
    """Build Prometheus and promtool unless they are there."""
    cache = default_cache()
    with cache.lock():
        return ensure_program(cache, PROMETHEUS, HostRunner(log=cache.log)) / "promtool"
