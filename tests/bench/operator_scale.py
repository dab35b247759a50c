"""What one operator costs and how quick it is with thousands of Models.

A real API server with real controllers; KWOK plays nodes and pods, the benchmark plays gateways,
MLflow and Prometheus.  The operator runs as a process of its own with the chart's rights.
"""

import asyncio
import functools
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.machine import resident_mebibytes
from bench.numbers import Summary, summarize
from bench.result import Goal, Result
from bench.scale.fleet import CANDIDATE, STABLE, Fleet, Name, is_serving
from bench.scale.gateways import reporting
from bench.scale.place import Place, simulated_cluster
from fairlead_operator.requests import Action
from support.live_operator import Operator, until

NAME = "operator-scale"
COUNTS = (10, 100, 1000, 3000)
MANY = 1000  # Models while rollouts are in flight, and while specs change
IN_FLIGHT = (50, 100, 200)
EVENTS = 60
ROUNDS = 5  # of specs changed at once

_SETTLING = 10.0  # seconds after the last thing happened
_PATIENCE = 600.0  # seconds until the operator has nothing left to look at
_WINDOW = 45.0
_BETWEEN_EVENTS = 0.2
_MODEST, _MOST = 150.0, 300.0  # MiB
_QUIET = 0.5  # requests a second

