"""The gateway's agent: reads routes and endpoints from the cluster, keeps Envoy up to date.

    python -m fairlead_serving.gateway

Runs next to Envoy in the gateway pod and may die at any time: Envoy goes on with what it has.
See `bootstrap` for Envoy's own command line and `drain` for the pod's end.
"""

import asyncio
import contextlib
import gc
import signal
import sys

from fairlead_contract import logs
from fairlead_serving.gateway.process import running
from fairlead_serving.gateway.settings import Settings, read_settings


async def run(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT, or until a part fails for good."""
    async with running(settings) as task:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, task.cancel)
        with contextlib.suppress(asyncio.CancelledError):
            await task


def main() -> None:
    """Wire and run."""
    logs.configure()
    # A full collection takes 40 ms with a thousand Models: rarely.  Young garbage goes as ever.
    gc.set_threshold(700, 10, 1000)
    try:
        settings = read_settings()
    except ValueError as error:
        sys.exit(f"gateway agent cannot start: {error}")
    asyncio.run(run(settings))


if __name__ == "__main__":
    main()
