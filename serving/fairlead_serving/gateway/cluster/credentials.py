"""Who the agent is to the API server: the service account's token and CA.

Both are read again when their file changes, because Kubernetes rotates them.
"""

import ssl
from pathlib import Path


class Credentials:
    """A fixed token, or the files of a service account."""

    def __init__(self, *, token: str | None, directory: Path) -> None:
        self._fixed = token
        self._token_file = directory / "token"
        self._ca_file = directory / "ca.crt"
        self._context: ssl.SSLContext | None = None
        self._context_of: int | None = None  # modification time of the CA that it trusts

    def headers(self) -> dict[str, str]:
        """The authorization header; none where there is no token."""
        token = self._fixed if self._fixed is not None else _read(self._token_file)
        return {"Authorization": f"Bearer {token}"} if token else {}

    def trust(self) -> ssl.SSLContext | bool:
        """What decides whom to trust; True stands for the system's certificates."""
        try:
            changed = self._ca_file.stat().st_mtime_ns
        except OSError:
            return True
        if self._context is None or changed != self._context_of:
            self._context = ssl.create_default_context(cafile=self._ca_file)
            self._context_of = changed
        return self._context


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""
