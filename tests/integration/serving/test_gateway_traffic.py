"""Mirror, stickiness and preview, as clients of a real Envoy see them."""

import asyncio
import contextlib
import dataclasses
import io
import re
import socket
import uuid
from collections.abc import AsyncIterator, Mapping

import aiohttp
import pytest

from fairlead_contract.http import cookie_value
from support.gateway import (
    MODEL,
    NAMESPACE,
    Caller,
    Conduct,
    EnvoyProcess,
    endpoint_slice,
    eventually,
    model_server,
    service_of,
)
from support.gateway_world import NEW, OLD, READY, World

pytestmark = pytest.mark.integration

ARMS = ("2.1.0", "2.2.0", "2.3.0")  # candidates beside OLD
USERS = 3000
COOKIE = {"by": "cookie", "maxAgeSeconds": 600, "id": "u1"}
HEADER = {"by": "header", "header": "x-user-id"}
MIRROR = {"version": NEW, "percent": 100}


@dataclasses.dataclass(slots=True, kw_only=True)
class Recorded:
    """What reached each version."""

    old: Conduct
    new: Conduct


@pytest.fixture
async def recorded(gateway: World, caller: Caller) -> AsyncIterator[Recorded]:
    """Both versions on servers that can be watched and told how to behave."""
    conducts = Recorded(old=Conduct(), new=Conduct())

    async def are_in_use() -> bool:
        for version in (OLD, NEW):
            await caller.call(x_fairlead_version=version)
        return bool(conducts.old.headers and conducts.new.headers)

    async with model_server(OLD, conducts.old) as old, model_server(NEW, conducts.new) as new:
        gateway.servers = {OLD: old, NEW: new}
        await gateway.pods(OLD, READY)
        await gateway.pods(NEW, READY)
        await eventually(are_in_use)
        conducts.old.headers.clear()
        conducts.new.headers.clear()
        yield conducts


@pytest.fixture
async def arms(gateway: World) -> AsyncIterator[None]:
    """Servers for three candidates more."""
    async with contextlib.AsyncExitStack() as stack:
        for version in ARMS:
            gateway.servers[version] = await stack.enter_async_context(model_server(version))
            await gateway.pods(version, READY)
        yield


async def seats(caller: Caller, *, model: str = MODEL) -> dict[int, str]:
    """Version by user, each asked once, a few at a time."""
    found: dict[int, str] = {}

    async def ask(first: int) -> None:
        for user in range(first, USERS, 20):
            status, _, headers = await caller.call(model, x_user_id=f"user-{user}")
            assert status == 200
            found[user] = headers["x-fairlead-version"]

    await asyncio.gather(*(ask(first) for first in range(20)))
    return found


def users_of(seated: Mapping[int, str], version: str) -> set[int]:
    return {user for user, given in seated.items() if given == version}


async def test_a_mirror_copies_the_request_and_throws_its_answer_away(
    gateway: World, caller: Caller, recorded: Recorded
) -> None:
    recorded.new.status = 500
    await gateway.until_applied(await gateway.route({NEW: 0, OLD: 100}, mirror=MIRROR))
    for _ in range(20):
        assert (await caller.call(authorization="Bearer s", cookie="a=b", x_kept="yes"))[0] == 200

    async def has_copies() -> bool:
        return len(recorded.new.headers) == 20

    await eventually(has_copies)
    copy, live = recorded.new.headers[0], recorded.old.headers[0]
    ids = [{each["x-request-id"] for each in seen.headers} for seen in (recorded.new, recorded.old)]
    assert (copy["host"], copy["x-fairlead-shadow"], copy["x-kept"]) == (MODEL, "true", "yes")
    assert "authorization" not in copy
    assert "cookie" not in copy
    assert "x-fairlead-shadow" not in live
    assert live["authorization"] == "Bearer s"
    assert ids[0] == ids[1]  # the two records of one request can be joined


@pytest.mark.parametrize(
    "given",
    [
        pytest.param("4b1d6bd2-5c7e-4d6c-8f0f-8d2d0e1f9a11", id="a UUID"),
        pytest.param("order-17", id="a name"),
        pytest.param("Root=1-67891233-abcdef012345678912345678", id="of a load balancer"),
        pytest.param("c29tZSBieXRlcw==+/|a@b~c:d", id="every other character"),
        pytest.param("a" * 128, id="the longest"),
    ],
)
async def test_a_callers_request_id_is_kept_returned_and_logged(
    gateway: World, envoy: EnvoyProcess, recorded: Recorded, caller: Caller, given: str
) -> None:
    await gateway.until_applied(await gateway.route({NEW: 0, OLD: 100}, mirror=MIRROR))

    _, _, headers = await caller.call(x_request_id=given)

    async def is_copied() -> bool:
        return bool(recorded.new.headers)

    await eventually(is_copied)
    assert headers["x-request-id"] == given
    assert recorded.old.headers[-1]["x-request-id"] == given
    assert recorded.new.headers[-1]["x-request-id"] == given

    async def is_logged() -> bool:
        return f'"request_id":"{given}"' in envoy.log()

    await eventually(is_logged)


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(None, id="none"),
        pytest.param("", id="empty"),
        pytest.param("a" * 129, id="too long"),
        pytest.param("a b", id="a space"),
        pytest.param('a","code":200,"b":"', id="what would forge a line of the log"),
        pytest.param("a,b", id="two in one"),
        pytest.param("\u00e4", id="not ASCII"),
        pytest.param("${jndi:ldap}", id="what a log could act on"),
    ],
)
async def test_a_request_without_an_id_to_keep_gets_one_of_its_own(
    gateway: World, recorded: Recorded, caller: Caller, given: str | None
) -> None:
    await gateway.until_applied(await gateway.route({NEW: 0, OLD: 100}))
    asked = {} if given is None else {"x_request_id": given}
    answers = [(await caller.call(**asked))[2]["x-request-id"] for _ in range(2)]

    assert [str(uuid.UUID(answer)) for answer in answers] == answers
    assert len(set(answers)) == 2
    assert [seen["x-request-id"] for seen in recorded.old.headers] == answers


