"""Why a server cannot start: the reasons of the contract and their exit codes."""

from enum import StrEnum

BAD_VERSION = 3  # the version or its settings are wrong; a restart changes nothing
TRY_AGAIN = 1


class Reason(StrEnum):
    """What the operator reads in the termination message."""

    SETTINGS_INVALID = "SettingsInvalid"
    VERSION_NOT_FOUND = "VersionNotFound"
    DIGEST_MISMATCH = "DigestMismatch"
    ARTIFACT_INVALID = "ArtifactInvalid"
    CODE_NOT_ALLOWED = "CodeNotAllowed"
    SELF_TEST_FAILED = "SelfTestFailed"
    REGISTRY_UNAVAILABLE = "RegistryUnavailable"
    INTERNAL_ERROR = "InternalError"


_TRY_AGAIN = frozenset({Reason.REGISTRY_UNAVAILABLE, Reason.INTERNAL_ERROR})


class StartupError(Exception):
    """The server cannot serve its version."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message

    @property
    def exit_code(self) -> int:
        """Tell the operator whether starting again can help."""
        return TRY_AGAIN if self.reason in _TRY_AGAIN else BAD_VERSION
