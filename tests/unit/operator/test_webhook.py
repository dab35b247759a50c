"""The webhook: who may ask, what it does, and what it says it did.

The handler is called in place: no socket.
"""

import json
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from fairlead_operator.errors import TransientError
from fairlead_operator.wakeup import Key
from fairlead_operator.webhook import Webhook
from support.world import NAMESPACE, World
from unit.operator.test_alerts import LABELS, alert, body

ROLLOUT = Key("Rollout", NAMESPACE, "nsw-price-rollout-1")


@pytest.fixture
def world() -> World:
    world = World()
    put_rollout(world, "Progressing")
    return world


def put_rollout(world: World, phase: str) -> None:
    world.kube.put(
        {
            "kind": "Rollout",
            "metadata": {"namespace": NAMESPACE, "name": ROLLOUT.name},
            "spec": {"model": "nsw-price", "version": "1.1.0"},
            "status": {"phase": phase},
        }
    )


async def post(
    world: World, payload: Any, *, token: str = "token", woken: list[Key] | None = None
) -> tuple[int, dict[str, Any]]:
    webhook = Webhook(
        world.ports,
        token="token",
        rollouts_of=lambda *_: {ROLLOUT},
        wake=(woken if woken is not None else []).append,
    )
    request = make_mocked_request("POST", "/alerts", headers={"Authorization": f"Bearer {token}"})
    request._read_bytes = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    response: web.Response = await webhook.handle(request)
    assert response.text is not None
    return response.status, json.loads(response.text)


def annotation(world: World) -> str | None:
    rollout = world.kube.objects["Rollout", NAMESPACE, ROLLOUT.name]
    return (rollout["metadata"].get("annotations") or {}).get("fairlead.dev/alert")


async def test_an_alert_on_the_candidate_asks_its_rollout_back(world: World) -> None:
    woken: list[Key] = []

    status, answer = await post(world, body(alert()), woken=woken)

    assert (status, answer["alerts"][0]["outcome"]) == (200, "rollback")
    assert json.loads(annotation(world) or "")["message"] == "FairleadVersionSlow: p95 900 ms"
    assert woken == [ROLLOUT]


async def test_a_repeated_alert_changes_nothing(world: World) -> None:
    await post(world, body(alert()))
    first = annotation(world)

    status, _ = await post(world, body(alert(annotations={"summary": "again"})))

    assert (status, annotation(world)) == (200, first)


async def test_an_alert_that_names_the_stable_version_is_told_and_left_alone(world: World) -> None:
    put_rollout(world, "Succeeded")

    _, answer = await post(world, body(alert()))

    assert answer["alerts"][0]["why"] == "the version is stable"
    assert annotation(world) is None
    assert world.events()[0][0] == "AlertIgnored"


@pytest.mark.parametrize(
    ("phase", "labels"),
    [
        pytest.param("RolledBack", LABELS, id="a version that was rolled back"),
        pytest.param("Progressing", LABELS | {"version": "0.9.0"}, id="a version not in traffic"),
    ],
)
async def test_other_versions_do_not_roll_the_candidate_back(
    world: World, phase: str, labels: dict[str, str]
) -> None:
    put_rollout(world, phase)

    _, answer = await post(world, body(alert(labels=labels)))

    assert answer["alerts"][0]["outcome"] == "ignored"
    assert annotation(world) is None


@pytest.mark.parametrize(
    ("payload", "token", "status"),
    [
        pytest.param(body(alert()), "wrong", 401, id="a wrong token"),
        pytest.param(body(alert()), "", 401, id="no token"),
        pytest.param(b"{", "token", 400, id="not JSON"),
        pytest.param(b"\xff\xfe", "token", 400, id="not text"),
        pytest.param({"version": "9"}, "token", 400, id="not Alertmanager's"),
    ],
)
async def test_refusals(world: World, payload: Any, token: str, status: int) -> None:
    found, answer = await post(world, payload, token=token)

    assert found == status
    assert answer["error"]
    assert annotation(world) is None


async def test_an_alert_that_cannot_be_kept_is_sent_again(world: World) -> None:
    world.kube.fail_next = [TransientError("the API server is away")]

    status, _ = await post(world, body(alert()))

    assert status == 503
