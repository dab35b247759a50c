"""Prometheus's own tool, for tests that check rules and queries without a cluster."""

import shutil
from collections.abc import Callable
from pathlib import Path

from images.cache import default_cache
from images.catalogue import PROMETHEUS
from images.programs import binary_path, build_for_tests


def promtool_path() -> Path | None:
    """Return promtool: the one built for the cluster, else the machine's own, else nothing.

    Never builds, since that takes minutes; `python3 -m images promtool` does.
    """
    built = binary_path(default_cache(), PROMETHEUS, "promtool")
    if built.exists():
        return built
    installed = shutil.which("promtool")
    return Path(installed) if installed else None


def build_promtool(progress: Callable[[str], object]) -> Path:
    """Build Prometheus and promtool unless they are there."""
    purpose = "Prometheus and promtool, for tests of rules and queries"
    return build_for_tests(PROMETHEUS, purpose, about=120, progress=progress) / "promtool"
