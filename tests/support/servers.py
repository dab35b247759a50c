"""Servers that tests start: until they answer, and until they have ended."""

import contextlib
import http.client
import signal
import subprocess
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Final

import psycopg

from cluster.wait import wait_until

_PATIENCE: Final = 180  # seconds; MLflow imports for ten on a quiet machine


def wait_until_answering(
    process: "subprocess.Popen[bytes]", answers: Callable[[], bool], log: Path
) -> None:
    """Wait until a server that was started answers.

    Raises:
        ClusterError: it does not; the message is its log.
        RuntimeError: it ended.
    """
    wait_until(
        lambda: process.poll() is not None or answers(),
        timeout=_PATIENCE,
        pause=0.1,
        otherwise=lambda: f"a server does not answer:\n{log.read_text()}",
    )
    if process.poll() is not None:
        raise RuntimeError(f"a server ended:\n{log.read_text()}")


def answers_http(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=10) as response:
            response.read()
    except (OSError, http.client.HTTPException):
        return False
    return True


def answers_postgres(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=10).close()
    except psycopg.OperationalError:
        return False
    return True


def end(process: "subprocess.Popen[bytes]", number: signal.Signals = signal.SIGTERM) -> None:
    """Ask it to end, and end it if it does not."""
    process.send_signal(number)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(15)
    process.kill()
    process.wait()
