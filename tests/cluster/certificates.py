"""Keys and certificates, by openssl.

Made in a draft folder that is renamed when complete, so a folder that exists is whole.
Elliptic keys throughout: an RSA key takes longer to make than the API server to start.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cluster.command import Run
from cluster.topology import API_SERVICE_ADDRESS, NODE_ADDRESS, NODE_NAME

_DAYS = "3650"
_API_SERVER_NAMES = (
    "DNS:kubernetes",
    "DNS:kubernetes.default",
    "DNS:kubernetes.default.svc",
    "DNS:kubernetes.default.svc.cluster.local",
    "DNS:localhost",
    f"IP:{API_SERVICE_ADDRESS}",
    f"IP:{NODE_ADDRESS}",
    "IP:127.0.0.1",  # the host's way in
)
_NODE_SUBJECT = f"/O=system:nodes/CN=system:node:{NODE_NAME}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """One certificate to sign; the subject is the user or group Kubernetes sees."""

    name: str
    subject: str
    usage: str
    names: Sequence[str] = ()
    authority: str = "ca"


_API_SERVER = Certificate(
    name="apiserver", subject="/CN=kube-apiserver", usage="serverAuth", names=_API_SERVER_NAMES
)
_ADMIN = Certificate(name="admin", subject="/O=system:masters/CN=admin", usage="clientAuth")

CONTROL_PLANE = (_API_SERVER, _ADMIN)
FRONT_PROXY = Certificate(
    name="front-proxy-client",
    subject="/CN=front-proxy-client",
    usage="clientAuth",
    authority="front-proxy-ca",
)
FULL = (
    *CONTROL_PLANE,
    Certificate(
        name="apiserver-kubelet-client",
        subject="/O=system:masters/CN=kube-apiserver-kubelet-client",
        usage="clientAuth",
    ),
    FRONT_PROXY,
    Certificate(
        name="controller-manager",
        subject="/CN=system:kube-controller-manager",
        usage="clientAuth",
    ),
    Certificate(name="scheduler", subject="/CN=system:kube-scheduler", usage="clientAuth"),
    Certificate(name="proxy", subject="/CN=system:kube-proxy", usage="clientAuth"),
    Certificate(name="kubelet", subject=_NODE_SUBJECT, usage="clientAuth"),
    Certificate(
        name="kubelet-serving",
        subject=_NODE_SUBJECT,
        usage="serverAuth",
        names=(f"DNS:{NODE_NAME}", f"IP:{NODE_ADDRESS}"),
    ),
)


def make_certificates(folder: Path, wanted: Sequence[Certificate], run: Run) -> bool:
    """Fill the folder unless it is there; say whether it was made now."""
    if folder.exists():
        return False
    draft = folder.with_name(f".{folder.name}.draft")
    if draft.exists():  # of a command that was killed
        shutil.rmtree(draft)
    draft.mkdir(parents=True, mode=0o700)
    for authority in sorted({certificate.authority for certificate in wanted}):
        _make_authority(draft, authority, run)
    for certificate in wanted:
        _sign(draft, certificate, run)
    _make_key(draft / "service-accounts.key", run)
    run(
        [
            *("openssl", "pkey", "-in", draft / "service-accounts.key"),
            *("-pubout", "-out", draft / "service-accounts.pub"),
        ]
    )
    draft.replace(folder)
    return True


def _make_key(path: Path, run: Run) -> None:
    run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", path])


def _make_authority(folder: Path, name: str, run: Run) -> None:
    _make_key(folder / f"{name}.key", run)
    run(
        [
            *("openssl", "req", "-x509", "-new", "-key", folder / f"{name}.key", "-days", _DAYS),
            *("-subj", f"/CN=fairlead-{name}", "-out", folder / f"{name}.crt"),
            *("-addext", "keyUsage=critical,keyCertSign,cRLSign,digitalSignature"),
        ]
    )


def _sign(folder: Path, certificate: Certificate, run: Run) -> None:
    key = folder / f"{certificate.name}.key"
    request = folder / f"{certificate.name}.csr"
    extensions = folder / f"{certificate.name}.ext"
    authority = folder / certificate.authority
    _make_key(key, run)
    run(["openssl", "req", "-new", "-key", key, "-subj", certificate.subject, "-out", request])
    lines = ["keyUsage=critical,digitalSignature", f"extendedKeyUsage={certificate.usage}"]
    if certificate.names:
        lines.append(f"subjectAltName={','.join(certificate.names)}")
    extensions.write_text("\n".join(lines) + "\n")
    run(
        [
            *("openssl", "x509", "-req", "-in", request, "-days", _DAYS, "-extfile", extensions),
            *("-CA", f"{authority}.crt", "-CAkey", f"{authority}.key", "-CAcreateserial"),
            *("-out", folder / f"{certificate.name}.crt"),
        ]
    )
    request.unlink()
    extensions.unlink()
