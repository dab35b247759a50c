"""The load generator: ``python -m e2e.story.load``, a process of its own.

Open loop: requests leave at a fixed rate whatever becomes of the earlier ones, as those of
independent clients do.  Each answer is one line of the output file.  SIGTERM and SIGINT end it
once the answers under way are in; so does the end of the process that started it.  From SIGUSR1
to SIGUSR2 every row carries the marker.
"""

import argparse
import asyncio
import contextlib
import itertools
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

import aiohttp

from e2e.story.answers import Answer, to_line
from e2e.story.rows import Row, read_rows, shuffle_rows

VERSION_HEADER = "x-fairlead-version"
_POOL = 16  # connections, and no more: a late moment of ours waits for one of them
_KEPT_SECONDS = 600.0  # below the time after which the gateway lets an idle one go
_TIMEOUT = aiohttp.ClientTimeout(total=20)
_FAILURES: tuple[tuple[type[BaseException], str], ...] = (
    (TimeoutError, "timeout"),
    (aiohttp.ClientConnectorError, "refused"),
    (aiohttp.ClientError, "reset"),
    (OSError, "reset"),
)


class Load:
    """Sends rows to one address at one rate."""

    def __init__(
        self, session: aiohttp.ClientSession, url: str, rows: Sequence[Row], out: TextIO
    ) -> None:
        self._session = session
        self._address = url
        self._url = f"{url}/predict"
        self._rows = rows
        self._out = out
        self.marker: Row = {}  # put over each row
        self._under_way: set[asyncio.Task[None]] = set()

    async def connect(self) -> None:
        """Open connections to keep, by requests that no model server sees and nobody counts."""
        await asyncio.gather(*(self._knock() for _ in range(_POOL)))

    async def _knock(self) -> None:
        with contextlib.suppress(TimeoutError, aiohttp.ClientError, OSError):
            async with self._session.get(self._address) as response:
                await response.read()

    async def run(self, rate: float, stop: asyncio.Event) -> None:
        """Send until told to stop, then wait for what is under way."""
        begin = time.monotonic()
        for number, row in enumerate(itertools.cycle(self._rows)):
            if await _is_set_within(stop, begin + number / rate - time.monotonic()):
                break
            task = asyncio.create_task(self._send({**row, **self.marker}))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)
        await asyncio.gather(*self._under_way)

    async def _send(self, row: Row) -> None:
        sent, begin = time.time(), time.monotonic()
        status = version = failure = None
        try:
            async with self._session.post(self._url, json={"instances": [row]}) as response:
                await response.read()
                status, version = response.status, response.headers.get(VERSION_HEADER)
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            failure = next(word for kind, word in _FAILURES if isinstance(error, kind))
        answer = Answer(
            sent=sent,
            seconds=time.monotonic() - begin,
            status=status,
            version=version,
            failure=failure,
        )
        self._out.write(to_line(answer) + "\n")


async def _is_set_within(stop: asyncio.Event, seconds: float) -> bool:
    """Sleep, but not longer than until the event."""
    try:
        await asyncio.wait_for(stop.wait(), max(seconds, 0))
    except TimeoutError:
        return stop.is_set()
    return True


async def _end_with_parent(parent: int, stop: asyncio.Event) -> None:
    while os.getppid() == parent:  # noqa: ASYNC110 - nothing tells of it
        await asyncio.sleep(1)
    stop.set()


async def _main(options: argparse.Namespace, out: TextIO) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    watcher = asyncio.create_task(_end_with_parent(os.getppid(), stop))
    rows = shuffle_rows(read_rows(first=options.first, count=options.count))
    connector = (
        aiohttp.TCPConnector(limit=0, force_close=True)
        if options.new_connections
        else aiohttp.TCPConnector(limit=_POOL, keepalive_timeout=_KEPT_SECONDS)
    )
    async with aiohttp.ClientSession(
        connector=connector, headers={"Host": options.host}, timeout=_TIMEOUT
    ) as session:
        load = Load(session, options.url, rows, out)
        marker = dict([options.marker]) if options.marker else {}
        loop.add_signal_handler(signal.SIGUSR1, setattr, load, "marker", marker)
        loop.add_signal_handler(signal.SIGUSR2, setattr, load, "marker", {})
        if not options.new_connections:
            await load.connect()
        await load.run(options.rate, stop)
    watcher.cancel()


def _parse_marker(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    return name, float(value)


def main() -> None:
    parser = argparse.ArgumentParser(description="Send real rows at a fixed rate.")
    parser.add_argument("--url", required=True)
    parser.add_argument("--host", required=True, help="the Model's address, for the Host header")
    parser.add_argument("--rate", type=float, required=True, help="requests per second")
    parser.add_argument("--first", type=int, required=True, help="index of the first row")
    parser.add_argument(
        "--count", type=int, required=True, help="number of rows, sent over and over"
    )
    parser.add_argument("--out", required=True, help="file that the answers are written to")
    parser.add_argument("--marker", type=_parse_marker, help="COLUMN=VALUE that marks a row")
    parser.add_argument(
        "--new-connections", action="store_true", help="open a connection for each request"
    )
    options = parser.parse_args()
    with Path(options.out).open("w", buffering=1) as out:
        asyncio.run(_main(options, out))


if __name__ == "__main__":
    main()
