"""The credentials of a kubeconfig, which are not read again.

Those of a service account are in `tests/unit/contracts/test_kubernetes_clients.py`.
"""

import ssl

import pytest

from fairlead_operator.kube.credentials import Credentials


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        pytest.param("t", {"Authorization": "Bearer t"}, id="a token"),
        pytest.param(None, {}, id="a client certificate: no header"),
    ],
)
def test_a_token_is_sent_as_it_is(token: str | None, expected: dict[str, str]) -> None:
    assert Credentials(token=token).headers() == expected


def test_a_context_is_used_as_it_is() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

    assert Credentials(context=context).trust() is context
