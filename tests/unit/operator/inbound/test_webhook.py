"""The webhook: who may ask, what it does, and what it says it did.

The handler is called in place, without a socket, but where the HTTP server itself reads the body.
"""

import asyncio
import json
from typing import Any, ClassVar, cast

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer, make_mocked_request

from fairlead_operator.alert_labels import AlertLabels
from fairlead_operator.errors import ClusterRefusalError, TransientError
from fairlead_operator.inbound.webhook import Webhook
from fairlead_operator.keys import Key
from support.alertmanager import LABELS, alert, body, grafana_body
from support.fakes import FakeKube
from support.world import NAMESPACE, World

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
            "status": {"phase": phase, "stable": {"version": "1.0.0"}},
        }
    )


async def post(
    world: World, payload: Any, *, token: str = "token", woken: list[Key] | None = None
) -> tuple[int, dict[str, Any]]:
    receiver = webhook(world, woken)
    response = await receiver.handle(request(payload, token=token))
    assert response.text is not None
    return response.status, json.loads(response.text)


def webhook(world: World, woken: list[Key] | None = None) -> Webhook:
    receiver = Webhook(world.ports, token="token", labels=AlertLabels())
    if woken is not None:
        receiver.leading(woken.append)
    return receiver


def request(payload: Any, *, token: str = "token") -> web.Request:
    made = make_mocked_request("POST", "/alerts", headers={"Authorization": f"Bearer {token}"})
    made._read_bytes = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return made


def annotation(world: World) -> str | None:
    rollout = world.kube.objects["Rollout", NAMESPACE, ROLLOUT.name]
    return (rollout["metadata"].get("annotations") or {}).get("fairlead.dev/alert")


async def test_an_alert_on_the_candidate_asks_its_rollout_back(world: World) -> None:
    woken: list[Key] = []

    status, answer = await post(world, body(alert()), woken=woken)

    assert (status, answer["alerts"][0]["outcome"]) == (200, "rollback")
    assert json.loads(annotation(world) or "")["message"] == "FairleadVersionSlow: p95 900 ms"
    assert woken == [ROLLOUT]


