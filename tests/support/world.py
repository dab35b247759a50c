"""A cluster that lives: the operator's own loop on fakes, and what Kubernetes would do.

``World.run`` works off the queue until nothing is left to do now, letting
Deployments become ready and gateways report in between, as the real ones do.
``World.pass_time`` moves the clock to each moment the operator asked for.
"""

import dataclasses
import json
from datetime import datetime, timedelta
from typing import Any

from fairlead_contract.mlflow import Access
from fairlead_operator.alert_labels import AlertLabels
from fairlead_operator.api.group import GATEWAY_NAME, LABEL_COMPONENT
from fairlead_operator.engine.controller import Controller
from fairlead_operator.engine.wakeup import Wakeup
from fairlead_operator.engine.watches import Watches
from fairlead_operator.engine.work_queue import WorkQueue
from fairlead_operator.keys import Key
from fairlead_operator.kube.images import Images
from fairlead_operator.kube.kinds import WATCHED
from fairlead_operator.kube.metadata import component_labels
from fairlead_operator.kube.store import Store
from fairlead_operator.kube.watched import WatchedKube
from fairlead_operator.mlflow.registrations import Registrations
from fairlead_operator.ports import Ports
from fairlead_operator.prometheus.answers import Answers
from fairlead_operator.settings import Settings
from support.fake_logins import FakeLogins
from support.fake_prometheus import FakePrometheus
from support.fake_record import FakeRecord
from support.fakes import Clock, FakeKube, FakeRegistry, copied
from support.invariants import Snapshot, read_snapshot
from support.trainer_words import registered

NAMESPACE = "energy"
GATEWAY_POD = "fairlead-gateway-0"

SETTINGS = Settings(
    namespace="fairlead",
    identity="operator-0",
    watch_namespaces=(),
    images=Images(
        training="fairlead/training:1",
        serving="fairlead/serving:1",
        pull_policy="IfNotPresent",
        pull_secrets=(),
    ),
    mlflow=Access(address="http://mlflow"),
    prometheus_url="http://prometheus",
    database_url="postgresql://fairlead:secret@database:5432/fairlead",
    record_retention=timedelta(days=30),
    webhook_token="token",
    alert_labels=AlertLabels(),
    gateway_replicas=1,
    cluster_domain="cluster.local",
    bind="127.0.0.1",
    http_port=8080,
    webhook_port=8443,
    history_port=8081,
    log_format="text",
    log_level="INFO",
)


