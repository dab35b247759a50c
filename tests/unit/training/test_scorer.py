"""What the container that runs a champion's code answers, whatever the code does."""

import secrets
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fairlead_training import scorer
from fairlead_training.foreign import ForeignCodeError, ask
from support import baits

ROWS = pd.DataFrame({"a": [1.0, 2.0], "region": ["NSW1", "VIC1"]})


@pytest.fixture
def room(tmp_path: Path) -> Path:
    for name in ("question", "answer"):
        (tmp_path / "room" / name).mkdir(parents=True)
    return tmp_path / "room"


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    return baits.write_script(tmp_path / "artifact", tmp_path / "mark")


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
