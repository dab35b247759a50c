"""How many rows the trainer's memory has room for, so that too many end in words.

A pod that takes more than its limit is killed, and says nothing.
"""

from typing import Final

import pandas as pd

from fairlead_training.compute import read_memory_limit, read_memory_used
from fairlead_training.failure import Reason, TrainingFailure

# The rows as they were read, the checked table, the same in order, and what the learner makes.
_COPIES: Final = 4
_MIB: Final = 2**20


class Room:
    """What is left of the memory for the rows of one source."""

    def __init__(self, source: str, size: int | None) -> None:
        """Begin with nothing read.

        Args:
            source: what a message calls it.
            size: bytes that the rows as they are read may take; None: as many as there are.
        """
        self._source = source
        self._size = size
        self._bytes = 0
        self._rows = 0

    def take(self, frame: pd.DataFrame) -> None:
        """Count rows that were read.

        Raises:
            TrainingFailure: TooMuchData.
        """
        self.take_bytes(measure(frame), rows=len(frame))

    def take_bytes(self, count: int, *, rows: int = 0) -> None:
        """Count bytes that are in memory, and how many rows they are.

        Raises:
            TrainingFailure: TooMuchData.
        """
        self._bytes += count
        self._rows += rows
        if self._size is not None and self._bytes > self._size:
            raise self.overflow()

    @property
    def left(self) -> int | None:
        """Bytes that rows may still take; None: as many as there are."""
        return None if self._size is None else max(0, self._size - self._bytes)

    def give_back(self, count: int) -> None:
        """Count out what was no row, and is in memory no more."""
        self._bytes -= count

    def mark(self) -> tuple[int, int]:
        """Return what is counted so far."""
        return self._bytes, self._rows

    def return_to(self, mark: tuple[int, int]) -> None:
        """Count out what was read since, and is read again."""
        self._bytes, self._rows = mark

    def overflow(self) -> TrainingFailure:
        """Say that the rows do not fit."""
        read = f"{self._rows} rows of it take" if self._rows else "its bytes alone take"
        return TrainingFailure(
            Reason.TOO_MUCH_DATA,
            f"{self._source} does not fit in the trainer's memory: {read} "
            f"{_mib(self._bytes)} MiB, where {_mib(self._size or 0)} MiB are left for rows; list "
            "the columns to learn from in spec.data.features, let a query or the source give fewer "
            "rows, use Parquet, or raise spec.training.resources.limits.memory",
        )


def make_room(source: str, held: int = 0) -> Room:
    """Measure what this container has left.

    Args:
        source: what a message calls it.
        held: bytes of rows that are in memory already, and belong to the same table.
    """
    limit = read_memory_limit()
    if limit is None:
        return Room(source, None)
    return Room(source, (limit - read_memory_used() + held) // _COPIES - held)


def measure(frame: pd.DataFrame) -> int:
    """Return how many bytes of memory rows take."""
    return int(frame.memory_usage(index=False, deep=True).sum())


def _mib(count: int) -> int:
    return max(0, count) // _MIB
