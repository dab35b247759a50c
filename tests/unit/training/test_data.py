"""Raw rows to a checked table, and the snapshot that names it."""

import dataclasses
import decimal
import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead_training import data
from fairlead_training.config import TrainingConfig, parse_config
from fairlead_training.data import Table, format_time, restore, slice_rows, take_snapshot
from fairlead_training.failure import Reason, TrainingFailure
from support.trainer_config import config_document

RELAXED = settings(max_examples=30)
REGRESSION = {"task": "regression", "search__metric": "rmse"}
MULTICLASS = {"task": "multiclass-classification", "search__metric": "f1_macro"}


def config(**changes: Any) -> TrainingConfig:
    return parse_config(json.dumps(config_document(**changes)))


def check(rows: pd.DataFrame, told: TrainingConfig) -> Table:
    return data.check(rows, told, refused_in_names="[]<")


def frame(rows: int = 30, **columns: Any) -> pd.DataFrame:
    """Half-hourly rows with a target that alternates; a test names the columns that differ."""
    content = {
        "timestamp": pd.date_range("2026-01-01", periods=rows, freq="30min", tz="UTC"),
        "demand": np.arange(rows) / 10,
        "up": np.arange(rows) % 2,
    }
    return pd.DataFrame(content | columns)


def test_rows_are_brought_in_time_order() -> None:
    table = check(frame().iloc[::-1], config())

    assert list(table.times) == sorted(table.times)
    assert table.features["demand"].to_numpy()[0] == 0.0
    assert list(table.features.columns) == ["demand"], "neither target nor timestamp"


@pytest.mark.parametrize(
    ("column", "first"),
    [
        pytest.param([True, None] * 15, 1.0, id="booleans with gaps"),
        pytest.param([decimal.Decimal("1.5"), None] * 15, 1.5, id="decimals with gaps"),
        pytest.param(pd.array([1, None] * 15, dtype="Int64"), 1.0, id="nullable integers"),
        pytest.param([1, None] * 15, 1.0, id="numbers with gaps"),
    ],
)
def test_numbers_of_every_kind_become_floats(column: Any, first: float) -> None:
    values = check(frame(load=column), config()).features["load"].to_numpy()

    assert values.dtype == np.float64
    assert values[0] == first
    assert np.isnan(values[1])


@pytest.mark.parametrize(
    "column",
    [
        pytest.param(["2026-01-01T00:00:00Z", "2026-01-01 00:30:00+00:00"] * 15, id="mixed texts"),
        pytest.param(pd.date_range("2026-01-01", periods=30), id="without zone, meaning UTC"),
        pytest.param(pd.date_range("2026-01-01", periods=30, tz="Asia/Tokyo"), id="another zone"),
    ],
)
def test_times_of_every_kind_are_read(column: Any) -> None:
    table = check(frame(timestamp=column), config())

    assert format_time(int(table.times[0])) in {"2026-01-01T00:00:00Z", "2025-12-31T15:00:00Z"}


