"""MLflow and Prometheus for a live operator: their two APIs on one loopback port, in a thread.

They answer what ``FakeRegistry`` and ``FakePrometheus`` hold, so a test says the same words
to a live operator as to one on fakes.
"""

import asyncio
import contextlib
import json
import threading
from collections.abc import Iterator
from typing import Any

from aiohttp import web

from fairlead_operator.api.runs import RunEnd
from fairlead_operator.prometheus.counting import COUNT
from support.fake_prometheus import FakePrometheus
from support.fakes import START, FakeRegistry


class Backends:
    """What the operator may ask besides the cluster."""

    def __init__(self) -> None:
        self.registry = FakeRegistry()
        self.prometheus = FakePrometheus()
        # Paths asked for, without what is asked by the clock: of all versions and all models.
        self.requests: list[str] = []
        self.listed = 0  # times that all versions were asked for
        self.url = ""

    def application(self) -> web.Application:
        application = web.Application()
        application.router.add_route("*", "/api/v1/query", self._query)
        application.router.add_route("*", "/api/2.0/mlflow/{path:.*}", self._mlflow)
        return application

    async def _query(self, request: web.Request) -> web.Response:
        form = await request.post()
        promql = str(form["query"])
        if not self.prometheus.down:
            mistake = await self.prometheus.find_mistake(promql)
            error = {"status": "error", "errorType": "bad_data", "error": mistake}
            if mistake or "time" in form:  # whether it can be read
                return web.json_response(error if mistake else {}, status=400 if mistake else 200)
        if not promql.startswith("label_join("):
            self.requests.append("query")
        if self.prometheus.down:
            return web.json_response({"error": "down"}, status=503)
        if promql.startswith(("label_replace(", "label_join(")):  # several numbers in one answer
            numbers = await self.prometheus.query_by(promql, COUNT)
            result = [
                {"metric": {COUNT: name}, "value": [0, str(value)]}
                for name, value in numbers.items()
            ]
        else:
            value = await self.prometheus.query(promql)
            result = [] if value is None else [{"metric": {}, "value": [0, str(value)]}]
        return web.json_response({"data": {"resultType": "vector", "result": result}})

    async def _mlflow(self, request: web.Request) -> web.Response:
        path = request.match_info["path"]
        if path != "model-versions/search" or "filter" in request.query:
            self.requests.append(path)
        else:
            self.listed += 1
        if self.registry.down:
            return web.json_response({"message": "down"}, status=503)
        body = await request.json() if request.can_read_body else {}
        return web.json_response(await self._answer(path, {**request.query, **body}))

    async def _answer(self, path: str, asked: dict[str, Any]) -> dict[str, Any]:
        registry = self.registry
        match path:
            case "experiments/get-by-name":
                return {"experiment": {"experiment_id": "1"}}
            case "runs/search":
                key = asked["filter"].split("'")[1]
                return {"runs": [_run(registry.runs[key])] if key in registry.runs else []}
            case "runs/create":
                key = asked["tags"][0]["value"]
                run = await registry.start_run(experiment="", name="", key=key, now=START)
                return {"run": _run(run)}
            case "runs/get":
                run_id = asked["run_id"]
                tags = [{"key": "fairlead.progress", "value": registry.progress_of.get(run_id, "")}]
                status = registry.ended.get(run_id, "RUNNING")
                return {"run": _run(run_id, tags=tags, status=status)}
            case "runs/update":
                await registry.end_run(asked["run_id"], RunEnd(asked["status"]), now=START)
                return {}
            case "runs/delete-tag":
                await registry.close_run(asked["run_id"])
                return {}
            case "model-versions/search":
                name = asked["filter"].split("'")[1] if "filter" in asked else None
                found = [
                    _version(key[0], item)
                    for key, item in registry.versions.items()
                    if name in {None, key[0]}
                ]
                return {"model_versions": found}
        return {"error_code": "ENDPOINT_NOT_FOUND"}


def _run(run_id: str, *, tags: Any = (), status: str = "RUNNING") -> dict[str, Any]:
    return {"info": {"run_id": run_id, "status": status}, "data": {"tags": list(tags)}}


def _version(name: str, item: Any) -> dict[str, Any]:
    tags = {"fairlead.version": item.version, "fairlead.digest": item.digest}
    return {
        "name": name,
        "version": item.registry_version,
        "tags": [{"key": key, "value": value} for key, value in tags.items()],
    }


@contextlib.contextmanager
def running_backends() -> Iterator[Backends]:
    """Serve them until the block ends."""
    backends = Backends()
    loop = asyncio.new_event_loop()
    ready, stop = threading.Event(), asyncio.Event()

    async def serve() -> None:
        runner = web.AppRunner(backends.application(), access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        backends.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        ready.set()
        await stop.wait()
        await runner.cleanup()
        await asyncio.sleep(0.05)  # until its connections are closed

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
    thread.start()
    assert ready.wait(60), "the backends do not start"
    try:
        yield backends
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()


def progress(trial: int) -> str:
    """Build what a trainer in its search writes."""
    return json.dumps({"stage": "search", "trial": trial, "trials": 40, "metric": "roc_auc"})
