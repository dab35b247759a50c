"""A Secret is sent where it says, and nowhere else."""

import json
import shlex

import pytest

from fairlead_training.failure import EXIT_PERMANENT, Reason, TrainingFailure
from fairlead_training.sources.secret import check_credentials
from support.reading import environment


@pytest.mark.parametrize(
    ("hosts", "host", "port"),
    [
        pytest.param("data.example", "data.example", 443, id="a host"),
        pytest.param("old.example, *.example:443", "data.example", 443, id="one of several"),
        pytest.param("market-db.energy:5432\n", "market-db.energy", 5432, id="of a file"),
    ],
)
def test_credentials_go_where_their_secret_says(hosts: str, host: str, port: int) -> None:
    check_credentials(host, port, environment(data_password="hush", data_hosts=hosts))


def test_without_credentials_nothing_is_asked() -> None:
    check_credentials("anywhere.example", 80, environment())


@pytest.mark.parametrize("hosts", [None, "", " \n"])
def test_a_secret_that_says_nothing_is_not_sent_and_the_way_out_is_a_command(
    hosts: str | None,
) -> None:
    with pytest.raises(TrainingFailure) as caught:
        check_credentials("fd00::7", 5432, environment(data_username="anna", data_hosts=hosts))

    assert caught.value.reason is Reason.SECRET_NOT_ALLOWED
    assert caught.value.exit_code == EXIT_PERMANENT
    *command, change = shlex.split(caught.value.message.partition("run: ")[2])
    assert command == [
        "kubectl", "patch", "secret", "market-reader", "--namespace", "energy", "--patch",
    ]  # fmt: skip
    assert json.loads(change) == {"stringData": {"hosts": "[fd00::7]:5432"}}


@pytest.mark.parametrize(
    ("hosts", "said"),
    [
        pytest.param("data.example", "may not be sent to evil.example:443", id="another host"),
        pytest.param("evil.example:80", "may not be sent to", id="another port"),
        pytest.param("hush://not-a-host", "cannot be read", id="no hosts"),
    ],
)
def test_a_secret_is_sent_nowhere_else_and_not_shown(hosts: str, said: str) -> None:
    with pytest.raises(TrainingFailure, match=said) as caught:
        check_credentials("evil.example", 443, environment(data_username="u", data_hosts=hosts))

    assert caught.value.reason is Reason.SECRET_NOT_ALLOWED
    assert hosts not in caught.value.message
