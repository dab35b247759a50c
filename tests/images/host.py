"""What a build takes from this machine at run time: tools, package indexes and the CA bundle.

None of it may be committed, and none of it may end up in an image: it is mounted while
the build runs.
"""

import ast
import dataclasses
import os
import platform
import shutil
import sys
from pathlib import Path

from images.commands import BuildError, Runner

_CA_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"  # where Debian has it, hence every image
_PIP_KEYS = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout", "retries", "cert")
# One after the other: the images are made beside the cluster, which installs packages too.
APT_GET = ("flock", "/run/fairlead-apt.lock", "apt-get", "-q")
_APT_PREFIXES = ("Acquire::http", "Acquire::https", "Acquire::Check-", "Acquire::Retries")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A file or folder of the host that `RUN` steps may read."""

    source: Path
    target: str


def require_tools(runner: Runner, tools: tuple[str, ...]) -> None:
    """Install the Debian packages that are missing; each has the name of its command."""
    missing = [tool for tool in tools if shutil.which(tool) is None]
    if not missing:
        return
    wanted = " and ".join(missing)
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise BuildError(
            f"{wanted} must be installed to build images; start Docker instead, or run this "
            "as root on Debian"
        )
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    runner.run([*APT_GET, "update"], env=env)
    runner.run([*APT_GET, "install", "-y", "--no-install-recommends", *missing], env=env)


def find_debian_mirror(runner: Runner) -> str | None:
    """Return the mirror this machine installs from; `None` leaves debootstrap its default."""
    if platform.freedesktop_os_release().get("ID") != "debian":
        return None
    targets = runner.read(
        ["apt-get", "indextargets", "--format", "$(CODENAME) $(REPO_URI)", "Created-By: Packages"]
    )
    codename = platform.freedesktop_os_release().get("VERSION_CODENAME", "")
    for line in targets.splitlines():
        suite, _, uri = line.partition(" ")
        if suite == codename and uri.startswith("http"):
            return uri.rstrip("/")
    return None


def build_mounts(runner: Runner, scratch: Path) -> tuple[Mount, ...]:
    """Write this machine's pip and apt settings below `scratch`, and return what to mount."""
    scratch.mkdir(parents=True, exist_ok=True, mode=0o700)
    pip_settings = _read_pip_settings(runner)
    pip_conf = scratch / "pip.conf"
    pip_conf.write_text(to_pip_conf({**pip_settings, "cert": _CA_BUNDLE}))
    apt_conf = scratch / "apt.conf"
    apt_conf.write_text(_read_apt_conf(runner))
    mounts = [
        Mount(source=pip_conf, target="/etc/pip.conf"),
        Mount(source=apt_conf, target="/etc/apt/apt.conf.d/99host"),
    ]
    bundle = Path(pip_settings.get("cert", _CA_BUNDLE))
    if bundle.is_file():
        mounts.append(Mount(source=bundle, target=_CA_BUNDLE))
    return tuple(mounts)


def parse_pip_settings(listing: str) -> dict[str, str]:
    """Keep the settings that say where packages come from; later lines win, as in pip."""
    settings = {}
    for line in listing.splitlines():
        scoped, _, value = line.partition("=")
        key = scoped.rpartition(".")[2]
        if key in _PIP_KEYS:
            settings[key] = str(ast.literal_eval(value))
    return settings


def to_pip_conf(settings: dict[str, str]) -> str:
    """Write the settings as a pip configuration file."""
    lines = [f"{key} = {value}".replace("\n", "\n    ") for key, value in settings.items()]
    return "\n".join(["[global]", *lines, ""])


def _read_pip_settings(runner: Runner) -> dict[str, str]:
    try:
        return parse_pip_settings(runner.read([sys.executable, "-m", "pip", "config", "list"]))
    except BuildError:  # an interpreter without pip, as in a venv made by uv
        return {}


def _read_apt_conf(runner: Runner) -> str:
    if shutil.which("apt-config") is None:
        return ""
    dump = runner.read(["apt-config", "dump"])
    kept = [line for line in dump.splitlines() if line.startswith(_APT_PREFIXES)]
    return "\n".join([*kept, ""])
