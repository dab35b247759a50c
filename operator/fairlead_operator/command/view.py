"""Turns Model and Rollout documents into what ``status`` shows.  Pure.

It takes no field for granted, because the command may be older or newer than the operator.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from fairlead_operator.api.base import to_duration
from fairlead_operator.api.builtins import BUILTINS
from fairlead_operator.api.conditions import (
    ANSWERING,
    APPLIED,
    AUTOSCALED,
    CODE_ALLOWED,
    PODS_READY,
    QUERIES_READABLE,
    UPGRADED,
)
from fairlead_operator.api.phases.common import CommonReason
from fairlead_operator.api.phases.model import Phase as ModelPhase
from fairlead_operator.api.phases.rollout import ENDED, Phase, PodsReason
from fairlead_operator.api.policy import DEFAULT_STRATEGY
from fairlead_operator.command.refusals import Object, status_of

_SHOWN_REQUESTS = 3
_DIGEST = len("sha256:") + 12  # characters that are shown of one
# Conditions whose False is trouble, and what their lines are called.
_WARNINGS = {
    ANSWERING: "Answers",
    PODS_READY: "Pods",
    AUTOSCALED: "Autoscaler",
    "Registered": "Registry",
    CODE_ALLOWED: "Code",
    QUERIES_READABLE: "Queries",
    APPLIED: "Cluster",
    UPGRADED: "Upgrade",
}
_ROLLOUT_WARNINGS = {"Routed": "Route", "AlertRead": "Alert"}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version, and its share of the traffic in percent."""

    version: str
    role: str
    asked: int | None  # what the operator wants
    reported: int | None  # what every gateway pod gives it
    note: str = ""
    samples: float | None = None  # outcomes that a trial has counted
    good: float | None = None  # share of the good ones, 0 to 1


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """The last measurement of one check."""

    name: str
    version: str
    verdict: str
    value: float | None
    limits: tuple[float, ...]  # that are written; a template's are in the words of ``bound``
    bound: str
    samples: float | None
    stable: float | None  # the stable version's value
    message: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A person's request, and its answer."""

    at: str
    action: str
    outcome: str
    who: str
    message: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Everything that is shown of one Model."""

    title: str
    phase: str
    facts: tuple[tuple[str, str], ...]
    versions: tuple[Version, ...]
    checks: tuple[Check, ...]
    requests: tuple[Asked, ...]


def build_view(model: Object, rollout: Object | None, *, now: datetime) -> View:
    """Build what to show of a Model and of its current Rollout, if it has one."""
    meta, status = model["metadata"], status_of(model)
    progress = status_of(rollout or {})
    requests = [*(status.get("requests") or ()), *(progress.get("requests") or ())]
    return View(
        title=f"{meta['name']} in {meta.get('namespace', '')}",
        phase=str(status.get("phase", ModelPhase.PENDING)),
        facts=tuple(_facts(model, rollout, now)),
        versions=_versions(model, rollout),
        checks=_checks(model, rollout),
        requests=tuple(_asked(entry) for entry in sorted(requests, key=_moment)[-_SHOWN_REQUESTS:]),
    )


def _facts(model: Object, rollout: Object | None, now: datetime) -> Iterator[tuple[str, str]]:
    spec = model["spec"]
    yield "Model", _of_ready(status_of(model))
    yield from _stopped(status_of(model))
    yield from _warnings(status_of(model), _WARNINGS)
    if spec.get("suspend"):
        yield "Suspended", "no training or rollout starts; traffic stays as it is"
    if spec.get("version"):
        yield "Pinned", f"{spec['version']} by spec.version"
    yield from _artifact(status_of(model).get("stable") or {})
    yield from _gates(status_of(model).get("gate") or {})
    for entry in status_of(model).get("blocked") or ():
        yield "Blocked", f"{_blocked(entry)}{_retried(model, entry)}"
    if rollout is None:
        return
    status = status_of(rollout)
    policy = _policy(model, rollout)
    phase = str(status.get("phase", Phase.PENDING))
    wanted = (rollout["spec"]["version"], *(rollout["spec"].get("alternatives") or ()))
    yield "Rollout", f"{rollout['metadata']['name']} to {' or '.join(wanted)}"
    yield "Strategy", str(status.get("strategy") or policy.get("strategy", DEFAULT_STRATEGY))
    yield "Phase", f"{phase}, {status.get('reason', '')}".rstrip(", ")
    if phase not in ENDED:
        yield from _progress(status, now, suspended=bool(spec.get("suspend")))
    yield from _stopped(status)
    yield from _warnings(status, _ROLLOUT_WARNINGS)
    yield from _signature(status)
    yield from _before_traffic(status)
    if status.get("winner"):
        yield "Winner", str(status["winner"])
    if status.get("reactionSeconds") is not None:
        yield "Reaction", f"{status['reactionSeconds']:g} s from the cause to no traffic"
    if status.get("message"):
        yield "Message", str(status["message"])


def _artifact(stable: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Say which artifact is in charge, as far as people compare digests."""
    if stable.get("digest"):
        number, digest = stable.get("registryVersion"), str(stable["digest"])[:_DIGEST]
        yield "Artifact", f"{stable['version']} is registry version {number}, {digest}"


