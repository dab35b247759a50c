"""A schedule: moments in the form of cron, by the clock of a time zone."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Final
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, Field

from fairlead_operator.api.base import Moment, Rule, Spec, Status, formed
from fairlead_operator.api.time_zone import KNOWN_ZONE, TimeZone


def _field(value: str) -> str:
    """Build the pattern of a field of cron: values, spans, steps, and lists of these."""
    item = f"([*]|{value}(-{value})?)(/[1-9][0-9]?)?"
    return f"{item}(,{item})*"


def _names(upper: str) -> str:
    return "|".join((*upper.split(), *upper.lower().split()))


_CRON: Final = " ".join((
    _field("[0-5]?[0-9]"),
    _field("([01]?[0-9]|2[0-3])"),
    f"(L|{_field('(0?[1-9]|[12][0-9]|3[01])')})",
    _field(f"(0?[1-9]|1[0-2]|{_names('JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC')})"),
    _field(f"([0-7]|{_names('SUN MON TUE WED THU FRI SAT')})"),
))  # fmt: skip

# Days that no month has which is named beside them, where no day of the week counts too.
_NEVER: Final = (
    "3[01]([-,]3[01])* (0?2|FEB)(,(0?2|FEB))*",
    "31(,31)* (0?[2469]|11|FEB|APR|JUN|SEP|NOV)(,(0?[2469]|11|FEB|APR|JUN|SEP|NOV))*",
)


def _moments(cron: str, after: datetime) -> Iterator[datetime]:
    """Yield the moments after this one, by the clock of its time zone.

    The days on which that clock jumps are as in Debian's cron: what is written for an hour that
    is skipped comes at the jump, and what comes twice counts the first time; every so many
    minutes goes on as if there was no jump.
    """
    begin = after.astimezone(UTC)
    for shown in CronSim(cron, after):
        moment = shown.astimezone(UTC)
        # In the hour that comes twice it begins at the first of both.
        if moment > begin:
            yield moment


def _comes(cron: str) -> str:
    try:
        if next(_moments(cron, datetime(2026, 1, 1, tzinfo=UTC)), None) is not None:
            return cron
    except CronSimError as error:
        raise ValueError(f"{cron!r} cannot be read: {str(error).lower()}") from error
    raise ValueError(f"{cron!r} never comes")


class Schedule(Spec):
    """When a training starts by itself, whatever else starts one."""

    rules = (KNOWN_ZONE,)

    cron: Annotated[
        str,
        *(
            Rule(
                f"!self.matches('(?i)^[^ ]+ [^ ]+ {never} [*]$')",
                "never comes: no month that it names has such a day; for the last day of each "
                "month write L, as in 0 3 L * *",
            )
            for never in _NEVER
        ),
        Field(
            pattern=f"^{_CRON}$",
            max_length=128,
            json_schema_extra=formed(
                "must be minute, hour, day of the month, month and day of the week, with a blank "
                "between them, for example 0 3 * * MON for Mondays at 03:00"
            ),
            description="Moments as in cron: minute, hour, day of the month (L is the last), month "
            "and day of the week (0 and 7 are Sunday), for example `0 3 * * MON` or `30 2 1,15 * "
            "*`. If both days are given, either counts.",
        ),
        AfterValidator(_comes),
    ]
    time_zone: Annotated[
        TimeZone,
        Field(
            default="UTC",
            description="IANA time zone by whose clock these are, for example Australia/Sydney. "
            "Defaults to UTC.",
        ),
    ]

    def after(self, moment: datetime) -> Iterator[datetime]:
        """Yield its moments after this one, the next one first."""
        return _moments(self.cron, moment.astimezone(ZoneInfo(self.time_zone)))

    def tell(self, moment: datetime) -> str:
        """Write a moment as its clock shows it."""
        return f"{moment.astimezone(ZoneInfo(self.time_zone)):%a %Y-%m-%d %H:%M %Z}"

    def __str__(self) -> str:
        return f"{self.cron} ({self.time_zone})"


class ScheduleStatus(Status):
    """What is known of the schedule."""

    cron: Annotated[str, Field(max_length=128, description="Its moments, as they were read.")]
    time_zone: Annotated[str, Field(max_length=64, description="The time zone of its clock.")]
    since: Annotated[
        Moment,
        Field(
            description="When a training last began, or the schedule was first read: moments up to "
            "here count for no other training."
        ),
    ]
