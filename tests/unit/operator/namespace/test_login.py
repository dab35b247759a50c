"""When a login is made, kept, followed and removed."""

import dataclasses
from base64 import b64decode
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from fairlead_operator.engine import watches
from fairlead_operator.errors import (
    LoginNotAllowedError,
    TakenError,
    TransientError,
)
from fairlead_operator.kube.database_secret import (
    Logins,
    build_shared_secret,
    name_database_secret,
)
from fairlead_operator.kube.metadata import component_labels
from fairlead_operator.namespace.login import Provided, provide_login, tidy_login
from fairlead_operator.namespace.reconcile import reconcile_namespace
from fairlead_operator.ports import Limits
from fairlead_operator.record import client
from fairlead_operator.renewal import SPREAD, Turns
from support.fake_logins import FakeLogins
from support.world import NAMESPACE, World, model_manifest

SECURITY = Path(__file__).parents[4] / "docs/security.md"
ADDRESS = "postgresql://fairlead:hush@db/fairlead"
PLACE = ("Secret", NAMESPACE, "fairlead-database")
OWN = Logins()
SHARED = Logins(is_shared=True)
PROVIDED = Logins(secret="theirs")


@pytest.fixture
def world() -> World:
    return World()


async def provide(world: World, *, address: str = ADDRESS, logins: Logins = OWN) -> Provided:
    return await provide_login(
        NAMESPACE, world.ports, address=address, logins=logins, limits=Limits()
    )


def content(world: World) -> dict[str, str]:
    data = world.kube.objects[PLACE].get("data") or {}
    return {key: b64decode(value).decode() for key, value in data.items()}


def passwords(world: World) -> dict[str, str]:
    return {namespace: password for namespace, (password, _) in world.record.logins.items()}


def put_secret(world: World, **more: Any) -> None:
    world.kube.put({**build_shared_secret(NAMESPACE, ADDRESS, ca=""), **more})


async def test_a_login_is_made_once_and_kept(world: World) -> None:
    await provide(world)
    made = content(world)
    world.kube.writes.clear()

    await provide(world)

    assert passwords(world) == {NAMESPACE: made["password"]}
    assert len(made["password"]) == 48
    assert "hush" not in str(made)
    assert (content(world), world.kube.writes) == (made, [])


async def test_two_namespaces_have_two_passwords(world: World) -> None:
    await provide(world)
    await provide_login("shop", world.ports, address=ADDRESS, logins=Logins(), limits=Limits())

    assert len({*passwords(world).values()}) == 2


async def test_the_login_follows_the_secret(world: World) -> None:
    """A database that was restored has the password of then, or no login."""
    await provide(world)
    world.record.logins.clear()

    await provide(world)

    assert passwords(world) == {NAMESPACE: content(world)["password"]}


async def test_a_deleted_secret_is_a_new_password(world: World) -> None:
    await provide(world)
    before = content(world)["password"]
    await world.kube.delete(*PLACE)

    await provide(world)

    assert content(world)["password"] != before
    assert passwords(world) == {NAMESPACE: content(world)["password"]}


async def test_another_address_keeps_the_password(world: World) -> None:
    await provide(world)
    before = content(world)

    await provide(world, address="postgresql://fairlead:hush@elsewhere/fairlead")

    url = before["url"].replace("@db/", "@elsewhere/")
    assert content(world) == before | {"url": url, "own-url": url}


async def test_the_login_of_the_operator_is_replaced(world: World) -> None:
    """Releases up to 0.1.0 gave it to every namespace."""
    put_secret(world)

    await provide(world)

    assert "hush" not in content(world)["url"]
    assert passwords(world) == {NAMESPACE: content(world)["password"]}


