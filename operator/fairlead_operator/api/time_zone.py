"""A time zone as people name it: refused by the API server where it does not know it."""

from typing import Annotated, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field

from fairlead_operator.api.base import Rule, formed


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"{name!r} is not an IANA time zone such as Australia/Sydney") from error
    return name


TimeZone = Annotated[
    str,
    Field(
        min_length=1,
        max_length=64,
        pattern=r"^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}$",
        json_schema_extra=formed("must be an IANA time zone, for example Australia/Sydney"),
    ),
    AfterValidator(_known_zone),
]

# Of whatever has a field timeZone.  An unknown zone makes the evaluation fail, which refuses the
# object as well.
KNOWN_ZONE: Final = Rule(
    "!has(self.timeZone) || (self.timeZone != 'Local' && "
    "timestamp('2026-01-01T00:00:00Z').getHours(self.timeZone) >= 0)",
    "timeZone must be an IANA time zone, for example Australia/Sydney",
    ".timeZone",
)
