"""What an address of a database may be, and that no piece of a password is ever told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_contract.database import InvalidAddressError, check_address, redact


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
