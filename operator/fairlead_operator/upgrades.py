"""Whose pods a new release of Fairlead, or another setting of the operator, replaces now.

One at a time: the servers of one version, or a namespace's gateway.  All others run on as they
are until those are ready, so that a release whose pods do not start costs nobody an answer.  What a
person asks for in a spec, and every new version, is not held up.

    Who                                         Is upgraded
    the first that looks                        now, and has the turn
    another                                     when the turn is over: its pods are ready, or gone,
                                                or its time is up
    whose time is up                            goes on beside the others, and says so
    another of a namespace that has held the    when the one before of its namespace is ready, or
    others up for as long as a turn may take    its time is up; others wait for none of them

So a namespace holds all others up for no longer than one turn, however many broken Models it has.
The order is kept in memory.  An operator that starts anew gives all turns anew.
"""

import contextlib
import dataclasses
import hashlib
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import orjson

from fairlead_operator.api.group import ANNOTATION_ASKED, ANNOTATION_BUILT
from fairlead_operator.errors import ClusterRefusalError, WebhookUnavailableError
from fairlead_operator.text import shorten

LOOK_AGAIN: Final = timedelta(seconds=10)  # of who waits
# As long as a candidate may take to start by default.  No tenant chooses how long others wait.
LONGEST_TURN: Final = timedelta(minutes=10)
_LAPSES: Final = timedelta(minutes=2)  # a turn of who does not look at its pods any more
_EVERYBODYS: Final = ""  # the turn that all namespaces wait for; no namespace has this name


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Whose pods are replaced."""

    who: str
    namespace: str
    since: datetime
    seen: datetime  # when it last looked at its pods


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Who has a turn, and what has become of those before."""

    turns: Mapping[str, Holder] = dataclasses.field(default_factory=dict)  # by whose turn it is
    # For how long the turns of a namespace that are over have held the others up.
    spent: Mapping[str, timedelta] = dataclasses.field(default_factory=dict)
    # Whose time was up before its pods were ready, and when it last looked at them.
    late: Mapping[str, datetime] = dataclasses.field(default_factory=dict)

    def holds(self, who: str) -> bool:
        """Tell whether it is upgraded now, with the time that is given to it."""
        return any(holder.who == who for holder in self.turns.values())


def take(order: Order, who: str, namespace: str, now: datetime) -> tuple[Order, str | None]:
    """Give it the turn, or leave it; return who has it otherwise.  Total."""
    order = look(order, who, now)
    spent = order.spent.get(namespace, timedelta(0))
    turn = namespace if namespace in order.turns or spent >= LONGEST_TURN else _EVERYBODYS
    holder = order.turns.get(turn)
    if holder is not None:
        return order, None if holder.who == who else holder.who
    holder = Holder(who=who, namespace=namespace, since=now, seen=now)
    late = {other: seen for other, seen in order.late.items() if other != who}
    return dataclasses.replace(order, turns={**order.turns, turn: holder}, late=late), None


def look(order: Order, who: str, now: datetime) -> Order:
    """Note that it looks at its pods, which are not ready yet, and end what is over by now."""
    turns = {
        turn: dataclasses.replace(holder, seen=now) if holder.who == who else holder
        for turn, holder in order.turns.items()
    }
    late = {
        other: now if other == who else seen
        for other, seen in order.late.items()
        if other == who or now - seen <= _LAPSES
    }
    return _end_turns(dataclasses.replace(order, turns=turns, late=late), now)


def leave(order: Order, who: str, now: datetime) -> Order:
    """End its turn: its pods are ready, or were refused."""
    if who not in order.late and not order.holds(who):
        return order
    late = {other: seen for other, seen in order.late.items() if other != who}
    order = dataclasses.replace(order, late=late)
    for turn, holder in order.turns.items():
        if holder.who == who:
            return _without(order, turn, now)
    return order


def _end_turns(order: Order, now: datetime) -> Order:
    """End the turns of who is gone, and of those whose time is up."""
    for turn, holder in order.turns.items():
        spent = order.spent.get(holder.namespace, timedelta(0))
        if now - holder.seen > _LAPSES:
            order = _without(order, turn, now)
        elif now - holder.since >= LONGEST_TURN:
            order = _without(order, turn, now)
            order = dataclasses.replace(order, late={**order.late, holder.who: holder.seen})
        elif turn == _EVERYBODYS and spent + (now - holder.since) >= LONGEST_TURN:
            order = _without(order, turn, now)
            turns = {**order.turns, holder.namespace: holder}  # it goes on with its own time
            order = dataclasses.replace(order, turns=turns)
    return order


def _without(order: Order, turn: str, now: datetime) -> Order:
    """Take the turn away, and count what it has cost the others."""
    holder, spent = order.turns[turn], order.spent
    if turn == _EVERYBODYS:
        before = spent.get(holder.namespace, timedelta(0))
        spent = {**spent, holder.namespace: before + max(now - holder.since, timedelta(0))}
    turns = {other: held for other, held in order.turns.items() if other != turn}
    return dataclasses.replace(order, turns=turns, spent=spent)


