"""What may be said of a source's address, in messages and in records.  Pure."""

import urllib.parse


def public_uri(uri: str) -> str:
    """Return the address without user, password and parameters."""
    parts = urllib.parse.urlsplit(uri)
    host = parts.netloc.rpartition("@")[2]
    return urllib.parse.urlunsplit((parts.scheme, host, parts.path, "", ""))
