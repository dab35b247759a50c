"""What an address of a database may be, and that no piece of a password is ever told."""

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict

from fairlead_contract.database import (
    InvalidAddressError,
    check_address,
    read_addresses,
    read_parameter,
    redact,
    rewrite,
)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        pytest.param("postgresql://db/x", "postgresql://db/x", id="no login"),
        pytest.param("postgres://u:p@db/x", "postgresql://u:p@db/x", id="the short scheme"),
        pytest.param("postgresql+psycopg://u@db", "postgresql://u@db", id="a driver's scheme"),
        pytest.param(" postgresql://u:p@db/x\n", "postgresql://u:p@db/x", id="blanks around it"),
        pytest.param("postgresql://u:p%40%2F@db", "postgresql://u:p%40%2F@db", id="encoded"),
        pytest.param("postgresql://u:a:b@db", "postgresql://u:a:b@db", id="a colon"),
        pytest.param("postgresql:///x", "postgresql:///x", id="the default host"),
        pytest.param(
            "postgresql://h/x?user=ada@server",
            "postgresql://h/x?user=ada@server",
            id="an @ in a parameter",
        ),
        pytest.param(
            "postgresql://u:p@h/x?a=b&password=c@d",
            "postgresql://u:p@h/x?a=b&password=c@d",
            id="an @ in the last of them",
        ),
        pytest.param(
            "postgresql://a:1,b:2/x?sslmode=require&target_session_attrs=read-write",
            "postgresql://a:1,b:2/x?sslmode=require&target_session_attrs=read-write",
            id="several hosts and parameters",
        ),
        pytest.param("postgresql://u@[::1]:5432/x", "postgresql://u@[::1]:5432/x", id="IPv6"),
        pytest.param("postgresql://%2Ftmp/x", "postgresql://%2Ftmp/x", id="a socket"),
        pytest.param(
            r"host=db password='a\'b c' options='-c x=1'",
            r"host=db password='a\'b c' options='-c x=1'",
            id="keywords",
        ),
    ],
)
def test_an_address_that_can_be_meant(address: str, expected: str) -> None:
    assert check_address(address) == expected


@pytest.mark.parametrize(
    "secret", ["hu@sh", "hu/sh", "hu?sh", "hu#sh", "hu%sh", "hu sh", "hu%ffsh"]
)
@pytest.mark.parametrize(
    ("form", "part"),
    [
        ("postgresql://u:{}@db:5432/x", "password"),
        ("postgresql://u:{}@db/x?sslmode=require", "password"),
        ("postgresql://{}:p@db/x", "user name"),
    ],
)
def test_the_part_to_encode_is_named_and_not_shown(form: str, part: str, secret: str) -> None:
    with pytest.raises(InvalidAddressError, match=f"the {part} .* percent-encoded") as caught:
        check_address(form.format(secret))

    assert "hu" not in str(caught.value)
    assert "sh" not in str(caught.value)


@pytest.mark.parametrize(
    "address",
    [
        pytest.param("postgresql://u:hush", id="no host"),
        pytest.param("postgresql://db:hush/x", id="no port"),
        pytest.param("postgresql://u:p@db/x#hush", id="a fragment"),
        pytest.param("mysql://u:hush@db/x", id="another database"),
        pytest.param("hush", id="no address"),
        pytest.param("host=db password=my hush", id="a blank without quotes"),
        pytest.param("host=db password='my hush", id="one quote"),
    ],
)
def test_an_address_that_cannot_be_meant_is_not_shown(address: str) -> None:
    with pytest.raises(InvalidAddressError) as caught:
        check_address(address)

    assert "hush" not in str(caught.value)


@given(st.text(alphabet=st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Z"))))
@example(password="@?")
def test_no_password_reaches_the_host(password: str) -> None:
    try:
        address = check_address(f"postgresql://u:{password}@db:5432/x")
    except InvalidAddressError:
        return

    assert address.removeprefix("postgresql://").split("@")[1:] == ["db:5432/x"]


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://u:hu%40sh@db/x",
        "postgresql://db/x?password=hu%40sh&sslmode=require",
        "host=db password='hu@sh' dbname=x",
        "host=db password=hu@sh dbname=x",
    ],
)
def test_a_password_that_a_library_tells_is_taken_out(address: str) -> None:
    assert redact("at hu@sh: no", address) == "at ***: no"


MINE = {"user": "mine", "password": "hers"}


