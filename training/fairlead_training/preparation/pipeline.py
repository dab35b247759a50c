"""Turn raw columns into the numbers that learners see, by a scikit-learn pipeline.

    number, integer, boolean    as they are, a missing one as NaN; large ones from an origin on
    category                    one-hot for few, the mean target for many, the rare ones as one
    time                        days since the earliest, month, day, weekday and hour, if they vary
    text                        how often it has each of the commonest words, weighted (TF-IDF)

It is fitted on the rows that a learner is fitted on, and on no others.  What it learns from the
target it learns for each of these rows from others than that row (cross-fitting).
"""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import KFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, TargetEncoder

from fairlead_contract.graph import ColumnType
from fairlead_training.config import Task
from fairlead_training.preparation.raw import NUMERIC
from fairlead_training.preparation.transformers import (
    PARTS,
    RARE,
    Calendar,
    Joined,
    Origin,
    RareCategories,
)

Floats = npt.NDArray[np.float64]

# Steps, by the name that ``graph`` finds them under.
NUMBERS: Final = "numbers"
ONE_HOT: Final = "one-hot"
ENCODED: Final = "encoded"
TIMES: Final = "times"
TEXT: Final = "text"  # one step a column

# What Python and RE2 read alike: runs of characters other than ASCII's and common punctuation.
WORD: Final = (
    "[^\\x00-\\x2f\\x3a-\\x40\\x5b-\\x60\\x7b-\\xbf\\u2000-\\u206f\\u3000-\\u303f\\ufeff]+"
)

