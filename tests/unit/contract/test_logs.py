"""Logs: one JSON object a line, with the fields that were given."""

import json
import logging
import warnings
from collections.abc import Iterator

import pytest

from fairlead_contract.logs import JsonFormatter, configure


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root, chatty = logging.getLogger(), logging.getLogger("chatty")
    handlers, level = root.handlers[:], root.level
    root.handlers = []
    logging.captureWarnings(capture=False)
    yield
    logging.captureWarnings(capture=False)
    root.handlers, root.level = handlers, level
    chatty.setLevel(logging.NOTSET)


def test_a_line_is_an_object_with_its_fields() -> None:
    record = logging.makeLogRecord(
        {
            "name": "fairlead",
            "levelname": "INFO",
            "msg": "phase %s",
            "args": ("changed",),
            "created": 0.25,
        }
    )
    record.__dict__ |= {"model": "nsw-price", "seconds": 1.5, "ignored": object()}

    line = JsonFormatter().format(record)

    assert json.loads(line) == {
        "time": "1970-01-01T00:00:00.250+00:00",
        "level": "INFO",
        "logger": "fairlead",
        "message": "phase changed",
        "model": "nsw-price",
        "seconds": 1.5,
    }
    assert "\n" not in line


def test_a_traceback_is_in_the_object() -> None:
    error = ValueError("a bug")
    record = logging.makeLogRecord({"msg": "failed", "exc_info": (ValueError, error, None)})

    assert "ValueError: a bug" in json.loads(JsonFormatter().format(record))["exception"]


@pytest.mark.parametrize(("style", "part"), [("json", '"message": "hello"'), ("text", ": hello")])
def test_both_styles(style: str, part: str, capsys: pytest.CaptureFixture[str]) -> None:
    configure(style=style)
    logging.getLogger("fairlead_operator").info("hello")

    assert part in capsys.readouterr().err


@pytest.mark.parametrize(
    ("level", "levels", "kept"),
    [
        pytest.param("INFO", {"chatty": "WARNING"}, ["ours"], id="all but a library"),
        pytest.param("WARNING", {"chatty": "INFO"}, ["chatter"], id="nobody but one"),
        pytest.param("DEBUG", {}, ["ours", "chatter"], id="everyone"),
    ],
)
def test_levels(
    level: str, levels: dict[str, str], kept: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    configure(level=level, levels=levels)
    logging.getLogger("ours").info("ours")
    logging.getLogger("chatty").info("chatter")

    assert [json.loads(line)["message"] for line in capsys.readouterr().err.splitlines()] == kept


def test_warnings_are_lines_of_the_same_form(capsys: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        configure()
        warnings.warn("old", stacklevel=1)

    (line,) = capsys.readouterr().err.splitlines()
    assert (json.loads(line)["logger"], json.loads(line)["level"]) == ("py.warnings", "WARNING")
