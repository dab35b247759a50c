"""A real S3 server before a folder: versitygw, which `make s3-tools` builds."""

import contextlib
import dataclasses
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.certificates import Certificate, make_certificates
from cluster.command import run
from cluster.ports import free_port
from images.versitygw import versitygw_path
from support.servers import wait_until_answering

KEY = {"accessKeyId": "reader", "secretAccessKey": "reads-0nly"}
STRANGER = {"accessKeyId": "stranger", "secretAccessKey": "reads-n0thing"}
BUCKET = "market"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class S3Server:
    """A running server; what lies in its folder is in its bucket."""

    folder: Path
    port: int
    authority: str  # certificate of who signed its own, as PEM

    @property
    def endpoint(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def put(self, key: str, content: bytes) -> None:
        path = self.folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


@contextlib.contextmanager
def s3_server(folder: Path) -> Iterator[S3Server]:
    """Run a server with one bucket, one user who may read it, and one who may not."""
    program = versitygw_path()
    if program is None:
        pytest.fail("the S3 server of the tests is not built; run: make s3-tools")
    bucket = folder / "buckets" / BUCKET
    for each in (bucket, folder / "users"):
        each.mkdir(parents=True)
    certificate = Certificate(
        name="s3", subject="/CN=s3", usage="serverAuth", names=("IP:127.0.0.1",)
    )
    make_certificates(folder / "pki", (certificate,), run)
    port = free_port()
    owner = {"ROOT_ACCESS_KEY": KEY["accessKeyId"], "ROOT_SECRET_KEY": KEY["secretAccessKey"]}
    command = [
        *(program, "--quiet", "--port", f"127.0.0.1:{port}", "--iam-dir", folder / "users"),
        *("--cert", folder / "pki" / "s3.crt", "--key", folder / "pki" / "s3.key"),
        *("posix", folder / "buckets"),
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, **owner})
    server = S3Server(folder=bucket, port=port, authority=(folder / "pki" / "ca.crt").read_text())
    try:
        wait_until_answering(process, lambda: _add_stranger(program, server), folder / "log")
        yield server
    finally:
        process.kill()
        process.wait()


def _add_stranger(program: Path, server: S3Server) -> bool:
    """Let there be somebody without rights, which also tells whether the server answers."""
    command = [
        *(program, "admin", "--access", KEY["accessKeyId"], "--secret", KEY["secretAccessKey"]),
        *("--endpoint-url", server.endpoint, "--allow-insecure", "create-user"),
        *("--access", STRANGER["accessKeyId"], "--secret", STRANGER["secretAccessKey"]),
        *("--role", "user"),
    ]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
