"""Ask the operator for something, and wait for its answer.

A Rollout is asked for as well: the operator looks its version up before its turn.

A request is an annotation that says who, when and why; the answer is in
``status.requests`` of the same object.  The time makes each request a new one.
"""

import dataclasses
import json
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from fairlead_operator.api.base import to_moment
from fairlead_operator.api.phases.common import RequestOutcome
from fairlead_operator.api.phases.rollout import ENDED
from fairlead_operator.command.cluster import Cluster, Object
from fairlead_operator.command.failures import CommandError, RefusedError, UnansweredError
from fairlead_operator.requests import Action, Word, parse_request

LONGEST_WHY: Final = 256  # the whole request must fit what the operator keeps of it
_LOOK_EVERY: Final = 0.3  # seconds


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long to wait for an answer, and by which clock."""

    seconds: float
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


def compose(*, by: str, at: datetime, why: str, words: Iterable[Word] = ()) -> str:
    """Return the annotation's value."""
    said = {word.field: True for word in words}
    return json.dumps({"by": by, "at": to_moment(at), "why": why, **said}, ensure_ascii=False)


def ask(
    cluster: Cluster,
    action: Action,
    kind: str,
    name: str,
    *,
    why: str,
    words: Iterable[Word] = (),
    patience: Patience | None,
) -> str:
    """Write the request; with patience, wait for the answer and return its text.

    Raises:
        RefusedError: the operator refuses, with its reason.
        UnansweredError: no answer in time; the request stays.
        CommandError: the cluster does not take it.
    """
    text = compose(by=cluster.whoami(), at=datetime.now(UTC), why=why, words=words)
    cluster.annotate(kind, name, {action.annotation: text})
    if patience is None:
        return f"request to {action} {name} sent; see the answer with fairlead status"
    kept = parse_request(action, text).text  # what the operator keeps of it

    def look() -> Mapping[str, Any] | None:
        return find_answer(_look(cluster, kind, name), action, kept)

    answer = _wait(look, patience)
    if answer is None:
        says = ((_look(cluster, kind, name) or {}).get("status") or {}).get("message")
        raise UnansweredError(
            f"the operator did not answer the request to {action} {name} within "
            f"{patience.seconds:g} s; the request stays, and is answered as soon as possible"
            + (f"; {name} says: {says}" if says else "")
        )
    if answer["outcome"] != RequestOutcome.ACCEPTED:
        raise RefusedError(f"request to {action} {name} refused: {answer.get('message', '')}")
    return f"request to {action} {name} accepted: {answer.get('message', '')}"


def confirm(cluster: Cluster, rollout: Object, *, patience: Patience) -> None:
    """Wait until the operator has found the version of a Rollout that was just created.

    One that is not found is withdrawn, so that it cannot take its turn later.

    Raises:
        RefusedError: there is no such version.
        UnansweredError: nothing was found in time.
        CommandError: the cluster does not answer.
    """
    name, version = rollout["metadata"]["name"], rollout["spec"]["version"]

    def look() -> Mapping[str, Any] | None:
        status = (cluster.rollout(name) or {}).get("status") or {}
        return status if status.get("candidate") or status.get("phase") in ENDED else None

    try:
        status = _wait(look, patience)
    except (CommandError, KeyboardInterrupt):
        _withdraw(cluster, name)
        raise
    if status is None:
        _withdraw(cluster, name)
        raise UnansweredError(
            f"the operator did not look up {version} within {patience.seconds:g} s; {name} is "
            "withdrawn, and nothing else was done"
        )
    if not status.get("candidate"):
        why = f"{status.get('reason', '')}: {status.get('message', '')}"
        raise RefusedError(f"{name} ended at once, and nothing else was done ({why})")


def _withdraw(cluster: Cluster, name: str) -> None:
    text = compose(by=cluster.whoami(), at=datetime.now(UTC), why="its version was not found")
    cluster.annotate("Rollout", name, {Action.ABORT.annotation: text})


def find_answer(body: Object | None, action: Action, text: str) -> Mapping[str, Any] | None:
    """Return the entry in status that answers this request, or None."""
    entries = ((body or {}).get("status") or {}).get("requests") or []
    return next(
        (
            entry
            for entry in reversed(entries)
            if (entry["action"], entry["text"]) == (action, text)
        ),
        None,
    )


def _look(cluster: Cluster, kind: str, name: str) -> Object | None:
    return cluster.model(name) if kind == "Model" else cluster.rollout(name)


def _wait(
    look: Callable[[], Mapping[str, Any] | None], patience: Patience
) -> Mapping[str, Any] | None:
    end = patience.clock() + patience.seconds
    while (answer := look()) is None and patience.clock() < end:
        patience.sleep(_LOOK_EVERY)
    return answer
