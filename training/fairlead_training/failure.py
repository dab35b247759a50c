"""Why a training ends without a model: reasons, and the exit code each one means.

The reasons are part of the contract with the operator (docs/contracts.md, section 1) and are
never renamed.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final


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
    # Something outside did not answer, or luck was bad: another try may help.
    DATA_SOURCE_UNAVAILABLE = "DataSourceUnavailable"
    TRACKING_UNAVAILABLE = "TrackingUnavailable"
    DATABASE_UNAVAILABLE = "DatabaseUnavailable"
    SEARCH_FOUND_NOTHING = "SearchFoundNothing"
    INTERNAL_ERROR = "InternalError"


_RETRIABLE: Final = frozenset(
    {
        Reason.DATA_SOURCE_UNAVAILABLE,
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


class TrainingFailure(Exception):  # noqa: N818  it is an outcome of the contract, not a bug
    """A training that cannot go on, with its reason and what to do about it.

    The message is shown to people and stored in the cluster: it must hold no secret.  The details
    are for the log, where there is room for all of many.
    """

    def __init__(self, reason: Reason, message: str, *, details: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.details = tuple(details)

    @property
    def exit_code(self) -> int:
        return EXIT_RETRY if self.reason in _RETRIABLE else EXIT_PERMANENT
