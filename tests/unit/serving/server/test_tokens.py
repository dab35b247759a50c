"""A token that changes with its Secret."""

from pathlib import Path

import pytest

from fairlead_serving.server.tokens import Token


def test_a_token_without_a_file_stays() -> None:
    token = Token("first")

    assert [token.is_told_by(given) for given in ("first", "", "first ", "fïrst")] == [
        True, False, False, False,
    ]  # fmt: skip


def test_the_file_brings_the_next_one(tmp_path: Path) -> None:
    file = tmp_path / "token"
    token = Token("first", file)
    accepted = []

    for content in ("first\n", "second\n", "third"):
        file.write_text(content)
        accepted.append([word for word in ("first", "second", "third") if token.is_told_by(word)])

    assert accepted == [["first"], ["second"], ["third"]]


@pytest.mark.parametrize("content", [None, b"", b" \n", b"\xff"], ids=repr)
def test_a_file_without_a_token_opens_nothing(tmp_path: Path, content: bytes | None) -> None:
    """Nor does it bring back the token that the process was started with."""
    file = tmp_path / "token"
    token = Token("first", file)
    file.write_text("second")
    assert token.is_told_by("second")

    file.unlink()
    if content is not None:
        file.write_bytes(content)

    assert [word for word in ("first", "second", "") if token.is_told_by(word)] == ["second"]
