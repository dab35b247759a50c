"""The ``fairlead`` command as a process, against a live operator on a real API server."""

import asyncio
import dataclasses
import http.server
import json
import os
import re
import socket
import sys
import threading
import urllib.parse
from pathlib import Path

import pytest
from kubernetes import client

from cluster.control_plane import ControlPlane
from cluster.ports import refusing_port
from fairlead_operator.api.group import API_VERSION
from fairlead_operator.command.cluster import Cluster
from fairlead_operator.command.failures import CommandError
from fairlead_operator.command.history import fetch
from fairlead_operator.kube.client import KubeClient
from support.backends import Backends
from support.live_operator import Launcher, Manifest, Operator, Stage, quick_policy, until
from support.postgres import running_postgres

pytestmark = pytest.mark.integration


@dataclasses.dataclass(frozen=True, kw_only=True)
class Said:
    """What a command wrote, and its exit code."""

    code: int
    out: str
    err: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Desk:
    """Where a person types."""

    kubeconfig: Path
    namespace: str

    async def fairlead(self, *arguments: str) -> Said:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", "from fairlead_operator.command.main import main; main()"),
            *arguments,
            env={**os.environ, "KUBECONFIG": str(self.kubeconfig), "COLUMNS": "100"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await asyncio.wait_for(process.communicate(), 300)
        assert "Traceback" not in err.decode(), err.decode()
        return Said(code=process.returncode or 0, out=out.decode(), err=err.decode())

    async def on_model(self, command: str, *arguments: str) -> Said:
        return await self.fairlead(command, "nsw-price", "-n", self.namespace, *arguments)


@pytest.fixture(name="desk")
def _desk(plane: ControlPlane, namespace: str) -> Desk:
    return Desk(kubeconfig=plane.kubeconfig, namespace=namespace)


@pytest.fixture(name="serving")
async def _serving(launcher: Launcher, stage: Stage, backends: Backends) -> Operator:
    """The operator leads, and version 1.0.0 serves."""
    operator = await launcher.lead("operator-0")
    await stage.apply_model()
    await stage.train(1, "1.0.0", backends)
    await stage.wait("Model", "nsw-price", phase="Serving")
    return operator


async def start(stage: Stage, backends: Backends, version: str) -> None:
    """A Rollout made by hand that stays in its first step."""
    backends.registry.register(f"{stage.namespace}.nsw-price", version)
    policy = quick_policy(steps=[{"weight": 10, "hold": "1h"}])
    await stage.kube.create(
        {
            "apiVersion": API_VERSION,
            "kind": "Rollout",
            "metadata": {"name": f"to-{version}", "namespace": stage.namespace},
            "spec": {"model": "nsw-price", "version": version, "policy": policy},
        }
    )
    await stage.wait("Rollout", f"to-{version}", phase="Progressing", observedWeight=10)


@pytest.mark.usefixtures("serving")
async def test_a_rollout_is_watched_paused_promoted_and_gone_back_from(
    stage: Stage, backends: Backends, desk: Desk
) -> None:
    await start(stage, backends, "1.1.0")

    shown = await desk.on_model("status")
    paused = await desk.on_model("pause", "--why", "lunch")
    approved = await desk.on_model("approve")
    resumed = await desk.on_model("resume")
    again = await desk.on_model("resume")
    promoted = await desk.on_model("promote", "--why", "looks good", "--unmeasured")
    await stage.wait("Rollout", "to-1.1.0", phase="Succeeded")
    ended = await desk.on_model("abort")
    back = await desk.on_model("rollback", "--why", "too dear")
    name = back.out.split()[0]
    await stage.wait("Rollout", name, phase="Succeeded")
    await until(lambda: _serves(stage, "1.0.0"), "1.0.0 to be in charge")

    assert (shown.code, shown.err) == (0, "")
    assert "Rollout    to-1.1.0 to 1.1.0" in shown.out
    assert "1.1.0    candidate   10 %  10 %" in shown.out
    assert "Step       1/1" in shown.out
    assert "\x1b" not in shown.out
    assert (paused.code, "request to pause to-1.1.0 accepted" in paused.out) == (0, True)
    assert (approved.code, "paused by request; resume it" in approved.err) == (1, True)
    assert (resumed.code, again.code, "not paused" in again.err) == (0, 1, True)
    assert (promoted.code, "request to promote to-1.1.0 accepted" in promoted.out) == (0, True)
    assert (ended.code, "no rollout of nsw-price is in flight" in ended.err) == (1, True)
    assert (back.code, " created; it rolls out 1.0.0 now; " in back.out) == (0, True)
    requests = (await stage.status("Rollout", "to-1.1.0"))["requests"]
    assert [(entry["action"], entry["outcome"]) for entry in requests] == [
        ("pause", "Accepted"),
        ("approve", "Refused"),
        ("resume", "Accepted"),
        ("resume", "Refused"),
        ("promote", "Accepted"),
    ]
    assert (requests[0]["by"], requests[0]["why"]) == ("admin", "lunch")
    request = (await stage.get("Rollout", name))["metadata"]["annotations"]["fairlead.dev/request"]
    assert json.loads(request)["why"] == "too dear"


@pytest.mark.usefixtures("serving")
async def test_going_back_from_a_rollout_in_flight_takes_it_back(
    stage: Stage, backends: Backends, desk: Desk
) -> None:
    await start(stage, backends, "1.1.0")

    back = await desk.on_model("rollback", "--why", "wrong data")
    await stage.wait("Rollout", "to-1.1.0", phase="RolledBack", reason="Aborted")
    retried = await desk.on_model("retry", "--no-wait")
    await stage.wait("Rollout", "nsw-price-rollout-2", phase="Progressing")

    assert (back.code, "request to abort to-1.1.0 accepted" in back.out) == (0, True)
    assert (retried.code, retried.out) == (
        0,
        "request to retry nsw-price sent; see the answer with fairlead status\n",
    )


@pytest.mark.usefixtures("serving")
async def test_going_back_to_what_does_not_exist_takes_nothing_back(
    stage: Stage, backends: Backends, desk: Desk
) -> None:
    await start(stage, backends, "1.1.0")

    typo = await desk.on_model("rollback", "--to", "9.9.9")
    unseen = await desk.on_model("rollback", "--to", "9.9.9", "--no-wait")
    status = await stage.status("Rollout", "to-1.1.0")

    assert (typo.code, "VersionNotFound" in typo.err) == (1, True)
    assert (unseen.code, "leave --no-wait out" in unseen.err) == (1, True)
    assert (status["phase"], status["observedWeight"]) == ("Progressing", 10)
    assert "requests" not in status or not status["requests"]


@pytest.mark.usefixtures("serving")
async def test_the_same_words_of_kubectl_are_heard_each_time(
    plane: ControlPlane, stage: Stage, backends: Backends, desk: Desk
) -> None:
    await start(stage, backends, "1.1.0")
    for _ in range(2):
        plane.kubectl(
            *("annotate", "--overwrite", "mro", "to-1.1.0", f"--namespace={stage.namespace}"),
            "fairlead.dev/pause=Ada: lunch",
        )
        await stage.wait("Rollout", "to-1.1.0", phase="Paused")
        await until(lambda: _says_nothing(stage, "to-1.1.0"), "the annotation to be gone")
        await desk.on_model("resume")
    requests = (await stage.status("Rollout", "to-1.1.0"))["requests"]

    assert [(entry["action"], entry["outcome"]) for entry in requests] == [
        ("pause", "Accepted"),
        ("resume", "Accepted"),
    ] * 2


async def _says_nothing(stage: Stage, rollout: str) -> bool:
    meta = (await stage.get("Rollout", rollout))["metadata"]
    return "fairlead.dev/pause" not in (meta.get("annotations") or {})


@pytest.mark.usefixtures("serving")
async def test_what_is_asked_of_a_model_is_answered(stage: Stage, desk: Desk) -> None:
    nothing = await desk.on_model("retry")
    trained = await desk.on_model("retrain", "--why", "new tariff")
    await stage.wait("TrainingRun", "nsw-price-training-2")
    twice = await desk.on_model("retrain")
    listed = await desk.fairlead("list", "-n", desk.namespace)
    everywhere = await desk.fairlead("list", "-A")
    document = await desk.on_model("status", "-o", "json")

    assert (nothing.code, "nothing to retry" in nothing.err) == (1, True)
    assert (trained.code, trained.out) == (
        0,
        "request to retrain nsw-price accepted: a training starts\n",
    )
    assert (twice.code, "nsw-price-training-2 is under way" in twice.err) == (1, True)
    assert "nsw-price  Serving  1.0.0" in listed.out
    assert re.search(rf"^{desk.namespace} +nsw-price +Serving +1.0.0", everywhere.out, re.MULTILINE)
    assert json.loads(document.out)["model"]["status"]["stable"]["version"] == "1.0.0"


@pytest.mark.usefixtures("serving")
async def test_the_data_of_a_suspended_model_is_checked_and_nothing_is_left(
    stage: Stage, desk: Desk
) -> None:
    await stage.change("Model", "nsw-price", suspend=True)
    before = await stage.status("Model", "nsw-price")

    usable, wrong = [
        await _check_data(stage, desk, result)
        for result in (
            {"outcome": "Succeeded", "stage": "check", "message": "30 rows", "rows": 30},
            {"outcome": "Failed", "stage": "check", "reason": "FeatureInvalid",
             "message": "column a", "faults": ["column a holds '?'"]},
        )
    ]  # fmt: skip

    assert (usable.code, json.loads(usable.out)["usable"]) == (0, True), usable
    said = re.compile(r" +\d+ s  .+ \(nsw-price-check-\w+\)")
    assert all(said.fullmatch(line) for line in usable.err.splitlines()), usable.err
    assert (wrong.code, json.loads(wrong.out)["faults"]) == (1, ["column a holds '?'"]), wrong
    assert "fairlead: the data of nsw-price cannot be used: 1 fault\n" in wrong.err
    assert await _checks(stage) == []
    after = await stage.status("Model", "nsw-price")
    for name in ("trainingRun", "trainingNumber", "stable", "phase"):
        assert after.get(name) == before.get(name)


async def _check_data(stage: Stage, desk: Desk, result: Manifest) -> Said:
    """Type the command, and let the Job that it makes end like this."""
    typed = asyncio.create_task(desk.on_model("check-data", "-o", "json"))
    await until(lambda: _has_check(stage), "the check to be made")
    (run,) = await _checks(stage)
    await stage.wait("TrainingRun", run, phase="Checking")
    await stage.end_job(f"{run}-check", result)
    return await typed


async def _checks(stage: Stage) -> list[str]:
    runs = await stage.kube.list("TrainingRun", stage.namespace, {})
    return [run["metadata"]["name"] for run in runs if run["spec"].get("dryRun")]


async def _has_check(stage: Stage) -> bool:
    return bool(await _checks(stage))


REPORT = '{"outcome": "Succeeded", "stage": "check", "columns": [{"name": "a"}]}'


class _Kubelet(http.server.BaseHTTPRequestHandler):
    """An API server with a pod that has said one line; ours has no kubelet to ask for a log."""

    def do_GET(self) -> None:
        url = urllib.parse.urlsplit(self.path)
        asked = urllib.parse.parse_qs(url.query)
        if url.path.endswith("/pods"):
            assert asked["labelSelector"] == ["fairlead.dev/training-run=m-check-1"]
            said = json.dumps({"items": [{"metadata": {"name": "p"}}]})
        else:
            assert url.path == "/api/v1/namespaces/shop/pods/p/log"
            assert asked["container"] == ["trainer"]
            said = REPORT
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(said.encode())

    def log_message(self, *_: object) -> None:
        pass


def test_the_log_of_a_check_is_read_as_it_was_written() -> None:
    """The library made Python's text of a single line of JSON."""
    with http.server.HTTPServer(("127.0.0.1", 0), _Kubelet) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        connection = client.ApiClient(
            client.Configuration(host=f"http://127.0.0.1:{server.server_port}")
        )
        cluster = Cluster(connection, namespace="shop", user="ada")

        said = cluster.logs({"fairlead.dev/training-run": "m-check-1"}, "trainer")

        server.shutdown()
    assert said == [REPORT]


async def test_what_cannot_be_done_is_said_in_a_line(
    plane: ControlPlane, desk: Desk, tmp_path: Path
) -> None:
    document = json.loads(plane.kubeconfig.read_text())
    document["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{refusing_port()}"
    away = tmp_path / "away"
    away.write_text(json.dumps(document))
    stranger = _stranger(plane, desk.namespace, tmp_path)

    missing = await desk.on_model("status")
    unreachable = await dataclasses.replace(desk, kubeconfig=away).on_model("pause")
    forbidden = await dataclasses.replace(desk, kubeconfig=stranger).on_model("status")
    nowhere = await dataclasses.replace(desk, kubeconfig=tmp_path / "none").on_model("status")
    context = await desk.on_model("status", "--context", "elsewhere")
    usage = await desk.fairlead("status")

    assert missing.code == 3
    assert missing.err == (
        f"fairlead: there is no Model nsw-price in namespace {desk.namespace}; "
        "choose another namespace with --namespace\n"
    )
    assert unreachable.code == 3
    assert re.search(r"cannot read Model \S+: https://127.0.0.1\S* did not answer", unreachable.err)
    assert (forbidden.code, "forbidden" in forbidden.err) == (3, True)
    assert (nowhere.code, nowhere.err.startswith("fairlead: cannot use the kubeconfig; ")) == (
        3,
        True,
    )
    assert (context.code, "elsewhere" in context.err) == (3, True)
    assert (usage.code, "Missing argument 'MODEL'" in usage.err) == (2, True)


async def test_a_history_that_cannot_be_reached_is_said_in_a_line(
    plane: ControlPlane, kube: KubeClient, desk: Desk, tmp_path: Path
) -> None:
    stranger = _stranger(plane, desk.namespace, tmp_path)
    where = ("--operator-namespace", desk.namespace)

    nobody = await desk.on_model("history", *where)
    await _put_operator_pod(kube, desk.namespace)
    unreachable = await desk.on_model("history", *where)
    forbidden = await dataclasses.replace(desk, kubeconfig=stranger).on_model("history", *where)

    assert (nobody.code, "no operator pod is ready in namespace" in nobody.err) == (3, True)
    for said in (unreachable, forbidden):
        assert (said.code, said.out) == (3, "")
        assert said.err.startswith("fairlead: cannot reach the operator: ")
        assert len(said.err.splitlines()) == 1
        assert "-+-" not in said.err
    assert "host" in unreachable.err  # a pod without a node
    assert "forbidden" in forbidden.err


async def _put_operator_pod(kube: KubeClient, namespace: str) -> None:
    """A pod that says it is ready, on no node."""
    port = {"name": "history", "containerPort": 8081}
    labels = {"app.kubernetes.io/component": "operator"}
    await kube.create(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "operator-0", "namespace": namespace, "labels": labels},
            "spec": {"containers": [{"name": "operator", "image": "x", "ports": [port]}]},
        }
    )
    ready = {"conditions": [{"type": "Ready", "status": "True"}]}
    await kube.patch_status("Pod", namespace, "operator-0", ready)


