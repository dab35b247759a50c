"""Makes what others wrote fit for a status, an Event, a log and a terminal.  Pure."""


def describe_evidence(value: float, needed: float) -> str:
    """Write an e-value as people compare it with the one that decides: no powers of ten."""
    if value >= 10 * needed:
        return f"more than {10 * needed:,.0f}"
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value >= 0.01 else "less than 0.01"


def printable(text: object, *, limit: int) -> str:
    """Return at most ``limit`` characters of the text, without control and half characters."""
    words = "".join(char if char.isprintable() else " " for char in str(text)[:limit])
    return words.encode("utf-8", "replace").decode()
