"""All that is wrong with the rows in one look, the split included."""

from typing import Any

import pandas as pd
import pytest

from fairlead_training.examine import Examination, examine
from fairlead_training.failure import Reason, TrainingFailure
from support.training_rows import config, frame

RANDOM = {"validation__strategy": "random", "data__timestampColumn": None}
NUMBERS = {"data__columns": {"demand": "number"}}
LATE = [0, 1] * 10 + [1] * 10  # the hold-out and the folds before it have one label


def look(rows: pd.DataFrame, **changes: Any) -> Examination:
    return examine(rows, config(**changes), refused_in_names="[]<")


def test_rows_that_can_be_used_come_with_their_split() -> None:
    table, parts = look(frame()).usable()

    assert (len(table), len(parts.search), len(parts.holdout)) == (30, 24, 6)


@pytest.mark.parametrize(
    ("rows", "changes", "reason", "told"),
    [
        pytest.param(frame(0), {}, Reason.DATA_EMPTY, ["holds no rows"], id="no rows"),
        pytest.param(
            frame(up=LATE),
            {},
            Reason.TARGET_CONSTANT,
            ["the target is the same in all 6 rows in the hold-out"],
            id="a split alone",
        ),
        pytest.param(
            frame(up=LATE, demand=["?"] * 30),
            NUMBERS,
            Reason.FEATURE_INVALID,
            ["column demand holds '?'", "the target is the same in all 6 rows in the hold-out"],
            id="a split without any feature that can be read",
        ),
        pytest.param(
            frame(up=[1] + [0] * 29, demand=["?"] * 30).drop(columns="timestamp"),
            RANDOM | NUMBERS,
            Reason.FEATURE_INVALID,
            ["column demand holds '?'", "the target is the same"],
            id="a drawn split without any feature that can be read",
        ),
        pytest.param(
            frame(4, demand=["?"] * 4),
            NUMBERS,
            Reason.FEATURE_INVALID,
            ["column demand holds '?'", "4 rows with a target", "too few to split"],
            id="too few for the Model, and to split",
        ),
        pytest.param(
            frame(4, up=["?", "a", "b", "c"]),
            {},
            Reason.TARGET_INVALID,
            ["column up holds 4 different labels", "4 rows with a target"],
            id="no target to split by",
        ),
    ],
)
def test_all_that_is_wrong_is_told_at_once(
    rows: pd.DataFrame, changes: dict[str, Any], reason: Reason, told: list[str]
) -> None:
    failure = look(rows, **changes).failure

    assert failure is not None
    assert failure.reason is reason
    texts = failure.details or (failure.message,)
    assert len(texts) == len(told), texts
    for text, words in zip(texts, told, strict=True):
        assert words in text
    with pytest.raises(TrainingFailure, match=str(told[0].replace("?", r"\?"))):
        look(rows, **changes).usable()


def test_a_split_that_is_told_beside_other_faults_says_once_what_to_do() -> None:
    failure = look(frame(up=LATE, demand=["?"] * 30), **NUMBERS).failure

    assert failure is not None
    assert failure.message.count("use a longer period") == 1