async def test_servers_of_an_earlier_release_keep_the_login_they_can_write_with(
    world: World,
) -> None:
    """They write by COPY, which PostgreSQL refuses on tables that keep logins apart."""
    put_secret(world)
    variable = {"name": "FAIRLEAD_DATABASE_URL"}
    meta = {"namespace": NAMESPACE, "name": "m", "labels": component_labels("server", "m", "1.0.0")}
    pod = {"containers": [{"name": "server", "env": [variable]}]}
    deployment = {"kind": "Deployment", "metadata": meta, "spec": {"template": {"spec": pod}}}
    world.kube.put(deployment)

    first = await provide(world)
    both = content(world)
    variable["name"] = "FAIRLEAD_DATABASE_URL_FILE"
    world.kube.put(deployment)
    second = await provide(world)

    assert (first.look_again, second) == (timedelta(seconds=30), Provided())
    assert "servers of an earlier release are left" in (first.shared or "")
    assert both["url"] == ADDRESS
    assert "hush" not in both["own-url"]
    assert content(world) == both | {"url": both["own-url"]}


@pytest.mark.parametrize(
    ("logins", "written"),
    [
        pytest.param(SHARED, {"url": ADDRESS}, id="shared: the operator's own address"),
        pytest.param(PROVIDED, None, id="the platform's: nothing"),
    ],
)
async def test_where_no_login_is_to_be_made_none_is(
    world: World, logins: Logins, written: dict[str, str] | None
) -> None:
    world.record.down = True

    await provide(world, logins=logins)

    assert (content(world) if PLACE in world.kube.objects else None) == written
    assert world.record.logins == {}


@pytest.mark.parametrize("logins", [Logins(), SHARED], ids=["own", "shared"])
async def test_a_secret_of_a_persons_is_refused_before_anything_is_written(
    world: World, logins: Logins
) -> None:
    put_secret(world, metadata={"namespace": NAMESPACE, "name": "fairlead-database"})
    world.kube.writes.clear()

    with pytest.raises(TakenError, match="Secret fairlead-database exists and is not ours"):
        await provide(world, logins=logins)

    assert (world.kube.writes, world.record.logins) == ([], {})


async def test_a_login_that_is_not_allowed_writes_nothing(world: World) -> None:
    world.record.refuses_logins = "permission denied to create role"

    with pytest.raises(LoginNotAllowedError, match=r"permission denied to create role$"):
        await provide(world)

    assert PLACE not in world.kube.objects


async def test_until_one_is_allowed_servers_keep_what_they_have_and_it_is_said(
    world: World,
) -> None:
    put_secret(world)
    world.record.refuses_logins = "permission denied to create role"

    with pytest.raises(LoginNotAllowedError, match="still holds the operator's own login"):
        await provide(world)

    assert content(world) == {"url": ADDRESS}


async def test_a_database_that_is_away_is_asked_again_where_there_is_a_login(world: World) -> None:
    await provide(world)
    before = content(world)
    world.record.down = True

    assert await provide(world) == Provided(look_again=timedelta(seconds=30))
    assert content(world) == before


@pytest.mark.parametrize("address", [ADDRESS, "postgresql://fairlead:hush@elsewhere/fairlead"])
async def test_without_a_login_that_opens_it_a_database_is_waited_for(
    world: World, address: str
) -> None:
    if address != ADDRESS:
        await provide(world)
    world.record.down = True

    with pytest.raises(TransientError):
        await provide(world, address=address)


async def test_who_is_slower_of_two_takes_up_what_the_other_wrote(world: World) -> None:
    """Else the password in the Secret and that of the login would be others."""
    provide_role = world.record.provide_login

    async def slowly(namespace: str, password: str, *, limits: Limits) -> None:
        world.record.provide_login = provide_role  # type: ignore[method-assign]
        await provide(world)  # another look, from its begin to its end
        await provide_role(namespace, password, limits=limits)

    world.record.provide_login = slowly  # type: ignore[method-assign]
    await provide(world)

    assert passwords(world) == {NAMESPACE: content(world)["password"]}


# -- the end


