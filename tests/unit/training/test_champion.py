"""The champion: the rows it never saw, and its predictions brought into our form."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xgboost

from fairlead_contract.classes import Label
from fairlead_contract.digest import digest_directory
from fairlead_contract.mlflow import Access
from fairlead_training import champion
from fairlead_training.champion import (
    ChampionUnavailableError,
    align,
    as_scores,
    check_draw,
    find_unseen,
)
from fairlead_training.config import ChampionConfig, Environment, Task
from fairlead_training.data import Table, format_exact_time, format_time, slice_rows
from fairlead_training.metrics import Floats
from support import baits

SECOND = 10**9


def table(target: Sequence[float], *, step: int = SECOND) -> Table:
    rows = len(target)
    return Table(
        times=np.arange(rows) * step,
        features=pd.DataFrame(index=range(rows)),
        target=np.array(target),
        rows=np.arange(rows),
    )


@pytest.mark.parametrize(
    ("learned", "first"),
    [
        pytest.param({"trainedTo": format_exact_time(70 * SECOND)}, 80, id="all of the hold-out"),
        pytest.param({"trainedTo": format_exact_time(79 * SECOND)}, 80, id="up to its beginning"),
        pytest.param({"trainedTo": format_exact_time(85 * SECOND)}, 86, id="what is later"),
        pytest.param(
            {"from": "1970-01-01T00:00:00Z", "to": format_time(99 * SECOND), "rows": 100,
             "holdoutRows": 15},
            85,
            id="0.1.0, the same rows: its own hold-out",
        ),
        pytest.param(
            {"from": "1970-01-01T00:00:00Z", "to": format_time(84 * SECOND), "rows": 85,
             "holdoutRows": 15},
            80,
            id="0.1.0, and later ones: all",
        ),
        pytest.param(
            {"from": "1969-01-01T00:00:00Z", "to": format_time(84 * SECOND), "rows": 85,
             "holdoutRows": 15},
            85,
            id="0.1.0, other rows: what is later than all it had",
        ),
        pytest.param(
            {"from": "1970-01-01T00:00:00Z", "to": format_time(84 * SECOND), "rows": 70,
             "holdoutRows": 15},
            85,
            id="0.1.0, more rows now in its time",
        ),
        pytest.param({}, 80, id="nothing is known"),
        pytest.param({"trainedTo": "long ago"}, 80, id="unreadable"),
        pytest.param({"to": 7}, 80, id="of another form"),
    ],
)  # fmt: skip
def test_the_champion_is_scored_on_rows_that_it_never_saw(
    learned: dict[str, Any], first: int
) -> None:
    rows = table([0, 1] * 50)

    unseen = find_unseen(slice_rows(rows, 80, 100), rows, learned)

    assert list(unseen.rows) == list(range(first, 100))


def test_a_moment_within_a_second_counts() -> None:
    rows = table([0, 1] * 50, step=7)
    learned = {"trainedTo": format_exact_time(85 * 7)}

    unseen = find_unseen(slice_rows(rows, 80, 100), rows, learned)

    assert list(unseen.rows) == list(range(86, 100))


@pytest.mark.parametrize(
    ("target", "end", "said"),
    [
        pytest.param([0, 1] * 50, 99, "0 rows", id="it saw all"),
        pytest.param([0, 1] * 50, 90, "9 rows", id="too few"),
        pytest.param([*[0, 1] * 40, *[1] * 20], 85, "14 rows", id="of one class"),
    ],
)
def test_too_few_rows_that_it_never_saw_compare_nothing(
    target: list[float], end: int, said: str
) -> None:
    rows = table(target)

    with pytest.raises(ChampionUnavailableError, match=f"{said} of the hold-out are later"):
        find_unseen(slice_rows(rows, 80, 100), rows, {"trainedTo": format_exact_time(end * SECOND)})


@pytest.mark.parametrize(
    ("learned", "draw"),
    [
        pytest.param({"draw": "a"}, "b", id="others were held out"),
        pytest.param({"trainedTo": "2026-01-01T00:00:00Z"}, "b", id="the latest were"),
        pytest.param({}, "b", id="nobody knows which"),
        pytest.param({"draw": "a"}, None, id="the latest are now"),
    ],
)
def test_a_champion_that_may_have_seen_the_hold_out_is_not_compared(
    learned: dict[str, str], draw: str | None
) -> None:
    with pytest.raises(ChampionUnavailableError, match="may have learned from rows"):
        check_draw(learned, draw)


@pytest.mark.parametrize(
    ("learned", "draw"),
    [
        pytest.param({"draw": "a"}, "a", id="the same were held out"),
        pytest.param({"trainedTo": "2026-01-01T00:00:00Z"}, None, id="both by time"),
        pytest.param({"rows": 100}, None, id="as 0.1.0"),
    ],
)
def test_a_champion_that_learned_as_now_is_compared(
    learned: dict[str, Any], draw: str | None
) -> None:
    check_draw(learned, draw)


@pytest.mark.parametrize(
    ("task", "score", "expected"),
    [
        pytest.param(Task.BINARY, [0.2, 0.9], [0.2, 0.9], id="probability of class 1"),
        pytest.param(Task.BINARY, [[0.8, 0.2], [0.1, 0.9]], [0.2, 0.9], id="of both classes"),
        pytest.param(Task.REGRESSION, [[5], [6]], [5, 6], id="one column"),
        pytest.param(
            Task.MULTICLASS, [[1, 0], [0, 1]], [[1, 0], [0, 1]], id="probabilities of each class"
        ),
    ],
)
def test_predictions_are_brought_into_our_form(
    task: Task, score: list[float], expected: list[float]
) -> None:
    found = as_scores(np.array(score, dtype=np.float64), np.array([0.0, 1.0]), task)

    assert found.tolist() == expected


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        pytest.param((), (), [0.2, 0.5, 0.3, 0], id="plain classes"),
        pytest.param(("a", "b", "c", "d"), ("a", "b", "c"), [0.2, 0.5, 0.3, 0], id="a last one"),
        pytest.param(("Z", "a", "b", "c"), ("a", "b", "c"), [0, 0.2, 0.5, 0.3], id="a first one"),
        pytest.param(("a", "d", "e", "f"), ("a", "b", "c"), [0.2, 0, 0, 0], id="two for two"),
        pytest.param((2, 5, 7, 9), (), [0.3, 0, 0, 0], id="numbers, of a plain champion"),
        pytest.param((), (1, 2, 3), [0, 0.2, 0.5, 0.3], id="plain now"),
    ],
)
def test_a_class_that_the_champion_does_not_know_has_no_probability(
    ours: tuple[Label, ...], theirs: tuple[Label, ...], expected: list[float]
) -> None:
    """The rows hold the new class, as they do when the source has gained it."""
    target: Floats = np.array([1.0, 3.0])
    given: Floats = np.array([[0.2, 0.5, 0.3]] * 2)

    score = align(
        as_scores(given, target, Task.MULTICLASS),
        target,
        Task.MULTICLASS,
        ours=ours,
        theirs=theirs,
    )

    assert score.tolist() == [expected] * 2


@pytest.mark.parametrize(
    ("task", "score"),
    [
        pytest.param(Task.BINARY, [0.0, 1.0], id="classes instead of probabilities"),
        pytest.param(Task.BINARY, [-2.0, 3.0], id="margins instead of probabilities"),
        pytest.param(Task.BINARY, [0.5], id="too few"),
        pytest.param(Task.REGRESSION, [[1, 2], [3, 4]], id="two values for one"),
        pytest.param(Task.MULTICLASS, [0.1, 0.9], id="one value for many"),
    ],
)
def test_predictions_that_cannot_be_compared_are_refused(task: Task, score: list[float]) -> None:
    values: Floats = np.array(score, dtype=np.float64)

    with pytest.raises(ChampionUnavailableError):
        as_scores(values, np.array([0.0, 2.0]), task)


@pytest.mark.parametrize(
    ("task", "score", "ours", "theirs", "expected"),
    [
        pytest.param(Task.BINARY, [0.25], (), (), [0.25], id="plain classes"),
        pytest.param(Task.BINARY, [0.25], ("n", "y"), ("n", "y"), [0.25], id="the same words"),
        pytest.param(Task.BINARY, [0.25], ("y", "n"), ("n", "y"), [0.75], id="the other positive"),
        pytest.param(Task.BINARY, [0.25], (1, 0), (), [0.75], id="0, of a plain champion"),
        pytest.param(Task.BINARY, [0.25], (), ("0", "1"), [0.25], id="texts that are numbers now"),
        pytest.param(
            Task.MULTICLASS, [[0.25, 0.5, 0.25]], ("c", "a", "d"), ("a", "b", "c"),
            [[0.25, 0.25, 0]], id="some of several",
        ),
        pytest.param(
            Task.MULTICLASS, [[0.25, 0.75]], (), (0, 5), [[0.25, 0]], id="plain classes now"
        ),
        pytest.param(
            Task.MULTICLASS, [[0.25, 0.5, 0.25]], (0, 2), (), [[0.25, 0.25]], id="a gap now"
        ),
        pytest.param(Task.REGRESSION, [7.5], (), (), [7.5], id="a value"),
    ],
)  # fmt: skip
def test_probabilities_are_those_of_the_classes_of_the_data(
    task: Task,
    score: list[Any],
    ours: tuple[Label, ...],
    theirs: tuple[Label, ...],
    expected: list[Any],
) -> None:
    aligned = align(np.array(score), np.array([1.0]), task, ours=ours, theirs=theirs)

    assert aligned.tolist() == expected


@pytest.mark.parametrize(
    ("task", "score", "ours", "theirs", "said"),
    [
        pytest.param(
            Task.BINARY, [0.5], ("n", "y"), (), "its classes are 0, 1, and those of the data n, y",
            id="words, of a champion that says nothing",
        ),
        pytest.param(Task.BINARY, [0.5], ("n", "y"), ("no", "yes"), "no, yes", id="other words"),
        pytest.param(
            Task.MULTICLASS, [[0.5, 0.5]], ("c", "d"), ("a", "b"), "a, b", id="none of several"
        ),
        pytest.param(
            Task.MULTICLASS, [[0.5, 0.5]], ("a", "b"), ("a", "b", "c"), "a, b, c",
            id="more than it tells probabilities of",
        ),
    ],
)  # fmt: skip
def test_a_champion_of_other_classes_is_not_compared(
    task: Task, score: list[Any], ours: tuple[Label, ...], theirs: tuple[Label, ...], said: str
) -> None:
    with pytest.raises(ChampionUnavailableError, match=said):
        align(np.array(score), np.array([1.0]), task, ours=ours, theirs=theirs)


CHAMPION = ChampionConfig(version="1.0.0", registry_version="1", digest="")
ENVIRONMENT = Environment(mlflow=Access(address="http://mlflow"), database_url="postgresql://db")


def score(
    directory: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    a: Sequence[object] = (0.0, 3.0),
    **changes: Any,
) -> Floats:
    """Score two rows with the champion of a directory, as it was downloaded."""
    monkeypatch.setattr(champion, "_fetch", lambda *_: directory)
    return champion.score_champion(
        dataclasses.replace(CHAMPION, digest=digest_directory(directory)),
        "energy.nsw-price",
        pd.DataFrame({"a": a, "region": ["NSW1", "VIC1"]}),
        target=np.array([0.0, 1.0]),
        task=Task.BINARY,
        environment=dataclasses.replace(ENVIRONMENT, **changes),
    )


# Of a booster, the trainer needs nothing else that its artifact brings.
CODE = [row for row in baits.CODE if row[0] is not baits.write_booster_of_words]


@pytest.mark.parametrize(
    ("write", "named"), [pytest.param(*row, id=row[0].__name__) for row in CODE]
)
def test_a_champions_code_is_not_run_beside_the_passwords(
    write: Any, named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = tmp_path / "mark"
    directory = write(tmp_path / "model", mark)

    with pytest.raises(ChampionUnavailableError) as failure:
        score(directory, monkeypatch, scratch=str(tmp_path))

    assert not mark.exists()
    for word in (f"runs code from its artifact ({named})", "spec.serving.allowArtifactCode"):
        assert word in str(failure.value)


def test_where_it_may_run_it_is_run_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room, mark = tmp_path / "room", tmp_path / "mark"
    for name in ("question", "answer"):
        (room / name).mkdir(parents=True)
    (room / "answer" / "scores").write_bytes(np.array([0.25, 0.75]).tobytes())
    directory = baits.write_loader(tmp_path / "model", mark)

    found = score(directory, monkeypatch, scratch=str(tmp_path), champion_room=str(room))

    assert found.tolist() == [0.25, 0.75]
    assert not mark.exists()
    assert list(pd.read_pickle(room / "question" / "rows")) == ["a"], "its columns alone"


@pytest.mark.parametrize(
    "a", [pytest.param([0, 3.0], id="numbers"), pytest.param([" 0.0", "3"], id="numbers as texts")]
)
def test_a_booster_is_scored_here_whatever_else_its_artifact_brings(
    a: list[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame, mark = pd.DataFrame({"a": [0.0, 3.0] * 20}), tmp_path / "mark"
    rows = xgboost.DMatrix(frame, [0, 1] * 20)
    booster = xgboost.train({"objective": "binary:logistic", "nthread": 1}, rows, 2)
    directory = baits.write_artifact(
        tmp_path / "model",
        flavors={
            **baits.generic(loader_module="bait", code="code", data="model.ubj"),
            "xgboost": {"data": "model.ubj", "model_class": "bait.Bait", "code": "code"},
        },
        files={"model.ubj": bytes(booster.save_raw("ubj")), "code/bait.py": baits.module(mark)},
    )

    found = score(directory, monkeypatch, a=a, scratch=str(tmp_path))

    assert found[0] < found[1]
    assert not mark.exists()


def test_a_booster_outside_of_its_artifact_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = baits.write_artifact(
        tmp_path / "model", flavors={"xgboost": {"data": "/proc/self/environ"}}, files={}
    )

    with pytest.raises(ChampionUnavailableError, match="outside the artifact"):
        score(directory, monkeypatch, scratch=str(tmp_path))
