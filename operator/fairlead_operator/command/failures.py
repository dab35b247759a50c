"""The ways a command can end without success, each with its exit code; 2 is a wrong usage."""

from typing import ClassVar, Final

OK: Final = 0


class CommandError(Exception):
    """The cluster did not answer, forbids it, or has no such object."""

    exit_code: ClassVar[int] = 3


class RefusedError(CommandError):
    """What was asked does not apply."""

    exit_code = 1


class UnansweredError(CommandError):
    """The operator has not answered in time; the request stays."""

    exit_code = 4
