"""Kubeconfigs.  Written as JSON, which is YAML, so that no YAML library is needed."""

import base64
import json
from pathlib import Path


def build_kubeconfig(*, server: str, pki: Path, user: str) -> str:
    """Build a kubeconfig that contains its certificates."""
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "fairlead",
            "contexts": [
                {"name": "fairlead", "context": {"cluster": "fairlead", "user": user}},
            ],
            "clusters": [
                {
                    "name": "fairlead",
                    "cluster": {
                        "server": server,
                        "certificate-authority-data": _encoded(pki / "ca.crt"),
                    },
                },
            ],
            "users": [
                {
                    "name": user,
                    "user": {
                        "client-certificate-data": _encoded(pki / f"{user}.crt"),
                        "client-key-data": _encoded(pki / f"{user}.key"),
                    },
                },
            ],
        },
        indent=2,
    )


def server_port(kubeconfig: Path) -> int:
    """Return the port in a kubeconfig written here."""
    server = json.loads(kubeconfig.read_text())["clusters"][0]["cluster"]["server"]
    return int(server.rpartition(":")[2])


def _encoded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
