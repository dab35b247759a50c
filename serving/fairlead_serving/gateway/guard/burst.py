"""The fast guard's decision: what Envoy has counted of one version in, a burst or none out.  Pure.

A version is looked at several times a second.  The newest look is compared with each earlier one
of the window, so that the answers that were good before do not hide those that are bad now.

Doubt is no burst: too few requests, counters that went back (Envoy or the cluster began anew) and
numbers that contradict each other never take a version out.  Nor do requests that reached no pod,
which Envoy answers with 503 itself: a pod that is evicted or not there yet says nothing of the
version.

What a version refuses is held against what the fallback refuses of the same callers' requests, or,
once it has none, refused just before.  And it counts only in place of answers: a version that
still accepts its share is not blamed for a caller whom it alone hears.

How long a sender takes over a body is his own affair.  The time of an answer begins with the end
of the request, and of the requests without an answer only those count whose body the gateway had
whole before the version heard of them.
"""

import dataclasses
from collections.abc import Mapping, Sequence

from fairlead_serving.gateway.routes.options import Guard

_STANDARD_SECONDS = 120.0  # that looks at the fallback are kept for
_STANDARD_PAUSE = 0.5  # seconds between those that are kept, and least of a rate


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What Envoy has counted of one version since the cluster is there."""

    finished: int = 0  # answers of every kind, also Envoy's own in place of the version's
    failed: int = 0  # of these, with a 5xx code
    refused: int = 0  # of these, with a 4xx code that says the request is not to be had
    unavailable: int = 0  # of these, with 503
    unreached: int = 0  # attempts that found no pod or no connection; a retry may have found one
    begun: int = 0  # requests that the version was given, each attempt apart
    asked: int = 0  # of these, under way now, with a body that was whole before they were given
    within: Mapping[int, int] = dataclasses.field(default_factory=dict)  # timed, by milliseconds

    def timed(self) -> int:
        """Count the answers whose time was measured."""
        return max(self.within.values(), default=0)

    def slower_than(self, milliseconds: float) -> int:
        """Count answers that surely took longer: the bound is rounded up to one Envoy counts by."""
        bounds = [bound for bound in self.within if bound >= milliseconds]
        return self.timed() - self.within[min(bounds)] if bounds else 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """The counts at one moment, in seconds of a clock that only goes forward."""

    at: float
    counts: Counts


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """What the fallback did with the requests of some seconds."""

    answers: int
    refused: int
    seconds: float
    share: int  # percent of the traffic that it had

    @property
    def ratio(self) -> float:
        return self.refused / self.answers

    def accepted(self, *, share: int, seconds: float) -> float:
        """Return how many it would have accepted with this share in so many seconds."""
        return (self.answers - self.refused) * (share / self.share) * (seconds / self.seconds)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Standard:
    """The fallback, against whose refusals those of other versions are held."""

    share: int = 0  # percent that it has now
    looks: tuple[Look, ...] = ()
    rate: Rate | None = None  # the last that was known


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """Why a version has to go."""

    message: str
    requests: int
    failures: int  # of these: answers that failed, refused, or were too slow


def remember(looks: Sequence[Look], newest: Look, guard: Guard) -> tuple[Look, ...]:
    """Keep the looks that the next decision needs, the newest last."""
    if looks and _went_back(looks[-1].counts, newest.counts):
        return (newest,)
    horizon = newest.at - max(guard.window_seconds, _slow_seconds(guard) + 1)
    return (*(look for look in looks if look.at >= horizon), newest)


def renew(standard: Standard, newest: Look, share: int, guard: Guard) -> Standard:
    """Renew the rate from the latest looks that hold enough answers; without any the last stands.

    Looks with another share say nothing of this one's volume.
    """
    if not share:
        return Standard(rate=standard.rate)
    looks = standard.looks if standard.share == share else ()
    if looks and _went_back(looks[-1].counts, newest.counts):
        looks = ()
    if len(looks) > 1 and newest.at - looks[-2].at < _STANDARD_PAUSE:
        looks = looks[:-1]
    recent = (look for look in looks if look.at >= newest.at - _STANDARD_SECONDS)
    looks = (*recent, newest)
    return Standard(share=share, looks=looks, rate=_rate(looks, share, guard) or standard.rate)


def find_burst(
    looks: Sequence[Look], guard: Guard, *, share: int = 0, rate: Rate | None = None
) -> Burst | None:
    """Find a burst by comparing the newest look with each earlier one of the window.

    Args:
        share: percent of the traffic that the version has.
        rate: what the fallback refuses; None where it is not known.
    """
    if not looks:
        return None
    newest = looks[-1]
    for earlier in reversed(looks[:-1]):
        if newest.at - earlier.at > guard.window_seconds:
            break
        seconds = max(newest.at - earlier.at, 0.1)
        if burst := _failures(earlier.counts, newest.counts, seconds, guard):
            return burst
        if burst := _refusals(earlier.counts, newest.counts, seconds, guard, share, rate):
            return burst
        if burst := _slowness(earlier.counts, newest.counts, seconds, guard):
            return burst
    return _hanging(looks, guard)


def _failures(earlier: Counts, newest: Counts, seconds: float, guard: Guard) -> Burst | None:
    unreached = _unreached(earlier, newest)
    requests = newest.finished - earlier.finished - unreached
    failures = newest.failed - earlier.failed - unreached
    if not _exceeds(failures, requests, guard.max_failure_ratio, guard):
        return None
    allowed = f"allowed {100 * guard.max_failure_ratio:g}%"
    message = f"{failures} of {requests} answers failed in {seconds:.1f} s, {allowed}"
    return Burst(message=message, requests=requests, failures=failures)


def _unreached(earlier: Counts, newest: Counts) -> int:
    """Count answers that Envoy gave because it reached no pod: 503s, at most one an attempt."""
    unavailable = newest.unavailable - earlier.unavailable
    return max(0, min(unavailable, newest.unreached - earlier.unreached))


def _refusals(  # noqa: PLR0917  what two looks and two versions say
    earlier: Counts, newest: Counts, seconds: float, guard: Guard, share: int, rate: Rate | None
) -> Burst | None:
    if rate is None:
        return None
    requests = newest.finished - earlier.finished - _unreached(earlier, newest)
    refused = newest.refused - earlier.refused
    if not _exceeds(refused, requests, rate.ratio + guard.max_refusal_ratio, guard):
        return None
    expected = rate.accepted(share=share, seconds=seconds)
    if requests - refused >= (1 - guard.max_refusal_ratio) * expected:
        return None
    message = (
        f"{refused} of {requests} answers refused the request with a 4xx in {seconds:.1f} s, "
        f"{guard.fallback} refused {rate.refused} of {rate.answers}, allowed "
        f"{100 * guard.max_refusal_ratio:g}% more"
    )
    return Burst(message=message, requests=requests, failures=refused)


def _rate(looks: Sequence[Look], share: int, guard: Guard) -> Rate | None:
    """Return the rate over the window, or as much longer as it takes to hold enough answers."""
    newest = looks[-1]
    window = newest.at - guard.window_seconds
    older = [look for look in looks[:-1] if look.at < window]
    in_window = [look for look in looks[:-1] if look.at >= window]
    for earlier in (*in_window[:1], *reversed(older)):
        answers = newest.counts.finished - earlier.counts.finished
        answers -= _unreached(earlier.counts, newest.counts)
        refused = newest.counts.refused - earlier.counts.refused
        seconds = newest.at - earlier.at
        enough = answers >= guard.min_requests and seconds >= _STANDARD_PAUSE
        if enough and 0 <= refused <= answers:
            return Rate(answers=answers, refused=refused, seconds=seconds, share=share)
    return None


def _slowness(earlier: Counts, newest: Counts, seconds: float, guard: Guard) -> Burst | None:
    if guard.slow_milliseconds is None or guard.max_slow_ratio is None:
        return None
    requests = newest.timed() - earlier.timed()
    limit = guard.slow_milliseconds
    slow = newest.slower_than(limit) - earlier.slower_than(limit)
    if not _exceeds(slow, requests, guard.max_slow_ratio, guard):
        return None
    allowed = f"allowed {100 * guard.max_slow_ratio:g}%"
    message = f"{slow} of {requests} answers took over {limit:g} ms in {seconds:.1f} s, {allowed}"
    return Burst(message=message, requests=requests, failures=slow)


def _hanging(looks: Sequence[Look], guard: Guard) -> Burst | None:
    """Find requests that have no answer yet and are slow already, which no histogram shows.

    Of the requests under way now, at least those beyond all that were begun since an earlier look
    were there by then.  So one whose caller has hung up counts for as long as it waited, and no
    longer.
    """
    if guard.slow_milliseconds is None or guard.max_slow_ratio is None:
        return None
    newest = looks[-1]
    before = [look for look in looks if newest.at - look.at >= _slow_seconds(guard)]
    if not before:
        return None
    earlier = before[-1].counts
    finished = newest.counts.finished - earlier.finished
    hanging = newest.counts.asked - (newest.counts.begun - earlier.begun)
    if not _exceeds(hanging, hanging + finished, guard.max_slow_ratio, guard):
        return None
    allowed = f"allowed {100 * guard.max_slow_ratio:g}%"
    waited = f"have waited over {guard.slow_milliseconds:g} ms for an answer"
    message = f"{hanging} of {hanging + finished} requests {waited}, {allowed}"
    return Burst(message=message, requests=hanging + finished, failures=hanging)


def _exceeds(bad: int, requests: int, allowed: float, guard: Guard) -> bool:
    return requests >= guard.min_requests and 0 < bad <= requests and bad / requests > allowed


def _slow_seconds(guard: Guard) -> float:
    return (guard.slow_milliseconds or 0) / 1000


def _went_back(earlier: Counts, newest: Counts) -> bool:
    return (
        newest.finished < earlier.finished
        or newest.begun < earlier.begun
        or newest.failed < earlier.failed
        or newest.unavailable < earlier.unavailable
        or newest.unreached < earlier.unreached
        or newest.refused < earlier.refused
        or any(newest.within.get(bound, 0) < count for bound, count in earlier.within.items())
    )