def _gates(gate: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Say of the version that was trained last which gates it passed, and which not."""
    for row in gate.get("results") or ():
        yield "Gate", f"{gate['version']} {row['outcome']}: {row.get('message', '')}"


def _before_traffic(status: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Say how a candidate is tried that nobody meets yet."""
    if status.get("mirror"):
        yield "Mirror", f"{status['mirror']} % of live requests are copied to the candidate"
    if status.get("preview"):
        yield "Preview", f"{status['preview']} answers with the candidate"


def _warnings(status: Mapping[str, Any], lines: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Say what is wrong beside what Ready says, and no sentence twice."""
    conditions = {entry["type"]: entry for entry in status.get("conditions") or ()}
    told = {str((conditions.get("Ready") or {}).get("message", ""))}
    for name, line in lines.items():
        condition = conditions.get(name) or {}
        message = str(condition.get("message", ""))
        if condition.get("status") == "False" and message not in told:
            told.add(message)
            yield line, message


def _stopped(status: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Say why the operator could not go on with an object; what else it says is of before."""
    for condition in status.get("conditions") or ():
        message = str(condition.get("message", ""))
        is_invalid = condition.get("reason") == CommonReason.INVALID_SPEC
        is_stopped = condition["type"] == "Progressing" and (
            condition["status"] == "Unknown" or is_invalid
        )
        if is_stopped and message != status.get("message"):
            yield "Stopped", f"{condition.get('reason', '')}: {message}"


def _signature(status: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Say what the candidates change for callers; where nothing is changed, nothing."""
    for condition in status.get("conditions") or ():
        if condition["type"] == "SignatureChanged" and condition["status"] != "False":
            yield "Signature", str(condition.get("message", ""))


def _blocked(entry: Mapping[str, Any]) -> str:
    return f"{entry['version']} ({entry['reason']}: {entry.get('message', '')})"


def _retried(model: Object, entry: Mapping[str, Any]) -> str:
    """Name the command where it means this version: the one asked for, or else the last."""
    spec, blocked = model["spec"], status_of(model)["blocked"]
    named = {spec.get("version"), *(spec.get("alternatives") or ())}
    meant = entry["version"] in named if spec.get("version") else entry is blocked[-1]
    return f"; `fairlead retry {model['metadata']['name']}` tries it again" if meant else ""


def _of_ready(status: Mapping[str, Any]) -> str:
    conditions = {entry["type"]: entry for entry in status.get("conditions") or ()}
    ready = conditions.get("Ready") or {}
    phase, message = str(status.get("phase", ModelPhase.PENDING)), str(ready.get("message", ""))
    return f"{phase}: {message}" if message else phase


def _progress(
    status: Mapping[str, Any], now: datetime, *, suspended: bool
) -> Iterator[tuple[str, str]]:
    if status.get("progress"):
        yield "Step", str(status["progress"])
    if suspended and status.get("phase") != Phase.ROLLING_BACK:
        yield "Time left", "without end: nothing goes on while the Model is suspended"
    elif status.get("holdsUntil"):
        left = datetime.fromisoformat(status["holdsUntil"]) - now
        yield "Time left", _left(left)
    if status.get("answerBy"):
        left = max(timedelta(0), datetime.fromisoformat(status["answerBy"]) - now)
        yield "Answer", f"within {to_duration(left)} (approvalDeadline); then it goes back"
    if status.get("doubtSince"):
        doubt = now - datetime.fromisoformat(status["doubtSince"])
        yield "In doubt", f"for {to_duration(doubt)}"


def _left(span: timedelta) -> str:
    if span > timedelta(0):
        return to_duration(span)
    return "none; the rollout goes on with the next good measurement"


def _versions(model: Object, rollout: Object | None) -> tuple[Version, ...]:
    in_charge = (status_of(model).get("stable") or {}).get("version")
    if rollout is None:
        if in_charge is None:
            return ()
        return (Version(version=in_charge, role="stable", asked=100, reported=None),)
    status = status_of(rollout)
    arms = _arms(rollout)
    asked = sum(arm.get("weight") or 0 for arm in arms)
    reports = [arm.get("observedWeight") for arm in arms]
    reported = None if None in reports else sum(report or 0 for report in reports)
    candidates = [_arm(arm, status) for arm in arms]
    before = (status.get("stable") or {}).get("version")
    if before is None or status.get("phase") == Phase.SUCCEEDED:
        return tuple(candidates)
    rest = None if reported is None else 100 - reported
    counted = (status.get("trial") or {}).get("stable") or {}
    down = _is_down(status)
    stopped = down and status.get("phase") == Phase.REPLACING
    stable = Version(
        version=before,
        role="down" if down else "stable",
        asked=0 if stopped else 100 - asked,
        reported=0 if down else rest,
        samples=counted.get("samples"),
        good=counted.get("value"),
    )
    return (stable, *candidates)


def _is_down(status: Mapping[str, Any]) -> bool:
    """Tell whether the stable version has stopped for the candidate, or is not back yet."""
    conditions = {entry["type"]: entry for entry in status.get("conditions") or ()}
    silent = (conditions.get(PODS_READY) or {}).get("reason") == PodsReason.NOT_ANSWERING
    return silent and status.get("phase") in {Phase.REPLACING, Phase.ROLLING_BACK}


def _arms(rollout: Object) -> Sequence[Mapping[str, Any]]:
    status = status_of(rollout)
    alone = {
        "version": rollout["spec"]["version"],
        "weight": status.get("weight"),
        "observedWeight": status.get("observedWeight"),
    }
    return status.get("arms") or (alone,)


def _arm(arm: Mapping[str, Any], status: Mapping[str, Any]) -> Version:
    if status.get("phase") == Phase.SUCCEEDED and arm.get("weight"):
        role = "stable"
    elif arm.get("reason"):
        role = "out"
    else:
        role = "winner" if status.get("winner") == arm["version"] else "candidate"
    note = ": ".join(str(arm[key]) for key in ("reason", "message") if arm.get(key))
    return Version(
        version=arm["version"],
        role=role,
        asked=arm.get("weight"),
        reported=arm.get("observedWeight"),
        note=note,
        samples=arm.get("samples"),
        good=arm.get("value"),
    )


def _checks(model: Object, rollout: Object | None) -> tuple[Check, ...]:
    if rollout is None:
        return ()
    written = {
        check["name"]: check
        for check in (_policy(model, rollout).get("analysis") or {}).get("checks") or ()
    }
    several = len(_arms(rollout)) > 1
    return tuple(
        Check(
            name=entry["name"],
            version=entry.get("version", "") if several else "",
            verdict=_verdict(entry),
            value=entry.get("value"),
            limits=_limits(written.get(entry["name"], {})),
            bound=_bound(entry, written.get(entry["name"], {})),
            samples=entry.get("samples"),
            stable=entry.get("stable"),
            message=entry.get("message", ""),
        )
        for entry in status_of(rollout).get("checks") or ()
    )


def _limits(check: Mapping[str, Any]) -> tuple[float, ...]:
    bounds = (check.get("atLeast"), check.get("atMost"))
    return tuple(bound for bound in bounds if bound is not None)


def _verdict(entry: Mapping[str, Any]) -> str:
    if entry.get("abstains"):
        return "nothing against it" + (" (dry run)" if entry.get("dryRun") else "")
    return str(entry["verdict"]) + (" (dry run)" if entry.get("dryRun") else "")


def _bound(entry: Mapping[str, Any], written: Mapping[str, Any]) -> str:
    """Return the bound as written, or the operator's words for a template's; add the interval."""
    said = str(entry.get("message", "")).partition(", allowed ")[2].partition(";")[0]
    parts = [describe_bound(written) or said]
    low, high = entry.get("low"), entry.get("high")
    if low is not None and high is not None:
        parts.append(f"differs by {low:+.3g} to {high:+.3g}")
    return "; ".join(part for part in parts if part)


def describe_bound(check: Mapping[str, Any]) -> str:
    """Describe the bounds of a check in a few characters."""
    low, high, relative = check.get("atLeast"), check.get("atMost"), check.get("relative")
    row, parts = BUILTINS.get(str(check.get("builtin"))), []
    unit = row.unit.sign if row else ""
    if low is not None:
        parts.append(f"≥ {low:g}{unit}")
    if high is not None:
        parts.append(f"≤ {high:g}{unit}")
    if relative is not None:
        parts.append(f"worse by < {relative.get('margin', 0):g}")
    return ", ".join(parts)


def _policy(model: Object, rollout: Object) -> Mapping[str, Any]:
    return rollout["spec"].get("policy") or model["spec"].get("rollout") or {}


def _moment(entry: Mapping[str, Any]) -> str:
    return str(entry.get("answeredAt") or entry.get("at") or "")


def _asked(entry: Mapping[str, Any]) -> Asked:
    who = ": ".join(part for part in (entry.get("by"), entry.get("why")) if part)
    return Asked(
        at=_moment(entry)[:19].replace("T", " "),
        action=entry["action"],
        outcome=str(entry.get("outcome", "")).lower(),
        who=who,
        message=entry.get("message", ""),
    )
