"""Every strategy on the real cluster: each moves a Model to another version and loses no request.

One Model goes to and fro between the story's two good versions, each time under another strategy;
the tests may come in any order.
"""

import json
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from e2e import beside
from e2e.beside import FIRST, SECOND
from e2e.story import energy
from e2e.story.following import describe_rollout, expect_phase, has_ended
from e2e.story.installation import NAMESPACE
from e2e.story.objects import Object, status_of
from e2e.story.refusing import refusing
from e2e.story.rows import read_rows
from e2e.story.tell import Told
from e2e.story.waiting import wait_for

pytestmark = pytest.mark.e2e

MODEL = "tried"
LOCAL_PORT = 18082
VERSION_HEADER = "x-fairlead-version"
USER_HEADER = "x-user-id"
SERVING = {"replicas": 1, "predictionLog": {"enabled": True}}
CHECK = {
    "name": "success", "builtin": "success-rate", "atLeast": 0.99, "window": "5s", "minSamples": 5,
}  # fmt: skip
REFUSED_MEMORY, SENTENCE = "2Gi", "2Gi of memory are too many in this namespace"
STEPS = [{"weight": 50, "hold": "6s"}]
COMMON = {
    "analysis": {"interval": "1s", "checks": [CHECK]},
    "guard": {"duration": "3s"},
    "startDeadline": "3m",
    **dict.fromkeys(("steps", "blueGreen", "shadow", "abTest", "bandit", "fastGuard")),
}


class Clients:
    """Users that send one request after the other, and say how they liked the answer."""

    def __init__(self, url: str, *, users: int = 8) -> None:
        self.url = url
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._use, args=(f"user-{number}",), daemon=True)
            for number in range(users)
        ]
        self.liked = ""  # the version that users like
        self.answers: Counter[str] = Counter()  # by version
        self.seen: dict[str, set[str]] = {}  # versions that each user met
        self.failed: list[str] = []

    def __enter__(self) -> "Clients":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def forget(self) -> None:
        """Count anew."""
        self.answers, self.seen, self.failed = Counter(), {}, []

    def _use(self, user: str) -> None:
        rows = read_rows(first=energy.ALL_ROWS, count=500)
        while True:
            for row in rows:
                if self._stop.wait(0.05):  # twenty requests a second and user
                    return
                self._ask(user, row)

    def _ask(self, user: str, row: object) -> None:
        # What was asked before the counts began anew does not count.
        answers, seen, failed = self.answers, self.seen, self.failed
        try:
            status, headers, body = post(
                f"{self.url}/predict", {"instances": [row]}, MODEL, **{USER_HEADER: user}
            )
        except OSError as error:
            failed.append(str(error))
            return
        if status != 200:
            failed.append(f"{status} {body}")
            return
        version = headers[VERSION_HEADER]
        answers[version] += 1
        seen.setdefault(user, set()).add(version)
        if self.liked:
            reward = {"predictionId": body["predictionId"], "reward": int(version == self.liked)}
            post(f"{self.url}/feedback", reward, MODEL)


def post(url: str, body: object, host: str, **headers: str) -> tuple[int, Any, Any]:
    """Status, headers and JSON of an answer, whatever its status."""
    request = urllib.request.Request(
        url,
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json", "Host": f"{host}.{energy.NAMESPACE}"}
        | headers,
    )
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.headers, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read().decode(errors="replace")


@pytest.fixture(name="users", scope="module")
def _users(told: Told) -> Iterator[Clients]:
    """A Model that serves its first version, and its users."""
    beside.register_versions(told, MODEL)
    beside.apply_model(told, MODEL, serving=SERVING, rollout=COMMON)
    wait_until_stable(told, FIRST)
    with Clients(beside.expose(told, MODEL, local_port=LOCAL_PORT)) as users:
        yield users
    beside.delete_model(told, MODEL)


@pytest.fixture(name="clients")
def _clients(users: Clients) -> Clients:
    """The users, who know nothing of the test before: the downtime of recreate, for example."""
    users.liked = ""
    users.forget()
    return users


def wait_until_stable(told: Told, version: str) -> None:
    wait_for(
        f"{version} in charge",
        lambda: status_of(told.world.objects.model(MODEL)),
        lambda status: status.get("phase") == "Serving" and status["stable"]["version"] == version,
        describe=lambda status: f"model {MODEL}: {status.get('phase', 'not looked at yet')}",
        say=told.world.say,
        timeout=300,
    )


