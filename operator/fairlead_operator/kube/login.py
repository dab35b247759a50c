"""The credentials of the process: a service account in a pod, a kubeconfig on a desk."""

import logging
import ssl
import tempfile
from base64 import b64decode
from pathlib import Path
from typing import Final

import kopf

from fairlead_operator.kube.client import KubeClient
from fairlead_operator.kube.credentials import Credentials

_SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")


def login() -> kopf.ConnectionInfo:
    """Log in the way kopf itself does.

    Raises:
        SystemExit: neither a service account nor a kubeconfig is there.
    """
    options = kopf.OperatorSettings()
    logger = logging.getLogger(__name__)
    info = kopf.login_with_service_account(
        logger=logger, settings=options
    ) or kopf.login_with_kubeconfig(logger=logger, settings=options)
    if info is None:
        raise SystemExit(
            "no cluster credentials: run in a pod with a service account, or set KUBECONFIG"
        )
    return info


def client(info: kopf.ConnectionInfo) -> KubeClient:
    """Build a client with the same credentials."""
    token_file = _SERVICE_ACCOUNT / "token"
    if token_file.exists() and info.token is not None:
        files = Credentials(token_file=token_file, ca_file=_SERVICE_ACCOUNT / "ca.crt")
        return KubeClient(info.server, files)
    context = _context(info) if info.server.startswith("https") else None
    return KubeClient(info.server, Credentials(token=info.token, context=context))


def _context(info: kopf.ConnectionInfo) -> ssl.SSLContext:
    authority = b64decode(info.ca_data).decode() if info.ca_data else None
    context = ssl.create_default_context(cafile=info.ca_path, cadata=authority)
    if info.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if info.certificate_path:
        context.load_cert_chain(str(info.certificate_path), info.private_key_path)
    elif info.certificate_data and info.private_key_data:
        # The ssl module reads a client certificate from files only.
        with tempfile.TemporaryDirectory() as folder:
            certificate, key = Path(folder, "tls.crt"), Path(folder, "tls.key")
            certificate.write_bytes(b64decode(info.certificate_data))
            key.write_bytes(b64decode(info.private_key_data))
            context.load_cert_chain(certificate, key)
    return context
