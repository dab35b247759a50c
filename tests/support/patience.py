"""More patience with the record than the operator has in a look: a busy machine needs it.

A conftest or test that imports ``patient_record`` has the fixture.
"""

from typing import Final

import pytest

from fairlead_operator.record import connect, connections

_SECONDS: Final = 120


@pytest.fixture
def patient_record(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let connections and questions take their time; a deadline that a test names holds."""
    monkeypatch.setattr(connections, "_DEADLINE", _SECONDS)
    monkeypatch.setitem(connect._DEFAULTS, "connect_timeout", _SECONDS)
    settings = f"SET LOCAL statement_timeout = '{_SECONDS}s'; SET LOCAL TimeZone = 'UTC'"
    monkeypatch.setattr(connections, "_SETTINGS", settings)