def other_version(told: Told) -> str:
    """The one that is not in charge."""
    stable = status_of(told.world.objects.model(MODEL))["stable"]["version"]
    return SECOND if stable == FIRST else FIRST


def begin(told: Told, clients: Clients, to: str, **rollout: Any) -> str:
    """Ask for a version under this strategy; the name of the Rollout that brings it."""
    told.world.say(f"{rollout['strategy']} to {to}")
    clients.forget()
    known = status_of(told.world.objects.model(MODEL)).get("rollout")
    patch_model(told, version=to, rollout=COMMON | rollout)

    found = wait_for(
        f"a rollout to {to}",
        lambda: status_of(told.world.objects.model(MODEL)).get("rollout"),
        lambda name: name not in {None, known},
        describe=lambda name: f"rollout {name}",
        say=told.world.say,
        timeout=120,
    )
    return str(found)


def follow(told: Told, rollout: str, to: str) -> Object:
    """The Rollout at its good end."""
    end = wait_until(told, rollout, has_ended, "to end")
    expect_phase(end, "Succeeded")
    wait_until_stable(told, to)
    return end


def wait_until(told: Told, rollout: str, done: Callable[[Object], bool], expected: str) -> Object:
    return wait_for(
        f"{rollout} {expected}",
        lambda: told.world.objects.rollout(rollout),
        done,
        describe=describe_rollout,
        say=told.world.say,
        timeout=300,
    )


def check_of(rollout: Object, name: str) -> Object:
    """The last measurement of a check."""
    (found,) = [check for check in status_of(rollout)["checks"] if check["name"] == name]
    return dict(found)


def fairlead(told: Told, *arguments: str) -> str:
    """What the command prints."""
    done = run_fairlead(told.world.cluster.kubeconfig, *arguments)
    done.check_returncode()
    return done.stdout


