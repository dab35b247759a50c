"""The agent's settings.  The only reader of the environment."""

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path

from fairlead_contract import cluster

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Where the gateway pod listens."""

    bind: str = "0.0.0.0"  # noqa: S104 - a pod is reached on all its addresses
    traffic: int = cluster.GATEWAY_TRAFFIC_PORT
    metrics: int = cluster.GATEWAY_METRICS_PORT
    admin: int = 9901  # of Envoy, on loopback whatever `bind` says
    agent: int = cluster.GATEWAY_AGENT_PORT


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All that differs between two agents."""

    namespace: str
    pod: str
    api_url: str
    api_token: str | None  # None: the service account's, read again when it is rotated
    run_dir: Path
    ports: Ports

    @property
    def socket(self) -> Path:
        """Return where Envoy finds the agent."""
        return self.run_dir / "ads.sock"

    @property
    def snapshot(self) -> Path:
        """Return where the last good snapshot is kept."""
        return self.run_dir / "snapshot.json"


def read_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """Read the environment.

    Raises:
        ValueError: a variable is missing or not a number.
    """
    host = environment.get("KUBERNETES_SERVICE_HOST", "kubernetes.default.svc")
    if ":" in host:
        host = f"[{host}]"
    in_cluster = f"https://{host}:{environment.get('KUBERNETES_SERVICE_PORT', '443')}"
    return Settings(
        namespace=_required(environment, "FAIRLEAD_NAMESPACE"),
        pod=_required(environment, "POD_NAME"),
        api_url=environment.get("FAIRLEAD_API_URL", in_cluster).rstrip("/"),
        api_token=environment.get("FAIRLEAD_API_TOKEN"),
        run_dir=Path(environment.get("FAIRLEAD_GATEWAY_DIR", cluster.GATEWAY_DIRECTORY)),
        ports=read_ports(environment),
    )


def read_ports(environment: Mapping[str, str] = os.environ) -> Ports:
    """Read the ports alone, for the commands that need nothing else."""
    return Ports(
        bind=environment.get("FAIRLEAD_GATEWAY_BIND", Ports().bind),
        traffic=_port(environment, "TRAFFIC", Ports().traffic),
        metrics=_port(environment, "METRICS", Ports().metrics),
        admin=_port(environment, "ADMIN", Ports().admin),
        agent=_port(environment, "AGENT", Ports().agent),
    )


def _required(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name)
    if not value:
        raise ValueError(f"environment variable {name} is not set; the operator sets it")
    return value


def _port(environment: Mapping[str, str], purpose: str, default: int) -> int:
    name = f"FAIRLEAD_GATEWAY_{purpose}_PORT"
    text = environment.get(name, str(default))
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise ValueError(f"environment variable {name} is {text!r}; give a port from 1 to 65535")
    return int(text)
