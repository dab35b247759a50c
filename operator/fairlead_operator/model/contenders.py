"""How the candidates of a rollout do, and which it lost, each in its own words.  Pure.

What ended the rollout speaks of the version that had the traffic then.  A candidate that had
left before keeps its own cause; one that lost to another is told by how much.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from fairlead_operator.api.phases.rollout import Reason


class Loss(NamedTuple):
    """A candidate that did not make it, and why."""

    version: str
    reason: str
    message: str


def find_losses(
    versions: Sequence[str], status: Mapping[str, Any], *, succeeded: bool
) -> Iterator[Loss]:
    """Yield what an ended rollout lost of its candidates.

    Of a rollout that made way for another only those that had left its trial before.
    """
    winner = status.get("winner") or (versions[0] if succeeded else None)
    reason, message = status.get("reason", ""), status.get("message", "")
    own = {arm["version"]: arm for arm in status.get("arms", ()) if arm.get("reason")}
    for version in versions:
        if version in own:
            yield Loss(version, own[version]["reason"], own[version].get("message", ""))
        elif reason == Reason.SUPERSEDED or (succeeded and version == winner):
            continue
        elif winner is not None and version != winner:
            yield Loss(version, Reason.TRIAL_LOST, _against(winner, version, status))
        elif reason == Reason.TRIAL_LOST and (stable := status.get("stable")):
            yield Loss(version, reason, _against(stable["version"], version, status))
        else:
            yield Loss(version, reason, message)


def find_out(versions: Sequence[str], status: Mapping[str, Any]) -> frozenset[str]:
    """Return the candidates of a rollout in flight that are out: they left, or another has won."""
    winner = status.get("winner")
    left = {arm["version"] for arm in status.get("arms", ()) if arm.get("reason")}
    return frozenset(left if winner is None else (set(versions) - {winner}))


def find_leader(status: Mapping[str, Any]) -> str | None:
    """Return the best version of a trial so far, be it the stable one; None where none is known."""
    trial = status.get("trial")
    if trial is None or status.get("winner"):
        return None
    stable, leader = trial.get("stable") or {}, trial.get("leader")
    values = {arm["version"]: arm.get("value") for arm in status.get("arms", ())}
    best, before = values.get(leader), stable.get("value")
    if before is not None and (best is None or best <= before):
        return str(stable["version"])
    return leader if best is not None else None


def _against(winner: str, version: str, status: Mapping[str, Any]) -> str:
    stable = (status.get("trial") or {}).get("stable") or {}
    counted = {arm["version"]: arm for arm in (*status.get("arms", ()), stable) if arm}
    parts = [
        f"{name}: {arm['value'] * 100:.2f} % good of {arm['samples']:,.0f}"
        for name in (version, winner)
        if (arm := counted.get(name, {})).get("value") is not None
    ]
    return f"lost the trial to {winner}" + (f"; {', '.join(parts)}" if parts else "")
