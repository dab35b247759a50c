"""Why a training ends without a model: reasons, and the exit code each one means.

The reasons are part of the contract with the operator (docs/contracts.md, section 1) and are
never renamed.
"""

import dataclasses
from collections.abc import Sequence
from enum import StrEnum
from typing import Final, Self


class Reason(StrEnum):
    """Reason of a failed training, as the operator shows it."""

    # Bad input: another try cannot help.
    CONFIG_INVALID = "ConfigInvalid"
    COLUMN_MISSING = "ColumnMissing"
    TARGET_CONSTANT = "TargetConstant"
    TARGET_INVALID = "TargetInvalid"
    FEATURE_INVALID = "FeatureInvalid"
    TOO_FEW_ROWS = "TooFewRows"
    TIMESTAMP_INVALID = "TimestampInvalid"
    GROUP_INVALID = "GroupInvalid"
    DATA_EMPTY = "DataEmpty"
    DATA_CHANGED = "DataChanged"
    TOO_MUCH_DATA = "TooMuchData"
    QUERY_INVALID = "QueryInvalid"
    DATA_FORMAT_INVALID = "DataFormatInvalid"
    CREDENTIALS_REFUSED = "CredentialsRefused"
    SOURCE_NOT_ALLOWED = "SourceNotAllowed"
    SECRET_NOT_ALLOWED = "SecretNotAllowed"  # noqa: S105  a reason
    # Something outside does not answer, of which the trouble says whether it may pass.
    DATA_SOURCE_UNAVAILABLE = "DataSourceUnavailable"
    # As that, or luck was bad: another try may help.
    TRACKING_UNAVAILABLE = "TrackingUnavailable"
    DATABASE_UNAVAILABLE = "DatabaseUnavailable"
    SEARCH_FOUND_NOTHING = "SearchFoundNothing"
    INTERNAL_ERROR = "InternalError"


_RETRIABLE: Final = frozenset(
    {
        Reason.TRACKING_UNAVAILABLE,
        Reason.DATABASE_UNAVAILABLE,
        Reason.SEARCH_FOUND_NOTHING,
        Reason.INTERNAL_ERROR,
    }
)

EXIT_RETRY: Final = 1
EXIT_PERMANENT: Final = 3
EXIT_TERMINATED: Final = 143  # 128 + SIGTERM


def first_line(error: BaseException) -> str:
    """Return the first line of what an error says, or its type when it says nothing."""
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__


@dataclasses.dataclass(frozen=True, slots=True)
class Trouble:
    """What may pass by itself: somebody who does not answer yet.  It holds no secret."""

    of: str  # who, as people know him
    said: str


class TrainingFailure(Exception):  # noqa: N818  it is an outcome of the contract, not a bug
    """A training that cannot go on, with its reason and what to do about it.

    The message is shown to people and stored in the cluster: it must hold no secret.  The details
    are for the log, where there is room for all of many.
    """

    def __init__(
        self,
        reason: Reason,
        message: str,
        *,
        details: Sequence[str] = (),
        trouble: Trouble | None = None,
        waited: str = "",
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.details = tuple(details)
        self.trouble = trouble
        self._waited = waited  # how long, in vain

    def told_as(self, message: str) -> Self:
        """Return the same in other words."""
        return type(self)(
            self.reason, message, details=self.details, trouble=self.trouble, waited=self._waited
        )

    def after(self, waited: str) -> Self:
        """Return the same after so long a wait for what might have passed."""
        return type(self)(
            self.reason,
            f"{self.message}; it was waited for {waited}",
            details=self.details,
            waited=waited,
        )

    @property
    def exit_code(self) -> int:
        may_help = self.reason in _RETRIABLE or self.trouble is not None
        return EXIT_RETRY if may_help and not self._waited else EXIT_PERMANENT
