"""Real rows of the example's data set, as a client sends them."""

import csv
import gzip
import itertools
import random
from pathlib import Path

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "nsw-price"
_DATA = EXAMPLE / "nsw-electricity.csv.gz"
_NOT_SENT = frozenset({"timestamp", "price_up"})  # the time, and what is to be predicted

Row = dict[str, float]


def read_rows(*, first: int, count: int) -> list[Row]:
    """Read rows as the model's inputs."""
    with gzip.open(_DATA, "rt") as file:
        chosen = itertools.islice(csv.DictReader(file), first, first + count)
        return [
            {name: float(cell) for name, cell in row.items() if name not in _NOT_SENT}
            for row in chosen
        ]


def shuffle_rows(rows: list[Row]) -> list[Row]:
    """Mix them, always alike: neighbors in time are alike, and faults would come in bursts."""
    return random.Random(7).sample(rows, k=len(rows))


def read_csv(*, first: int, count: int) -> str:
    """Read rows as PostgreSQL's COPY takes them."""
    with gzip.open(_DATA, "rt") as file:
        return "".join(itertools.islice(file, 1 + first, 1 + first + count))
