"""What the operator's and the gateway agent's client to the API server have in common (ADR 16)."""

import contextlib
import json
import os
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Protocol

import pytest
from aiohttp import web

from cluster.ports import refusing_port
from fairlead_operator.errors import (
    ClusterRefusalError,
    ConflictError,
    NamespaceEndingError,
    TransientError,
    WebhookUnavailableError,
)
from fairlead_operator.kube import credentials as operator_credentials
from fairlead_operator.kube.client import KubeClient
from fairlead_serving.gateway.cluster import credentials as agent_credentials
from fairlead_serving.gateway.cluster.kubernetes import ApiError, KubernetesClient, Patience


class Credentials(Protocol):
    """Of either client."""

    def headers(self) -> dict[str, str]: ...

    def trust(self) -> ssl.SSLContext | bool: ...


def of_operator(directory: Path) -> operator_credentials.Credentials:
    return operator_credentials.Credentials(
        token_file=directory / "token", ca_file=directory / "ca.crt"
    )


def of_agent(directory: Path) -> agent_credentials.Credentials:
    return agent_credentials.Credentials(token=None, directory=directory)


async def ask_as_operator(url: str, directory: Path) -> None:
    async with KubeClient(url, of_operator(directory)) as client:
        await client.get("ConfigMap", "energy", "x")


async def ask_as_agent(url: str, directory: Path) -> None:
    async with KubernetesClient(url, of_agent(directory), Patience()) as client:
        await client.get("/api/v1/namespaces/energy/configmaps/x")


@pytest.fixture(
    params=[pytest.param(of_operator, id="operator"), pytest.param(of_agent, id="agent")]
)
def credentials(request: pytest.FixtureRequest, tmp_path: Path) -> Credentials:
    made: Credentials = request.param(tmp_path)
    return made


def write(path: Path, text: str, *, at: int) -> None:
    """Write a file as of a moment, so that two writes in one tick of the clock still differ."""
    path.write_text(text)
    os.utime(path, ns=(at, at))


def test_a_rotated_token_is_used_at_once(credentials: Credentials, tmp_path: Path) -> None:
    write(tmp_path / "token", "first\n", at=1)
    first = credentials.headers()

    write(tmp_path / "token", "second\n", at=2)

    assert first == {"Authorization": "Bearer first"}
    assert credentials.headers() == {"Authorization": "Bearer second"}


def test_a_token_that_cannot_be_read_for_now_stays_in_use(
    credentials: Credentials, tmp_path: Path
) -> None:
    write(tmp_path / "token", "first", at=1)
    credentials.headers()

    (tmp_path / "token").unlink()

    assert credentials.headers() == {"Authorization": "Bearer first"}


@pytest.mark.parametrize("text", [pytest.param(None, id="no file"), pytest.param("", id="empty")])
def test_without_a_token_there_is_no_header(
    credentials: Credentials, tmp_path: Path, text: str | None
) -> None:
    if text is not None:
        (tmp_path / "token").write_text(text)

    assert credentials.headers() == {}


def test_without_a_ca_the_system_is_trusted(credentials: Credentials) -> None:
    assert credentials.trust() is True


def test_a_rotated_ca_is_trusted_at_once(
    credentials: Credentials, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contexts = iter([ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) for _ in range(2)])
    monkeypatch.setattr(ssl, "create_default_context", lambda **_: next(contexts))
    write(tmp_path / "ca.crt", "first", at=1)
    first, again = credentials.trust(), credentials.trust()

    write(tmp_path / "ca.crt", "second", at=2)

    assert first is again
    assert credentials.trust() is not first


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda path: path.unlink(), id="is gone"),
        pytest.param(lambda path: write(path, "no certificate", at=2), id="is no certificate"),
    ],
)
def test_a_ca_that_cannot_be_read_for_now_stays_trusted(
    credentials: Credentials,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    spoil: Callable[[Path], None],
) -> None:
    with monkeypatch.context() as patched:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        patched.setattr(ssl, "create_default_context", lambda **_: context)
        write(tmp_path / "ca.crt", "first", at=1)
        credentials.trust()

    spoil(tmp_path / "ca.crt")

    assert credentials.trust() is context