@pytest.mark.parametrize(
    ("address", "values", "expected"),
    [
        pytest.param("postgresql://u:p@db:5432/x", MINE, "postgresql://mine:hers@db:5432/x",
                     id="user and password"),
        pytest.param("postgresql://u:p%40%2F@db/x", MINE, "postgresql://mine:hers@db/x",
                     id="percent-encoded ones"),
        pytest.param("postgresql://db/x", MINE, "postgresql://mine:hers@db/x", id="none before"),
        pytest.param("postgresql://u@db/x", MINE, "postgresql://mine:hers@db/x", id="no password"),
        pytest.param("postgresql://u:p@a:1,b:2,c/x?target_session_attrs=read-write&sslmode=require",
                     MINE,
                     "postgresql://mine:hers@a:1,b:2,c/x?target_session_attrs=read-write"
                     "&sslmode=require", id="several hosts, parameters"),
        pytest.param("postgresql://u:p@[2001:db8::1]:5432/x", MINE,
                     "postgresql://mine:hers@[2001:db8::1]:5432/x", id="IPv6"),
        pytest.param("postgresql://u:p@/x?host=/run/db", MINE,
                     "postgresql://mine:hers@/x?host=/run/db", id="a socket"),
        pytest.param("postgresql://db/x?user=u&sslmode=require&password=p%40", MINE,
                     "postgresql://mine:hers@db/x?sslmode=require", id="they are parameters"),
        pytest.param("postgresql://u:p@db/x?passfile=/f&gssencmode=disable", {"passfile": None},
                     "postgresql://u:p@db/x?gssencmode=disable", id="a parameter goes"),
        pytest.param("postgresql://u:p@db/x?passfile=/f", {"passfile": None},
                     "postgresql://u:p@db/x", id="the only one goes"),
        pytest.param("postgresql://u:p%40@db/x", {"sslrootcert": "/a/ca.crt", "sslmode": "require"},
                     "postgresql://u:p%40@db/x?sslrootcert=%2Fa%2Fca.crt&sslmode=require",
                     id="parameters come"),
        pytest.param("postgresql://u:p@db/x", {"user": "a@b", "password": "p:/?#%"},
                     "postgresql://a%40b:p%3A%2F%3F%23%25@db/x", id="what must be encoded"),
        pytest.param("postgresql://u:p@db/x", {"user": None, "password": None},
                     "postgresql://db/x", id="nobody"),
        pytest.param(r"host=db user=u password='a\'b c' options='-c x=1'", MINE,
                     "host=db options='-c x=1' user='mine' password='hers'", id="keywords"),
        pytest.param("host = db  user = u password= p", MINE,
                     "host = db user='mine' password='hers'", id="keywords with blanks"),
        pytest.param("host=db passfile=/f sslmode=prefer",
                     {"passfile": None, "sslmode": "require", "user": r"it's a\b"},
                     r"host=db sslmode='require' user='it\'s a\\b'", id="keywords, quoted"),
    ],
)  # fmt: skip
def test_an_address_with_other_values(
    address: str, values: dict[str, str | None], expected: str
) -> None:
    written = rewrite(check_address(address), values)

    assert written == expected
    before = conninfo_to_dict(address)
    kept = {name: value for name, value in before.items() if name not in values}
    given = {name: value for name, value in values.items() if value is not None}
    assert conninfo_to_dict(check_address(written)) == kept | given, "as libpq reads it"


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1))
@example(text="a://b")
@example(text="a='://'")
@pytest.mark.parametrize("address", ["postgresql://u:hush@db/x", "host=db user=u password=hush"])
def test_any_login_may_take_the_place_of_another(address: str, text: str) -> None:
    written = rewrite(address, {"user": text, "password": text})

    read = conninfo_to_dict(check_address(written))
    assert (read["user"], read["password"], read["host"]) == (text, text, "db")
    assert "hush" not in written or "hush" in text


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        pytest.param("postgresql://u:p@db/x?a=b&sslmode=require", "require", id="URL"),
        pytest.param("postgresql://u:p@db/x?sslmode=verify%2Dfull", "verify-full", id="encoded"),
        pytest.param("postgresql://u:p@db/x", None, id="not said"),
        pytest.param("host=db sslmode = 'verify-full'", "verify-full", id="keywords"),
        pytest.param("host=db", None, id="keywords, not said"),
    ],
)
def test_a_parameter_is_read(address: str, expected: str | None) -> None:
    assert read_parameter(address, "sslmode") == expected


@pytest.mark.parametrize(
    ("files", "given", "expected"),
    [
        pytest.param({}, "", [], id="nothing is there yet"),
        pytest.param({}, "g", ["g"], id="outside of a pod"),
        pytest.param({"own-url": "a\n"}, "g", ["a"], id="the file goes first, and alone"),
        pytest.param({"own-url": ""}, "g", ["g"], id="a blank file says nothing"),
        pytest.param({"own-url": "a", "next-url": "b"}, "", ["a", "b"], id="and the next one"),
        pytest.param({"next-url": "b"}, "g", ["b"], id="the next one alone"),
    ],
)
def test_the_addresses_that_are_tried(
    tmp_path: Path, files: dict[str, str], given: str, expected: list[str]
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)

    assert read_addresses(tmp_path / "own-url", given) == expected
