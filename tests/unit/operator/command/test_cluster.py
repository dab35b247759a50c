"""What the command says of an API server that refuses; the calls are in the integration tests."""

import json

import pytest
from kubernetes import client

from fairlead_operator.command.cluster import explain


def refusal(status: int, body: str | None) -> client.ApiException:
    error = client.ApiException(status=status, reason="Refused")
    error.body = body
    return error


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        pytest.param(
            403,
            json.dumps({"message": 'models "m" is forbidden'}),
            'models "m" is forbidden',
            id="its own words",
        ),
        pytest.param(
            404, json.dumps({"message": 'models "m" not found'}), "not found", id="no such object"
        ),
        pytest.param(404, "404 page not found\n", "not installed", id="no such kind"),
        pytest.param(404, None, "not installed", id="no such kind, and no word"),
        pytest.param(
            401, json.dumps({"message": "Unauthorized"}), "log in again", id="no valid credentials"
        ),
        pytest.param(500, "<html>", "500 Refused", id="a proxy's page"),
        pytest.param(500, "[]", "500 Refused", id="a document of another form"),
        pytest.param(500, None, "500 Refused", id="nothing"),
    ],
)
def test_explain(status: int, body: str | None, words: str) -> None:
    assert words in explain(refusal(status, body))
