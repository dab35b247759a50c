#!/usr/bin/env python3
"""Print rows of the data set as CSV, ready for ``COPY half_hours FROM STDIN (FORMAT csv)``.

    python3 rows.py --first 0 --count 2016

The data are 45,312 half-hours of the electricity market of New South Wales and Victoria,
7 May 1996 to 6 December 1998, all columns but the time scaled to 0 to 1.
"""

import argparse
import gzip
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path

DATA = Path(__file__).resolve().with_name("nsw-electricity.csv.gz")


def rows(*, first: int, count: int) -> Iterator[str]:
    """Yield CSV lines, without the header, in the order of time."""
    with gzip.open(DATA, "rt") as file:
        yield from itertools.islice(file, 1 + first, 1 + first + count)


def columns() -> list[str]:
    """Name the columns."""
    with gzip.open(DATA, "rt") as file:
        return file.readline().strip().split(",")


def main() -> None:
    parser = argparse.ArgumentParser(description="Print rows of the data set as CSV.")
    parser.add_argument("--first", type=int, default=0, help="number of the first row, from 0")
    parser.add_argument("--count", type=int, required=True, help="how many rows")
    options = parser.parse_args()
    sys.stdout.writelines(rows(first=options.first, count=options.count))


if __name__ == "__main__":
    main()
