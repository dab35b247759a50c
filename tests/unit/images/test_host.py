"""What a build takes over from this machine's pip."""

import pytest

from images.host import parse_pip_settings, to_pip_conf


@pytest.mark.parametrize(
    ("listing", "expected"),
    [
        pytest.param("", {}, id="nothing set"),
        pytest.param(
            "global.index-url='https://one.example/simple'\n",
            {"index-url": "https://one.example/simple"},
            id="an index",
        ),
        pytest.param(
            "global.timeout='15'\n:env:.timeout='180'\n",
            {"timeout": "180"},
            id="the environment wins",
        ),
        pytest.param(
            ":env:.find-links='/opt/wheels'\nglobal.no-cache-dir='true'\n",
            {},
            id="folders of the host mean nothing in an image",
        ),
        pytest.param(
            "global.index-url='https://one.example/simple?a=b'\n",
            {"index-url": "https://one.example/simple?a=b"},
            id="an equals sign in the value",
        ),
    ],
)
def test_settings_that_say_where_packages_come_from_are_kept(
    listing: str, expected: dict[str, str]
) -> None:
    assert parse_pip_settings(listing) == expected


def test_a_list_stays_one_setting() -> None:
    settings = {"extra-index-url": "https://one.example\nhttps://two.example"}

    assert to_pip_conf(settings) == (
        "[global]\nextra-index-url = https://one.example\n    https://two.example\n"
    )
