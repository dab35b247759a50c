"""Who the agent is to the API server: the service account's token and CA.

Both are read again when their file changes, because Kubernetes rotates them; while a file cannot
be read, what it last held is used.  The operator's client goes by the same rules (ADR 16).
"""

import ssl
from pathlib import Path


class Credentials:
    """A fixed token, or the files of a service account."""

    def __init__(self, *, token: str | None, directory: Path) -> None:
        self._token = token
        self._token_file = directory / "token" if token is None else None
        self._token_time = 0  # modification time of the file that the token was read from
        self._ca_file = directory / "ca.crt"
        self._context: ssl.SSLContext | None = None
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

    def reread(self) -> None:
        """Read the token again at the next request, whatever the file's time: it was refused."""
        self._token_time = 0

    def trust(self) -> ssl.SSLContext | bool:
        """Return what decides whom to trust; True stands for the system's certificates."""
        try:
            changed = self._ca_file.stat().st_mtime_ns
            if changed != self._ca_time:
                self._context = ssl.create_default_context(cafile=self._ca_file)
                self._ca_time = changed
        except OSError:  # which a file that holds no certificate is, too
            pass
        return self._context or True