@pytest.mark.parametrize("charset", ["utf-8", "utf8mb4", "base64", "latin-1"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
async def test_json_is_read_whatever_charset_is_said(
    world: World, charset: str, mark: bytes
) -> None:
    made = make_mocked_request(
        "POST",
        "/alerts",
        headers={
            "Authorization": "Bearer token",
            "Content-Type": f"application/json; charset={charset}",
        },
    )
    made._read_bytes = mark + json.dumps(body(alert())).encode()

    response = await webhook(world).handle(made)

    assert response.status == 200
    assert annotation(world) is not None


@pytest.mark.parametrize("path", ["/alerts", "/alerts/"])
async def test_the_scheme_and_the_path_are_read_as_http_has_them(world: World, path: str) -> None:
    async with TestClient(TestServer(webhook(world).application())) as client:
        response = await client.post(
            path, json=body(alert()), headers={"Authorization": "bearer token"}
        )

        assert response.status == 200
    assert annotation(world) is not None


async def test_a_body_that_is_not_packed_as_it_says_is_refused(world: World) -> None:
    async with TestClient(TestServer(webhook(world).application())) as client:
        response = await client.post(
            "/alerts",
            data=json.dumps(body(alert())).encode(),
            headers={"Authorization": "Bearer token", "Content-Encoding": "gzip"},
        )

        assert response.status == 400
        assert (await response.json())["error"] == "the body is not what its Content-Encoding says"
    assert annotation(world) is None


async def test_an_alert_of_grafana_asks_the_rollout_back(world: World) -> None:
    status, answer = await post(world, grafana_body(alert()))

    assert (status, answer["alerts"][0]["outcome"]) == (200, "rollback")
    assert json.loads(annotation(world) or "")["message"] == "FairleadVersionSlow: p95 900 ms"


async def test_a_standby_writes_what_the_leaders_watch_will_tell(world: World) -> None:
    woken: list[Key] = []
    receiver = webhook(world, woken)
    receiver.standing_by()

    response = await receiver.handle(request(body(alert())))

    assert response.status == 200
    assert annotation(world) is not None
    assert woken == []


async def test_a_repeated_alert_changes_nothing(world: World) -> None:
    await post(world, body(alert()))
    first = annotation(world)

    status, _ = await post(world, body(alert(annotations={"summary": "again"})))

    assert (status, annotation(world)) == (200, first)


async def test_an_alert_that_names_the_stable_version_is_told_and_left_alone(world: World) -> None:
    put_rollout(world, "Succeeded")

    _, answer = await post(world, body(alert()))

    assert answer["alerts"][0]["why"] == (
        "1.1.0 is now the stable version and its rollout has ended"
    )
    assert annotation(world) is None
    assert world.events()[0][0] == "AlertIgnored"


async def test_an_alert_that_names_the_way_back_is_told_and_left_alone(world: World) -> None:
    _, answer = await post(world, body(alert(labels=LABELS | {"version": "1.0.0"})))

    assert answer["alerts"][0]["why"] == "1.0.0 is the stable version, not the candidate"
    assert annotation(world) is None
    assert "nothing was rolled back" in world.events()[0][1]


async def test_an_alert_on_any_of_several_candidates_asks_their_rollout_back(world: World) -> None:
    world.kube.objects["Rollout", NAMESPACE, ROLLOUT.name]["spec"]["alternatives"] = ["1.2.0"]

    await post(world, body(alert(labels=LABELS | {"version": "1.2.0"})))

    assert annotation(world) is not None


async def test_one_alert_that_cannot_be_read_does_not_lose_the_others(world: World) -> None:
    status, answer = await post(world, body(alert(labels=LABELS | {"version": "v1"}), alert()))

    assert status == 200
    assert [entry["outcome"] for entry in answer["alerts"]] == ["refused", "rollback"]
    assert answer["alerts"][0]["why"].startswith("alerts[0].labels.version")


async def test_a_models_rollouts_are_read_once_however_many_alerts_name_it(world: World) -> None:
    named = [alert(labels=LABELS | {"alertname": f"A{number}"}) for number in range(100)]
    reads = 0

    async def count(*arguments: Any) -> Any:
        nonlocal reads
        reads += 1
        return await FakeKube.list(world.kube, *arguments)

    world.kube.list = count  # type: ignore[method-assign]
    status, answer = await post(world, body(*named))

    assert (status, len(answer["alerts"]), reads) == (200, 100, 1)


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
        pytest.param(b"[" * 200_000, "token", 400, id="nested without end"),
        pytest.param({"version": "9"}, "token", 400, id="not Alertmanager's"),
        pytest.param(body(alert(labels=LABELS | {"model": ""})), "token", 400, id="of no Model"),
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


async def test_a_flood_is_asked_to_come_again(world: World) -> None:
    receiver = webhook(world)
    release = asyncio.Event()

    async def slow(*_: Any) -> Any:
        await release.wait()
        return []

    world.kube.list = slow  # type: ignore[method-assign]
    working = [asyncio.create_task(receiver.handle(request(body(alert())))) for _ in range(16)]
    await asyncio.sleep(0)

    refused = await receiver.handle(request(body(alert())))
    release.set()
    answered = await asyncio.gather(*working)

    assert refused.status == 503
    assert {response.status for response in answered} == {200}
    assert (await receiver.handle(request(body(alert())))).status == 200


async def test_a_body_that_is_too_large_or_too_slow_is_refused(world: World) -> None:
    class Huge:
        headers: ClassVar = {"Authorization": "Bearer token"}

        async def read(self) -> Any:
            raise web.HTTPRequestEntityTooLarge(max_size=1, actual_size=2)

    class Slow(Huge):
        async def read(self) -> Any:
            raise TimeoutError

    receiver = webhook(world)

    assert (await receiver.handle(cast("web.Request", Huge()))).status == 413
    assert (await receiver.handle(cast("web.Request", Slow()))).status == 408


async def test_a_token_that_is_no_text_is_refused(world: World) -> None:
    class Odd:
        headers: ClassVar = {"Authorization": "Bearer t\udcff"}

    assert (await webhook(world).handle(cast("web.Request", Odd()))).status == 401


def on_trial(world: World, *, left: str | None = None) -> None:
    """1.1.0 and 1.2.0 are tried at once; one may have left."""
    arms = [
        {"version": version, **({"reason": "AlertFired"} if version == left else {})}
        for version in ("1.1.0", "1.2.0")
    ]
    world.kube.put(
        {
            "kind": "Rollout",
            "metadata": {"namespace": NAMESPACE, "name": ROLLOUT.name},
            "spec": {"model": "nsw-price", "version": "1.1.0", "alternatives": ["1.2.0"]},
            "status": {"phase": "Progressing", "arms": arms},
        }
    )


def noted(world: World) -> dict[str, Any]:
    annotations = world.kube.objects[ROLLOUT]["metadata"]["annotations"]
    return dict(json.loads(annotations["fairlead.dev/alert"]))


async def test_an_alert_on_another_candidate_of_a_trial_names_it(world: World) -> None:
    on_trial(world)

    status, answer = await post(world, body(alert(labels=LABELS | {"version": "1.2.0"})))

    assert (status, answer["alerts"][0]["outcome"]) == (200, "rollback")
    assert noted(world)["version"] == "1.2.0"


async def test_a_second_candidates_alert_is_noted_once_the_first_has_left(world: World) -> None:
    on_trial(world)
    await post(world, body(alert()))
    too_early, _ = await post(world, body(alert(labels=LABELS | {"version": "1.2.0"})))
    on_trial(world, left="1.1.0")

    status, _ = await post(world, body(alert(labels=LABELS | {"version": "1.2.0"})))

    assert (too_early, status) == (503, 200)
    assert noted(world)["version"] == "1.2.0"


def began(world: World, **changes: Any) -> None:
    """Say when the Rollout was made: a minute after an alert began to fire, for example."""
    world.kube.objects[ROLLOUT]["metadata"] |= {"creationTimestamp": "2026-01-01T00:01:00Z"}
    world.kube.objects[ROLLOUT]["status"] |= changes


@pytest.mark.parametrize("phase", ["Pending", "Progressing", "Paused", "Guarding"])
@pytest.mark.parametrize(
    ("fires_since", "outcome"),
    [
        pytest.param("2026-01-01T00:00:59Z", "ignored", id="before the rollout began"),
        pytest.param("2026-01-01T00:01:00Z", "rollback", id="since it began"),
        pytest.param("2026-01-01T00:03:00Z", "rollback", id="later"),
        pytest.param("", "rollback", id="it does not say"),
    ],
)
async def test_an_alert_from_before_a_retry_does_not_end_it(
    world: World, fires_since: str, outcome: str, phase: str
) -> None:
    began(world, phase=phase)

    status, answer = await post(world, body(alert(startsAt=fires_since)))

    (entry,) = answer["alerts"]
    assert (status, entry["outcome"]) == (200, outcome)
    assert (annotation(world) is None) == (outcome == "ignored")
    if outcome == "ignored":
        why = (
            "it has fired since 2026-01-01T00:00:59.000Z, before nsw-price-rollout-1 began; it "
            "counts once it fires anew"
        )
        assert entry["why"] == why
        ((reason, message),) = world.events()
        assert (reason, why in message) == ("AlertIgnored", True)


async def test_of_the_same_alert_the_one_that_fires_anew_counts(world: World) -> None:
    began(world)
    older, newer = (alert(startsAt=f"2026-01-01T00:0{minute}:00Z") for minute in (0, 2))

    _, answer = await post(world, body(older, newer))

    assert [entry["outcome"] for entry in answer["alerts"]] == ["ignored", "rollback"]


GARBAGE = ["garbage", "[]", "{}", "7", "null", '{"message": "slow"}', "[" * 100_000]


@pytest.mark.parametrize("garbage", GARBAGE, ids=lambda text: text[:20])
async def test_an_annotation_that_is_nobodys_alert_is_replaced(world: World, garbage: str) -> None:
    world.kube.objects[ROLLOUT]["metadata"]["annotations"] = {"fairlead.dev/alert": garbage}

    status, answer = await post(world, body(alert(), alert(labels=LABELS | {"alertname": "B"})))

    assert status == 200
    assert [entry["outcome"] for entry in answer["alerts"]] == ["rollback", "rollback"]
    assert noted(world)["message"] == "FairleadVersionSlow: p95 900 ms"


OTHER = Key("Rollout", NAMESPACE, "other-rollout-1")


@pytest.mark.parametrize(
    "error", [TransientError("503 away"), ClusterRefusalError("422 a policy")], ids=["away", "422"]
)
async def test_one_alert_that_cannot_be_kept_does_not_lose_the_others(
    world: World, error: Exception
) -> None:
    other = {"model": "other", "version": "2.0.0"}
    meta = {"namespace": NAMESPACE, "name": OTHER.name}
    status = {"phase": "Progressing"}
    world.kube.put({"kind": "Rollout", "metadata": meta, "spec": other, "status": status})
    world.kube.refusing["Rollout", OTHER.name] = error

    response = await webhook(world).handle(request(body(alert(labels=LABELS | other), alert())))
    answer = json.loads(response.text or "")

    assert (response.status, str(error) in answer["error"]) == (503, True)
    assert [entry["outcome"] for entry in answer["alerts"]] == ["unavailable", "rollback"]
    assert annotation(world) is not None
