"""A token that is given instead of a service account's.

What both clients have in common is in `tests/unit/contracts/test_kubernetes_clients.py`.
"""

from pathlib import Path

import pytest

from fairlead_serving.gateway.cluster.credentials import Credentials


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        pytest.param("given", {"Authorization": "Bearer given"}, id="it wins over the file"),
        pytest.param("", {}, id="an empty one: no header"),
        pytest.param(None, {"Authorization": "Bearer file"}, id="none: the file"),
    ],
)
def test_a_given_token_wins(tmp_path: Path, token: str | None, expected: dict[str, str]) -> None:
    (tmp_path / "token").write_text("file")

    assert Credentials(token=token, directory=tmp_path).headers() == expected
