"""A registered version as a value."""

import dataclasses
from datetime import datetime


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredVersion:
    """A version as the registry knows it."""

    version: str
    registry_version: str
    digest: str
    recipe: str = ""  # digest of what it was trained by; empty of what others registered
    registered_at: datetime | None = None
