"""The history of what was live: read from the operator, written as a table, JSON or CSV."""

import contextlib
import csv
import http.client
import io
import json
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from fairlead_operator.api.phases.rollout import Transition
from fairlead_operator.command.draw import empty_table, number
from fairlead_operator.command.failures import CommandError

Entry = Mapping[str, Any]

COLUMNS: Final = (
    "at", "transition", "version", "stable", "began", "ended", "weight", "trigger", "by",
    "reason", "message", "rollout", "rollout_uid", "namespace", "model", "numbers",
)  # fmt: skip
_SECONDS: Final = 10.0
_ROOM: Final = 150  # columns that the whole table needs
_STYLES: Final = {Transition.PROMOTED.value: "green", Transition.ROLLED_BACK.value: "red"}


class _Forwarded(http.client.HTTPConnection):
    """HTTP over a connection that is already open."""

    def __init__(self, connection: socket.socket) -> None:
        super().__init__("localhost", timeout=_SECONDS)
        self._connection = connection

    def connect(self) -> None:
        self._connection.settimeout(_SECONDS)
        self.sock = self._connection


def fetch(
    connect: Callable[[], socket.socket], namespace: str, model: str, limit: int
) -> Sequence[Entry]:
    """Fetch the latest entries, newest first.

    Raises:
        CommandError: the operator or its database does not answer.
    """
    path = f"/history/{quote(namespace)}/{quote(model)}?limit={limit}"
    try:
        with contextlib.closing(_Forwarded(connect())) as connection:
            connection.request("GET", path)
            response = connection.getresponse()
            document = json.loads(response.read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise CommandError(
            f"cannot read the history: the operator did not answer: {error}"
        ) from error
    if response.status != http.client.OK:
        raise CommandError(f"cannot read the history: {document.get('error')}")
    entries: Sequence[Entry] = document["entries"]
    return entries


def to_csv(entries: Sequence[Entry]) -> str:
    """Write one line for each entry, with the numbers as JSON."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for entry in entries:
        writer.writerow([_cell(entry.get(name)) for name in COLUMNS])
    return text.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return json.dumps(value, sort_keys=True) if isinstance(value, dict | list) else str(value)


def draw_history(entries: Sequence[Entry], *, width: int) -> RenderableType:
    """Draw a table, newest first; a narrow one puts under the reason what has no column."""
    return _table(entries) if width >= _ROOM else _narrow_table(entries)


def _narrow_table(entries: Sequence[Entry]) -> Table:
    table = empty_table("AT (UTC)", "VERSION", "RESULT")
    table.add_column("WHY", overflow="fold")
    for entry in entries:
        more = (
            f"after {entry['stable']}" if entry["stable"] else "",
            f"at most {entry['weight']} %",
            f"from {_moment(entry['began'])}" if entry["began"] else "",
            f"to {_moment(entry['ended'])}" if entry["ended"] else "",
            f"by {entry['by']}" if entry["by"] else "",
        )
        table.add_row(
            _moment(entry["at"]),
            Text(entry["version"], "bold"),
            Text(entry["transition"], _style(entry)),
            Text.assemble(_why(entry), "\n", (", ".join(filter(None, more)), "dim")),
        )
    return table


def _table(entries: Sequence[Entry]) -> Table:
    live = ("LIVE FROM", "TO")
    table = empty_table("AT (UTC)", "VERSION", "BEFORE", "RESULT", *live, right=("PEAK",))
    table.add_column("BY", overflow="fold")
    table.add_column("WHY", overflow="fold")
    for entry in entries:
        table.add_row(
            _moment(entry["at"]),
            Text(entry["version"], "bold"),
            entry["stable"] or "-",
            Text(entry["transition"], _style(entry)),
            _moment(entry["began"]),
            _moment(entry["ended"]),
            f"{entry['weight']} %",
            Text(entry["by"]),
            Text(_why(entry)),
        )
    return table


def _style(entry: Entry) -> str:
    return _STYLES.get(entry["transition"], "")


def _why(entry: Entry) -> str:
    """Return reason and message, and for a rollback how quick it was."""
    text = ": ".join(part for part in (entry["reason"], entry["message"]) if part)
    seconds = (entry.get("numbers") or {}).get("reactionSeconds")
    return text if seconds is None else f"{text} (no traffic after {number(seconds)} s)"


def _moment(text: str | None) -> str:
    return "-" if text is None else text[:19].replace("T", " ")
