"""What may be said of an address."""

import pytest

from fairlead_training.sources.address import public_uri


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        pytest.param("https://h:8/d.csv", "https://h:8/d.csv", id="nothing to hide"),
        pytest.param("https://u:hush@h:8/d.csv", "https://h:8/d.csv", id="user and password"),
        pytest.param("https://h/d.csv?token=hush#x", "https://h/d.csv", id="parameters"),
        pytest.param("postgresql://u:a@hush@h/d", "postgresql://h/d", id="an @ in the password"),
        pytest.param("postgresql://u:a/hush@h/d", "postgresql://h/d", id="a / in it"),
        pytest.param("https://u:a?hush@h/d.csv", "https://h/d.csv", id="a ? in it"),
        pytest.param("https://u:a#hush@h/d.csv", "https://h/d.csv", id="a # in it"),
        pytest.param("https://h:8/p@1/d.csv", "https://h:8/p@1/d.csv", id="an @ in the path"),
        pytest.param("postgresql://a:1,b:2/d", "postgresql://a:1,b:2/d", id="several hosts"),
    ],
)
def test_a_public_uri_holds_no_secret(uri: str, expected: str) -> None:
    assert public_uri(uri) == expected
