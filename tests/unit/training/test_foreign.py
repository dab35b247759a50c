"""What a champion's code is asked, and what the trainer takes for an answer."""

import os
import secrets
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fairlead_training import scorer
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
    (answer / "scores").write_bytes(baits.pickled(secret.with_name("mark")))


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


LOADER = """
class Model:
    def predict(self, model_input):
        {body}

def _load_pyfunc(path):
    return Model()
"""


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        pytest.param("return model_input['a'] / 4", [0.25, 0.5], id="predictions"),
        pytest.param("raise SystemExit(0)", "failed: SystemExit: 0", id="it would end the process"),
        pytest.param("return ['up', 'down']", "failed: ValueError", id="words"),
        pytest.param("raise KeyError('b')", "failed: KeyError: 'b'", id="it raises"),
    ],
)
def test_what_the_scorer_answers(
    body: str, answer: list[float] | str, room: Path, tmp_path: Path
) -> None:
    name = f"loader_{secrets.token_hex(4)}"  # as a module is imported once
    flavors = baits.generic(loader_module=name, code="code", data="data")
    made = baits.write_artifact(
        tmp_path / "made",
        flavors=flavors,
        columns=({"name": "a", "type": "double"}, {"name": "region", "type": "string"}),
        files={f"code/{name}.py": LOADER.format(body=body).encode(), "data": b""},
    )
    with pytest.raises(ForeignCodeError):
        ask(room, made, ROWS, patience=0)  # nobody is there yet

    scorer.answer(room)

    try:
        found: list[float] | str = ask(room, made, ROWS, patience=1).tolist()
    except ForeignCodeError as error:
        found = str(error)
    assert found[: len(answer)] == answer


def test_code_that_ended_its_process_is_not_run_again(room: Path, artifact: Path) -> None:
    (room / "answer" / "begun").touch()  # by the container before this one

    scorer.answer(room)

    with pytest.raises(ForeignCodeError, match="it ended its process"):
        ask(room, artifact, ROWS, patience=1)


def test_an_answer_is_given_once(room: Path, artifact: Path) -> None:
    (room / "answer" / "begun").touch()
    (room / "answer" / "scores").write_bytes(np.array([0.5, 0.25]).tobytes())

    scorer.answer(room)

    assert ask(room, artifact, ROWS, patience=1).tolist() == [0.5, 0.25]