async def test_what_the_gateway_answers_by_itself_has_the_callers_request_id(
    gateway: World, caller: Caller
) -> None:
    _, _, unknown = await caller.call("stranger", x_request_id="order-17")
    _, _, forced = await caller.call(x_fairlead_version="9.9.9", x_request_id="order-18")

    assert [each["x-request-id"] for each in (unknown, forced)] == ["order-17", "order-18"]


async def test_a_client_cannot_pass_for_a_copy(caller: Caller, recorded: Recorded) -> None:
    await caller.call(x_fairlead_version=OLD, x_fairlead_shadow="true")

    assert "x-fairlead-shadow" not in recorded.old.headers[0]


async def test_a_share_is_mirrored(gateway: World, caller: Caller, recorded: Recorded) -> None:
    mirror = MIRROR | {"percent": 20}
    await gateway.until_applied(await gateway.route({NEW: 0, OLD: 100}, mirror=mirror))

    await caller.tally(1000)

    assert 130 <= len(recorded.new.headers) <= 270  # five standard deviations around 200


async def test_copies_are_counted_apart_from_live_traffic(
    gateway: World, caller: Caller, recorded: Recorded
) -> None:
    recorded.new.status = 500
    await gateway.until_applied(await gateway.route({NEW: 0, OLD: 100}, mirror=MIRROR))
    await caller.tally(5)
    url = f"http://127.0.0.1:{gateway.settings.ports.metrics}/metrics"
    labels = f'model_namespace="{NAMESPACE}",model="{MODEL}",version="{NEW}",role="shadow"'
    name = f'envoy_cluster_name="{NAMESPACE}|{MODEL}|{NEW}"'
    line = f'envoy_cluster_upstream_rq{{envoy_response_code="500",{name},{labels}}} 5'

    async def is_counted() -> bool:
        async with aiohttp.ClientSession() as http, http.get(url) as response:
            text = await response.text()
        live = re.search(rf'upstream_rq\{{[^}}]*code="500"[^}}]*version="{NEW}"\}}', text)
        return line in text and live is None

    await eventually(is_counted)


async def test_a_mirror_that_hangs_costs_live_requests_nothing(
    gateway: World, caller: Caller, recorded: Recorded
) -> None:
    recorded.new.seconds = 3600
    # A live request that waited for its copy would wait longer than all may take together.
    await gateway.until_applied(
        await gateway.route({NEW: 0, OLD: 100}, mirror=MIRROR, timeoutSeconds=600)
    )

    async with asyncio.timeout(300):
        tally = await caller.tally(300)

    assert tally.versions == {OLD: 300}
    assert len(recorded.new.headers) <= 16  # the rest was dropped


async def test_a_mirror_that_reads_nothing_does_not_hold_up_a_large_body(
    gateway: World, caller: Caller
) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        await gateway.api.apply(
            "endpointslices",
            endpoint_slice(service_of(MODEL, NEW), deaf.getsockname()[1], READY),
        )
        await gateway.until_applied(
            await gateway.route({NEW: 0, OLD: 100}, mirror=MIRROR, timeoutSeconds=600)
        )
        url = f"http://127.0.0.1:{gateway.settings.ports.traffic}/predict"
        async with aiohttp.ClientSession() as http, asyncio.timeout(300):
            for _ in range(3):
                body = io.BytesIO(b"x" * (24 * 1024 * 1024))
                async with http.post(url, data=body, headers={"Host": MODEL}) as response:
                    assert response.status in (200, 413)


async def test_a_user_stays_with_a_version_by_header(
    gateway: World, caller: Caller, arms: None
) -> None:
    """Growing one candidate draws from the stable version alone, shrinking gives back to it."""

    async def weights(**shares: int) -> dict[int, str]:
        a, b = shares["a"], shares["b"]
        route = {ARMS[0]: a, ARMS[1]: b, OLD: 100 - a - b}
        await gateway.until_applied(await gateway.route(route, sticky=HEADER))
        return await seats(caller)

    first = await weights(a=20, b=30)
    again = await weights(a=20, b=30)
    grown = await weights(a=60, b=30)
    gone = await weights(a=0, b=30)
    back = await weights(a=20, b=30)

    assert first == again == back
    assert 0.15 < len(users_of(first, ARMS[0])) / USERS < 0.25
    assert users_of(first, ARMS[1]) == users_of(grown, ARMS[1]) == users_of(gone, ARMS[1])
    assert users_of(first, ARMS[0]) < users_of(grown, ARMS[0])
    assert users_of(gone, OLD) == users_of(first, OLD) | users_of(first, ARMS[0])


