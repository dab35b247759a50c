"""An Event as a value: what the report announces once, when something changed."""

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    reason: str  # the condition's reason
    message: str  # with the numbers in it; cut at 1,024 characters when written
    warning: bool = False
