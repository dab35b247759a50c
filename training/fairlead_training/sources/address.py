"""What may be said of a source's address, in messages and in records.  Pure."""

import re
import urllib.parse
from typing import Final

_HOST: Final = r"(?:[^:/?#@\[\],]+|\[[^\]]*\])(?::\d*)?"
_HOSTS: Final = re.compile(rf"{_HOST}(?:,{_HOST})*")


def public_uri(uri: str) -> str:
    """Return the address without user, password and parameters."""
    scheme, separator, rest = uri.partition("://")
    # What stands before the first slash is a password's beginning where it is no host.
    if "@" in rest and not _HOSTS.fullmatch(re.split("[/?#]", rest, maxsplit=1)[0]):
        rest = rest.rpartition("@")[2]
    parts = urllib.parse.urlsplit(f"{scheme}{separator}{rest}")
    return urllib.parse.urlunsplit((parts.scheme, parts.netloc, parts.path, "", ""))