class World:
    """Everything a scenario needs."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        self.settings = SETTINGS  # of the next process
        self.kube = FakeKube(self.clock)
        self.prometheus = FakePrometheus()
        self.registry = FakeRegistry()
        self.record = FakeRecord(self.clock)
        self.registrations = Registrations()
        self.answers = Answers()
        self.ports = Ports(
            kube=self.kube,
            prometheus=self.prometheus,
            registry=self.registry,
            registrations=self.registrations,
            answers=self.answers,
            record=self.record,
            now=self.clock,
            logins=FakeLogins(),
        )
        self.queue = WorkQueue()
        self._begin()
        self.broken: dict[str, str] = {}  # version → what its server says when it ends
        self.slow: set[str] = set()  # versions that never become ready
        self.hanging: dict[str, tuple[str, str]] = {}  # version → why its new pods do not start
        self.gateway_reports = True
        self.late: set[str] = set()  # kinds whose watches tell after all others have
        self.trips: dict[str, dict[str, Any]] = {}  # version → what the fast guard says of it
        self.demand = 1  # pods that all of the traffic needs: what autoscalers see their part of
        self._pods: dict[tuple[str, str, str], str] = {}  # that run, with the server they are of
        self._templates: dict[str, Any] = {}  # of the pods that run, by Deployment
        self.room: dict[str, int] = {}  # version → most pods that find a node
        self.route_refusal = ""  # why the cluster's own Gateway does not take the route
        self.closed: set[str] = set()  # namespaces whose routes it does not take
        self.has_gateways = True  # of the cluster, that see routes
        self._planned: dict[Key, datetime] = {}
        self._seen: dict[tuple[str, str, str], dict[str, Any]] = {}
        self._work: list[Key] = []

    def restart_operator(self) -> None:
        """Begin a new process: keep nothing that was in memory."""
        self._begin()
        self._planned.clear()
        self._work.clear()
        self._seen.clear()

    def _begin(self) -> None:
        """Make what a process has in its memory."""
        self.store = Store()
        self.watches = Watches(self.store, Wakeup(), self)
        outside = self._outside()
        watched = dataclasses.replace(outside, kube=WatchedKube(outside.kube, self.store))
        self.controller = Controller(self.queue, watched, self.settings)

    def _outside(self) -> Ports:
        """Return what a process reaches of the world."""
        return self.ports

    async def run(self, *, limit: int = 500) -> None:
        """Work until nothing is left to do at this moment."""
        for _ in range(limit):
            self._kubernetes()
            self.deliver()
            due = [key for key, moment in self._planned.items() if moment <= self.clock()]
            for key in due:
                del self._planned[key]
                self.add(key)
            if not self._work:
                self.deliver(late=True)
            if not self._work:
                return
            await self._turn(self._work.pop(0))
        raise AssertionError(f"the operator never comes to rest: {self._work}")

    async def pass_time(self, span: timedelta) -> None:
        """Let the span pass, waking the operator at each moment it asked for."""
        end = self.clock() + span
        await self.run()
        while self._planned and min(self._planned.values()) <= end:
            self.clock.moment = max(self.clock(), min(self._planned.values()))
            await self.run()
        self.clock.moment = end
        await self.run()

    async def _turn(self, key: Key) -> None:
        again = await self.controller.handle(key)
        self._planned.pop(key, None)
        if again is not None:
            self._planned[key] = self.clock() + again

    def deliver(self, *, late: bool = False) -> None:
        """Tell what the watches would have told since the last time."""
        kinds = WATCHED.keys() - (set() if late else self.late)
        watched = {
            key: item
            for key, item in self.kube.objects.items()
            if key[0] in kinds and self.store.tells(item)
        }
        for place, item in watched.items():
            before = self._seen.get(place, {"metadata": {}})["metadata"]
            if before.get("resourceVersion") != item["metadata"]["resourceVersion"]:
                self._seen[place] = copied(item)
                self.watches.tell(self._seen[place], "MODIFIED")
        gone = [place for place in self._seen if place[0] in kinds and place not in watched]
        for place in gone:
            item = self._seen.pop(place)
            item["metadata"]["resourceVersion"] = str(self.kube.newest)  # of its end
            self.watches.tell(item, "DELETED")

    def add(self, key: Key) -> None:
        """Take a key as the work queue does."""
        if key not in self._work:
            self._work.append(key)

    def _kubernetes(self) -> None:
        self._end_pods()
        for (kind, namespace, name), item in list(self.kube.objects.items()):
            if kind == "Deployment" and not WATCHED[kind].selects(item):
                continue  # another's
            if kind == "Deployment" and name == GATEWAY_NAME:
                self._gateway(namespace)
            elif kind == "Deployment":
                self._scale(namespace, name, item)
                self._deployment(namespace, name, self.kube.objects[kind, namespace, name])
            elif kind == "HTTPRoute" and self.has_gateways:
                self._accept(item)

    def _scale(self, namespace: str, name: str, item: dict[str, Any]) -> None:
        """Scale a version at once, as its autoscaler would: up and down, within its bounds."""
        found = self.kube.objects.get(("HorizontalPodAutoscaler", namespace, name))
        if found is None:
            return
        labels = item["metadata"]["labels"]
        percent = self.weights(labels["fairlead.dev/model"]).get(labels["fairlead.dev/version"], 0)
        low, high = found["spec"]["minReplicas"], found["spec"]["maxReplicas"]
        replicas = max(low, min(high, -(-self.demand * percent // 100)))
        meta = {"namespace": namespace, "name": name}
        self.kube.put({"kind": "Deployment", "metadata": meta, "spec": {"replicas": replicas}})

    def _deployment(self, namespace: str, name: str, item: dict[str, Any]) -> None:
        version = item["metadata"]["labels"]["fairlead.dev/version"]
        model = item["metadata"]["labels"]["fairlead.dev/model"]
        if version in self.hanging and item["spec"]["template"] != self._templates.get(name):
            self._hang(namespace, name, item)
            return
        hung = self.kube.objects.pop(("Pod", namespace, f"{name}-hanging"), None)
        ready = version not in self.broken and version not in self.slow
        replicas = item["spec"]["replicas"]
        replicas = min(replicas, self.room.get(version, replicas))
        self.kube.put(
            {
                "kind": "Deployment",
                "metadata": {"namespace": namespace, "name": name},
                "status": {
                    "observedGeneration": item["metadata"]["generation"],
                    "availableReplicas": replicas if ready else 0,
                    **({} if hung is None else {"unavailableReplicas": None}),
                },
            }
        )
        self._templates[name] = copied(item["spec"]["template"])
        if version not in self.broken:
            self._run_pods(name, item, replicas=replicas, ready=ready)
        else:
            self.kube.put(
                pod(
                    f"{name}-pod",
                    labels=component_labels("server", model, version),
                    ended={"exitCode": 3, "message": self.broken[version]},
                    restarts=True,
                )
            )

    def _hang(self, namespace: str, name: str, item: dict[str, Any]) -> None:
        """Leave the pods of before as they are, and have one of what it is now that hangs."""
        version = item["metadata"]["labels"]["fairlead.dev/version"]
        old = sum(server == name for server in self._pods.values())
        missing = 1 if old else item["spec"]["replicas"]
        status = {
            "observedGeneration": item["metadata"]["generation"],
            "availableReplicas": old,
            "unavailableReplicas": missing,
        }
        meta = {"namespace": namespace, "name": name}
        self.kube.put({"kind": "Deployment", "metadata": meta, "status": status})
        self.hang(f"{name}-hanging", *self.hanging[version], labels=item["metadata"]["labels"])

    def hang(
        self,
        name: str,
        reason: str,
        message: str,
        *,
        labels: dict[str, str],
        job: dict[str, Any] | None = None,
    ) -> None:
        """Have a pod that has a node and does not start, and its Event that says why."""
        begun = pod(name, labels=labels, job=job)
        moment = self.clock().isoformat(timespec="seconds")
        if ("Pod", NAMESPACE, name) in self.kube.objects:
            return
        waiting = {"waiting": {"reason": "ContainerCreating"}}
        begun["status"] |= {
            "phase": "Pending",
            "conditions": [
                {"type": "PodScheduled", "status": "True", "lastTransitionTime": moment},
                {"type": "Ready", "status": "False", "lastTransitionTime": moment},
            ],
            "containerStatuses": [{"name": "main", "ready": False, "state": waiting}],
        }
        made = self.kube.put(begun)
        self.kube.put({
            "kind": "Event",
            "metadata": {"namespace": NAMESPACE, "name": f"{name}.{reason}"},
            "involvedObject": {"uid": made["metadata"]["uid"]},
            "type": "Normal" if reason == "Pulling" else "Warning",
            "reason": reason,
            "message": message,
            "lastTimestamp": moment,
        })  # fmt: skip

    def _run_pods(
        self, name: str, deployment: dict[str, Any], *, replicas: int, ready: bool
    ) -> None:
        """Have as many pods as the Deployment asks for; those that are there stay."""
        for number in range(replicas):
            place = ("Pod", deployment["metadata"]["namespace"], f"{name}-{number}")
            running = pod(place[2], labels=deployment["metadata"]["labels"], ready=ready)
            if place not in self.kube.objects:  # no pod is ready in the second it is made in
                made = self.clock() - timedelta(seconds=1)
                running["metadata"]["creationTimestamp"] = made.isoformat(timespec="seconds")
            self.kube.put(running)
            self._pods[place] = name

    def _end_pods(self) -> None:
        """Take away the pods that no Deployment asks for any more."""
        for place, name in list(self._pods.items()):
            server = self.kube.objects.get(("Deployment", place[1], name))
            replicas = server["spec"]["replicas"] if server else 0
            if place not in self.kube.objects or int(place[2].rpartition("-")[2]) >= replicas:
                self.kube.objects.pop(place, None)
                del self._pods[place]

    def lose_pods(self, name: str) -> None:
        """Take all pods of a server away at once, as a node does that is lost."""
        for place in [place for place, server in self._pods.items() if server == name]:
            self.kube.objects.pop(place, None)
            del self._pods[place]

    def _gateway(self, namespace: str) -> None:
        """Envoy acknowledges each route at once, unless told not to."""
        self.kube.put(pod(GATEWAY_POD, labels=component_labels("gateway"), ready=True))
        reported = self.kube.objects.get(("ConfigMap", namespace, GATEWAY_NAME))
        if not self.gateway_reports or reported is None:
            return  # an agent writes into it, and does not make it
        routes = [
            json.loads(item["data"]["route.json"])
            for key, item in self.kube.objects.items()
            if key[0] == "ConfigMap" and "route.json" in (item.get("data") or {})
        ]
        reports = {
            f"{route['model']}.{GATEWAY_POD}": json.dumps(
                {
                    "revision": route["revision"],
                    "weights": {v["version"]: v["weight"] for v in route["versions"]},
                    "tripped": self.trips,
                }
            )
            for route in routes
        }
        self.kube.put(
            {
                "kind": "ConfigMap",
                "metadata": {"namespace": namespace, "name": GATEWAY_NAME},
                "data": reports,
            }
        )

    def _accept(self, route: dict[str, Any]) -> None:
        """Accept or refuse a changed route at once, as the implementation of a Gateway would."""
        meta = route["metadata"]
        refusal = "not allowed by listeners" if meta["namespace"] in self.closed else ""
        refusal = self.route_refusal or refusal
        refused = {"status": "False", "reason": "NotAllowed", "message": refusal}
        accepted = {"status": "True", "reason": "Accepted", "message": ""}
        conditions = [
            {
                "type": kind,
                "observedGeneration": meta["generation"],
                **(refused if refusal else accepted),
            }
            for kind in ("Accepted", "ResolvedRefs")
        ]
        parents = [
            {"parentRef": parent, "controllerName": "example.com/gateway", "conditions": conditions}
            for parent in route["spec"]["parentRefs"]
        ]
        name = {"namespace": meta["namespace"], "name": meta["name"]}
        self.kube.put({"kind": "HTTPRoute", "metadata": name, "status": {"parents": parents}})

    # -- what people and trainers do, and what one can look at

    def model(self, name: str = "nsw-price") -> dict[str, Any]:
        return self.kube.objects["Model", NAMESPACE, name]

    def pin(self, version: str | None) -> None:
        """Write the version into the Model's spec, as a person does; None takes it out."""
        meta = {"namespace": NAMESPACE, "name": "nsw-price"}
        self.kube.put({"kind": "Model", "metadata": meta, "spec": {"version": version}})

    def rollout(self, name: str = "nsw-price") -> dict[str, Any]:
        """Return the Model's current Rollout."""
        current = self.model(name)["status"]["rollout"]
        return self.kube.objects["Rollout", NAMESPACE, current]

    def weights(self, name: str = "nsw-price") -> dict[str, int]:
        """Return the weights the gateway is told."""
        route = self.kube.objects.get(("ConfigMap", NAMESPACE, f"{name}-route"))
        if route is None:
            return {}
        versions = json.loads(route["data"]["route.json"])["versions"]
        return {version["version"]: version["weight"] for version in versions}

    def snapshot(self, name: str = "nsw-price") -> Snapshot:
        """Return what the checker looks at."""
        seen = read_snapshot(self.kube.objects, namespace=NAMESPACE, model=name)
        known = [version for model, version in self.registry.versions if model.endswith(f".{name}")]
        return dataclasses.replace(seen, artifacts=frozenset(known), broken=frozenset(self.broken))

    def http_weights(self, name: str = "nsw-price") -> dict[str, int]:
        """Return the weights the cluster's own Gateway is told, by name of the Service."""
        route = self.kube.objects.get(("HTTPRoute", NAMESPACE, f"{name}-route"))
        split = route["spec"]["rules"][0]["backendRefs"] if route else []
        return {backend["name"]: backend["weight"] for backend in split}

    def events(self) -> list[tuple[str, str]]:
        """Return reason and message of every Event, oldest first."""
        found = [item for key, item in self.kube.objects.items() if key[0] == "Event"]
        found.sort(key=lambda item: int(item["metadata"]["resourceVersion"]))
        return [(item["reason"], item["message"]) for item in found]

    def end_job(
        self, run: str, stage: str, *, result: dict[str, Any] | None = None, failed: str = ""
    ) -> None:
        """End a Job, as the Job controller and the trainer say it."""
        job = self.kube.objects["Job", NAMESPACE, f"{run}-{stage}"]
        condition = {"type": "Failed" if failed else "Complete", "status": "True"}
        if failed:
            condition |= {"reason": failed, "message": "a worker ended"}
        self.kube.put(
            {
                "kind": "Job",
                "metadata": {"namespace": NAMESPACE, "name": f"{run}-{stage}"},
                "status": {"conditions": [condition]},
            }
        )
        if result is not None:
            ended = {"exitCode": 3 if failed else 0, "message": json.dumps(result)}
            labels = job["spec"]["template"]["metadata"]["labels"]
            self.kube.put(pod(f"{run}-{stage}-pod", labels=labels, ended=ended, job=job))

    async def train(
        self,
        run: str,
        version: str,
        *,
        value: float = 0.9,
        champion: str | None = None,
        gain: tuple[float, float, float] = (0.02, 0.01, 0.03),
    ) -> None:
        """Let a training end well: searched, finished, registered."""
        await self.run()
        self.end_job(run, "search", result={"outcome": "Succeeded", "stage": "search"})
        await self.run()
        self.registry.register(f"{NAMESPACE}.nsw-price", version)
        known = self.registry.versions[f"{NAMESPACE}.nsw-price", version]
        judged: dict[str, Any] = {"candidate": {"value": value}}
        if champion:
            by, low, high = gain
            judged["champion"] = {"version": champion, "value": value - by}
            judged["difference"] = {"value": by, "ciLow": low, "ciHigh": high}
        self.end_job(run, "finish", result=registered(known, **judged))
        await self.run()


