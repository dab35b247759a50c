"""Steps of the preparation that scikit-learn does not have; ``graph`` writes each as ONNX.

All compute in float64 with operations that ONNX has as well, in the same order, so that a graph
gives the same bits.  They take frames and arrays, which know no names.
"""

from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin

from fairlead_training.preparation.raw import find_origins

Floats = npt.NDArray[np.float64]
Texts = npt.NDArray[np.object_]

RARE: Final = "\U0010ffff"  # no character, and so no category

_MOST_CATEGORIES: Final = 5_000
_RAREST: Final = 100  # categories of less than one row in so many are rare,
_CERTAIN: Final = 10  # but none of so many rows

DAY: Final = 86_400.0
PARTS: Final = ("days", "month", "day", "weekday", "hour")


class Origin(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Move large numbers to an origin, where float32 would not tell them apart."""

    def fit(self, X: Any, y: Any = None) -> Self:  # noqa: N803  as scikit-learn has it
        matrix = np.asarray(X, dtype=np.float64)
        self.origin_ = find_origins(np.fmin.reduce(matrix), np.fmax.reduce(matrix))
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X: Any) -> Floats:  # noqa: N803  as above
        return np.asarray(X, dtype=np.float64) - self.origin_


class RareCategories(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Put rare categories, and those that were never seen, into one."""

    def fit(self, X: Any, y: Any = None) -> Self:  # noqa: N803  as above
        least = max(2, min(_CERTAIN, len(X) // _RAREST))
        matrix = np.asarray(X, dtype=object)
        self.kept_ = [keep_categories(column, least) for column in matrix.T]
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X: Any) -> Texts:  # noqa: N803  as above
        columns = [
            np.where(pd.Series(column).isin(kept).to_numpy(), column, RARE)
            for column, kept in zip(np.asarray(X, dtype=object).T, self.kept_, strict=True)
        ]
        return np.column_stack(columns)


def keep_categories(column: Texts, least: int) -> list[str]:
    """Return the categories of at least so many rows, by the alphabet."""
    counts = pd.Series(column).value_counts()
    return sorted(counts[counts >= least].head(_MOST_CATEGORIES).index)


class Calendar(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Turn seconds since 1970 into what a calendar and a clock say in UTC.

    Parts that never change are left out.
    """

    def fit(self, X: Any, y: Any = None) -> Self:  # noqa: N803  as above
        matrix = np.asarray(X, dtype=np.float64)
        low = np.fmin.reduce(matrix)
        self.origin_ = np.where(np.isnan(low), 0.0, low)
        parts = read_calendar(matrix, self.origin_)
        self.kept_ = np.flatnonzero(np.fmax.reduce(parts) > np.fmin.reduce(parts))
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X: Any) -> Floats:  # noqa: N803  as above
        return read_calendar(np.asarray(X, dtype=np.float64), self.origin_)[:, self.kept_]


def read_calendar(seconds: Floats, origin: Floats) -> Floats:
    """Return all PARTS: of all columns the first, then of all columns the next.

    Days count from the origin, with their fraction, as hours have; a week begins on Monday, 0.
    Months and days of the proleptic Gregorian calendar, by the era of 400 years from the first of
    March on (Howard Hinnant, chrono-Compatible Low-Level Date Algorithms, 2013).
    """
    day = np.floor(seconds / DAY)
    hour = (seconds - day * DAY) / 3600.0
    weekday = day + 3.0 - np.floor((day + 3.0) / 7.0) * 7.0
    since = day + 719_468.0  # from the first of March of year 0
    era_day = since - np.floor(since / 146_097.0) * 146_097.0
    era_year = np.floor(
        (
            era_day
            - np.floor(era_day / 1_460.0)
            + np.floor(era_day / 36_524.0)
            - np.floor(era_day / 146_096.0)
        )
        / 365.0
    )
    year_day = era_day - (365.0 * era_year + np.floor(era_year / 4.0) - np.floor(era_year / 100.0))
    march = np.floor((5.0 * year_day + 2.0) / 153.0)  # months since March
    month_day = year_day - np.floor((153.0 * march + 2.0) / 5.0) + 1.0
    month = march + 3.0 - np.floor(march / 10.0) * 12.0
    return np.hstack([(seconds - origin) / DAY, month, month_day, weekday, hour])


class Joined(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Turn a column of one text into what scikit-learn's vectorizers take."""

    def fit(self, X: Any, y: Any = None) -> Self:  # noqa: N803  as above
        return self

    def transform(self, X: Any) -> Texts:  # noqa: N803  as above
        return np.asarray(X, dtype=object)[:, 0]