def run_fairlead(kubeconfig: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command, with the rights of this kubeconfig."""
    program = Path(sys.executable).with_name("fairlead")
    options = [f"--namespace={energy.NAMESPACE}", f"--kubeconfig={kubeconfig}"]
    return subprocess.run(
        [program, *arguments, *options], check=False, capture_output=True, text=True, timeout=300
    )


def test_blue_green_is_tried_at_its_preview_and_by_copies(told: Told, clients: Clients) -> None:
    to = other_version(told)
    rollout = begin(
        told, clients, to, strategy="blueGreen", blueGreen={"hold": "8s", "pause": True}
    )
    wait_until(told, rollout, lambda r: status_of(r).get("phase") == "Paused", "to wait for a word")
    before = dict(clients.answers)

    status, headers, _ = post(
        f"{clients.url}/predict",
        {"instances": list(read_rows(first=energy.ALL_ROWS, count=1))},
        f"{MODEL}-preview",
    )
    shown = fairlead(told, "status", MODEL)
    told.world.say.block(shown)
    fairlead(told, "approve", MODEL, "--why", "tried the preview")
    end = follow(told, rollout, to)

    assert (status, headers[VERSION_HEADER]) == (200, to)
    assert set(before) == {FIRST, SECOND} - {to}  # clients met nothing of it before the switch
    assert "blueGreen" in shown
    assert to in shown
    assert check_of(end, "success")["samples"] >= CHECK["minSamples"]
    assert [(r["action"], r["outcome"]) for r in status_of(end)["requests"]] == [
        ("approve", "Accepted")
    ]
    assert not clients.failed


def test_shadow_compares_the_answers_of_both_versions(told: Told, clients: Clients) -> None:
    agreement = {"name": "agreement", "builtin": "prediction-agreement", "atLeast": 0.01}
    analysis = {"interval": "1s", "checks": [CHECK, agreement]}
    shadow = {"hold": "10s", "pause": True}
    to = other_version(told)

    rollout = begin(told, clients, to, strategy="shadow", shadow=shadow, analysis=analysis)
    waiting = wait_until(
        told,
        rollout,
        lambda r: status_of(r).get("phase") == "Paused" and bool(status_of(r).get("checks")),
        "to be measured while it waits for a word",
    )
    compared = check_of(waiting, "agreement")
    before = dict(clients.answers)
    fairlead(told, "approve", MODEL, "--why", "they agree")
    follow(told, rollout, to)

    assert compared["samples"] >= 20
    assert 0.01 <= compared["value"] <= 1
    assert set(before) == {FIRST, SECOND} - {to}  # answers of the copies reach nobody
    assert not clients.failed


def test_an_ab_test_is_won_by_the_version_that_users_like(told: Told, clients: Clients) -> None:
    to = clients.liked = other_version(told)
    sticky = {"by": "header", "header": USER_HEADER}
    trial = {"goal": {"metric": "reward"}, "sticky": sticky, "minSamples": 50, "maxDuration": "10m"}

    rollout = begin(told, clients, to, strategy="abTest", abTest=trial)
    end = follow(told, rollout, to)

    assert to in status_of(end)["message"] or status_of(end)["winner"] == to
    assert not clients.failed


def test_a_bandit_gives_the_traffic_to_the_version_that_users_like(
    told: Told, clients: Clients
) -> None:
    to = clients.liked = other_version(told)
    trial = {
        "goal": {"metric": "reward"}, "minSamples": 50, "maxChangePerMinute": 100,
        "maxDuration": "10m",
    }  # fmt: skip

    rollout = begin(told, clients, to, strategy="bandit", bandit=trial)
    end = follow(told, rollout, to)

    assert status_of(end)["winner"] == to
    assert not clients.failed


def test_recreate_runs_one_version_at_a_time_and_says_that_it_has_downtime(
    told: Told, clients: Clients
) -> None:
    to = other_version(told)

    end = follow(told, begin(told, clients, to, strategy="recreate"), to)

    events = told.world.objects.events(end["metadata"]["name"])
    assert any("downtime" in event["message"] for event in events)
    assert clients.answers[to] > 0


@pytest.mark.parametrize(
    ("version", "policy", "reason", "words"),
    [
        pytest.param(
            "3.0.0", {"fastGuard": {"enabled": False}}, "AnalysisFailed", "acceptance-rate",
            id="checks",
        ),
        pytest.param(
            "3.1.0", {"analysis": {"interval": "1m"}}, "GuardTripped", "the request with a 4xx",
            id="guard",
        ),
    ],
)  # fmt: skip
def test_a_version_with_one_more_column_goes_back(  # noqa: PLR0917  the cases are four words long
    told: Told, clients: Clients, version: str, policy: Any, reason: str, words: str
) -> None:
    """Its callers send what they always sent, and each of its answers is 400."""
    stable = status_of(told.world.objects.model(MODEL))["stable"]["version"]
    beside.register_wider(told, MODEL, version, column="weather")
    steps = [{"weight": 50, "hold": "10m"}]

    rollout = begin(told, clients, version, strategy="canary", steps=steps, **policy)
    end = wait_until(told, rollout, has_ended, "to have gone back")
    shown = fairlead(told, "status", MODEL)
    told.world.say.block(shown)
    patch_model(told, version=stable)
    wait_until_stable(told, stable)

    status = status_of(end)
    assert (status["phase"], status["reason"]) == ("RolledBack", reason)
    assert words in status["message"]
    assert "adds weather (double)" in shown
    (changed,) = [
        event["message"]
        for event in told.world.objects.events(rollout)
        if event["reason"] == "SignatureChanged"
    ]
    assert changed.startswith(f"{version} against {stable}: adds weather (double); callers who")


def test_going_back_does_not_wait_for_what_the_api_server_refuses(
    told: Told, clients: Clients, policy: None
) -> None:
    to = other_version(told)
    steps = [{"weight": 20, "hold": "10m"}]
    rollout = begin(told, clients, to, strategy="canary", steps=steps)
    wait_until(told, rollout, lambda r: status_of(r).get("observedWeight") == 20, "to have 20 %")

    patch_model(told, serving={"resources": {"requests": {"memory": REFUSED_MEMORY}}})
    refused = wait_until(
        told, rollout, lambda r: SENTENCE in refusal_of(r), "to say what is refused"
    )
    wait_for(
        "the Model to say what is refused",
        lambda: told.world.objects.model(MODEL),
        lambda model: SENTENCE in refusal_of(model),
        describe=refusal_of,
        say=told.world.say,
        timeout=120,
    )
    fairlead(told, "abort", MODEL, "--why", "the change is refused")
    wait_until(
        told, rollout, lambda r: status_of(r).get("observedWeight") == 0, "to have no traffic"
    )
    clients.forget()
    end = wait_until(told, rollout, has_ended, "to have gone back")

    assert status_of(refused)["phase"] == "Progressing"
    assert (status_of(end)["phase"], status_of(end)["reason"]) == ("RolledBack", "Aborted")
    assert SENTENCE in refusal_of(told.world.objects.model(MODEL))  # of the stable version
    assert to not in clients.answers
    assert not clients.failed

    stable = status_of(told.world.objects.model(MODEL))["stable"]["version"]
    patch_model(told, version=stable, serving={"resources": None})
    wait_for(
        "the Model to say that it is mended",
        lambda: told.world.objects.model(MODEL),
        lambda model: not refusal_of(model),
        describe=refusal_of,
        say=told.world.say,
        timeout=120,
    )
    wait_until_stable(told, stable)


@pytest.fixture(name="policy")
def _policy(told: Told) -> Iterator[None]:
    """A policy of the cluster that refuses Deployments which request this much memory."""
    unless = (
        "object.spec.template.spec.containers.all(c, !has(c.resources) || "
        "!has(c.resources.requests) || !('memory' in c.resources.requests) || "
        f"c.resources.requests['memory'] != '{REFUSED_MEMORY}')"
    )
    with refusing(
        told.world.cluster,
        name="fairlead-e2e-memory",
        namespace=energy.NAMESPACE,
        unless=unless,
        sentence=SENTENCE,
        resources={"requests": {"memory": REFUSED_MEMORY}},
        say=told.world.say,
    ):
        yield


def patch_model(told: Told, **spec: Any) -> None:
    told.world.cluster.kubectl(
        "patch", "model", MODEL, f"--namespace={energy.NAMESPACE}", "--type=merge",
        f"--patch={json.dumps({'spec': spec})}",
    )  # fmt: skip


def refusal_of(item: Object) -> str:
    """What it says the cluster refuses; empty where it says nothing."""
    for condition in status_of(item).get("conditions", ()):
        if condition["type"] == "Applied" and condition["status"] == "False":
            return str(condition["message"])
    return ""


def test_what_was_live_when_is_told_by_the_command(told: Told, clients: Clients) -> None:
    follow(
        told, begin(told, clients, to := other_version(told), strategy="canary", steps=STEPS), to
    )

    history = json.loads(fairlead(told, "history", MODEL, "--output=json"))

    assert any(entry["version"] == to for entry in history)
    assert not clients.failed


def test_who_is_bound_to_the_role_for_it_reads_the_history_and_nobody_else(
    told: Told, clients: Clients, tmp_path: Path
) -> None:
    ada = kubeconfig_of_a_new_account(told, "ada", tmp_path)
    history = ("history", MODEL, "--output=json")
    unbind(told, "ada-history")  # an earlier run may have ended before it did

    refused = run_fairlead(ada, *history)
    try:
        told.world.cluster.kubectl(
            "create", "rolebinding", "ada-history", f"--namespace={NAMESPACE}",
            "--role=fairlead-history", f"--serviceaccount={energy.NAMESPACE}:ada",
        )  # fmt: skip
        allowed = wait_for(
            "the history",
            lambda: run_fairlead(ada, *history),
            lambda done: done.returncode == 0 and bool(json.loads(done.stdout)),
            describe=lambda done: done.stderr.strip() or "told",
            say=told.world.say,
            timeout=120,
        )
    finally:
        unbind(told, "ada-history")

    assert refused.returncode != 0
    assert "forbidden" in refused.stderr
    whole = json.loads(fairlead(told, *history))  # may have grown by an entry
    assert [entry for entry in json.loads(allowed.stdout) if entry not in whole] == []
    assert not clients.failed


def unbind(told: Told, name: str) -> None:
    """Fairlead's own namespace stays from run to run, and what is in it."""
    told.world.cluster.kubectl(
        "delete", "rolebinding", name, f"--namespace={NAMESPACE}", "--ignore-not-found"
    )


def kubeconfig_of_a_new_account(told: Told, name: str, folder: Path) -> Path:
    """Of a ServiceAccount that may do nothing."""
    kubectl, where = told.world.cluster.kubectl, f"--namespace={energy.NAMESPACE}"
    kubectl("create", "serviceaccount", name, where)
    token = kubectl("create", "token", name, where).stdout.strip()
    document = yaml.safe_load(told.world.cluster.kubeconfig.read_text())
    document["users"] = [
        {"name": user["name"], "user": {"token": token}} for user in document["users"]
    ]
    kubeconfig = folder / "kubeconfig"
    kubeconfig.write_text(json.dumps(document))
    return kubeconfig
