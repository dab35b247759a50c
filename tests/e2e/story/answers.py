"""What the load generator saw, answer by answer, and the sums over it.  Pure."""

import dataclasses
import json
from collections.abc import Collection, Iterable, Sequence

_SERVER_ERROR = 500


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One request as its client saw it."""

    sent: float  # seconds since the epoch
    seconds: float
    status: int | None  # None: there was no answer
    version: str | None  # that gave the answer; None when it came from no version
    failure: str | None  # why there was no answer: timeout, reset, refused, …

    @property
    def received(self) -> float:
        """Return when the client had the answer, in seconds since the epoch."""
        return self.sent + self.seconds

    @property
    def is_failed(self) -> bool:
        """Tell whether the status is 500 or above, or there was no answer at all."""
        return self.status is None or self.status >= _SERVER_ERROR


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Requests:
    """All requests of a story."""

    total: int
    failed_not_from_bad_version: int
    failed_by_bad_version: int


def to_line(answer: Answer) -> str:
    return json.dumps(dataclasses.asdict(answer))


def parse_line(line: str) -> Answer:
    return Answer(**json.loads(line))


def count(answers: Iterable[Answer], *, bad_versions: Collection[str]) -> Requests:
    """Sum up; a failure without a version counts against us, not against a bad version."""
    total = ours = theirs = 0
    for answer in answers:
        total += 1
        if answer.is_failed and answer.version in bad_versions:
            theirs += 1
        elif answer.is_failed:
            ours += 1
    return Requests(total=total, failed_not_from_bad_version=ours, failed_by_bad_version=theirs)


def of_version(answers: Iterable[Answer], version: str) -> list[Answer]:
    return [answer for answer in answers if answer.version == version]


def first_received(answers: Iterable[Answer]) -> float | None:
    return min((answer.received for answer in answers), default=None)


def failed(answers: Iterable[Answer]) -> list[Answer]:
    return [answer for answer in answers if answer.is_failed]


def refused(answers: Iterable[Answer]) -> list[Answer]:
    """Return answers that blame the client; the rows are real, so there must be none."""
    return [a for a in answers if a.status is not None and 400 <= a.status < _SERVER_ERROR]


def describe(answers: Sequence[Answer]) -> str:
    """Describe the counters in a few words: answers by version, and failures."""
    if not answers:
        return "no answer yet"
    versions = sorted({answer.version for answer in answers if answer.version})
    parts = [f"{version}: {len(of_version(answers, version))}" for version in versions]
    return f"{len(answers)} answers ({', '.join(parts)}), {len(failed(answers))} failed"
