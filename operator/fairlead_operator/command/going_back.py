"""What ``rollback`` does now: abort what is in flight, or roll out an earlier version.  Pure.

Asking twice is asking once: who is going back, or was just taken back, is not taken further, or to
what was left.
"""

import copy
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from fairlead_operator.api.builtins import FOR_COPIES
from fairlead_operator.api.group import ANNOTATION_REQUEST, API_VERSION
from fairlead_operator.api.phases.rollout import ENDED, Phase, Reason, Trigger
from fairlead_operator.api.policy import in_one_step
from fairlead_operator.command.refusals import Object, status_of
from fairlead_operator.kube.metadata import Owner, component_labels
from fairlead_operator.requests import Action


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Back:
    """What to do, in this order; with nothing to do there is a refusal."""

    to: str | None = None  # the version to go to by a Rollout of its own
    abort: str | None = None  # the Rollout to take back, once that version is known to exist
    refusal: str | None = None


def plan_back(
    model: Object, current: Object | None, rollouts: Sequence[Object], to: str | None
) -> Back:
    """Decide what going back means; None for ``to`` means the previous version."""
    stable = (status_of(model).get("stable") or {}).get("version")
    for rollout in rollouts:
        if _is_going_back(rollout) and to in {None, rollout["spec"]["version"]}:
            name = rollout["metadata"]["name"]
            return Back(
                refusal=f"{name} is going back to {rollout['spec']['version']} already; "
                f"`fairlead status {model['metadata']['name']}` shows it"
            )
    flying = current is not None and status_of(current).get("phase") not in ENDED
    if flying and current is not None:
        return _from_flight(model, current, stable, to)
    if stable is None:
        name = model["metadata"]["name"]
        return Back(refusal=f"{name} serves no version yet; there is nothing to go back from")
    wanted = to or previous_version(rollouts, stable)
    if wanted is None:
        return Back(refusal=f"no version before {stable} is known; choose one with --to")
    if wanted == stable:
        return Back(refusal=f"{stable} is already the stable version, and no rollout is in flight")
    if to is None and current is not None and _was_taken_back(current, stable):
        return Back(refusal=_describe_taken_back(current, stable, wanted))
    return _refuse(model) or Back(to=wanted)


def _was_taken_back(current: Object, stable: str) -> bool:
    """Tell whether the last thing that happened was a way back to the version in charge.

    One that made way for another version than that is none, nor is one that does not exist.
    """
    status = status_of(current)
    reason = status.get("reason")
    if status.get("phase") != Phase.ROLLED_BACK or reason == Reason.VERSION_NOT_FOUND:
        return False
    return reason != Reason.SUPERSEDED or any(
        (request.get("action"), request.get("text")) == (Action.SUPERSEDE, stable)
        for request in status.get("requests") or ()
    )


def _describe_taken_back(current: Object, stable: str, previous: str) -> str:
    status = status_of(current)
    when = f" at {status['finishedAt']}" if status.get("finishedAt") else ""
    return (
        f"{current['spec']['version']} was taken back{when} ({status.get('reason')}), and {stable} "
        f"serves; to go further, name the version: --to {previous}"
    )


def _from_flight(model: Object, current: Object, stable: str | None, to: str | None) -> Back:
    name, target = current["metadata"]["name"], current["spec"]["version"]
    if to == target:
        return Back(refusal=f"{name} is already rolling out {target}")
    if status_of(current).get("phase") == Phase.ROLLING_BACK:
        if to in {None, stable}:
            return Back(refusal=f"{name} is already rolling back to {stable}")
        return _refuse(model) or Back(to=to)
    if to in {None, stable}:
        if stable is None:
            return Back(refusal=f"{name} rolls out the first version; there is none to go back to")
        return Back(abort=name)
    return _refuse(model) or Back(abort=name, to=to)


def _refuse(model: Object) -> Back | None:
    """Say why no Rollout could start, or return None."""
    if model["spec"].get("suspend"):
        return Back(refusal="the Model is suspended; set spec.suspend to false")
    return None


