"""How long to wait before the next try."""

import random


class Backoff:
    """Doubles from `first` to `most` seconds; `reset` after a success.

    Each wait is shortened at random by up to half, so that many gateways do not come back to an
    API server in one instant.
    """

    def __init__(self, *, first: float = 0.1, most: float = 5.0) -> None:
        self._first = first
        self._most = most
        self._next = first

    def reset(self) -> None:
        """Begin anew."""
        self._next = self._first

    def next_delay(self, *, at_least: float | None = None) -> float:
        """Return the seconds to wait now; `at_least` is what the other side asked for."""
        delay = self._next
        self._next = min(self._most, delay * 2)
        delay *= random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, hides nothing
        return max(delay, at_least or 0.0)
