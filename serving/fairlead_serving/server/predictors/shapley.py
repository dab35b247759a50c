"""What each column adds to a score: its Shapley value, whatever the model is.  Pure.

The score of a row is compared with those of a few others.  A column adds the difference that its
value makes when it takes the place of the other's, on average over every order in which the
columns could do so.  Of few columns, all orders are counted.  Of more, some are drawn, each with
its reverse; what a row's columns add then still comes to exactly its difference.
"""

import math
from collections.abc import Callable
from typing import Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

# The scores of mixtures: which columns are the row's own, and with which row the others are filled.
Score: TypeAlias = Callable[[npt.NDArray[np.bool_], npt.NDArray[np.intp]], npt.NDArray[np.float64]]

_ALL_ORDERS: Final = 8  # columns of which all orders are counted, at most
_MIXTURES: Final = 4_000  # of a row, when orders are drawn
_MOST_PAIRS: Final = 64
_CELLS: Final = 100_000  # of the mixtures that are asked about at once
_SEED: Final = 14  # the same question has the same answer


class Attribution(NamedTuple):
    """What the columns add, in their order, to the score of the rows compared with."""

    base: float
    values: npt.NDArray[np.float64]
    error: float | None  # one standard error of the least certain; None where all was counted


def attribute(score: Score, *, columns: int, compared: int) -> Attribution:
    """Divide the difference of a row to others among its columns.

    Args:
        score: of mixtures of the row and the others.
        columns: how many there are.
        compared: how many others there are.
    """
    if columns <= _ALL_ORDERS:
        return _count(score, columns, compared)
    return _draw(score, columns, compared)


def _count(score: Score, columns: int, compared: int) -> Attribution:
    sets = np.arange(2**columns)
    taken = (sets[:, None] >> np.arange(columns)) & 1 == 1
    mixed = _ask(score, np.repeat(taken, compared, axis=0), np.tile(np.arange(compared), len(sets)))
    value = mixed.reshape(len(sets), compared).mean(axis=1)
    # How many of all orders have the columns of a set before the next one.
    orders = [1 / (columns * math.comb(columns - 1, size)) for size in range(columns)]
    weight = np.array([*orders, 0.0])[taken.sum(axis=1)]
    added = []
    for column in range(columns):
        without = sets[~taken[:, column]]
        added.append(weight[without] @ (value[without | 1 << column] - value[without]))
    return Attribution(float(value[0]), np.array(added), None)


def _draw(score: Score, columns: int, compared: int) -> Attribution:
    pairs = min(max(_MIXTURES // (2 * (columns + 1)), 2), _MOST_PAIRS)
    if pairs > compared:  # each of the others as often
        pairs -= pairs % compared
    random = np.random.default_rng(_SEED)
    drawn = [random.permutation(columns) for _ in range(pairs)]
    orders = np.array([each for order in drawn for each in (order, order[::-1])])
    values = _walk(score, np.argsort(orders, axis=1), compared)
    added = np.empty(orders.shape)
    np.put_along_axis(added, orders, np.diff(values, axis=1), axis=1)
    of_pairs = added.reshape(pairs, 2, columns).mean(axis=1)
    error = of_pairs.std(axis=0, ddof=1).max() / math.sqrt(pairs)
    return Attribution(float(values[:, 0].mean()), of_pairs.mean(axis=0), float(error))


def _walk(score: Score, places: npt.NDArray[np.intp], compared: int) -> npt.NDArray[np.float64]:
    """Return the scores on the way from another row to this one: [orders, columns + 1].

    Args:
        score: of mixtures.
        places: of each column in each order; two orders in a row belong together.
        compared: how many other rows there are, which take turns.
    """
    orders, columns = places.shape
    steps = np.arange(columns + 1)
    values = np.empty((orders, columns + 1))
    at_once = max(_CELLS // (columns * (columns + 1)), 1)
    for first in range(0, orders, at_once):
        some = slice(first, first + at_once)
        against = np.arange(orders)[some] // 2 % compared
        for part in np.array_split(steps, _pieces(columns + 1, columns)):
            taken = places[some, None, :] < part[:, None]
            mixed = score(taken.reshape(-1, columns), np.repeat(against, len(part)))
            values[some, part] = mixed.reshape(len(against), len(part))
    return values


def _ask(
    score: Score, taken: npt.NDArray[np.bool_], against: npt.NDArray[np.intp]
) -> npt.NDArray[np.float64]:
    pieces = _pieces(*taken.shape)
    parts = zip(np.array_split(taken, pieces), np.array_split(against, pieces), strict=True)
    return np.concatenate([score(*part) for part in parts])


def _pieces(rows: int, columns: int) -> int:
    return min(rows, rows * columns // _CELLS + 1)
