"""The Rollout that an alert is about, found among others by a replica that watches nothing."""

import json
from datetime import timedelta

from aiohttp.test_utils import make_mocked_request

from fairlead_operator.alert_labels import AlertLabels
from fairlead_operator.errors import ClusterRefusalError
from fairlead_operator.inbound.webhook import Webhook
from support.alertmanager import alert, body
from support.world import NAMESPACE, World


def put(world: World, name: str, phase: str, *, model: str = "nsw-price") -> None:
    world.kube.put(
        {
            "kind": "Rollout",
            "metadata": {"namespace": NAMESPACE, "name": name},
            "spec": {"model": model, "version": "1.1.0"},
            "status": {"phase": phase},
        }
    )


async def outcome(world: World) -> dict[str, str]:
    webhook = Webhook(world.ports, token="token", labels=AlertLabels())
    request = make_mocked_request("POST", "/alerts", headers={"Authorization": "Bearer token"})
    request._read_bytes = json.dumps(body(alert())).encode()
    response = await webhook.handle(request)
    assert response.text is not None
    return dict(json.loads(response.text)["alerts"][0])


async def test_the_rollout_in_traffic_is_found_among_others() -> None:
    world = World()
    put(world, "a-ended", "Succeeded")
    put(world, "b-other", "Progressing", model="other")
    put(world, "c-live", "Guarding")

    told = await outcome(world)

    assert (told["outcome"], told["rollout"]) == ("rollback", "c-live")
    rollout = world.kube.objects["Rollout", NAMESPACE, "c-live"]
    assert "fairlead.dev/alert" in rollout["metadata"]["annotations"]


async def test_none_in_traffic_is_told() -> None:
    world = World()
    put(world, "a-ended", "RolledBack")

    assert (await outcome(world))["outcome"] == "ignored"


async def test_the_latest_that_ended_is_the_one_to_speak_of() -> None:
    world = World()
    put(world, "z-first", "RolledBack")
    world.clock.advance(timedelta(minutes=1))
    put(world, "a-second", "Succeeded")

    told = await outcome(world)

    assert told["rollout"] == "a-second"
    assert told["why"] == "1.1.0 is now the stable version and its rollout has ended"


async def test_a_rollout_without_a_status_is_one_to_speak_of_but_not_in_traffic() -> None:
    world = World()
    put(world, "a-new", "")

    assert (await outcome(world))["rollout"] == "a-new"


async def test_a_namespace_that_is_not_watched_is_ignored() -> None:
    world = World()
    world.kube.fail_next = [ClusterRefusalError("403 forbidden")]

    assert (await outcome(world))["outcome"] == "ignored"
