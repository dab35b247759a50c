"""The gateway pod's preStop command: let Envoy finish what it has.

    python -m fairlead_serving.gateway.drain [--grace 5] [--deadline 25]

SIGTERM cuts Envoy's requests in flight, so this runs first.  Envoy keeps taking requests for the
grace, during which the cluster learns that the pod is leaving; its answers ask clients to close
their connections.  Then it waits until nothing is in flight, or for the deadline.
"""

import argparse
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable

from fairlead_serving.gateway.settings import read_ports

_STATISTIC = "http.gw.downstream_rq_active"
_POLL_SECONDS = 0.2
_ANSWER_SECONDS = 2


def drain(
    admin: str,
    *,
    grace: float,
    deadline: float,
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> bool:
    """Drain, and say whether nothing is in flight at the end, as in an Envoy that is gone."""
    began = now()
    try:
        _call(f"{admin}/drain_listeners?graceful&skip_exit", method="POST")
        sleep(grace)
        while (active := parse_active(_call(f"{admin}/stats?filter=^{_STATISTIC}$"))) > 0:
            if now() - began >= deadline:
                return False
            sleep(_POLL_SECONDS)
    except (urllib.error.URLError, OSError):
        return True
    return active == 0


def parse_active(statistics: str) -> int:
    """Read the requests in flight from the admin interface's plain text."""
    for line in statistics.splitlines():
        name, _, value = line.partition(": ")
        if name == _STATISTIC:
            return int(value)
    return 0


def _call(url: str, *, method: str = "GET") -> str:
    request = urllib.request.Request(url, method=method)  # noqa: S310 - always our own admin port
    with urllib.request.urlopen(request, timeout=_ANSWER_SECONDS) as response:  # noqa: S310
        text: str = response.read().decode()
        return text


def main(arguments: list[str]) -> int:
    """Drain the Envoy of this pod; the exit code is 0 when it finished in time."""
    parser = argparse.ArgumentParser(prog="python -m fairlead_serving.gateway.drain")
    parser.add_argument("--grace", type=float, default=5.0, help="seconds of service as usual")
    parser.add_argument("--deadline", type=float, default=25.0, help="seconds in all")
    options = parser.parse_args(arguments)
    admin = f"http://127.0.0.1:{read_ports().admin}"
    return 0 if drain(admin, grace=options.grace, deadline=options.deadline) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
