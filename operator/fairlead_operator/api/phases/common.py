"""Reasons of every kind, and answers to requests.  Part of the API: a name is never changed."""

from enum import StrEnum
from typing import Final


class CommonReason(StrEnum):
    """Why an object of any kind stands as it does, or what its Event tells."""

    INVALID_SPEC = "InvalidSpec"
    WAITING_FOR_MODEL = "WaitingForModel"
    APPLIED = "Applied"
    INTERNAL_ERROR = "InternalError"
    CLUSTER_REFUSED = "ClusterRefused"
    CLUSTER_UNAVAILABLE = "ClusterUnavailable"
    NAME_TAKEN = "NameTaken"
    LOGIN_NOT_ALLOWED = "LoginNotAllowed"
    LOGIN_SHARED = "LoginShared"
    OWN_LOGIN = "OwnLogin"
    UPGRADED = "Upgraded"
    UPGRADE_WAITS = "UpgradeWaits"
    REQUEST_REFUSED = "RequestRefused"
    ANNOTATIONS_READ = "AnnotationsRead"


class RequestOutcome(StrEnum):
    """What became of a person's request."""

    ACCEPTED = "Accepted"
    REFUSED = "Refused"


# The cluster or the database does not take what was written, until someone else mends it.
REFUSALS: Final = frozenset({
    CommonReason.CLUSTER_REFUSED, CommonReason.NAME_TAKEN, CommonReason.LOGIN_NOT_ALLOWED,
})  # fmt: skip
