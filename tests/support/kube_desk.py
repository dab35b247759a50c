"""The real client on a real API server, with our CRDs there and a namespace for each test."""

import contextlib
import json
import os
import secrets
import subprocess
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from ssl import SSLContext, create_default_context
from tempfile import TemporaryDirectory

import httpx

from cluster.binaries import KUBERNETES_VERSION, binaries
from cluster.control_plane import ControlPlane
from cluster.layout import layout
from cluster.wait import wait_until
from fairlead_operator.kube.client import KubeClient
from fairlead_operator.kube.credentials import Credentials

CRDS = Path(__file__).resolve().parents[2] / "crds"


def apply_crds(plane: ControlPlane) -> None:
    """Apply our CRDs; twice does no harm, and other tests of the session do the same."""
    plane.kubectl("apply", "--server-side", "--force-conflicts", f"--filename={CRDS}")
    wait_established(plane)
    # Established kinds are served at once, and listed for kubectl a moment later.
    wait_until(
        lambda: all(
            plane.kubectl("get", name, "--all-namespaces", check=False).returncode == 0
            for name in ("mdl", "trun", "mro", "fairlead")
        ),
        timeout=180,
        otherwise=lambda: "kubectl does not find our kinds after 180 s",
    )


def wait_established(plane: ControlPlane) -> None:
    """Wait until every kind is served; kubectl gives up on one that has no status yet."""
    command = ("wait", "--for=condition=Established", "--timeout=20s", "crd", "--all")
    wait_until(
        lambda: plane.kubectl(*command, check=False).returncode == 0,
        timeout=180,
        otherwise=lambda: "the API server does not serve all kinds after 180 s",
    )


def create_namespace(plane: ControlPlane, prefix: str) -> str:
    """Create one that no other test has; each start of kubectl costs a tenth of a second."""
    name = f"{prefix}-{secrets.token_hex(3)}"
    server, context = admin_of(plane.kubeconfig)
    manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    with httpx.Client(base_url=server, verify=context, trust_env=False, timeout=60) as api:
        api.post("/api/v1/namespaces", json=manifest).raise_for_status()
    return name


def admin_client(kubeconfig: Path) -> KubeClient:
    """Build the operator's client with the administrator's certificate."""
    server, context = admin_of(kubeconfig)
    return KubeClient(server, Credentials(context=context))


def admin_of(kubeconfig: Path) -> tuple[str, SSLContext]:
    """Return address, and a context that brings the administrator's certificate."""
    document = json.loads(kubeconfig.read_text())
    cluster, user = document["clusters"][0]["cluster"], document["users"][0]["user"]
    authority = b64decode(cluster["certificate-authority-data"]).decode()
    context = create_default_context(cadata=authority)
    with _certificate(user) as (certificate, key):
        context.load_cert_chain(certificate, key)
    return cluster["server"], context


def authority_of(kubeconfig: Path) -> tuple[str, SSLContext]:
    """Return address, and a context that trusts the server and brings no certificate."""
    cluster = json.loads(kubeconfig.read_text())["clusters"][0]["cluster"]
    authority = b64decode(cluster["certificate-authority-data"]).decode()
    return cluster["server"], create_default_context(cadata=authority)


def chart_account(plane: ControlPlane, *, namespace: str, watch: str, folder: Path) -> Path:
    """Write a kubeconfig of the chart's ServiceAccount, which may do no more than that."""
    helm = binaries(layout(os.environ).cache)["helm"]
    release = f"rights-{secrets.token_hex(3)}"
    command = [helm, "template", release, str(CRDS.parent / "charts" / "fairlead")]
    command += [f"--namespace={namespace}", f"--kube-version={KUBERNETES_VERSION}"]
    command += [
        "--set=bundled.enabled=true",
        *([f"--set=watchNamespaces={{{watch}}}"] * bool(watch)),
    ]
    for name in ("clusterroles", "operator/rbac", "operator/serviceaccount"):
        command.append(f"--show-only=templates/{name}.yaml")
    manifests = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    plane.kubectl("apply", "--server-side", "--force-conflicts", "--filename=-", input=manifests)
    account = f"{release}-fairlead-operator"
    wait_until(
        lambda: (
            may(plane, account, namespace, "list", "models.fairlead.dev", f"--namespace={watch}")
            and may(plane, account, namespace, "create", "leases", f"--namespace={namespace}")
        ),
        timeout=60,
        otherwise=lambda: f"ServiceAccount {account} has no rights after 60 s",
    )
    return log_in_as(plane, account, namespace=namespace, folder=folder)


def may(plane: ControlPlane, account: str, namespace: str, *what: str) -> bool:
    """Tell whether the API server has heard that a ServiceAccount may do this."""
    asked = ("auth", "can-i", *what, f"--as=system:serviceaccount:{namespace}:{account}")
    return plane.kubectl(*asked, check=False).returncode == 0


def log_in_as(plane: ControlPlane, account: str, *, namespace: str, folder: Path) -> Path:
    """Write a kubeconfig of a ServiceAccount."""
    token = plane.kubectl(f"--namespace={namespace}", "create", "token", account).stdout.strip()
    document = json.loads(plane.kubeconfig.read_text())
    document["users"][0]["user"] = {"token": token}
    kubeconfig = folder / "kubeconfig"
    kubeconfig.write_text(json.dumps(document))
    return kubeconfig


@contextlib.contextmanager
def _certificate(user: dict[str, str]) -> Iterator[tuple[Path, Path]]:
    with TemporaryDirectory() as folder:
        certificate, key = Path(folder, "tls.crt"), Path(folder, "tls.key")
        certificate.write_bytes(b64decode(user["client-certificate-data"]))
        key.write_bytes(b64decode(user["client-key-data"]))
        yield certificate, key
