#!/usr/bin/env python3
"""Print the rows of a table as CSV, ready for ``COPY … FROM STDIN (FORMAT csv)``.

    python3 rows.py wines

Tumors and wines come with scikit-learn (``pip install scikit-learn``), half-hours with nsw-price.
"""

import argparse
import csv
import gzip
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path

MARKET = Path(__file__).resolve().parents[1] / "nsw-price" / "nsw-electricity.csv.gz"
_MEANS = 10  # columns: the mean of each measure over a tumor's cells
_CULTIVARS = ("barolo", "grignolino", "barbera")


def tumors() -> Iterator[list[object]]:
    """Yield what was measured, and whether it was malignant: yes or no."""
    from sklearn.datasets import load_breast_cancer  # noqa: PLC0415  half-hours need no scikit-learn

    found = load_breast_cancer()
    for row, benign in zip(found.data[:, :_MEANS].tolist(), found.target, strict=True):
        yield [*row, "no" if benign else "yes"]


def wines() -> Iterator[list[object]]:
    """Yield what was measured, and the cultivar by name."""
    from sklearn.datasets import load_wine  # noqa: PLC0415  as above

    found = load_wine()
    for row, cultivar in zip(found.data.tolist(), found.target, strict=True):
        yield [*row, _CULTIVARS[cultivar]]


def half_hours() -> Iterator[list[object]]:
    """Yield every half-hour, in the order of time."""
    with gzip.open(MARKET, "rt", newline="") as file:
        yield from itertools.islice(csv.reader(file), 1, None)


TABLES = {"tumors": tumors, "wines": wines, "half_hours": half_hours}


def main() -> None:
    parser = argparse.ArgumentParser(description="Print the rows of a table as CSV.")
    parser.add_argument("table", choices=sorted(TABLES))
    options = parser.parse_args()
    csv.writer(sys.stdout, lineterminator="\n").writerows(TABLES[options.table]())


if __name__ == "__main__":
    main()
