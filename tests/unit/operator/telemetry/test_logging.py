"""Logs: one JSON object a line, with the fields that were given."""

import json
import logging
from collections.abc import Iterator

import pytest

from fairlead_operator.telemetry.logging import JsonFormatter, configure


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers = []
    yield
    root.handlers, root.level = handlers, level


def test_a_line_is_an_object_with_its_fields() -> None:
    record = logging.makeLogRecord(
        {"name": "fairlead", "levelname": "INFO", "msg": "phase %s", "args": ("changed",)}
    )
    record.__dict__ |= {"model": "nsw-price", "seconds": 1.5, "ignored": object()}

    entry = json.loads(JsonFormatter().format(record))

    assert entry["message"] == "phase changed"
    assert (entry["model"], entry["seconds"]) == ("nsw-price", 1.5)
    assert "ignored" not in entry
    assert "\n" not in JsonFormatter().format(record)


def test_a_traceback_is_in_the_object() -> None:
    error = ValueError("a bug")
    record = logging.makeLogRecord({"msg": "failed", "exc_info": (ValueError, error, None)})

    assert "ValueError: a bug" in json.loads(JsonFormatter().format(record))["traceback"]


@pytest.mark.parametrize(("style", "part"), [("json", '"message": "hello"'), ("text", "hello")])
def test_both_styles(style: str, part: str, capsys: pytest.CaptureFixture[str]) -> None:
    configure(style=style, level="INFO")
    logging.getLogger("fairlead_operator").info("hello")
    logging.getLogger("kopf").info("chatter")

    written = capsys.readouterr().err
    assert part in written
    assert "chatter" not in written
