"""Logs of every process in one form: a JSON object a line, so that a collector keeps them together.

``time``, ``level``, ``logger`` and ``message``, then the fields that a record was given
(``extra``), and the traceback of an error in ``exception``.
"""

import json
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

_STANDARD: Final = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime"}
_TEXT: Final = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"


class JsonFormatter(logging.Formatter):
    """Formats a record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Write the record; of its fields, those that are plain values."""
        line: dict[str, str | float] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {
            key: value
            for key, value in record.__dict__.items()
            if key not in _STANDARD and isinstance(value, str | int | float | bool)
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


def configure(
    *, level: str = "INFO", levels: Mapping[str, str] | None = None, style: str = "json"
) -> None:
    """Send all records, and Python's warnings, to standard error.

    Args:
        levels: of loggers whose level is another, by name.
        style: json, or text for a person at a desk.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if style == "json" else logging.Formatter(_TEXT))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(capture=True)  # they would be lines of another form
    for name, its_level in (levels or {}).items():
        logging.getLogger(name).setLevel(its_level)
