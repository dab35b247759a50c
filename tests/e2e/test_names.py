"""A Service on the real cluster keeps its clients although a Model wants its name."""

import json
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from e2e import beside
from e2e.story import energy
from e2e.story.objects import status_of
from e2e.story.tell import Told
from e2e.story.waiting import wait_for

pytestmark = pytest.mark.e2e

NAME = "web"
LOCAL_PORT = 18083
SPACE = f"--namespace={energy.NAMESPACE}"
SELECTOR = {"fairlead.dev/model": energy.MODEL, "fairlead.dev/component": "server"}


@pytest.fixture(name="url")
def _url(told: Told) -> Iterator[str]:
    """The address of a Service that a person made, before pods that answer."""
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": NAME, "namespace": energy.NAMESPACE},
        "spec": {"selector": SELECTOR, "ports": [{"port": 80, "targetPort": "http"}]},
    }
    told.world.cluster.kubectl("apply", "--filename=-", input=json.dumps(service))
    wait_for(
        "the Service to have endpoints",
        lambda: addresses(told, NAME),
        bool,
        describe=lambda found: f"endpoints {sorted(found)}",
        say=told.world.say,
        timeout=120,
    )
    url = beside.expose(told, NAME, local_port=LOCAL_PORT)
    wait_for(  # endpoints are known a moment before the node's rules lead to them
        "the Service to answer",
        lambda: answers(url),
        bool,
        describe=lambda _: "no answer",
        say=told.world.say,
        timeout=120,
    )
    yield url
    told.world.cluster.kubectl("delete", "service", NAME, SPACE, "--ignore-not-found")


def read(told: Told, *what: str) -> Any:
    return json.loads(told.world.cluster.kubectl("get", *what, SPACE, "--output=json").stdout)


def addresses(told: Told, service: str) -> set[str]:
    """Where the Service's requests go."""
    of_service = f"--selector=kubernetes.io/service-name={service}"
    slices = read(told, "endpointslices", of_service)["items"]
    endpoints = [endpoint for item in slices for endpoint in item["endpoints"] or ()]
    return {address for endpoint in endpoints for address in endpoint["addresses"]}


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/livez", timeout=20) as answer:
            return bool(answer.status == 200)
    except OSError:  # also an answer of another status
        return False


def ready(status: dict[str, Any]) -> tuple[str, str, str]:
    """Status, reason and message of the condition."""
    found = {entry["type"]: entry for entry in status.get("conditions") or ()}
    entry = found.get("Ready", {"status": "", "reason": "not looked at yet", "message": ""})
    return entry["status"], entry["reason"], entry["message"]


def refusal_of(told: Told, name: str) -> tuple[str, str]:
    """Wait until the Model says that its name is taken; return status and message of ``Ready``."""
    status, _, message = wait_for(
        "the Model to say that its name is taken",
        lambda: ready(status_of(told.world.objects.model(name))),
        lambda condition: condition[1] == "NameTaken",
        describe=lambda condition: f"Ready {condition[0]}: {condition[1]}",
        say=told.world.say,
        timeout=120,
    )
    return status, message


def test_a_service_keeps_its_clients_when_a_model_wants_its_name(told: Told, url: str) -> None:
    before = read(told, "service", NAME)

    beside.register_versions(told, NAME)
    beside.apply_model(told, NAME)
    try:
        status, message = refusal_of(told, NAME)
        during = read(told, "service", NAME)
        made = read(told, "all", f"--selector=fairlead.dev/model={NAME}")["items"]
        reached = answers(url)
    finally:
        beside.delete_model(told, NAME)
    after = read(told, "service", NAME)

    assert (status, f"Service {NAME} exists and is not ours" in message) == ("False", True)
    assert made == []
    assert reached
    for state in (during, after):
        assert state["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
        assert state["spec"] == before["spec"]
    assert addresses(told, NAME)
    assert answers(url)


def test_a_version_keeps_its_service_when_a_model_wants_its_name(told: Told) -> None:
    stable = status_of(told.world.objects.model(energy.MODEL))["stable"]["version"]
    name = f"{energy.MODEL}-{stable.replace('.', '-')}"
    before = read(told, "service", name)

    beside.apply_model(told, name, version=stable)
    try:
        status, message = refusal_of(told, name)
    finally:
        told.world.cluster.kubectl("delete", "model", name, SPACE)
    after = read(told, "service", name)

    expected = f"Service {name} belongs to Model {energy.MODEL}"
    assert (status, expected in message) == ("False", True)
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["spec"] == before["spec"]
    assert addresses(told, name)
