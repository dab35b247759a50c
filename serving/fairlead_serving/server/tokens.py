"""What a caller must know to be let in, as its Secret has it now.

The kubelet renews a mounted file when its Secret changes, within two minutes, and a variable never.
"""

import contextlib
import hmac
from pathlib import Path


class Token:
    """A secret word, and the file that brings the next one.

    A file that is gone or blank opens nothing: the word that it last had stays.
    """

    def __init__(self, value: str, file: Path | None = None) -> None:
        self._value = value
        self._file = file

    def is_told_by(self, given: str) -> bool:
        """Compare what a caller gives; how long it takes says nothing of the word."""
        if self._file is not None:
            with contextlib.suppress(OSError, UnicodeDecodeError):
                self._value = self._file.read_text(encoding="utf-8").strip() or self._value
        return hmac.compare_digest(given.encode(), self._value.encode())
