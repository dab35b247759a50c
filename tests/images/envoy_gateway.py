"""Envoy Gateway, an implementation of the Gateway API, and the CRDs that belong to it.

Nothing of it is in the repository: the program is built from its Go module, and the CRDs are
read from that module and from the version of the Gateway API it was written for.
"""

from collections.abc import Callable
from pathlib import Path

from images.cache import default_cache
from images.catalogue import ENVOY_GATEWAY
from images.go_modules import module_folder
from images.programs import binary_path, build_for_tests

_MODULE = "github.com/envoyproxy/gateway"
_GATEWAY_API = "sigs.k8s.io/gateway-api"


def envoy_gateway_path() -> Path | None:
    """Return the program, or nothing.  Never builds; `python3 -m images envoy-gateway` does."""
    built = binary_path(default_cache(), ENVOY_GATEWAY, "envoy-gateway")
    return built if built.exists() else None


def build_envoy_gateway(progress: Callable[[str], object]) -> Path:
    """Build it unless it is there: minutes, once."""
    purpose = "Envoy Gateway, for the test of the Gateway API"
    folder = build_for_tests(ENVOY_GATEWAY, purpose, about=300, progress=progress)
    return folder / "envoy-gateway"


def gateway_crds() -> list[str]:
    """YAML of the standard Gateway API, and of Envoy Gateway's own kinds."""
    own = module_folder(_MODULE, ENVOY_GATEWAY.version)
    standard = module_folder(_GATEWAY_API, _required_version(own, _GATEWAY_API))
    files = [
        *(standard / "config/crd/standard").glob("gateway.networking.k8s.io_*.yaml"),
        *(own / "charts/gateway-crds-helm/templates/generated").glob("*.yaml"),
    ]
    kinds = sorted(file for file in files if "_vap_" not in file.name)  # policies of upgrades
    return [_without_template(file.read_text()) for file in kinds]


def _without_template(text: str) -> str:
    """Return the plain CRD of a chart's file, which has a line of template on either side."""
    return "\n".join(line for line in text.splitlines() if not line.startswith("{{"))


def _required_version(module: Path, name: str) -> str:
    lines = (module / "go.mod").read_text().splitlines()
    return next(words[1] for line in lines if (words := line.split()) and words[0] == name)
