"""Rows as the record has them, and what is said of a database that is away.

What the database makes of them is in `tests/integration/serving/test_record.py`.
"""

import dataclasses
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from cluster.ports import refusing_port
from fairlead_serving.server.classes import Classes
from fairlead_serving.server.feedback import Feedback
from fairlead_serving.server.prediction_log import Answer, UnavailableError
from fairlead_serving.server.record_store import RecordStore, _rounds
from fairlead_serving.server.signature import Task
from support.server_settings import record_settings, server_settings

AT = datetime(2026, 1, 1, tzinfo=UTC)
ANSWER = Answer(
    prediction_id="p",
    request_id="r",
    at=AT,
    mirrored=True,
    predictions=np.array([0.25, 0.75]),
)


def store(url: str = "") -> RecordStore:
    return RecordStore(record_settings(url), server_settings())


def test_every_row_of_an_answer_is_a_row_of_the_record() -> None:
    version = ("energy", "nsw-price", "1.1.0")

    assert list(store()._rows([ANSWER])) == [
        ("p", 0, "r", *version, AT, True, 0.25, "0", None),
        ("p", 1, "r", *version, AT, True, 0.75, "1", None),
    ]


def test_probabilities_are_an_array_of_each_row() -> None:
    classes = RecordStore(record_settings("", task=Task.MULTICLASS), server_settings())
    answer = dataclasses.replace(ANSWER, predictions=[[0.25, 0.75], [1e-9, float("nan")]])

    assert [row[-1] for row in classes._rows([answer])] == ["{0.25,0.75}", "{1e-09,nan}"]


def test_named_classes_are_told_by_their_names_in_the_record() -> None:
    named = RecordStore(
        record_settings(""), server_settings(), classes=Classes(labels=(False, True))
    )

    assert [row[-2] for row in named._rows([ANSWER])] == ["0", "1"]


def test_a_row_is_told_of_once_in_each_statement() -> None:
    words = [told(name, reward) for name, reward in (("p", 0), ("q", 0), ("p", 1), ("p", 0.5))]

    assert _rounds(words) == [[words[0], words[1]], [words[2]], [words[3]]]


def told(prediction_id: str, reward: float) -> Feedback:
    return Feedback(prediction_id=prediction_id, row_index=0, given_at=AT, reward=reward)


def test_a_database_that_is_away_is_named_in_one_line() -> None:
    away = store(f"postgresql://fairlead:secret@127.0.0.1:{refusing_port()}/fairlead")

    with pytest.raises(UnavailableError) as failure:
        away.add([ANSWER], [])

    assert "\n" not in str(failure.value)
    assert "secret" not in str(failure.value)


def test_a_secret_that_is_not_there_yet_is_told() -> None:
    with pytest.raises(UnavailableError, match="no Secret with the address of the database yet"):
        store("").add([ANSWER], [])


def test_another_address_in_the_file_is_used_from_the_next_batch_on(tmp_path: Path) -> None:
    """The kubelet renews the file when the Secret changes; the variable stays what it was."""
    file = tmp_path / "url"
    ports = [refusing_port(), refusing_port()]
    urls = [f"postgresql://fairlead:secret@127.0.0.1:{port}/fairlead" for port in ports]
    rotating = RecordStore(record_settings(urls[0], url_file=file), server_settings())
    tried = []

    for written in (None, urls[1]):
        if written is not None:
            file.write_text(f"{written}\n")
        with pytest.raises(UnavailableError) as failure:
            rotating.add([ANSWER], [])
        tried.append([str(port) in str(failure.value) for port in ports])

    assert tried == [[True, False], [False, True]]