async def test_the_history_is_told_from_the_database_or_that_it_is_away(
    launcher: Launcher, stage: Stage, backends: Backends
) -> None:
    with running_postgres() as database:
        url = database.uri(database.create_database("record"))
        operator = await launcher.lead("operator-0", FAIRLEAD_DATABASE_URL=url)
        await stage.apply_model()
        await stage.train(1, "1.0.0", backends)
        await stage.wait("Rollout", "nsw-price-rollout-1", recorded="Promoted")

        entries = await asyncio.to_thread(_history, operator, stage.namespace)
    with pytest.raises(CommandError, match="cannot read the history: record database"):
        await asyncio.to_thread(_history, operator, stage.namespace)

    assert [(entry["version"], entry["transition"]) for entry in entries] == [("1.0.0", "Promoted")]


def _history(operator: Operator, namespace: str) -> list[dict[str, object]]:
    """Over a plain connection in place of a forwarded one: there is no kubelet here."""
    return list(
        fetch(
            lambda: socket.create_connection(("127.0.0.1", operator.history_port)),
            namespace,
            "nsw-price",
            10,
        )
    )


def _stranger(plane: ControlPlane, namespace: str, folder: Path) -> Path:
    """The kubeconfig of one who may do nothing."""
    plane.kubectl(f"--namespace={namespace}", "create", "serviceaccount", "stranger")
    token = plane.kubectl(f"--namespace={namespace}", "create", "token", "stranger").stdout.strip()
    document = json.loads(plane.kubeconfig.read_text())
    document["users"][0]["user"] = {"token": token}
    kubeconfig = folder / "stranger"
    kubeconfig.write_text(json.dumps(document))
    return kubeconfig


async def _serves(stage: Stage, version: str) -> bool:
    return bool((await stage.status("Model", "nsw-price"))["stable"]["version"] == version)
