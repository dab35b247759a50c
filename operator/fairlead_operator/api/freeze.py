"""Freeze windows: times in which nothing is promoted, while rollbacks still work."""

from datetime import UTC, datetime, time
from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field

from fairlead_operator.api.base import Moment, Rule, Spec, formed
from fairlead_operator.api.time_zone import KNOWN_ZONE, TimeZone

Day = Literal["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

END_OF_DAY: Final = "24:00"


def _in_utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("has no offset from UTC, such as Z or +10:00")
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("is outside the calendar") from error


_Clock = Annotated[
    str,
    Field(
        pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$",
        max_length=5,
        json_schema_extra=formed(
            "must be a time of the day from 00:00 to 23:59, for example 18:00"
        ),
    ),
]
_EndClock = Annotated[
    str,
    Field(
        pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$",
        max_length=5,
        json_schema_extra=formed(
            "must be a time of the day from 00:00 to 24:00, for example 08:00"
        ),
    ),
]
# A moment without an offset would be another one in another place.
_Dated = Annotated[
    Moment,
    AfterValidator(_in_utc),
    Field(
        json_schema_extra={
            "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+(Z|[+-][0-9]{2}:[0-9]{2})$"
        }
    ),
]

_WEEKLY: Final = "has(self.days) && has(self.from) && has(self.to)"
_DATED: Final = "has(self.startsAt) && has(self.endsAt)"
_ANY_WEEKLY: Final = "has(self.days) || has(self.from) || has(self.to) || has(self.timeZone)"
_ANY_DATED: Final = "has(self.startsAt) || has(self.endsAt)"


class FreezeWindow(Spec):
    """A time, weekly or once, in which no candidate gets traffic and none is promoted.
    Rollbacks still work.
    """

    rules = (
        Rule(
            f"({_WEEKLY} && !({_ANY_DATED})) || ({_DATED} && !({_ANY_WEEKLY}))",
            "a freeze window is either weekly (days, from, to, timeZone) or dated (startsAt, "
            "endsAt); set all fields of one kind (timeZone is optional) and none of the other",
        ),
        Rule(
            "!has(self.from) || !has(self.to) || self.from != self.to",
            "from and to must differ; a whole day is from: '00:00', to: '24:00'",
            ".to",
        ),
        Rule(
            "!has(self.startsAt) || !has(self.endsAt) || self.startsAt < self.endsAt",
            "endsAt must be after startsAt",
            ".endsAt",
        ),
        Rule(
            "!has(self.startsAt) || !has(self.endsAt) || "
            "(self.startsAt >= timestamp('2000-01-01T00:00:00Z') && "
            "self.endsAt < timestamp('2200-01-01T00:00:00Z'))",
            "startsAt and endsAt must be between the years 2000 and 2200",
            ".startsAt",
        ),
        KNOWN_ZONE,
    )

    name: Annotated[
        str,
        Field(
            min_length=1,
            max_length=63,
            description="Name of the window, shown while it holds a rollout, for example weekend.",
        ),
    ]
    why: Annotated[
        str,
        Field(
            default="",
            max_length=256,
            description="Reason for the window, shown while it holds a rollout, for example "
            "nobody is on call.",
        ),
    ]
    days: Annotated[
        tuple[Day, ...] | None,
        Field(
            default=None,
            min_length=1,
            max_length=7,
            json_schema_extra={"x-kubernetes-list-type": "set"},
            description="Weekly windows: days on which the window begins, for example [Fri, Sat].",
        ),
    ]
    from_: Annotated[
        _Clock | None,
        Field(
            default=None,
            alias="from",
            description="Weekly windows: when it begins, for example 18:00.",
        ),
    ]
    to: Annotated[
        _EndClock | None,
        Field(
            default=None,
            description="Weekly windows: when it ends, for example 08:00; at most 24:00. A time "
            "before `from` is on the next day.",
        ),
    ]
    time_zone: Annotated[
        TimeZone | None,
        Field(
            default=None,
            description="Weekly windows: IANA time zone of `from` and `to`, for example "
            "Australia/Sydney. Defaults to UTC.",
        ),
    ]
    starts_at: Annotated[
        _Dated | None,
        Field(
            default=None,
            description="Dated windows: when it begins, with an offset from UTC, for example "
            "2026-12-20T00:00:00+11:00.",
        ),
    ]
    ends_at: Annotated[
        _Dated | None,
        Field(
            default=None,
            description="Dated windows: when it ends, with an offset from UTC, for example "
            "2027-01-05T00:00:00Z.",
        ),
    ]

    @property
    def zone(self) -> ZoneInfo:
        """Return the zone in which ``from`` and ``to`` are read from the clock on the wall."""
        return ZoneInfo(self.time_zone or "UTC")


def parse_clock(text: str) -> time:
    """Read ``18:00``; the end of the day is its beginning, of the next day."""
    return time(0, 0) if text == END_OF_DAY else time.fromisoformat(text)


FreezeWindows = Annotated[
    tuple[FreezeWindow, ...],
    Field(
        default=(),
        max_length=20,
        description="Times in which no candidate gets more traffic and none is promoted. "
        "Rollbacks still work.",
    ),
]
