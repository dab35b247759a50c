"""What a champion's code is asked, and what the trainer takes for an answer."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fairlead_training.foreign import ForeignCodeError, ask
from support import baits

ROWS = pd.DataFrame({"a": [1.0, 2.0], "region": ["NSW1", "VIC1"]})
SECRET = b"\0" * 16  # would pass for the scores of two rows


@pytest.fixture
def room(tmp_path: Path) -> Path:
    for name in ("question", "answer"):
        (tmp_path / "room" / name).mkdir(parents=True)
    return tmp_path / "room"


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    return baits.write_script(tmp_path / "artifact", tmp_path / "mark")


def test_the_code_gets_the_artifact_and_the_rows(room: Path, artifact: Path) -> None:
    (room / "answer" / "scores").write_bytes(np.array([0.5, 0.25]).tobytes())

    scores = ask(room, artifact, ROWS, patience=1)

    assert scores.tolist() == [0.5, 0.25]
    asked = room / "question"
    assert (asked / "artifact" / "MLmodel").read_bytes() == (artifact / "MLmodel").read_bytes()
    pd.testing.assert_frame_equal(pd.read_pickle(asked / "rows"), ROWS)
    assert (asked / "asked").exists()


def test_one_number_for_each_class_is_taken(room: Path, artifact: Path) -> None:
    (room / "answer" / "scores").write_bytes(np.array([[0.5, 0.5], [0.1, 0.9]]).tobytes())

    assert ask(room, artifact, ROWS, patience=1).tolist() == [[0.5, 0.5], [0.1, 0.9]]


def link(answer: Path, secret: Path) -> None:
    (answer / "scores").symlink_to(secret)


def link_of_words(answer: Path, secret: Path) -> None:
    (answer / "trouble").symlink_to(secret)


def pipe(answer: Path, _: Path) -> None:
    os.mkfifo(answer / "scores")


def folder(answer: Path, _: Path) -> None:
    (answer / "scores").mkdir()


def part(answer: Path, _: Path) -> None:
    (answer / "scores").write_bytes(b"\0" * 15)


def nothing(answer: Path, _: Path) -> None:
    (answer / "scores").write_bytes(b"")


def pickle(answer: Path, secret: Path) -> None:
    pickled = baits.pickled(secret.with_name("mark"))  # as long as the path is
    (answer / "scores").write_bytes(pickled if len(pickled) % 2 else pickled + b".")


def too_much(answer: Path, _: Path) -> None:
    (answer / "scores").write_bytes(b"\0" * 8 * 2 * 1001)


def words(answer: Path, _: Path) -> None:
    (answer / "trouble").write_bytes(b"no\x1b[31m such \xff column")


def long_words(answer: Path, _: Path) -> None:
    (answer / "trouble").write_bytes(b"x" * 301)


@pytest.mark.parametrize(
    ("leave", "said"),
    [
        pytest.param(link, "something else", id="a link to a file of the trainer"),
        pytest.param(link_of_words, "something else", id="words from a file of the trainer"),
        pytest.param(pipe, "something else", id="a pipe that nobody writes to"),
        pytest.param(folder, "something else", id="a folder"),
        pytest.param(part, "15 bytes of predictions for 2 rows", id="part of a number"),
        pytest.param(nothing, "0 bytes", id="nothing"),
        pytest.param(pickle, "bytes of predictions for 2 rows", id="a pickle"),
        pytest.param(too_much, "more than 16000 bytes", id="more than any model gives"),
        pytest.param(words, "failed: no [31m such � column", id="words"),
        pytest.param(long_words, "more than 300 bytes", id="too many words"),
    ],
)
def test_an_answer_is_never_followed_or_run(
    leave: Callable[[Path, Path], None], said: str, room: Path, artifact: Path, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(SECRET)
    leave(room / "answer", secret)

    with pytest.raises(ForeignCodeError) as failure:
        ask(room, artifact, ROWS, patience=1)

    assert said in str(failure.value)
    assert not (tmp_path / "mark").exists()


def test_code_that_says_nothing_is_given_up(room: Path, artifact: Path) -> None:
    with pytest.raises(ForeignCodeError, match="no predictions within 0 s"):
        ask(room, artifact, ROWS, patience=0)
