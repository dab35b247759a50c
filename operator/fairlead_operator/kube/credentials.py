"""Who the operator is to the API server: a service account in a pod, a kubeconfig at a desk.

The files of a service account are read again when they change, because Kubernetes rotates them;
while one cannot be read, what it last held is used.  The gateway's agent goes by the same rules
(ADR 16).
"""

import ssl
from pathlib import Path


class Credentials:
    """A token or the file that has it; a context or the file of the CA that it trusts."""

    def __init__(
        self,
        *,
        token: str | None = None,
        token_file: Path | None = None,
        context: ssl.SSLContext | None = None,
        ca_file: Path | None = None,
    ) -> None:
        self._token = token
        self._token_file = token_file
        self._token_time = 0  # modification time of the file that the token was read from
        self._context = context
        self._ca_file = ca_file
        self._ca_time = 0  # as of the token

    def headers(self) -> dict[str, str]:
        """Build the authorization header; there is none where there is no token."""
        if self._token_file is not None:
            try:
                changed = self._token_file.stat().st_mtime_ns
                if changed != self._token_time:
                    self._token = self._token_file.read_text(encoding="utf-8").strip()
                    self._token_time = changed
            except OSError:
                pass  # between two mounts; a token that has expired is answered with 401
        return {"Authorization": f"Bearer {self._token}"} if self._token else {}

    def trust(self) -> ssl.SSLContext | bool:
        """Return what decides whom to trust; True stands for the system's certificates."""
        if self._ca_file is not None:
            try:
                changed = self._ca_file.stat().st_mtime_ns
                if changed != self._ca_time:
                    self._context = ssl.create_default_context(cafile=self._ca_file)
                    self._ca_time = changed
            except OSError:  # which a file that holds no certificate is, too
                pass
        return self._context or True