_FEW: Final = 12  # categories that get a feature each
_MOST_CLASSES: Final = 10  # that get the mean of the target each
_MOST_WORDS: Final = 200
_PARTS: Final = 5  # of the rows, for cross-fitting
_LOWER: Final = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Preparation:
    """A fitted preparation."""

    columns: Mapping[str, ColumnType]  # it takes, in the order of the signature
    steps: ColumnTransformer
    names: tuple[str, ...]  # of the features
    sources: tuple[str, ...]  # column that each feature is made of

    def transform(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return the features of rows whose columns ``raw`` has read."""
        with _as_in_onnx():
            features = self.steps.transform(_only(rows, self.columns))
        return self._name(features, rows.index)

    def _name(self, features: Any, index: pd.Index) -> pd.DataFrame:
        with _as_in_onnx():
            matrix = np.asarray(features, dtype=np.float64).astype(np.float32)
        return pd.DataFrame(matrix, columns=list(self.names), index=index, copy=False)


def fit(
    rows: pd.DataFrame,
    columns: Mapping[str, ColumnType],
    target: Floats,
    *,
    task: Task,
    seed: int,
) -> tuple[Preparation, pd.DataFrame]:
    """Fit a preparation.

    Args:
        rows: whose columns ``raw`` has read.
        columns: the type of each that is to be used.
        target: 0 and 1, class numbers, or the value.
        task: says what the target is.
        seed: draws the parts for cross-fitting.

    Returns:
        the preparation, and the features of these rows, which a learner may learn from.
    """
    rows = _only(rows, columns)
    steps = _plan(rows, columns, target, task, seed)
    if task is Task.REGRESSION:
        spread = float(np.std(target)) or 1.0
        target = (target - float(np.mean(target))) / spread
    with _as_in_onnx():
        features = steps.fit_transform(rows, target)
    names, sources = _name_features(steps, target, task)
    preparation = Preparation(columns=dict(columns), steps=steps, names=names, sources=sources)
    return preparation, preparation._name(features, rows.index)  # noqa: SLF001  its own module


def lower(text: str) -> str:
    """Lower the letters of ASCII, which no locale changes."""
    return text.translate(_LOWER)


def _as_in_onnx() -> np.errstate:
    """Let what is too large be infinite, and what no number is be none, without a word."""
    return np.errstate(over="ignore", invalid="ignore")


def _only(rows: pd.DataFrame, columns: Mapping[str, ColumnType]) -> pd.DataFrame:
    return rows if list(rows.columns) == list(columns) else rows[list(columns)]


def _plan(
    rows: pd.DataFrame,
    columns: Mapping[str, ColumnType],
    target: Floats,
    task: Task,
    seed: int,
) -> ColumnTransformer:
    """Choose a step for each column, by its type and by how many categories it has."""
    numbers = [name for name, kind in columns.items() if kind in NUMERIC]
    times = [name for name, kind in columns.items() if kind is ColumnType.TIME]
    few, many = _by_count([n for n, kind in columns.items() if kind is ColumnType.CATEGORY], rows)
    steps: list[tuple[str, Any, Sequence[str]]] = []
    if numbers:
        steps.append((NUMBERS, Origin(), numbers))
    if few:
        one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
        steps.append((ONE_HOT, make_pipeline(RareCategories(), one_hot), few))
    if many:
        steps.append((ENCODED, make_pipeline(RareCategories(), _encoder(target, task, seed)), many))
    if times:
        steps.append((TIMES, Calendar(), times))
    for position, (name, kind) in enumerate(columns.items()):
        if kind is ColumnType.TEXT and _words_come_twice(rows[name]):
            steps.append((f"{TEXT} {position}", make_pipeline(Joined(), _words()), [name]))
    # Arrays, which know no names: a name may be any text.
    return ColumnTransformer(steps, sparse_threshold=0.0, verbose_feature_names_out=False)


def _by_count(names: Sequence[str], rows: pd.DataFrame) -> tuple[list[str], list[str]]:
    few = [name for name in names if rows[name].nunique() <= _FEW]
    return few, [name for name in names if name not in set(few)]


def _encoder(target: Floats, task: Task, seed: int) -> Any:
    classes = 0 if task is Task.REGRESSION else len(np.unique(target))
    if classes > _MOST_CLASSES:
        return OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    kinds = {Task.REGRESSION: "continuous", Task.BINARY: "binary", Task.MULTICLASS: "multiclass"}
    kind = "binary" if classes == 2 else kinds[task]
    parts = KFold(min(_PARTS, len(target)), shuffle=True, random_state=seed)
    return TargetEncoder(target_type=kind, cv=parts)


def _words_come_twice(texts: "pd.Series[Any]") -> bool:
    seen: set[str] = set()
    for text in texts:
        words = set(re.findall(WORD, lower(text)))
        if words & seen:
            return True
        seen |= words
    return False


def _words() -> TfidfVectorizer:
    # Not scaled to a length of one: a sum would be another in its last bit elsewhere, and trees
    # may split there.
    return TfidfVectorizer(
        preprocessor=lower,
        token_pattern=WORD,
        max_features=_MOST_WORDS,
        min_df=2,
        norm=None,
        dtype=np.float32,
    )


def _name_features(
    steps: ColumnTransformer, target: Floats, task: Task
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Name the features, each once, and the column of each."""
    named: list[tuple[str, str]] = []
    for name, step, columns in steps.transformers_:
        if name == "remainder":
            continue
        kind = name.split(" ")[0]
        if kind == NUMBERS:
            named += [(column, column) for column in columns]
        elif kind == ONE_HOT:
            for column, categories in zip(columns, step[-1].categories_, strict=True):
                named += [(f"{column}={_word(category)}", column) for category in categories]
        elif kind == ENCODED:
            named += _name_encoded(step, columns)
        elif kind == TIMES:
            parts = [(f"{column} {part}", column) for part in PARTS for column in columns]
            named += [parts[position] for position in step.kept_]
        else:
            words = step[-1].get_feature_names_out()
            named += [(f"{columns[0]} has {word}", columns[0]) for word in words]
    return _distinguish([name for name, _ in named]), tuple(source for _, source in named)


def _name_encoded(step: Pipeline, columns: Sequence[str]) -> list[tuple[str, str]]:
    encoder = step[-1]
    if isinstance(encoder, TargetEncoder) and encoder.target_type_ == "multiclass":
        return [
            (f"{column} for {float(label):g}", column)
            for column in columns
            for label in encoder.classes_
        ]
    return [(column, column) for column in columns]


def _word(category: str) -> str:
    return {RARE: "other", "": "none"}.get(category, category)


def _distinguish(names: Sequence[str]) -> tuple[str, ...]:
    """Make names different, and free of what XGBoost takes for its own."""
    plain = [re.sub(r"[\[\]<]", "_", name) for name in names]
    seen: set[str] = set()
    for position, name in enumerate(plain):
        number = 2
        while name in seen:
            plain[position] = f"{name} {number}"
            number += 1
        seen.add(plain[position])
    return tuple(plain)