def pod(
    name: str,
    *,
    labels: dict[str, str],
    ready: bool = False,
    ended: dict[str, Any] | None = None,
    restarts: bool = False,
    job: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Build a pod as the kubelet reports it: one of a Deployment is never over, one of a Job is.

    Args:
        job: which made it.
    """
    state = {"terminated": ended} if ended else {"running": {}}
    phase = "Running"
    if ended and not restarts:
        phase = "Failed" if ended["exitCode"] else "Succeeded"
    return {
        "kind": "Pod",
        "metadata": {
            "namespace": NAMESPACE,
            "name": name,
            "labels": labels,
            **({"ownerReferences": [made_by(job)]} if job else {}),
        },
        "status": {
            "phase": phase,
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
            "containerStatuses": [
                {
                    "name": labels.get(LABEL_COMPONENT, "main"),
                    "ready": ready,
                    "restartCount": 0,
                    "state": state,
                }
            ],
        },
    }


def made_by(job: dict[str, Any]) -> dict[str, Any]:
    """Build the owner reference that a Job's pods have."""
    meta = job["metadata"]
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "name": meta["name"],
        "uid": meta["uid"],
        "controller": True,
    }


def model_manifest(**spec: Any) -> dict[str, Any]:
    """Build a Model as a person writes it; each test names only what differs."""
    return {
        "kind": "Model",
        "metadata": {"namespace": NAMESPACE, "name": "nsw-price"},
        "spec": {
            "task": "binary-classification",
            "data": {
                "source": {"uri": "https://data/rows.csv"},
                "timestampColumn": "timestamp",
                "target": "price_up",
            },
            "rollout": {
                "steps": [{"weight": 10, "hold": "1m"}, {"weight": 50, "hold": "1m"}],
                "analysis": {
                    "interval": "10s",
                    "checks": [
                        {"name": "success-rate", "builtin": "success-rate", "atLeast": 0.99}
                    ],
                },
                "guard": {"duration": "1m"},
                "patience": "5m",
                "startDeadline": "5m",
            },
            **spec,
        },
    }