Say = Callable[[str], None]
Requests = Counter[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """A while in which nobody asks for anything."""

    models: int
    in_flight: int
    mebibytes: float  # the most seen
    cpu: float  # of one core
    requests: Requests
    seconds: float

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests.total() / self.seconds


@dataclass(kw_only=True)
class Measured:
    """Everything that is measured, in the order it is."""

    empty_mebibytes: float = 0.0
    rests: list[Rest] = field(default_factory=list)
    created: dict[int, float] = field(default_factory=dict)  # seconds, by Models created
    # Seconds of 200 specs changed at once: from each one's change until it is observed, and from
    # the first change until all are, by round.
    light: Summary | None = None
    rounds: Summary | None = None
    heavy: Summary | None = None  # the same until each is, where each change starts a rollout
    heavy_round: float = 0.0  # and until all are
    events: Summary | None = None  # seconds from a person's abort to the rollback's begin
    removals: Summary | None = None  # seconds from a removed Service to a new one
    start: float = 0.0  # seconds from the process's start to all reconciled, nothing in flight
    restart: float = 0.0  # the same with rollouts in flight
    start_requests: Requests = field(default_factory=Counter)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Round:
    """Seconds of many specs changed at once."""

    each: Sequence[float]  # from its own change until it was observed
    all: float  # from the first change until the last was


def run(say: Say) -> Result:
    """Bring up a simulated cluster, measure, take it down."""
    with simulated_cluster() as place:
        return to_result(asyncio.run(_Run(place, say).measure()))


class _Run:
    """One run, from an empty cluster to three thousand Models."""

    def __init__(self, place: Place, say: Say) -> None:
        self._place = place
        self._say = say
        self._measured = Measured()
        self._operator: Operator

    async def measure(self) -> Measured:
        async with self._place.client() as client:
            kubeconfig = self._place.plane.kubeconfig
            self._fleet = Fleet(client, kubeconfig, self._place.backends)
            async with reporting(client, kubeconfig), self._fleet.followed():
                self._operator = await self._place.launcher.lead("operator-0")
                self._measured.empty_mebibytes = resident_mebibytes(self._operator.process.pid)
                for count in COUNTS:
                    await self._grow(count)
                    await self._rest(count, 0)
                    if count == MANY:
                        await self._change()
                        self._measured.start = await self._start_again("operator-1")
                        await self._fly()
        return self._measured

    async def _grow(self, count: int) -> None:
        new = count - len(self._fleet.models)
        self._measured.created[new] = seconds = await self._fleet.grow(count)
        self._say(f"{count} Models: the {new} new ones all served after {seconds:.0f} s")

    async def _rest(self, models: int, in_flight: int) -> None:
        """Look at an operator nobody asks anything."""
        if in_flight == 0:
            async with asyncio.timeout(_PATIENCE):
                while not await self._is_idle():
                    pass
        await asyncio.sleep(_SETTLING)
        process = self._operator.process.pid
        self._place.audit.skip()
        began, spent, most = time.monotonic(), _processor_seconds(process), 0.0
        while time.monotonic() < began + _WINDOW:
            await asyncio.sleep(1)
            most = max(most, resident_mebibytes(process))
        seconds = time.monotonic() - began
        rest = Rest(
            models=models,
            in_flight=in_flight,
            mebibytes=most,
            cpu=(_processor_seconds(process) - spent) / seconds,
            requests=self._place.audit.count(),
            seconds=seconds,
        )
        self._measured.rests.append(rest)
        self._say(
            f"{models} Models, {in_flight} rollouts in flight: {most:.0f} MiB, "
            f"{rest.rate:.2f} requests/s, {rest.cpu:.1%} of a core"
        )

    async def _is_idle(self) -> bool:
        """Whether it asks for nothing for a while but its Lease."""
        self._place.audit.skip()
        await asyncio.sleep(_SETTLING)
        asked = self._place.audit.count()
        return all(verb == "watch" or resource == "leases" for verb, resource in asked)

    async def _start_again(self, identity: str) -> float:
        """Stop the operator, start another: seconds until it has looked at everything once."""
        self._operator.stop()
        self._place.audit.skip()
        began = time.monotonic()
        self._operator = self._place.launcher.start(identity)
        await until(self._has_looked_at_all, "the new process to look at all")
        seconds = time.monotonic() - began
        self._measured.start_requests = self._place.audit.count()
        self._say(f"a new process had looked at every Model after {seconds:.1f} s")
        return seconds

    async def _has_looked_at_all(self) -> bool:
        try:
            found = await self._operator.metrics()
        except OSError:  # not listening yet
            return False
        models = found.get('fairlead_reconciles_total{kind="Model",outcome="done"}', 0)
        return models >= len(self._fleet.models) and found["fairlead_queue_length"] == 0

    async def _change(self) -> None:
        """Change many specs at once in a way that starts nothing, several times."""
        names = self._fleet.names(max(IN_FLIGHT))
        rounds: list[_Round] = []
        for number in range(ROUNDS):
            body = {"spec": {"promotion": {"minImprovement": 0.01 * (number + 1)}}}
            rounds.append(await self._observed(names, body))
            await asyncio.sleep(_SETTLING)
        self._measured.light = summarize([seconds for one in rounds for seconds in one.each])
        self._measured.rounds = summarize([one.all for one in rounds])

    async def _fly(self) -> None:
        """Start rollouts, all of the last step at once; then have things happen to them."""
        flying: list[Name] = []
        for count in IN_FLIGHT[:-1]:
            flying += await self._start_rollouts(self._fleet.names(count)[len(flying) :])
            await self._rest(MANY, count)
        await self._land(flying)
        names = self._fleet.names(max(IN_FLIGHT))
        await self._start_rollouts(names)
        await self._rest(MANY, len(names))
        self._measured.restart = await self._start_again("operator-2")
        await self._abort(names[:EVENTS])
        await self._remove(names[-EVENTS:])
        await self._land(names[EVENTS:])

    async def _start_rollouts(self, names: Sequence[Name]) -> Sequence[Name]:
        """Have these Models' candidates in traffic."""
        began = time.monotonic()
        body = {"spec": {"version": CANDIDATE}}
        observed = await self._observed(names, body)
        self._measured.heavy, self._measured.heavy_round = summarize(observed.each), observed.all
        rollouts = [self._fleet.rollout_of(name) for name in names]
        await self._fleet.wait(
            self._fleet.rollouts, rollouts, lambda rollout: rollout.status.get("observedWeight")
        )
        self._say(f"{len(names)} candidates in traffic after {time.monotonic() - began:.0f} s")
        return names

    async def _land(self, names: Sequence[Name]) -> None:
        """Have these Models back at their stable version, and nothing left to do."""
        await self._fleet.patch("Model", names, {"spec": {"version": STABLE}})
        await self._fleet.wait(self._fleet.models, names, is_serving)
        await asyncio.sleep(_SETTLING)

    async def _observed(self, names: Sequence[Name], body: Mapping[str, Any]) -> _Round:
        """Change these Models at once."""
        began = time.monotonic()
        changed = await self._fleet.patch("Model", names, body)
        ended = await self._fleet.observed(changed)
        found = _Round(
            each=[moment - changed[name].at for name, moment in ended.items()],
            all=max(ended.values()) - began,
        )
        self._say(
            f"{len(names)} changed specs observed after {found.all:.2f} s, "
            f"each after {max(found.each):.2f} s or less"
        )
        return found

    async def _abort(self, names: Sequence[Name]) -> None:
        """One person after the other aborts a rollout."""
        seconds = []
        for name in names:
            rollout = self._fleet.rollout_of(name)
            annotations = {"metadata": {"annotations": {Action.ABORT.annotation: "measured"}}}
            began = time.monotonic()
            await self._fleet.patch("Rollout", [rollout], annotations)
            ended = await self._fleet.wait(
                self._fleet.rollouts, [rollout], lambda seen: seen.status.get("weight") == 0
            )
            seconds.append(ended[rollout] - began)
            await asyncio.sleep(_BETWEEN_EVENTS)
        self._measured.events = summarize(seconds)

    async def _remove(self, names: Sequence[Name]) -> None:
        """One person after the other removes the Service that clients call."""
        seconds = []
        for name in names:
            began = time.monotonic()
            await self._fleet.remove("Service", name)
            back = functools.partial(self._fleet.exists, "Service", name)
            await until(back, f"{name} to have its address back")
            seconds.append(time.monotonic() - began)
            await asyncio.sleep(_BETWEEN_EVENTS)
        self._measured.removals = summarize(seconds)


def to_result(measured: Measured) -> Result:
    """Sum up.  Pure."""
    return Result(
        name=NAME,
        headers=("Models", "rollouts in flight", "resident MiB", "% of a core", "requests/s"),
        rows=tuple(_row(rest) for rest in measured.rests),
        more=(_moments(measured),),
        goals=_goals(measured),
        numbers=_numbers(measured),
    )


def _row(rest: Rest) -> tuple[str, ...]:
    return (
        f"{rest.models:,}",
        str(rest.in_flight),
        f"{rest.mebibytes:.0f}",
        f"{rest.cpu * 100:.1f}",
        f"{rest.rate:.2f}",
    )


def _moments(measured: Measured) -> Sequence[tuple[str, ...]]:
    flying = max(IN_FLIGHT)
    rows = [("Seconds, with 1,000 Models", "count", "min", "median", "p95", "max")]
    found: Sequence[tuple[str, Summary | float | None]] = (
        (f"{flying} specs changed at once, {ROUNDS} times: each → observed", measured.light),
        ("the same: first sent → all observed", measured.rounds),
        (f"{flying} versions changed at once: each → observed, rollout created", measured.heavy),
        ("the same: first sent → all observed", measured.heavy_round),
        (f"abort, {flying} in flight → route without the candidate", measured.events),
        (f"address removed, {flying} in flight → back", measured.removals),
        ("process started → every Model looked at, at rest", measured.start),
        (f"the same, {flying} in flight", measured.restart),
    )
    for what, seconds in found:
        if isinstance(seconds, Summary):
            values = (seconds.minimum, seconds.median, seconds.p95, seconds.maximum)
            rows.append((what, str(seconds.count), *(f"{value:.2f}" for value in values)))
        elif seconds is not None:
            rows.append((what, "1", "", f"{seconds:.2f}", "", ""))
    return rows


def _goals(measured: Measured) -> tuple[Goal, ...]:
    quiet = [rest for rest in measured.rests if not rest.in_flight]
    memory = max(rest.mebibytes for rest in quiet if rest.models <= MANY)
    flying = max(rest.mebibytes for rest in measured.rests if rest.in_flight)
    slowest = max(rest.rate for rest in quiet)
    reaction = max(measured.events.p95, measured.removals.p95)  # type: ignore[union-attr]
    return (
        Goal(wanted=f"below {_MODEST:g} MiB with {MANY:,} Models at rest", is_met=memory < _MODEST),
        Goal(
            wanted=f"below {_MOST:g} MiB with {max(IN_FLIGHT)} rollouts in flight",
            is_met=flying < _MOST,
        ),
        Goal(wanted=f"at most {_QUIET:g} requests/s at rest", is_met=slowest <= _QUIET),
        Goal(
            wanted="200 changed specs observed in less than 2 s",
            is_met=measured.rounds.maximum < 2,  # type: ignore[union-attr]
        ),
        Goal(
            wanted="the same where each starts a rollout",
            is_met=measured.heavy_round < 2,
        ),
        Goal(wanted="p95 of the reaction to an event below 1 s", is_met=reaction < 1),
        Goal(wanted="all looked at less than 5 s after the start", is_met=measured.start < 5),
    )


def _numbers(measured: Measured) -> Mapping[str, Any]:
    def spelled(requests: Requests) -> Mapping[str, int]:
        return {f"{verb} {resource}": count for (verb, resource), count in requests.items()}

    numbers = asdict(measured)
    numbers["start_requests"] = spelled(measured.start_requests)
    for rest, kept in zip(measured.rests, numbers["rests"], strict=True):
        kept["requests"] = spelled(rest.requests)
        kept["requests_per_second"] = rest.rate
    return numbers


def _processor_seconds(pid: int) -> float:
    """What a process has used of all processors so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100
