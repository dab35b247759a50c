"""Secrets that we make, and what is in them."""

from typing import Any

import pytest

from fairlead_operator.kube.secret_data import encode, name_secret, read_text


@pytest.mark.parametrize("text", ["", "hush", "pässword", "two\nlines"])
def test_what_is_written_is_read(text: str) -> None:
    secret = {**name_secret("ours", "energy", component="trainer"), "data": encode({"key": text})}

    assert read_text(secret, "key") == text


@pytest.mark.parametrize(
    "secret",
    [
        pytest.param(None, id="no Secret"),
        pytest.param({}, id="nothing in it"),
        pytest.param({"data": {"other": "aHVzaA=="}}, id="another key"),
        pytest.param({"data": {"key": "no base64"}}, id="not encoded"),
        pytest.param({"data": {"key": "/w=="}}, id="no text"),
    ],
)
def test_what_is_no_text_is_none(secret: dict[str, Any] | None) -> None:
    assert read_text(secret, "key") == ""
