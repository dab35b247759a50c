"""A real Prometheus for tests, which scrapes series that the test chooses, on loopback.

A conftest that imports ``prometheus_server`` has the fixture.
"""

import contextlib
import dataclasses
import http.server
import json
import subprocess
import tempfile
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.ports import free_port
from cluster.wait import wait_until
from images.cache import default_cache
from images.catalogue import PROMETHEUS
from images.programs import binary_path
from support.servers import answers_http, end, wait_until_answering

COUNT = "COUNT"  # in the text: a counter that grows
_A_SECOND = 100
_CONFIG = """
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: gateway
    metric_relabel_configs: []
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PrometheusServer:
    """A running Prometheus and the page it scrapes."""

    url: str
    page: dict[str, str]  # the one key, "text", is what it is shown

    def show(self, text: str, *, until: str) -> None:
        """Expose the text; return once the query has a result."""
        self.page["text"] = text
        wait_until(
            lambda: bool(self.ask(until)),
            timeout=180,
            pause=0.1,
            otherwise=lambda: f"{until} has no result after 180 s",
        )

    def ask(self, promql: str) -> list[object]:
        query = urllib.parse.urlencode({"query": promql})
        with urllib.request.urlopen(f"{self.url}/api/v1/query?{query}", timeout=60) as response:
            return list(json.loads(response.read())["data"]["result"])


@pytest.fixture(name="prometheus_server", scope="session")
def prometheus_server() -> Iterator[PrometheusServer]:
    """Run one server for the session; tests keep apart by the names of models."""
    with running_prometheus() as server:
        yield server


@contextlib.contextmanager
def running_prometheus() -> Iterator[PrometheusServer]:
    """Start a server, and remove it with its data afterwards."""
    program = binary_path(default_cache(), PROMETHEUS, "prometheus")
    if not program.exists():
        pytest.fail("Prometheus is not built; run: make install")
    page = {"text": ""}
    with tempfile.TemporaryDirectory(prefix="fairlead-prometheus-") as name, _exporter(page) as at:
        folder, port = Path(name), free_port()
        (folder / "prometheus.yml").write_text(_CONFIG.format(port=at))
        # It ends with the tests even where those are killed.
        command = ["setpriv", "--pdeathsig=KILL", str(program)]
        command += [f"--config.file={folder}/prometheus.yml"]
        command += [f"--storage.tsdb.path={folder}/data", f"--web.listen-address=127.0.0.1:{port}"]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        try:
            server = PrometheusServer(url=f"http://127.0.0.1:{port}", page=page)
            ready = f"{server.url}/-/ready"
            wait_until_answering(process, lambda: answers_http(ready), folder / "log")
            yield server
        finally:
            end(process)


@contextlib.contextmanager
def _exporter(page: dict[str, str]) -> Iterator[int]:
    began = time.monotonic()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            count = int((time.monotonic() - began) * _A_SECOND)
            body = page["text"].replace(COUNT, str(count)).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