@pytest.mark.parametrize(
    ("columns", "changes", "reason", "named"),
    [
        pytest.param(
            {}, {"data__target": "price"}, Reason.COLUMN_MISSING, "spec.data.target", id="no target"
        ),
        pytest.param(
            {},
            {"data__timestampColumn": "at"},
            Reason.COLUMN_MISSING,
            "spec.data.timestampColumn",
            id="no timestamp",
        ),
        pytest.param(
            {},
            {"data__features": ["wind"]},
            Reason.COLUMN_MISSING,
            "spec.data.features",
            id="no feature",
        ),
        pytest.param(
            {"timestamp": range(30)},
            {},
            Reason.TIMESTAMP_INVALID,
            "numbers",
            id="times are numbers",
        ),
        pytest.param(
            {"timestamp": "soon"}, {}, Reason.TIMESTAMP_INVALID, "timestamp", id="times are words"
        ),
        pytest.param(
            {"timestamp": [None, *["2026-01-01T00:00:00Z"] * 29]},
            {},
            Reason.TIMESTAMP_INVALID,
            "in 1 rows",
            id="a time is missing",
        ),
        pytest.param({"up": 1}, {}, Reason.TARGET_CONSTANT, "column up is 1", id="constant"),
        pytest.param({"up": "yes"}, {}, Reason.TARGET_INVALID, "'yes'", id="target is words"),
        pytest.param(
            {"up": [None, *[0, 1] * 14, 0]},
            {},
            Reason.TARGET_INVALID,
            "in 1 rows",
            id="gap in target",
        ),
        pytest.param({"up": [1, 2] * 15}, {}, Reason.TARGET_INVALID, "0 and 1", id="not 0 and 1"),
        pytest.param(
            {"up": [0, 2] * 15}, MULTICLASS, Reason.TARGET_INVALID, "without a gap", id="class gap"
        ),
        pytest.param(
            {"up": [0.0, np.inf] * 15}, REGRESSION, Reason.TARGET_INVALID, "finite", id="infinite"
        ),
        pytest.param(
            {"wind": [f"w{n}" for n in range(30)]},
            {},
            Reason.FEATURE_INVALID,
            "column wind holds 'w0'",
            id="feature is words",
        ),
        pytest.param(
            {"wind": [{}] * 30}, {}, Reason.FEATURE_INVALID, "column wind", id="feature is objects"
        ),
        pytest.param(
            {"wind": None}, {}, Reason.FEATURE_INVALID, "empty in every row", id="feature is empty"
        ),
        pytest.param(
            {"wind": [np.inf, 1.0] * 15},
            {},
            Reason.FEATURE_INVALID,
            "in 15 rows",
            id="infinite rows",
        ),
        pytest.param({"a[0]": 1.0}, {}, Reason.FEATURE_INVALID, "[ ] <", id="name with a bracket"),
        pytest.param({}, {"data__minRows": 31}, Reason.TOO_FEW_ROWS, "30 rows", id="too few rows"),
    ],
)
def test_bad_rows_are_refused_by_name(
    columns: dict[str, Any], changes: dict[str, Any], reason: Reason, named: str
) -> None:
    with pytest.raises(TrainingFailure) as caught:
        check(frame(**columns), config(**changes))

    assert caught.value.reason is reason
    assert named in caught.value.message


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        pytest.param(frame(0), Reason.DATA_EMPTY, id="no rows"),
        pytest.param(
            pd.concat([frame(), frame()["demand"]], axis=1),
            Reason.DATA_FORMAT_INVALID,
            id="a column twice",
        ),
        pytest.param(
            frame().drop(columns="demand"), Reason.COLUMN_MISSING, id="nothing to learn from"
        ),
    ],
)
def test_rows_of_a_bad_shape_are_refused(rows: pd.DataFrame, reason: Reason) -> None:
    with pytest.raises(TrainingFailure) as caught:
        check(rows, config())

    assert caught.value.reason is reason


@RELAXED
@given(st.permutations(range(30)), st.lists(st.integers(0, 5), min_size=30, max_size=30))
def test_the_digest_does_not_depend_on_the_order_of_the_rows(
    order: list[int], hours: list[int]
) -> None:
    times = pd.to_datetime("2026-01-01", utc=True) + pd.to_timedelta(hours, unit="h")
    rows = frame(timestamp=times)

    first, second = check(rows, config()), check(rows.iloc[order], config())

    assert take_snapshot(first) == take_snapshot(second)


@RELAXED
@given(st.integers(0, 29), st.sampled_from(["features", "target", "times"]))
def test_the_digest_depends_on_every_value(row: int, part: str) -> None:
    table = check(frame(), config())
    changed = getattr(table, part).copy()
    if part == "features":
        changed.iloc[row, 0] += 1
    else:
        changed[row] += 1

    altered = dataclasses.replace(table, **{part: changed})

    assert take_snapshot(altered).digest != take_snapshot(table).digest


def test_later_rows_do_not_change_a_snapshot() -> None:
    table = check(frame(), config())
    earlier = slice_rows(table, 0, 20)

    kept = restore(table, take_snapshot(earlier))

    assert take_snapshot(kept) == take_snapshot(earlier)


def test_changed_rows_end_the_training() -> None:
    table = check(frame(), config())
    changed: Table = dataclasses.replace(table, features=table.features + 1)

    with pytest.raises(TrainingFailure) as caught:
        restore(changed, take_snapshot(table))

    assert caught.value.reason is Reason.DATA_CHANGED