async def test_four_arms_keep_their_users_while_each_fits_its_home(
    gateway: World, caller: Caller, arms: None
) -> None:
    async def weights(*shares: int) -> dict[int, str]:
        route = dict(zip(ARMS, shares, strict=True)) | {OLD: 100 - sum(shares)}
        await gateway.until_applied(await gateway.route(route, sticky=HEADER))
        return await seats(caller)

    first = await weights(25, 25, 25)
    moved = await weights(5, 33, 25)

    assert users_of(moved, ARMS[0]) < users_of(first, ARMS[0])
    assert users_of(moved, ARMS[1]) > users_of(first, ARMS[1])
    assert users_of(moved, ARMS[2]) == users_of(first, ARMS[2])


async def test_two_models_do_not_try_their_candidates_on_the_same_users(
    gateway: World, caller: Caller
) -> None:
    other = "vic-price"
    for version in (OLD, NEW):
        await gateway.pods(version, READY, model=other)
    for model in (MODEL, other):
        revision = await gateway.route({NEW: 20, OLD: 80}, model=model, sticky=HEADER)
        await gateway.until_applied(revision, model)

    here = users_of(await seats(caller), NEW)
    there = users_of(await seats(caller, model=other), NEW)

    assert len(here & there) / USERS < 0.08  # 4 % when independent, 20 % without a salt


def cookie_of(version: str, *, trial: str = "u1") -> str:
    return f"fairlead-{MODEL}={cookie_value(version, trial)}"


async def assign(caller: Caller, users: int) -> dict[int, str]:
    """Set-Cookie's value by user, from first requests without a cookie."""
    cookies = {}
    for user in range(users):
        _, _, headers = await caller.call()
        value = headers["set-cookie"]
        assert value.startswith(f"{cookie_of(headers['x-fairlead-version'])}; Path=/;")
        assert "Max-Age=600" in value
        cookies[user] = value.partition(";")[0]
    return cookies


async def test_a_user_stays_with_a_version_by_cookie(
    gateway: World, caller: Caller, arms: None
) -> None:
    """Whatever the weights of the others do, with as many arms as there are."""
    a, b, c = ARMS
    route = {a: 25, b: 25, c: 25, OLD: 25}
    await gateway.until_applied(await gateway.route(route, sticky=COOKIE))
    cookies = await assign(caller, 200)
    changed = {a: 1, b: 90, c: 8, OLD: 1}
    await gateway.until_applied(await gateway.route(changed, sticky=COOKIE))

    version_of = {cookie_of(version): version for version in (a, b, c, OLD)}
    for cookie in cookies.values():
        _, _, headers = await caller.call(cookie=f"other=1; {cookie}; theme=dark")
        assert headers["x-fairlead-version"] == version_of[cookie]
        assert "set-cookie" not in headers
    assert set(cookies.values()) == set(version_of)


async def test_a_version_that_leaves_loses_its_users_at_once(
    gateway: World, caller: Caller
) -> None:
    await gateway.until_applied(await gateway.route({NEW: 50, OLD: 50}, sticky=COOKIE))
    await gateway.until_applied(await gateway.route({NEW: 0, OLD: 100}, sticky=COOKIE))

    _, _, headers = await caller.call(cookie=cookie_of(NEW))

    assert headers["x-fairlead-version"] == OLD
    assert headers["set-cookie"].startswith(f"{cookie_of(OLD)};")


@pytest.mark.parametrize(
    "cookie",
    [
        pytest.param(f"fairlead-{MODEL}={NEW}", id="a version that the caller would like"),
        pytest.param(cookie_of(NEW, trial="u0"), id="of an earlier trial"),
        pytest.param(f"x{cookie_of(NEW)}", id="the end of another name"),
        pytest.param(f"{cookie_of(NEW)}0", id="the start of another value"),
    ],
)
async def test_no_other_cookie_is_taken_for_an_assignment(
    gateway: World, caller: Caller, cookie: str
) -> None:
    await gateway.until_applied(await gateway.route({NEW: 1, OLD: 99}, sticky=COOKIE))

    answers = [(await caller.call(cookie=cookie))[2] for _ in range(10)]

    assert all("set-cookie" in headers for headers in answers)


async def test_a_preview_host_goes_to_its_version_alone(gateway: World, caller: Caller) -> None:
    hosts = [f"{MODEL}-preview", f"{MODEL}-preview.{NAMESPACE}"]
    preview = {"version": NEW, "hosts": hosts}
    await gateway.until_applied(await gateway.route({NEW: 0, OLD: 100}, preview=preview))

    assert (await caller.tally(50, host=hosts[1])).versions == {NEW: 50}
    assert (await caller.tally(50)).versions == {OLD: 50}
