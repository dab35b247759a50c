"""A process that is told to end does so, whoever else claims its signals."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Collection
from typing import Any

import kopf
import pytest

from fairlead_operator import main
from fairlead_operator.engine.wakeup import Wakeup
from fairlead_operator.engine.watches import Watches
from fairlead_operator.engine.work_queue import WorkQueue
from fairlead_operator.kube.store import Store
from support.world import SETTINGS


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda one: one.name)
async def test_a_signal_while_kopf_starts_is_not_lost(
    number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    spawn = kopf.spawn_tasks
    stopped = asyncio.Event()

    async def spawn_and_be_told_to_end(**options: Any) -> Collection[asyncio.Task[None]]:
        tasks = await spawn(**options)
        os.kill(os.getpid(), number)
        return tasks

    monkeypatch.setattr(kopf, "spawn_tasks", spawn_and_be_told_to_end)
    monkeypatch.setattr(main, "login", lambda: kopf.ConnectionInfo(server="http://127.0.0.1:1"))
    watches = Watches(Store(()), Wakeup(), WorkQueue())

    watching = asyncio.create_task(main._watch(SETTINGS, {}, watches, stopped))
    told = asyncio.create_task(stopped.wait())
    await asyncio.wait((watching, told), timeout=30, return_when=asyncio.FIRST_COMPLETED)
    watching.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await watching

    assert told.done()
