"""A namespace's login to the database: made for its first Model, gone with its last."""

import asyncio
import contextlib
import dataclasses
from base64 import b64decode, b64encode
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from fairlead_operator.engine.controller import Controller
from fairlead_operator.kube.database_secret import Logins, name_database_secret
from fairlead_operator.kube.kinds import MLFLOW_SECRETS
from fairlead_operator.kube.watched import WatchedKube
from fairlead_operator.mlflow.logins import OwnLogins
from fairlead_operator.namespace.login import keep_finding_logins
from support.fake_logins import FakeDirectory
from support.world import NAMESPACE, SETTINGS, World, model_manifest

SECRET = ("Secret", NAMESPACE, "fairlead-database")
RUN = "nsw-price-training-1"
REFUSAL = "permission denied to create role; grant CREATEROLE"
MINUTE = timedelta(minutes=1)
RECORDED: dict[str, Any] = {"version": "1.0.0", "serving": {"predictionLog": {"enabled": True}}}


@pytest.fixture
def world() -> World:
    world = World()
    world.registry.register(f"{NAMESPACE}.nsw-price", "1.0.0")
    world.prometheus.healthy()
    return world


def start_with(world: World, logins: Logins) -> None:
    """Start the operator anew with another value."""
    world.restart_operator()
    watched = dataclasses.replace(world.ports, kube=WatchedKube(world.ports.kube, world.store))
    settings = dataclasses.replace(SETTINGS, logins=logins)
    world.controller = Controller(world.queue, watched, settings)


def url(world: World) -> str:
    return b64decode(world.kube.objects[SECRET]["data"]["url"]).decode()


def told(world: World, kind: str, name: str) -> dict[str, tuple[str, str]]:
    conditions = world.kube.objects[kind, NAMESPACE, name]["status"]["conditions"]
    return {entry["type"]: (entry["status"], entry["reason"]) for entry in conditions}


def jobs(world: World) -> list[str]:
    return [name for kind, _, name in world.kube.objects if kind == "Job"]


def leave_the_operators_login(world: World) -> None:
    """Leave what releases up to 0.1.0 wrote."""
    written = b64encode(SETTINGS.database_url.encode()).decode()
    world.kube.put({**name_database_secret(NAMESPACE), "data": {"url": written}})


async def find_logins(world: World) -> None:
    """Look for logins once, as an operator does that begins to lead."""
    finding = asyncio.create_task(
        keep_finding_logins(world.record, world.watches.look_at_namespace)
    )
    for _ in range(5):
        await asyncio.sleep(0)
    finding.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await finding


@pytest.mark.parametrize("spec", [RECORDED, {}], ids=["it keeps a record", "it trains"])
async def test_the_operators_login_stays_where_it_is(world: World, spec: dict[str, Any]) -> None:
    world.kube.put(model_manifest(**spec))

    await world.run()

    password, _ = world.record.logins[NAMESPACE]
    assert f":{password}@database:5432/fairlead" in url(world)
    assert "fairlead:secret" not in str(world.kube.objects)
    assert "Applied" not in told(world, "Model", "nsw-price")


async def test_a_model_that_writes_nothing_needs_none(world: World) -> None:
    world.kube.put(model_manifest(version="1.0.0"))

    await world.run()

    assert SECRET not in world.kube.objects
    assert world.record.logins == {}


async def test_a_training_waits_for_a_login_that_is_not_allowed_and_says_so(world: World) -> None:
    world.record.refuses_logins = REFUSAL
    world.kube.put(model_manifest())
    await world.run()

    run = world.kube.objects["TrainingRun", NAMESPACE, RUN]["status"]
    for kind, name in (("Model", "nsw-price"), ("TrainingRun", RUN)):
        assert told(world, kind, name)["Applied"] == ("False", "LoginNotAllowed")
    assert "grant CREATEROLE" in run["message"]
    assert (jobs(world), SECRET in world.kube.objects) == ([], False)
    assert "LoginNotAllowed" in {reason for reason, _ in world.events()}

    world.record.refuses_logins = ""
    await world.pass_time(MINUTE)

    assert jobs(world) == [f"{RUN}-search"]
    assert told(world, "TrainingRun", RUN)["Applied"] == ("True", "Applied")


