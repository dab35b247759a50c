"""How the process ends when it cannot serve."""

import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fairlead_serving.server import __main__ as server
from fairlead_serving.server.failure import Reason, StartupError


def test_the_operator_is_told_why(tmp_path: Path) -> None:
    log = tmp_path / "termination-log"

    assert server.report(StartupError(Reason.DIGEST_MISMATCH, "why"), log) == 3

    assert json.loads(log.read_text()) == {"reason": "DigestMismatch", "message": "why"}


def test_the_message_fits_what_kubernetes_keeps(tmp_path: Path) -> None:
    log = tmp_path / "termination-log"

    server.report(StartupError(Reason.ARTIFACT_INVALID, "\N{GRINNING FACE}" * 5000), log)

    assert len(log.read_bytes()) <= 4096
    assert json.loads(log.read_text())["reason"] == "ArtifactInvalid"


def test_a_log_that_cannot_be_written_changes_nothing(tmp_path: Path) -> None:
    assert server.report(StartupError(Reason.ARTIFACT_INVALID, "why"), tmp_path) == 3


def test_sigterm_during_the_start_ends_the_process() -> None:
    with pytest.raises(SystemExit, match="143"):
        server._stop(15, None)


def test_what_reads_large_bodies_lets_the_event_loop_go_first() -> None:
    here = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    with ThreadPoolExecutor(max_workers=1, initializer=server._step_back) as pool:
        there = pool.submit(lambda: os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))

    assert there.result() > here
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == here
