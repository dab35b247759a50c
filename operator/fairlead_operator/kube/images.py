"""The images the operator puts into pods."""

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    training: str
    serving: str
    pull_policy: str
    pull_secrets: tuple[str, ...]