class Upgrades:
    """Keeps the order."""

    def __init__(self) -> None:
        self.order = Order()

    def turn(
        self,
        who: str,
        namespace: str,
        now: datetime,
        *,
        resting: bool = True,
        obstacle: str | None = None,
    ) -> "Turn":
        """Return what decides for these pods at this look."""
        return Turn(
            upgrades=self,
            who=who,
            namespace=namespace,
            now=now,
            resting=resting,
            obstacle=obstacle,
        )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One look at the pods of one Deployment."""

    upgrades: Upgrades
    who: str
    namespace: str
    now: datetime
    resting: bool  # no rollout moves traffic here
    obstacle: str | None  # what keeps the pods from being ready, where that is known

    def hold(self, live: Mapping[str, Any] | None, wanted: Mapping[str, Any]) -> str | None:
        """Say why the Deployment is left as it is for now; None to apply it."""
        if live is None:
            return None
        order = self.upgrades.order
        if not is_upgrade(live, wanted):
            step = leave if is_ready(live) else look
            self.upgrades.order = step(order, self.who, self.now)
            return None
        if not is_ready(live):
            return None  # there is nothing to lose
        if not self.resting:
            return f"{self.who} is upgraded when its rollout has ended"
        self.upgrades.order, before = take(order, self.who, self.namespace, self.now)
        return before and f"{self.who} is upgraded after {before}: one at a time"

    @contextlib.contextmanager
    def applying(self) -> Iterator[None]:
        """Let others go first where what the block applies is refused.

        Who got no answer may have been heard, and keeps the turn.
        """
        try:
            yield
        except (ClusterRefusalError, WebhookUnavailableError):
            if self.upgrades.order.holds(self.who):
                self.upgrades.order = leave(self.upgrades.order, self.who, self.now)
            raise

    def under_way(self) -> str | None:
        """Say that the pods are being replaced, until they are ready."""
        if self.upgrades.order.holds(self.who):
            return f"the pods of {self.who} are being replaced"
        if self.who not in self.upgrades.order.late:
            return None
        why = shorten(self.obstacle or "`PodsReady` says what they wait for", 500)
        minutes = LONGEST_TURN // timedelta(minutes=1)
        return (
            f"the new pods of {self.who} are not ready after {minutes} minutes, and others are "
            f"upgraded meanwhile: {why}"
        )


def mark(deployment: Mapping[str, Any], *, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return the Deployment with digests of what a spec asks for, and of the pods it leads to."""
    meta = deployment["metadata"]
    marks = {
        ANNOTATION_ASKED: _digest(asked),
        ANNOTATION_BUILT: _digest(deployment["spec"]["template"]),
    }
    annotations = {**(meta.get("annotations") or {}), **marks}
    return {**deployment, "metadata": {**meta, "annotations": annotations}}


def is_upgrade(live: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Tell whether applying replaces pods though no spec asks for it."""
    before, now = (item["metadata"].get("annotations") or {} for item in (live, wanted))
    if ANNOTATION_BUILT not in before:  # of 0.1.0
        return _image(live) != _image(wanted) and not _is_asked_for(live, wanted)
    if before[ANNOTATION_BUILT] == now[ANNOTATION_BUILT]:
        return False
    return bool(before.get(ANNOTATION_ASKED) == now[ANNOTATION_ASKED])


def is_ready(deployment: Mapping[str, Any]) -> bool:
    """Tell whether all pods are those that the Deployment describes, and ready."""
    status, wanted = deployment.get("status") or {}, deployment["spec"].get("replicas", 1)
    current = status.get("observedGeneration", 0) >= deployment["metadata"].get("generation", 0)
    # The API leaves a zero out, and all of it before the first pod.
    updated = status.get("updatedReplicas", 0 if "replicas" in status else wanted)
    enough = min(status.get("availableReplicas", 0), updated) >= wanted
    return bool(current and enough and not status.get("unavailableReplicas"))


def _is_asked_for(live: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Tell whether a person changed the number or the size of pods that carry no digests."""
    replicas = wanted["spec"].get("replicas")
    return replicas not in {None, live["spec"].get("replicas", 1)} or (
        _resources(live) != _resources(wanted)
    )


def _resources(deployment: Mapping[str, Any]) -> Any:
    return deployment["spec"]["template"]["spec"]["containers"][0].get("resources") or {}


def _image(deployment: Mapping[str, Any]) -> str:
    return str(deployment["spec"]["template"]["spec"]["containers"][0]["image"])


def _digest(document: Mapping[str, Any]) -> str:
    text = orjson.dumps(document, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(text).hexdigest()[:16]
