"""Whether a rollout is frozen now, and until when.  Pure.

A weekly window is read from the clock on the wall of its time zone.  On the two
days a year on which that clock jumps, a window is never shorter than written: a
time that is skipped counts from the jump on, a time that comes twice begins at its
first and ends at its second.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from fairlead_operator.api.freeze import DAYS, FreezeWindow, parse_clock

_DAY: Final = timedelta(days=1)
_MINUTE: Final = timedelta(minutes=1)
# A week that is frozen on each day has no end; so many windows in a row are followed.
_FOLLOWED: Final = 60

_Span = tuple[datetime, datetime]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Freeze:
    """Nothing is promoted before ``until``."""

    until: datetime
    window: FreezeWindow  # of those that hold now, the one that holds longest

    @property
    def message(self) -> str:
        """Say until when, by which window, and why."""
        zone = self.window.zone
        until = f"{self.until.astimezone(zone):%a %Y-%m-%d %H:%M %Z}"
        why = f": {self.window.why}" if self.window.why else ""
        return f"frozen until {until} by the window {self.window.name}{why}"


def find_freeze(windows: Sequence[FreezeWindow], now: datetime) -> Freeze | None:
    """Return the freeze in force at ``now``, or None.

    Windows that overlap or touch make one freeze, which ends with the last of them.
    """
    held = _longest(windows, now)
    if held is None:
        return None
    until, window = held
    for _ in range(_FOLLOWED):
        further = _longest(windows, until)
        if further is None:
            break
        until = further[0]
    return Freeze(until=until, window=window)


def _longest(
    windows: Iterable[FreezeWindow], now: datetime
) -> tuple[datetime, FreezeWindow] | None:
    held = [
        (end, window)
        for window in windows
        for start, end in _near(window, now)
        if start <= now < end
    ]
    return max(held, key=lambda pair: pair[0], default=None)


def _near(window: FreezeWindow, now: datetime) -> Iterator[_Span]:
    """Yield the spans of a window that could hold ``now``."""
    if window.starts_at is not None and window.ends_at is not None:
        yield window.starts_at, window.ends_at
        return
    today = now.astimezone(window.zone).date()
    for day in (today - _DAY, today):
        if DAYS[day.weekday()] in (window.days or ()):
            yield _weekly(window, day)


def _weekly(window: FreezeWindow, day: date) -> _Span:
    begins, ends = parse_clock(window.from_ or "00:00"), parse_clock(window.to or "24:00")
    last = day if begins < ends else day + _DAY
    start = datetime.combine(day, begins)
    end = datetime.combine(last, ends)
    zone = window.zone
    return _first(start, zone), max(_first(end, zone), _read(end, zone, fold=1))


def _first(wall: datetime, zone: ZoneInfo) -> datetime:
    """Return the first moment at which a clock in the zone shows this time or a later one."""
    moment = min(_read(wall, zone, fold=0), _read(wall, zone, fold=1))
    while moment.astimezone(zone).replace(tzinfo=None) < wall:  # only of a time that is skipped
        moment += _MINUTE
    return moment


def _read(wall: datetime, zone: ZoneInfo, *, fold: int) -> datetime:
    return wall.replace(tzinfo=zone, fold=fold).astimezone(UTC)