@pytest.mark.parametrize(
    ("models", "left"), [(0, False), (1, True)], ids=["the last Model is gone", "one is there"]
)
async def test_a_login_goes_with_the_last_model(world: World, models: int, left: bool) -> None:
    await provide(world)
    for _ in range(models):
        world.kube.put(model_manifest())

    await tidy_login(NAMESPACE, world.ports, logins=Logins())

    assert (PLACE in world.kube.objects, NAMESPACE in world.record.logins) == (left, left)


async def test_the_secret_tells_of_a_login_that_is_not_removed_yet(world: World) -> None:
    await provide(world)
    world.record.down = True

    with pytest.raises(TransientError):
        await tidy_login(NAMESPACE, world.ports, logins=Logins())

    assert PLACE in world.kube.objects


async def test_a_database_that_does_not_answer_keeps_nobody_signed_in_to_mlflow(
    world: World,
) -> None:
    await provide(world)
    world.record.down = True
    logins = FakeLogins()
    ports = dataclasses.replace(world.ports, logins=logins)

    with pytest.raises(TransientError):
        await reconcile_namespace(NAMESPACE, ports, logins=Logins())

    assert logins.dismissed == [NAMESPACE]


async def test_a_login_goes_with_its_namespace(world: World) -> None:
    """Kubernetes may have removed the Secret before the last Model was told to be gone."""
    await provide(world)
    await world.kube.delete(*PLACE)

    await tidy_login(NAMESPACE, world.ports, logins=Logins())

    assert world.record.logins == {}


@pytest.mark.parametrize("logins", [SHARED, PROVIDED], ids=["shared", "the platform's"])
async def test_where_we_make_no_logins_no_database_is_asked(world: World, logins: Logins) -> None:
    put_secret(world)
    world.record.down = True

    await tidy_login(NAMESPACE, world.ports, logins=logins)

    assert PLACE not in world.kube.objects


async def test_a_secret_of_a_persons_stays(world: World) -> None:
    world.kube.put({**name_database_secret(NAMESPACE), "metadata": dict(zip(
        ("namespace", "name"), PLACE[1:], strict=True))})  # fmt: skip

    await tidy_login(NAMESPACE, world.ports, logins=Logins())

    assert PLACE in world.kube.objects


def test_the_page_says_how_long_a_login_may_be_wrong() -> None:
    """It said 10 minutes, for which a login is believed, and not when one looks again."""
    minutes = (watches._PERIOD + client._REPAIR) / 60

    assert f"settings again within {minutes:g} minutes" in SECURITY.read_text("utf-8")


AGE = timedelta(days=30)


async def renew(world: World, *, after: timedelta = timedelta(0)) -> Provided:
    world.clock.advance(after)
    return await provide_login(
        NAMESPACE, world.ports, address=ADDRESS, logins=OWN, limits=Limits(), age=AGE
    )


async def test_an_old_password_gives_way_to_one_that_pods_have_had_beside_it(
    world: World,
) -> None:
    await renew(world)
    first = content(world)
    assert (await renew(world, after=AGE - SPREAD)).look_again is None
    assert content(world) == first

    told = await renew(world, after=SPREAD)
    both = content(world)
    opens = passwords(world)[NAMESPACE]
    assert (await renew(world, after=SPREAD / 2)).renewed is None
    taken = await renew(world, after=SPREAD / 2)
    second = content(world)

    assert (told.look_again, told.renewed) == (SPREAD, None)
    assert {**first, "next-url": both["next-url"], "next-password": both["next-password"]} == both
    assert opens == first["password"], "pods with the old file are let in until all have both"
    assert "another password" in (taken.renewed or "")
    assert passwords(world)[NAMESPACE] == second["password"] == both["next-password"]
    assert second["own-url"] == second["url"] == both["next-url"]
    assert second.keys() == first.keys()
    annotations = world.kube.objects[PLACE]["metadata"]["annotations"]
    assert annotations == {"fairlead.dev/password-made": world.clock().isoformat()}


