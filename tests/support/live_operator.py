"""The operator as a process, and what Kubernetes and the gateway would do for it.

On a control plane without nodes nobody makes Deployments ready, runs Jobs or reports routes:
``Stage`` does, as long as it is entered.
"""

import asyncio
import contextlib
import dataclasses
import http.client
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cluster.ports import free_port
from fairlead_operator.api.group import (
    API_VERSION,
    GATEWAY_NAME,
    LABEL_VERSION,
)
from fairlead_operator.errors import TransientError
from fairlead_operator.kube.client import KubeClient
from fairlead_operator.kube.metadata import component_labels
from fairlead_operator.requests import Action
from support.backends import Backends
from support.trainer_words import registered
from support.world import made_by

TOKEN = "alertmanager-token"
GATEWAY_POD = "fairlead-gateway-0"
_PATIENCE = 120.0  # seconds; the machine may be busy

Manifest = dict[str, Any]


@dataclasses.dataclass(kw_only=True)
class Operator:
    """One process."""

    process: "subprocess.Popen[bytes]"
    identity: str
    http_port: int
    webhook_port: int
    history_port: int
    log: Path

    async def health(self) -> str:
        """``leading``, ``standing by``, or nothing while it does not answer."""
        status, text = await fetch(f"http://127.0.0.1:{self.http_port}/readyz")
        return text if status == 200 else ""

    async def leads(self) -> bool:
        assert self.process.poll() is None, f"the operator ended:\n{self.log.read_text()}"
        return await self.health() == "leading"

    async def metrics(self) -> dict[str, float]:
        """Return every sample by its name and labels."""
        _, text = await fetch(f"http://127.0.0.1:{self.http_port}/metrics")
        lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
        return {name: float(value) for name, _, value in lines}

    async def post_alert(self, *, token: str = TOKEN, **labels: str) -> tuple[int, Any]:
        alert = {
            "status": "firing",
            "labels": {"alertname": "FairleadVersionSlow", "fairlead_action": "rollback", **labels},
            "annotations": {"summary": "p95 is 900 ms"},
        }
        status, text = await fetch(
            f"http://127.0.0.1:{self.webhook_port}/alerts",
            body={"version": "4", "alerts": [alert]},
            token=token,
        )
        return status, json.loads(text or "{}")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send the signal and wait; answers the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


