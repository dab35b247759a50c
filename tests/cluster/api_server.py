"""A few GET requests to the API server, to see whether it is ready.

By hand rather than by kubectl: waiting asks many times a second, and each start of kubectl
costs a tenth of one.
"""

import http.client
import json
import ssl
from contextlib import closing
from pathlib import Path
from typing import Any


class ApiServer:
    """The API server on a loopback port, asked as the administrator."""

    def __init__(self, port: int, pki: Path) -> None:
        self._port = port
        self._pki = pki

    def get(self, path: str) -> bytes | None:
        """Return what is there, or None when nothing is or nobody answers."""
        try:
            context = ssl.create_default_context(cafile=str(self._pki / "ca.crt"))
            context.load_cert_chain(self._pki / "admin.crt", self._pki / "admin.key")
            connection = http.client.HTTPSConnection(
                "127.0.0.1", self._port, timeout=30, context=context
            )
            with closing(connection):
                connection.request("GET", path)
                response = connection.getresponse()
                body = response.read()
        except (OSError, http.client.HTTPException):
            return None
        return body if response.status == http.client.OK else None

    def get_object(self, path: str) -> dict[str, Any]:
        """Return the object at the path; it is empty when there is none."""
        body = self.get(path)
        return dict(json.loads(body)) if body else {}

    def is_ready(self) -> bool:
        return self.get("/readyz") is not None