async def test_a_renewal_goes_on_where_an_operator_ended(world: World) -> None:
    """It ends after the database was told, and before the Secret is written."""
    await renew(world)
    await renew(world, after=AGE)
    following = content(world)["next-password"]
    world.clock.advance(SPREAD)
    world.kube.refusing["Secret", PLACE[2]] = TransientError("away")
    with pytest.raises(TransientError):
        await renew(world)
    assert passwords(world)[NAMESPACE] == following
    world.kube.refusing.clear()
    world.ports = dataclasses.replace(world.ports, renewals=Turns())

    await renew(world)

    assert content(world)["password"] == passwords(world)[NAMESPACE] == following


async def test_a_database_that_is_away_keeps_the_old_password(world: World) -> None:
    await renew(world)
    await renew(world, after=AGE)
    before = content(world)
    world.clock.advance(SPREAD)
    world.record.down = True

    waits = await renew(world)
    world.record.down = False
    after = content(world)
    await renew(world)

    assert (waits.look_again, after) == (timedelta(seconds=30), before)
    assert content(world)["password"] == before["next-password"]


async def test_of_two_namespaces_one_waits_for_the_other(world: World) -> None:
    async def look(namespace: str) -> bool:
        await provide_login(
            namespace, world.ports, address=ADDRESS, logins=OWN, limits=Limits(), age=AGE
        )
        secret = world.kube.objects["Secret", namespace, PLACE[2]]
        return "next-url" in secret["data"]

    for namespace in (NAMESPACE, "shop"):
        await look(namespace)
    world.clock.advance(AGE)
    assert [await look(NAMESPACE), await look("shop")] == [True, False]
    world.clock.advance(SPREAD)
    assert [await look(NAMESPACE), await look("shop")] == [False, False]
    world.clock.advance(timedelta(minutes=1))

    assert [await look(NAMESPACE), await look("shop")] == [False, True]


@pytest.mark.parametrize(
    "moments",
    [
        pytest.param({"password-made": "2000-01-01T00:00:00+00:00"}, id="always old"),
        pytest.param(
            {"next-password-made": "2999-01-01T00:00:00+00:00"}, id="always told in the future"
        ),
    ],
)
async def test_a_namespace_that_writes_its_moments_holds_up_no_other(
    world: World, moments: dict[str, str]
) -> None:
    async def look(namespace: str) -> bool:
        await provide_login(
            namespace, world.ports, address=ADDRESS, logins=OWN, limits=Limits(), age=AGE
        )
        return "next-url" in world.kube.objects["Secret", namespace, PLACE[2]]["data"]

    for namespace in (NAMESPACE, "shop"):
        await look(namespace)
    world.clock.advance(AGE)
    is_told = False
    for _ in range(30):
        written = {f"fairlead.dev/{key}": value for key, value in moments.items()}
        world.kube.objects[PLACE]["metadata"]["annotations"] |= written
        await look(NAMESPACE)
        is_told = is_told or await look("shop")
        world.clock.advance(timedelta(minutes=1))

    assert is_told


async def test_since_when_a_password_of_an_earlier_release_is_is_noted(world: World) -> None:
    await renew(world)
    made = content(world)
    world.kube.objects[PLACE]["metadata"]["annotations"] = {}

    await renew(world, after=2 * AGE)

    assert content(world) == made
    assert "fairlead.dev/password-made" in world.kube.objects[PLACE]["metadata"]["annotations"]


async def test_a_look_that_was_overtaken_lets_in_what_the_secret_has(world: World) -> None:
    """It had read the Secret of before, and its word reached the database last."""
    await renew(world)
    provided = world.record.provide_login

    async def overtaken(namespace: str, password: str, *, limits: Limits) -> None:
        world.record.provide_login = provided  # type: ignore[method-assign]
        await world.kube.delete(*PLACE)
        await provide(world)
        await provided(namespace, password, limits=limits)

    world.record.provide_login = overtaken  # type: ignore[method-assign]
    await renew(world)

    assert passwords(world)[NAMESPACE] == content(world)["password"]