@dataclasses.dataclass(frozen=True, kw_only=True)
class Launcher:
    """How operators are started: all with the same cluster, backends and namespace."""

    kubeconfig: Path
    backends: Backends
    namespace: str  # of the Lease
    folder: Path
    watch: str = ""
    program: Sequence[str] = ("-m", "fairlead_operator")  # what Python is told to run
    database: str = "postgresql://fairlead:secret@database:5432/fairlead"  # nobody answers there
    started: list[Operator] = dataclasses.field(default_factory=list)

    def start(self, identity: str, **more: str) -> Operator:
        log = self.folder / f"{identity}.log"
        http_port, webhook_port, history_port = (free_port() for _ in range(3))
        environment = {
            **os.environ,
            "KUBECONFIG": str(self.kubeconfig),
            "POD_NAME": identity,
            "FAIRLEAD_NAMESPACE": self.namespace,
            "FAIRLEAD_WATCH_NAMESPACES": self.watch,
            "FAIRLEAD_TRAINING_IMAGE": "fairlead/training:test",
            "FAIRLEAD_SERVING_IMAGE": "fairlead/serving:test",
            "MLFLOW_TRACKING_URI": self.backends.url,
            "FAIRLEAD_PROMETHEUS_URL": self.backends.url,
            "FAIRLEAD_DATABASE_URL": self.database,
            "FAIRLEAD_SHARE_OPERATOR_LOGIN": "true",  # without a database there is no other
            "FAIRLEAD_WEBHOOK_TOKEN": TOKEN,
            "FAIRLEAD_BIND": "127.0.0.1",
            "FAIRLEAD_HTTP_PORT": str(http_port),
            "FAIRLEAD_WEBHOOK_PORT": str(webhook_port),
            "FAIRLEAD_HISTORY_PORT": str(history_port),
            **more,
        }
        with log.open("wb") as output:
            process = subprocess.Popen(
                # It ends with the tests even where those are killed.
                ["setpriv", "--pdeathsig=KILL", sys.executable, *self.program],
                env=environment,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        operator = Operator(
            process=process,
            identity=identity,
            http_port=http_port,
            webhook_port=webhook_port,
            history_port=history_port,
            log=log,
        )
        self.started.append(operator)
        return operator

    def logs(self) -> str:
        """Return what all of them wrote."""
        return "\n".join(f"--- {one.identity}\n{_read(one.log)}" for one in self.started)

    async def lead(self, identity: str, **more: str) -> Operator:
        """Start one and wait until it leads."""
        operator = self.start(identity, **more)
        await until(operator.leads, f"{identity} to lead", log=operator.log)
        return operator


@contextlib.contextmanager
def launching(
    *, kubeconfig: Path, backends: Backends, namespace: str, folder: Path, **more: Any
) -> Iterator[Launcher]:
    """Operators end with the block."""
    launcher = Launcher(
        kubeconfig=kubeconfig, backends=backends, namespace=namespace, folder=folder, **more
    )
    try:
        yield launcher
    finally:
        for operator in launcher.started:
            operator.stop()


class Stage:
    """A namespace in which Deployments become ready and gateways report, by themselves."""

    def __init__(self, kube: KubeClient, namespace: str) -> None:
        self.kube = kube
        self.namespace = namespace
        self.slow: set[str] = set()  # versions that do not become ready
        self.room: dict[str, int] = {}  # version → most pods that find a node
        self.reports = True
        self.given: list[dict[str, int]] = []  # weights that the gateway has reported

    @contextlib.asynccontextmanager
    async def playing(self) -> AsyncIterator["Stage"]:
        over = asyncio.Event()
        task = asyncio.create_task(self._play(over))
        try:
            yield self
        finally:
            over.set()  # not cancelled: a request that is cut off leaves its connection open
            await task

    async def _play(self, over: asyncio.Event) -> None:
        while not over.is_set():
            with contextlib.suppress(TransientError):
                for deployment in await self.kube.list("Deployment", self.namespace, {}):
                    await self._become_ready(deployment)
                await self._report()
            await asyncio.sleep(0.05)

    async def _become_ready(self, deployment: Manifest) -> None:
        meta, replicas = deployment["metadata"], deployment["spec"]["replicas"]
        version = (meta.get("labels") or {}).get(LABEL_VERSION)
        ready = 0 if version in self.slow else min(replicas, self.room.get(version, replicas))
        status = {
            "observedGeneration": meta["generation"],
            "replicas": replicas,
            "updatedReplicas": replicas,
            "readyReplicas": ready,
            "availableReplicas": ready,
        }
        known = deployment.get("status") or {}
        seen = known.get("observedGeneration") == meta["generation"]
        if not seen or known.get("availableReplicas", 0) != ready:
            await self.kube.patch_status("Deployment", self.namespace, meta["name"], status)
        if meta["name"] == GATEWAY_NAME:
            await self.put_pod(GATEWAY_POD, component_labels("gateway"), {"phase": "Running"})

    async def _report(self) -> None:
        reports = await self.kube.get("ConfigMap", self.namespace, GATEWAY_NAME)
        if reports is None or not self.reports:
            return
        for item in await self.kube.list("ConfigMap", self.namespace, component_labels("route")):
            route = json.loads(item["data"]["route.json"])
            key = f"{route['model']}.{GATEWAY_POD}"
            weights = {v["version"]: v["weight"] for v in route["versions"]}
            text = json.dumps({"revision": route["revision"], "weights": weights})
            if (reports.get("data") or {}).get(key) != text:
                await self.kube.patch_data(self.namespace, GATEWAY_NAME, {key: text})
                self.given.append(weights)

    async def put_pod(
        self,
        name: str,
        labels: Mapping[str, str],
        status: Manifest,
        *,
        job: Manifest | None = None,
    ) -> None:
        """Put a pod with a status, once; ``job`` is what made it."""
        if await self.kube.get("Pod", self.namespace, name) is not None:
            return
        meta: Manifest = {"name": name, "namespace": self.namespace, "labels": dict(labels)}
        if job is not None:
            meta["ownerReferences"] = [made_by(job)]
        await self.kube.create(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": meta,
                "spec": {"containers": [{"name": "main", "image": "x"}]},
            }
        )
        ready = {"type": "Ready", "status": "True"}
        await self.kube.patch_status("Pod", self.namespace, name, {"conditions": [ready], **status})

    # -- what people and trainers do

    async def apply_model(self, **spec: Any) -> None:
        """Apply the Model as a person does with ``kubectl apply``; leave what is not named."""
        found = await self.kube.get("Model", self.namespace, "nsw-price")
        if found is None:
            await self.kube.create(self._model(spec))
            return
        await self.change("Model", "nsw-price", **spec)

    async def change(self, kind: str, name: str, **spec: Any) -> None:
        """Replace parts of a spec, again when the operator has written meanwhile."""
        while True:
            with contextlib.suppress(TransientError):
                found = await self.get(kind, name)
                found["spec"].update(spec)
                await self.kube.replace(found)
                return

    def _model(self, spec: Mapping[str, Any]) -> Manifest:
        return {
            "apiVersion": API_VERSION,
            "kind": "Model",
            "metadata": {"name": "nsw-price", "namespace": self.namespace},
            "spec": {
                "task": "binary-classification",
                "data": {
                    "source": {"uri": "https://data.example/rows.csv"},
                    "timestampColumn": "timestamp",
                    "target": "price_up",
                },
                "rollout": quick_policy(),
                **spec,
            },
        }

    async def retrain(self, word: str) -> None:
        await self.kube.annotate(
            "Model", self.namespace, "nsw-price", {Action.RETRAIN.annotation: word}
        )

    async def train(self, number: int, version: str, backends: Backends) -> None:
        """Let every Job of the run end well, as the Job controller and the trainer say it."""
        run = f"nsw-price-training-{number}"
        search = {"outcome": "Succeeded", "stage": "search"}
        await self.end_job(f"{run}-search", search)
        backends.registry.register(f"{self.namespace}.nsw-price", version)
        known = backends.registry.versions[f"{self.namespace}.nsw-price", version]
        await self.end_job(f"{run}-finish", registered(known))

    async def end_job(self, name: str, result: Manifest) -> None:
        """End a Job as its result says; its pod leaves that as termination message."""
        failed = result["outcome"] == "Failed"
        job = await self.wait("Job", name)
        labels = job["spec"]["template"]["metadata"]["labels"]
        ended = {"exitCode": 3 * failed, "message": json.dumps(result)}
        container = {
            "name": "main",
            "image": "x",
            "imageID": "x",
            "ready": False,
            "restartCount": 0,
            "state": {"terminated": ended},
        }
        over = {"phase": "Failed" if failed else "Succeeded", "containerStatuses": [container]}
        await self.put_pod(f"{name}-0", labels, over, job=job)
        moment = job["metadata"]["creationTimestamp"]
        conditions = [
            {"type": kind, "status": "True", "lastTransitionTime": moment}
            for kind in (
                ("FailureTarget", "Failed") if failed else ("SuccessCriteriaMet", "Complete")
            )
        ]
        counts = {"completionTime": moment, "succeeded": 1, "completedIndexes": "0"}
        status = {
            "startTime": moment,
            **({"failed": 1} if failed else counts),
            "conditions": conditions,
        }
        await self.kube.patch_status("Job", self.namespace, name, status)

    async def scale(self, deployment: str, replicas: int) -> None:
        """Scale as an autoscaler does, by its own way: again where another was quicker."""

        async def is_done() -> bool:
            try:
                await self.kube.scale(await self.get("Deployment", deployment), replicas)
            except TransientError:
                return False
            return True

        await until(is_done, f"{deployment} to be scaled")

    # -- what one can look at

    async def get(self, kind: str, name: str) -> Manifest:
        found = await self.kube.get(kind, self.namespace, name)
        assert found is not None, f"there is no {kind} {name}"
        return found

    async def status(self, kind: str, name: str) -> Manifest:
        found = await self.kube.get(kind, self.namespace, name)
        return dict((found or {}).get("status") or {})

    async def weights(self) -> dict[str, int]:
        """Return the weights the gateway is told."""
        route = await self.kube.get("ConfigMap", self.namespace, "nsw-price-route")
        if route is None:
            return {}
        versions = json.loads(route["data"]["route.json"])["versions"]
        return {version["version"]: version["weight"] for version in versions}

    async def wait(self, kind: str, name: str, *, said: str = "", **status: Any) -> Manifest:
        """Wait until it is there, its status has these fields, and its message says so much."""
        found: Manifest = {}

        async def there() -> bool:
            found.clear()
            found.update(await self.kube.get(kind, self.namespace, name) or {})
            has = found.get("status") or {}
            as_told = said in (has.get("message") or "")
            return (
                bool(found) and as_told and all(has.get(k) == value for k, value in status.items())
            )

        try:
            await until(there, f"{kind} {name} {said} {status}", found=found)
        except AssertionError as error:
            rollouts = await self.kube.list("Rollout", self.namespace, {})
            error.add_note(f"Rollouts: {[rollout.get('status') for rollout in rollouts]}")
            raise
        return found

    async def events(self) -> list[Manifest]:
        return list(await self.kube.list("Event", self.namespace, {}))

    async def versions(self) -> dict[tuple[str, str], str]:
        """Return the resourceVersion of every object the operator may write, by kind and name."""
        kinds = ("Model", "TrainingRun", "Rollout", "Deployment", "Job", "Pod", "Service")
        kinds += ("ConfigMap", "Secret", "ServiceAccount", "Event", "RoleBinding")
        kinds += ("PodDisruptionBudget",)
        return {
            (kind, item["metadata"]["name"]): item["metadata"]["resourceVersion"]
            for kind in kinds
            for item in await self.kube.list(kind, self.namespace, {})
        }