async def test_a_version_serves_without_a_record_and_it_is_said(world: World) -> None:
    world.record.refuses_logins = REFUSAL
    world.kube.put(model_manifest(**RECORDED))
    await world.pass_time(MINUTE)

    said = told(world, "Model", "nsw-price")
    assert said["Applied"] == ("False", "LoginNotAllowed")
    assert said["UpToDate"] == ("False", "LoginNotAllowed")
    assert world.model()["status"]["phase"] == "Serving"
    rollout = world.rollout()["metadata"]["name"]
    assert told(world, "Rollout", rollout)["Recorded"] == ("False", "LoginNotAllowed")
    assert SECRET not in world.kube.objects


@pytest.mark.parametrize("allowed", [True, False], ids=["allowed", "not allowed yet"])
async def test_an_upgrade_takes_the_operators_login_away(world: World, *, allowed: bool) -> None:
    leave_the_operators_login(world)
    world.record.refuses_logins = "" if allowed else REFUSAL
    world.kube.put(model_manifest(**RECORDED))

    await world.run()
    if not allowed:
        conditions = world.model()["status"]["conditions"]
        message = next(entry["message"] for entry in conditions if entry["type"] == "Applied")
        assert "still holds the operator's own login" in message
        assert url(world) == SETTINGS.database_url, "what runs goes on keeping its predictions"
        world.record.refuses_logins = ""
        await world.pass_time(MINUTE)

    assert world.record.logins[NAMESPACE][0] in url(world)
    assert "fairlead:secret" not in url(world)


async def test_a_deleted_secret_is_a_new_password_at_once(world: World) -> None:
    world.kube.put(model_manifest(**RECORDED))
    await world.run()
    before = url(world)

    await world.kube.delete(*SECRET)
    await world.run()

    assert url(world) != before
    assert world.record.logins[NAMESPACE][0] in url(world)


async def test_a_password_is_renewed_by_age_and_it_is_told(world: World) -> None:
    world.settings = dataclasses.replace(SETTINGS, login_age=timedelta(days=30))
    world.restart_operator()
    world.kube.put(model_manifest(**RECORDED))
    await world.run()
    before = url(world)
    phase = world.model()["status"]["phase"]

    world.clock.advance(timedelta(days=30))
    for _ in range(3):
        world.restart_operator()
        await world.pass_time(timedelta(hours=1))
        world.watches.look_at(NAMESPACE, "nsw-price")  # as every half hour
        await world.pass_time(timedelta(hours=1))

    assert url(world) != before
    assert world.record.logins[NAMESPACE][0] in url(world)
    assert [reason for reason, _ in world.events()].count("LoginRenewed") == 1
    assert world.model()["status"]["phase"] == phase


MLFLOW = ("Secret", NAMESPACE, "fairlead-mlflow")


async def delete(world: World) -> None:
    await world.kube.delete(*MLFLOW)


async def spoil(world: World) -> None:
    contents = {"data": {"password": b64encode(b"short").decode()}}
    world.kube.put({"kind": MLFLOW[0], "metadata": {"namespace": NAMESPACE, "name": MLFLOW[2]}}
                   | contents)  # fmt: skip


async def rename(world: World) -> None:
    contents = {"data": {"username": b64encode(b"fairlead/shop").decode()}}
    world.kube.put({"kind": MLFLOW[0], "metadata": {"namespace": NAMESPACE, "name": MLFLOW[2]}}
                   | contents)  # fmt: skip


@pytest.mark.parametrize("change", [delete, spoil, rename])
async def test_what_is_done_to_a_login_of_mlflow_is_undone_at_once_in_a_quiet_namespace(
    world: World, change: Callable[[World], Awaitable[None]]
) -> None:
    """It waited for the next look at a Model, half an hour."""
    directory = FakeDirectory()
    world.ports = dataclasses.replace(world.ports, logins=OwnLogins(directory, now=world.clock))
    start_with(world, Logins())
    world.store.cover("Secret", MLFLOW_SECRETS["Secret"])
    world.kube.put(model_manifest(**RECORDED))
    await world.pass_time(MINUTE)
    moment, rollout = world.clock(), world.model()["status"]["rollout"]

    await change(world)
    await world.run()

    contents = {key: b64decode(value).decode() for key, value
                in world.kube.objects[MLFLOW]["data"].items()}  # fmt: skip
    user = f"fairlead/{NAMESPACE}"
    assert contents == {"username": user, "password": directory.users[user]}
    assert len(contents["password"]) == 48
    assert (world.clock(), world.model()["status"]["rollout"]) == (moment, rollout)
    assert world.model()["status"]["phase"] == "Serving"


