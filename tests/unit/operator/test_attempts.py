"""Writes that do not stop one another: what is kept of those that fail, and what is said of it."""

import pytest

from fairlead_operator.attempts import Attempts, Failure, describe
from fairlead_operator.errors import (
    ClusterRefusalError,
    LoginNotAllowedError,
    TransientError,
    UnknownKindError,
    WebhookUnavailableError,
)

REFUSED = Failure(message="Deployment a: 403", refused=True)
AWAY = Failure(message="Service a: 503", refused=False)


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        pytest.param(
            ClusterRefusalError("403"), Failure(message="403", refused=True), id="refused"
        ),
        pytest.param(
            WebhookUnavailableError("500"),
            Failure(message="500", refused=True),
            id="a webhook that is away: someone must mend it",
        ),
        pytest.param(
            LoginNotAllowedError("no CREATEROLE"),
            Failure(message="no CREATEROLE", refused=True, login=True),
            id="the database allows no login: someone must mend it",
        ),
        pytest.param(
            TransientError("503"), Failure(message="503", refused=False), id="it may pass by itself"
        ),
        pytest.param(
            UnknownKindError("404"), Failure(message="404", refused=False), id="a kind to come"
        ),
    ],
)
def test_a_write_that_fails_is_kept_and_the_next_is_tried(
    error: Exception, failure: Failure
) -> None:
    attempts, written = Attempts(), []

    with attempts.attempt():
        raise error
    with attempts.attempt():
        written.append("the next")

    assert (attempts.failures, written) == ((failure,), ["the next"])


def test_a_bug_ends_the_look() -> None:
    attempts = Attempts()

    with pytest.raises(KeyError), attempts.attempt():
        raise KeyError("spec")

    assert attempts.failures == ()


@pytest.mark.parametrize(
    ("failures", "text"),
    [
        pytest.param((), "", id="nothing"),
        pytest.param((AWAY,), "Service a: 503", id="one"),
        pytest.param(
            (AWAY, REFUSED), "Deployment a: 403; Service a: 503", id="what someone must mend first"
        ),
        pytest.param((REFUSED, REFUSED), "Deployment a: 403", id="each sentence once"),
    ],
)
def test_describe(failures: tuple[Failure, ...], text: str) -> None:
    assert describe(failures) == text