def _is_going_back(rollout: Object) -> bool:
    phase = status_of(rollout).get("phase", Phase.PENDING)
    by_hand = rollout["spec"].get("trigger") == Trigger.ROLLBACK
    return by_hand and phase not in ENDED and phase != Phase.ROLLING_BACK


def previous_version(rollouts: Sequence[Object], stable: str) -> str | None:
    """Find the version in charge before this one; none that a person went back from."""
    past: list[str] = []
    for rollout in sorted(rollouts, key=_ended_at):
        status, spec = status_of(rollout), rollout["spec"]
        if status.get("phase") != Phase.SUCCEEDED:
            continue
        before = (status.get("stable") or {}).get("version")
        version = str((status.get("candidate") or spec)["version"])
        if before and (not past or past[-1] != before):
            past.append(str(before))
        if spec.get("trigger") == Trigger.ROLLBACK:
            past = past[: past.index(version)] if version in past else []
        if not past or past[-1] != version:
            past.append(version)
    while past and past.pop() != stable:
        pass
    return past[-1] if past else None


def _ended_at(rollout: Object) -> str:
    """Return when it ended, which is not the order they were made in: what goes back goes first."""
    return str(status_of(rollout).get("finishedAt") or "")


def known_versions(model: Object, rollouts: Sequence[Object]) -> frozenset[str]:
    """Return the versions that have been resolved in the registry before."""
    statuses = [status_of(model), *(status_of(rollout) for rollout in rollouts)]
    return frozenset(
        str(reference["version"])
        for status in statuses
        for reference in (status.get("stable"), status.get("candidate"))
        if reference
    )


def describe_pin(model: Object, to: str) -> str:
    """Say what becomes of a version that the spec pins, and that this rollout leaves."""
    pinned = model["spec"].get("version")
    if pinned in {None, to}:
        return ""
    name = model["metadata"]["name"]
    return (
        f"spec.version still pins {pinned}: it stays blocked until spec.version changes, or "
        f"`fairlead retry {name}`"
    )


def build_back(model: Object, to: str, *, request: str, by_steps: bool) -> dict[str, Any]:
    """Build the Rollout that goes back: all traffic once the version is ready, then the guard.

    It was in charge before, so it need not climb; ``by_steps`` makes it all the same.
    """
    owner = Owner.of(model)
    spec: dict[str, Any] = {
        "model": owner.name, "version": to, "trigger": str(Trigger.ROLLBACK),
    }  # fmt: skip
    if not by_steps:
        spec["policy"] = _at_once(model["spec"].get("rollout") or {})
    meta = owner.metadata("", component_labels("rollout", owner.name))
    del meta["name"]
    return {
        "apiVersion": API_VERSION,
        "kind": "Rollout",
        "metadata": {
            **meta,
            "generateName": f"{owner.name}-rollback-",
            "annotations": {ANNOTATION_REQUEST: request},
        },
        "spec": spec,
    }


def _at_once(policy: Mapping[str, Any]) -> dict[str, Any]:
    """Build a policy with the Model's analysis and limits, and a single step to all traffic."""
    own = in_one_step(policy)
    kept = ("fastGuard", "guard", "patience", "startDeadline")
    limits = {key: copy.deepcopy(policy[key]) for key in kept if key in policy}
    analysis = _without_copies(policy.get("analysis") or {})
    return own | ({"analysis": analysis} if analysis else {}) | limits


def _without_copies(analysis: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out the checks that compare answers to copies: at once, there are none.

    Without any check that decides, the default ones do.
    """
    needing = {builtin.name for builtin in FOR_COPIES}
    given = analysis.get("checks") or ()
    checks = [check for check in given if check.get("builtin") not in needing]
    rest = {key: copy.deepcopy(value) for key, value in analysis.items() if key != "checks"}
    if not checks or ("templateRef" not in rest and all(check.get("dryRun") for check in checks)):
        return rest
    return {**rest, "checks": copy.deepcopy(checks)}
