"""What is in the Secret of a namespace: the place of the operator's address, and another login."""

import dataclasses
from base64 import b64decode, b64encode
from typing import Any

import pytest

from fairlead_operator.kube.database_secret import (
    Logins,
    Passwords,
    build_own_secret,
    build_shared_secret,
    database_file,
    database_mount,
    database_variable,
    database_volume,
    has_operators_login,
    is_current,
    is_dated,
    is_of_earlier_release,
    read_password,
    read_passwords,
    with_earlier_url,
)

PASSWORD = "0123456789abcdef"
ADDRESS = "postgresql://fairlead:hush@a:1,[::1]:2/fairlead"
CA = "-----BEGIN CERTIFICATE-----"
AT = "/var/run/fairlead/database/ca.crt"
ENCODED = AT.replace("/", "%2F")


def own(address: str = ADDRESS, **changes: Any) -> dict[str, Any]:
    usual = {"user": "mine", "passwords": Passwords(current=PASSWORD), "ca": ""}
    return build_own_secret("energy", address, **usual | changes)


def content(secret: dict[str, Any]) -> dict[str, str]:
    return {key: b64decode(value).decode() for key, value in secret["data"].items()}


@pytest.mark.parametrize(
    ("address", "ca", "url"),
    [
        pytest.param(ADDRESS, "", f"postgresql://mine:{PASSWORD}@a:1,[::1]:2/fairlead",
                     id="the same place"),
        pytest.param(f"{ADDRESS}?sslmode=require&passfile=/f&sslcert=c&sslkey=k&sslpassword=hush",
                     "", f"postgresql://mine:{PASSWORD}@a:1,[::1]:2/fairlead?sslmode=require",
                     id="nothing that is the operator's alone"),
        pytest.param(f"{ADDRESS}?scram_client_key=hush&scram_server_key=hush&connect_timeout=9"
                     "&oauth_client_secret=hush&of_a_later_libpq=hush&user=fairlead&password=hush",
                     "", f"postgresql://mine:{PASSWORD}@a:1,[::1]:2/fairlead?connect_timeout=9",
                     id="nor another secret, known or not"),
        pytest.param(f"{ADDRESS}?ssl%70assword=hush&sslmode%00=hush&ssl=true", "",
                     f"postgresql://mine:{PASSWORD}@a:1,[::1]:2/fairlead?ssl=true",
                     id="nor one whose name is encoded"),
        pytest.param(f"{ADDRESS}?sslmode=verify-full&sslrootcert=/var/run/secrets/ca", CA,
                     f"postgresql://mine:{PASSWORD}@a:1,[::1]:2/fairlead?sslmode=verify-full"
                     f"&sslrootcert={ENCODED}", id="the authority, where pods have it"),
        pytest.param(f"{ADDRESS}?sslrootcert=/var/run/secrets/ca", "",
                     f"postgresql://mine:{PASSWORD}@a:1,[::1]:2/fairlead",
                     id="a file that pods do not have"),
        pytest.param(f"{ADDRESS}?sslrootcert=system", "",
                     f"postgresql://mine:{PASSWORD}@a:1,[::1]:2/fairlead?sslrootcert=system",
                     id="the authorities of the image"),
        pytest.param("host = db passfile=hush scram_client_key='hu sh' service=hush port=1", "",
                     f"host = db port=1 user='mine' password='{PASSWORD}'",
                     id="keywords that are the operator's alone"),
        pytest.param("host=db user=fairlead password=hush sslmode=verify-ca", CA,
                     f"host=db sslmode=verify-ca user='mine' password='{PASSWORD}' "
                     f"sslrootcert='{AT}'", id="keywords"),
    ],
)  # fmt: skip
def test_a_namespace_has_its_own_login_at_the_same_place(address: str, ca: str, url: str) -> None:
    told = content(own(address, ca=ca))

    authority = {"ca.crt": ca} if ca else {}
    assert told == {"url": url, "own-url": url, "password": PASSWORD, **authority}
    assert "hush" not in str(told)
    assert "hu sh" not in str(told)


def test_the_authority_is_where_the_secret_is_mounted() -> None:
    assert database_mount()["mountPath"] + "/ca.crt" == AT


@pytest.mark.parametrize(
    ("logins", "key"),
    [
        pytest.param(Logins(), "own-url", id="its own, which no earlier release wrote"),
        pytest.param(Logins(secret="theirs"), "url", id="the platform's"),
        pytest.param(Logins(is_shared=True), "url", id="the operator's"),
    ],
)
def test_what_pods_read(logins: Logins, key: str) -> None:
    next_key = ("next-url",) if logins.are_own else ()
    reference = database_variable(logins)["valueFrom"]["secretKeyRef"]

    assert reference == {"name": logins.secret, "key": key}
    assert database_file(logins)["value"] == f"{database_mount()['mountPath']}/{key}"
    assert database_volume(logins)["secret"] == {
        "secretName": logins.secret,
        "items": [{"key": name, "path": name} for name in (key, *next_key, "ca.crt")],
        "optional": True,
    }