@contextlib.asynccontextmanager
async def api(status: int, headers: dict[str, str], body: bytes) -> AsyncIterator[str]:
    """Run a server that gives one answer to everything."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, headers=headers, body=body)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


CLIENTS = [
    pytest.param(ask_as_operator, TransientError, id="operator"),
    pytest.param(ask_as_agent, ApiError, id="agent"),
]


@pytest.mark.parametrize(("ask", "kind"), CLIENTS)
@pytest.mark.parametrize(
    ("answer", "retry_after"),
    [
        pytest.param((429, {"Retry-After": "7"}, b"{}"), 7.0, id="too many: when it says"),
        pytest.param((503, {"Retry-After": "soon"}, b"{}"), None, id="away: by our own pauses"),
        pytest.param((500, {}, b"{}"), None, id="an error of its own"),
        pytest.param((401, {}, b"{}"), None, id="a token that has expired"),
        pytest.param((410, {}, b"{}"), None, id="a version it has forgotten"),
        pytest.param((200, {}, b"<html>"), None, id="not JSON"),
        pytest.param((502, {}, b"<html>\xe9"), None, id="an error that is not text"),
    ],
)
async def test_trouble_that_may_pass_is_tried_again(
    tmp_path: Path,
    ask: Any,
    kind: type[Exception],
    answer: tuple[int, dict[str, str], bytes],
    retry_after: float | None,
) -> None:
    async with api(*answer) as url:
        with pytest.raises(kind) as trouble:
            await ask(url, tmp_path)

    assert trouble.value.retry_after == retry_after  # type: ignore[attr-defined]


@pytest.mark.parametrize(("ask", "kind"), CLIENTS)
async def test_a_server_that_is_away_is_tried_again(
    tmp_path: Path, ask: Any, kind: type[Exception]
) -> None:
    with pytest.raises(kind):
        await ask(f"http://127.0.0.1:{refusing_port()}", tmp_path)


ENDING = (
    "is forbidden: unable to create new content in namespace energy because it is being terminated"
)
GONE = 'namespaces "energy" not found'
OTHER = 'x "a" is invalid: metadata.uid: Invalid value: "1": field is immutable'
INTERNAL = "Internal error occurred: "
Answer = tuple[int, str, dict[str, Any] | None]  # status, message and details


def of_kind(kind: str, *causes: dict[str, str]) -> dict[str, Any]:
    """Build the details of a Status, as the API server writes them."""
    return {"name": "a", "kind": kind, "causes": list(causes)}


@pytest.mark.parametrize("kind", ["Service", "Rollout", "Event", "Secret", "Job"])
@pytest.mark.parametrize(
    ("answer", "error"),
    [
        pytest.param(
            (403, f'x "a" {ENDING}',
             of_kind("x", {"reason": "NamespaceTerminating", "field": "metadata.namespace"})),
            NamespaceEndingError, id="the namespace ends",
        ),
        pytest.param((404, GONE, of_kind("namespaces")), NamespaceEndingError,
                     id="the namespace is gone"),
        pytest.param((404, 'x "a" not found', of_kind("x")), TransientError,
                     id="another thing is missing"),
        pytest.param((403, 'x "a" is forbidden: exceeded quota', of_kind("x")),
                     ClusterRefusalError, id="a quota"),
        pytest.param(
            (422, OTHER, of_kind("X", {"reason": "FieldValueInvalid", "field": "metadata.uid"})),
            ConflictError, id="another object has the name",
        ),
        pytest.param(
            (422, 'x "a" is invalid',
             of_kind("X", {"reason": "FieldValueInvalid", "field": "spec"})),
            ClusterRefusalError, id="a field is wrong",
        ),
        pytest.param((409, "Operation cannot be fulfilled", of_kind("x")), ConflictError,
                     id="it was changed meanwhile"),
        pytest.param((500, f"{INTERNAL}.spec.new: field not declared in schema", None),
                     ClusterRefusalError, id="a field that an older kind lacks"),
        pytest.param((500, f'{INTERNAL}failed calling webhook "w"', None),
                     WebhookUnavailableError, id="a webhook is away"),
        pytest.param((500, f"{INTERNAL}etcd", None), TransientError, id="trouble of its own"),
    ],
)  # fmt: skip
async def test_a_refusal_is_told_from_another(
    tmp_path: Path, kind: str, answer: Answer, error: type[Exception]
) -> None:
    assert type(await refused(tmp_path, kind, answer)) is error


@pytest.mark.parametrize(
    ("status", "message", "error"),
    [
        pytest.param(403, f"policy p: x {ENDING}", ClusterRefusalError, id="a policy"),
        pytest.param(404, GONE, TransientError, id="not of a namespace"),
        pytest.param(422, f"policy p: {OTHER}", ClusterRefusalError, id="a policy on forms"),
    ],
)
@pytest.mark.parametrize("details", [None, {}, of_kind("x"), of_kind("x", {"message": "no"})])
async def test_the_words_of_a_refusal_decide_nothing_where_a_field_does(
    tmp_path: Path,
    status: int,
    message: str,
    details: dict[str, Any] | None,
    error: type[Exception],
) -> None:
    assert type(await refused(tmp_path, "Job", (status, message, details))) is error


@pytest.mark.parametrize(
    "said",
    [
        'Deployment.apps "a" is invalid: spec.selector: Invalid value: {}: field is immutable',
        'RoleBinding "a" is invalid: roleRef: Invalid value: {}: cannot change roleRef',
        'Service "a" is invalid: spec.clusterIPs[0]: Invalid value: []: may not change once set',
    ],
)
async def test_of_what_cannot_be_changed_any_more_the_way_out_is_told(
    tmp_path: Path, said: str
) -> None:
    error = await refused(tmp_path, "Service", (422, said, of_kind("x")))

    assert type(error) is ClusterRefusalError
    assert str(error).endswith(f"{said}; delete the object, and it is made again")


async def refused(tmp_path: Path, kind: str, answer: Answer) -> Exception:
    """Apply an object to a server that refuses it so."""
    status, message, details = answer
    manifest = {"kind": kind, "metadata": {"namespace": "energy", "name": "a"}}
    body = json.dumps({"kind": "Status", "message": message, "details": details}).encode()
    async with api(status, {}, body) as url, KubeClient(url, of_operator(tmp_path)) as client:
        with pytest.raises((TransientError, ClusterRefusalError)) as trouble:
            await client.apply(manifest)
    return trouble.value