def quick_policy(**changed: Any) -> Manifest:
    """Build a canary of seconds."""
    return {
        "steps": [{"weight": 10, "hold": "1s"}, {"weight": 50, "hold": "1s"}],
        "analysis": {
            "interval": "1s",
            "checks": [{"name": "success-rate", "builtin": "success-rate", "atLeast": 0.99}],
        },
        "guard": {"duration": "1s"},
        "patience": "10m",
        "startDeadline": "10m",
        **changed,
    }


async def until(
    holds: Callable[[], Awaitable[bool]],
    what: str,
    *,
    found: Manifest | None = None,
    log: Path | None = None,
) -> None:
    """Wait as long as a busy machine may take."""
    begin = time.monotonic()
    while not await holds():
        if time.monotonic() - begin > _PATIENCE:
            seen = f"; it is {(found or {}).get('status')}" if found is not None else ""
            text = f"\n{_read(log)}" if log else ""
            raise AssertionError(f"waited {_PATIENCE:g} s for {what}{seen}{text}")
        await asyncio.sleep(0.05)


def _read(log: Path) -> str:
    return log.read_text()


async def fetch(url: str, *, body: object = None, token: str = "") -> tuple[int, str]:
    """Status and text; 0 while nobody listens."""
    return await asyncio.to_thread(_fetch, url, body, token)


def _fetch(url: str, body: object, token: str) -> tuple[int, str]:
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except (OSError, http.client.HTTPException):
        return 0, ""
