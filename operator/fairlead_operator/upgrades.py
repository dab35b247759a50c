"""Whose pods a new release of Fairlead, or another setting of the operator, replaces now.

One at a time: a Model's servers, or a namespace's gateway.  All others run on as they are until
those are ready again, so that a release whose pods do not start costs nobody an answer.  What a
person asks for in a spec, and every new version, is not held up.

The turn is kept in memory.  An operator that starts anew may give one more.
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

LOOK_AGAIN: Final = timedelta(seconds=10)  # of who waits
_LAPSES: Final = timedelta(minutes=2)  # a turn of who does not look at its pods any more


class Upgrades:
    """Gives the turn."""

    def __init__(self) -> None:
        self._holder: tuple[str, datetime] | None = None  # and when it last looked

    def turn(self, who: str, now: datetime, *, resting: bool = True) -> "Turn":
        """Return what decides for these pods at this look."""
        return Turn(upgrades=self, who=who, now=now, resting=resting)

    def take(self, who: str, now: datetime) -> str | None:
        """Take or keep the turn; return who has it otherwise."""
        if self._holder is not None:
            holder, seen = self._holder
            if holder != who and now - seen <= _LAPSES:
                return holder
        self._holder = who, now
        return None

    def holds(self, who: str) -> bool:
        return self._holder is not None and self._holder[0] == who

    def give_back(self) -> None:
        self._holder = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One look at the pods of one Deployment."""

    upgrades: Upgrades
    who: str
    now: datetime
    resting: bool  # no rollout moves traffic here

    def hold(self, live: Mapping[str, Any] | None, wanted: Mapping[str, Any]) -> str | None:
        """Say why the Deployment is left as it is for now; None to apply it."""
        if live is None:
            return None
        if not is_upgrade(live, wanted):
            if not self.upgrades.holds(self.who):
                return None
            if is_ready(live):
                self.upgrades.give_back()
            else:
                self.upgrades.take(self.who, self.now)
            return None
        if not is_ready(live):
            return None  # there is nothing to lose
        if not self.resting:
            return f"{self.who} is upgraded when its rollout has ended"
        before = self.upgrades.take(self.who, self.now)
        return before and f"{self.who} is upgraded after {before}: one at a time"

    @contextlib.contextmanager
    def applying(self) -> Iterator[None]:
        """Let others go first where what the block applies is refused.

        Who got no answer may have been heard, and keeps the turn.
        """
        try:
            yield
        except (ClusterRefusalError, WebhookUnavailableError):
            if self.upgrades.holds(self.who):
                self.upgrades.give_back()
            raise

    def under_way(self) -> str | None:
        """Say that the pods are being replaced, while they have the turn."""
        return (
            f"the pods of {self.who} are being replaced" if self.upgrades.holds(self.who) else None
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
