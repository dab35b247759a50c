"""Makes what others wrote fit for a status, an Event, a log and a terminal.  Pure."""


def printable(text: object, *, limit: int) -> str:
    """Return at most ``limit`` characters of the text, without control and half characters."""
    words = "".join(char if char.isprintable() else " " for char in str(text)[:limit])
    return words.encode("utf-8", "replace").decode()
