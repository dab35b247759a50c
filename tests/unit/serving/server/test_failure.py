"""Which failures of a start end for good, and which are tried again."""

import pytest

from fairlead_serving.server.failure import Reason, StartupError

EXIT_CODES = {
    Reason.DIGEST_MISMATCH: 3,
    Reason.VERSION_NOT_FOUND: 3,
    Reason.ARTIFACT_INVALID: 3,
    Reason.CODE_NOT_ALLOWED: 3,
    Reason.SELF_TEST_FAILED: 3,
    Reason.SETTINGS_INVALID: 3,
    Reason.REGISTRY_UNAVAILABLE: 1,
    Reason.INTERNAL_ERROR: 1,
}


@pytest.mark.parametrize("reason", Reason)
def test_the_exit_code_says_whether_to_try_again(reason: Reason) -> None:
    assert StartupError(reason, "why").exit_code == EXIT_CODES[reason]