@pytest.mark.parametrize("is_away", [False, True], ids=["watched", "while no operator was there"])
async def test_a_login_goes_with_the_last_model(world: World, *, is_away: bool) -> None:
    for name in ("nsw-price", "qld-price"):
        manifest = model_manifest(**RECORDED)
        manifest["metadata"]["name"] = name
        world.registry.register(f"{NAMESPACE}.{name}", "1.0.0")
        world.kube.put(manifest)
    await world.run()
    await world.kube.delete("Model", NAMESPACE, "qld-price")
    await world.run()
    assert SECRET in world.kube.objects, "one is left"

    if is_away:
        world.restart_operator()
    await world.kube.delete("Model", NAMESPACE, "nsw-price")
    await world.run()

    assert SECRET not in world.kube.objects
    assert world.record.logins == {}


@pytest.mark.parametrize("is_away", [False, True], ids=["watched", "while no operator was there"])
async def test_a_login_goes_with_its_namespace(world: World, *, is_away: bool) -> None:
    world.kube.put(model_manifest(**RECORDED))
    await world.run()
    if is_away:
        world.restart_operator()
    for kind, namespace, name in list(world.kube.objects):
        await world.kube.delete(kind, namespace, name)
    if is_away:
        await find_logins(world)

    await world.run()

    assert world.record.logins == {}


async def test_who_has_models_keeps_its_login(world: World) -> None:
    world.kube.put(model_manifest(**RECORDED))
    await world.run()

    await find_logins(world)
    await world.run()

    assert NAMESPACE in world.record.logins


async def test_a_login_that_is_shared_is_reminded_of(world: World) -> None:
    start_with(world, Logins(is_shared=True))
    world.kube.put(model_manifest(**RECORDED))
    await world.run()
    shared, said = url(world), told(world, "Model", "nsw-price")["OwnLogin"]

    start_with(world, Logins())
    await world.run()

    assert (shared, said) == (SETTINGS.database_url, ("False", "LoginShared"))
    assert told(world, "Model", "nsw-price")["OwnLogin"] == ("True", "OwnLogin")
    assert world.record.logins[NAMESPACE][0] in url(world)


async def test_the_secret_of_the_platform_is_what_pods_read(world: World) -> None:
    start_with(world, Logins(secret="platform-database"))
    world.kube.put(model_manifest(**RECORDED))
    await world.run()

    pod = world.kube.objects["Deployment", NAMESPACE, "nsw-price-1-0-0"]["spec"]["template"]["spec"]
    (volume,) = [each for each in pod["volumes"] if each["name"] == "database"]
    secret = volume["secret"]
    assert (secret["secretName"], secret["optional"]) == ("platform-database", True)
    assert [item["path"] for item in secret["items"]] == ["url", "ca.crt"]
    assert SECRET not in world.kube.objects
    assert world.record.logins == {}


async def test_a_search_of_an_earlier_release_begins_anew(world: World) -> None:
    """Its study is in a schema of all namespaces, which no namespace's login may read."""
    world.kube.put(model_manifest())
    await world.run()
    job = world.kube.objects["Job", NAMESPACE, f"{RUN}-search"]
    (container,) = job["spec"]["template"]["spec"]["containers"]
    earlier = container["args"][2].replace('"searchSchema"', '"unread"')
    container["args"][2] = earlier
    world.kube.objects["TrainingRun", NAMESPACE, RUN]["status"]["config"] = earlier
    uid = job["metadata"]["uid"]

    world.restart_operator()
    await world.run()

    job = world.kube.objects["Job", NAMESPACE, f"{RUN}-search"]
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert job["metadata"]["uid"] != uid
    assert '"searchSchema"' in container["args"][2]
    await world.train(RUN, "1.1.0")
    assert world.kube.objects["TrainingRun", NAMESPACE, RUN]["status"]["phase"] == "Succeeded"
