"""How far a Model's schedule was followed, and which moment of it is next.  Pure.

A moment counts once, however late it is looked at, and all that have passed count as one.  What
is kept is the moment up to which they were looked at: when a training last began, for whatever
reason, or when the schedule was first read.  So a schedule that is new does not begin in the past,
and neither a downtime nor a clock that jumps forward makes up for more than one training.

A clock that goes back a little shows moments again, which have counted.  Where what is kept lies
further ahead than that, the clock was wrong then, and what it shows now is believed.
"""

import dataclasses
from datetime import datetime, timedelta
from typing import Final

from fairlead_operator.api.schedule import Schedule, ScheduleStatus
from fairlead_operator.model.states import Observed

_A_LITTLE: Final = timedelta(days=1)
_COUNTED: Final = 20  # moments that have passed; more are "more than"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """A schedule, as it stands now."""

    schedule: Schedule
    since: datetime
    next: datetime | None  # the first of its moments after since; None where none comes any more

    def passed(self, now: datetime) -> str:
        """Say which of its moments have passed, at least one of them."""
        count, last = 0, self.since
        for moment in self.schedule.after(self.since):
            if moment > now or count == _COUNTED:
                break
            count, last = count + 1, moment
        said = f"{self.schedule.tell(last)} of the schedule {self.schedule} has come"
        if count == 1:
            return said
        many = f"more than {count}" if count == _COUNTED else str(count)
        return f"{said}; {many} of its moments have passed since the last training, and are one"

    def to_status(self) -> ScheduleStatus:
        """Return what is kept of it."""
        return ScheduleStatus(
            cron=self.schedule.cron, time_zone=self.schedule.time_zone, since=self.since
        )


def read_clock(observed: Observed, *, starts: bool = False) -> Clock | None:
    """Return how the Model's schedule stands; ``starts`` tells that a training does now."""
    schedule, since, now = observed.schedule, observed.followed, observed.now
    if schedule is None:
        return None
    if since is None or starts or since > now + _A_LITTLE:
        since = now
    return Clock(schedule=schedule, since=since, next=next(schedule.after(since), None))
