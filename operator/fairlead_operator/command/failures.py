"""The ways a command can fail, each with its exit code; 2 is wrong usage."""

from typing import ClassVar, Final

OK: Final = 0


class CommandError(Exception):
    """The cluster did not answer, did not allow it, or does not have the object."""

    exit_code: ClassVar[int] = 3


class SilentError(CommandError):
    """The cluster did not answer, or is too busy to; asking again may help."""


class RefusedError(CommandError):
    """The request does not apply."""

    exit_code = 1


class NotReachedError(CommandError):
    """What was waited for does not come by itself."""

    exit_code = 1


class UnansweredError(CommandError):
    """The operator did not answer in time, and a request stays; or what was waited for is late."""

    exit_code = 4