@pytest.mark.parametrize(
    ("data", "password"),
    [
        pytest.param(own()["data"], PASSWORD, id="what we made"),
        pytest.param({"password": "x" * 16}, None, id="no Base64"),
        pytest.param({"password": b64encode(b"a person's own-1").decode()}, None, id="to escape"),
        pytest.param({"password": b64encode(b"short").decode()}, None, id="a short one"),
        pytest.param({"password": b64encode(b"a_person.s~own-1").decode()}, "a_person.s~own-1",
                     id="a person's"),
        pytest.param({"password": b64encode(b"\xff" * 20).decode()}, None, id="no text"),
        pytest.param({"url": "eA=="}, None, id="of an earlier release"),
        pytest.param({}, None, id="empty"),
        pytest.param(None, None, id="no data"),
    ],
)  # fmt: skip
def test_the_password_that_is_there_is_kept_if_it_can_be(
    data: dict[str, str] | None, password: str | None
) -> None:
    assert read_password({"metadata": {}, "data": data}) == password
    assert read_password(None) is None


BOTH = Passwords(
    current=PASSWORD, made="2026-01-01T00:00:00+00:00", next="f" * 16, next_made="2026-02-01"
)


def test_the_next_password_is_told_beside_the_one_that_opens() -> None:
    secret = own(passwords=BOTH)

    told = content(secret)
    assert told["own-url"].replace(PASSWORD, "f" * 16) == told["next-url"]
    assert (told["password"], told["next-password"]) == (PASSWORD, "f" * 16)
    assert read_passwords(secret) == BOTH
    assert PASSWORD not in repr(BOTH)
    assert "next-url" not in content(own())


@pytest.mark.parametrize(
    ("change", "there"),
    [
        pytest.param({"next-password": "eA=="}, dataclasses.replace(BOTH, next=None,
                     next_made=None), id="a next one that cannot be"),
        pytest.param({"password": "eA=="}, None, id="none that can be kept"),
    ],
)  # fmt: skip
def test_of_what_a_person_wrote_only_what_can_be_is_read(
    change: dict[str, str], there: Passwords | None
) -> None:
    secret = own(passwords=BOTH)
    secret["data"] |= change

    assert read_passwords(secret) == there
    assert read_passwords(None) is None


@pytest.mark.parametrize(
    ("live", "dated"),
    [
        pytest.param(own(passwords=BOTH), True, id="as it was made"),
        pytest.param(own(), False, id="of an earlier release"),
        pytest.param(None, False, id="not there"),
    ],
)
def test_since_when_a_password_is_stands_on_the_secret(
    live: dict[str, Any] | None, *, dated: bool
) -> None:
    assert is_dated(own(passwords=BOTH), live) is dated


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({}, True, id="as it was made"),
        pytest.param({"data": own()["data"] | {"more": "eA=="}}, True, id="a person added a key"),
        pytest.param({"data": own("postgresql://other")["data"]}, False, id="another place"),
        pytest.param({"data": {}}, False, id="empty"),
        pytest.param({"metadata": {"labels": {}}}, False, id="without our labels"),
    ],
)
def test_it_is_written_where_something_differs(changes: dict[str, Any], expected: bool) -> None:
    assert is_current(own(), own() | changes) is expected
    assert not is_current(own(), None)


EARLIER = {"url": b64encode(ADDRESS.encode()).decode()}


@pytest.mark.parametrize(
    ("secret", "expected"),
    [
        pytest.param(own(), False, id="the namespace's own"),
        pytest.param(build_shared_secret("energy", ADDRESS, ca=""), True, id="shared"),
        pytest.param({"data": EARLIER}, True, id="of an earlier release"),
        pytest.param(with_earlier_url(own(), {"data": EARLIER}), True, id="of both"),
        pytest.param({}, False, id="empty"),
        pytest.param(None, False, id="none"),
    ],
)  # fmt: skip
def test_whether_it_holds_the_operators_login(
    secret: dict[str, Any] | None, expected: bool
) -> None:
    assert has_operators_login(secret) is expected


def test_servers_of_an_earlier_release_have_what_they_had_and_others_their_own() -> None:
    both = content(with_earlier_url(own(), {"data": EARLIER}))

    assert both == content(own()) | {"url": ADDRESS}
    assert content(own())["own-url"] == content(own())["url"]
    assert with_earlier_url(own(), None) == own()


def server(*variables: str, **status: int) -> dict[str, Any]:
    container = {"name": "server", "env": [{"name": name} for name in variables]}
    return {"spec": {"template": {"spec": {"containers": [container]}}}, "status": status}


@pytest.mark.parametrize(
    ("deployment", "expected"),
    [
        pytest.param(server("FAIRLEAD_DATABASE_URL", "FAIRLEAD_DATABASE_URL_FILE"), True,
                     id="with the address in a variable"),
        pytest.param(server("FAIRLEAD_DATABASE_URL_FILE"), False, id="with the file alone"),
        pytest.param(server(), False, id="without a record"),
        pytest.param(server(replicas=3, updatedReplicas=2), True, id="some are left"),
        pytest.param(server(replicas=3, updatedReplicas=3), False, id="none is left"),
    ],
)  # fmt: skip
def test_servers_of_an_earlier_release_are_known(
    deployment: dict[str, Any], expected: bool
) -> None:
    assert is_of_earlier_release(deployment) is expected


@pytest.mark.parametrize(
    ("logins", "are_own", "is_provided"),
    [
        pytest.param(Logins(), True, False, id="by default each namespace has its own"),
        pytest.param(Logins(secret="theirs"), False, True, id="the platform's"),
        pytest.param(Logins(is_shared=True), False, False, id="the operator's"),
    ],
)
def test_whose_logins_they_are(logins: Logins, are_own: bool, is_provided: bool) -> None:
    assert (logins.are_own, logins.is_provided) == (are_own, is_provided)
