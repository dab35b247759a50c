"""Writes that do not stop one another: what one of them meets is kept, told, and tried again."""

import contextlib
import dataclasses
from collections.abc import Iterator

from fairlead_operator.errors import (
    ClusterRefusalError,
    LoginNotAllowedError,
    TakenError,
    TransientError,
    WebhookUnavailableError,
)
from fairlead_operator.text import write_list


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A write that did not succeed."""

    message: str  # the API server's sentence, after the object that was written
    refused: bool  # it stays so until someone mends it; else it may pass by itself
    taken: bool = False  # by an object that is not ours
    login: bool = False  # the database lets nobody have a login


class Attempts:
    """Carries writes out, each in its own ``attempt``, and collects those that fail."""

    def __init__(self) -> None:
        self._failures: list[Failure] = []

    @property
    def failures(self) -> tuple[Failure, ...]:
        return tuple(self._failures)

    @contextlib.contextmanager
    def attempt(self) -> Iterator[None]:
        """End the block, and not the look, at the first write that fails."""
        try:
            yield
        except TakenError as error:
            self._failures.append(Failure(message=str(error), refused=True, taken=True))
        except LoginNotAllowedError as error:
            self._failures.append(Failure(message=str(error), refused=True, login=True))
        except (ClusterRefusalError, WebhookUnavailableError) as error:
            self._failures.append(Failure(message=str(error), refused=True))
        except TransientError as error:
            self._failures.append(Failure(message=str(error), refused=False))


def describe(failures: tuple[Failure, ...]) -> str:
    """Say what failed, what someone must mend first, and each sentence once."""
    ordered = sorted(failures, key=lambda failure: not failure.refused)
    return write_list(dict.fromkeys(failure.message for failure in ordered))
