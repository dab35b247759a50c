"""What others wrote, made fit for a status, an Event, a log and a terminal.  Pure."""


def printable(text: object, *, limit: int) -> str:
    """The text without control characters and half characters, at most ``limit`` long."""
    words = "".join(char if char.isprintable() else " " for char in str(text)[:limit])
    return words.encode("utf-8", "replace").decode()
