"""Chapters 4 to 6: three bad versions are asked for, and none stays."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from e2e.story import energy
from e2e.story.answers import of_version
from e2e.story.errors import expect
from e2e.story.following import Followed, follow_rollout
from e2e.story.good_versions import wait_until_serving
from e2e.story.measured import Rollback, Trigger, moment, to_rollback
from e2e.story.objects import Object, name_of, status_of
from e2e.story.waiting import wait_for
from e2e.story.world import World

_EVENT_TIMEOUT = 120


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BadVersion:
    """A version someone registered by hand, and how it should end."""

    version: str
    title: str
    trigger: Trigger
    reason: str  # of the Rollout
    words: str  # that its message must have
    registered_with: tuple[str, ...]  # arguments of register.py
    policy: Mapping[str, Any]  # what the person changes in spec.rollout along with the pin
    weights: frozenset[str]  # percent it may take at most
    takes_traffic: bool = True


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """A bad version's short life."""

    bad: BadVersion
    rollback: Rollback
    rollout: Object
    events: Sequence[Object]
    row: str  # what kubectl get rollouts shows


BAD_VERSIONS = (
    BadVersion(
        version="1.1.0",
        title="4. Someone pins 1.1.0, whose code fails on some real rows",
        trigger="analysis",
        reason="AnalysisFailed",
        words="success-rate",
        registered_with=("--code", str(energy.version_code("faulty"))),
        policy={},
        weights=frozenset({"0", "10"}),
    ),
    BadVersion(
        version="1.2.0",
        title="5. Someone pins 1.2.0, which is slow, and sets the analysis interval to 2 minutes",
        trigger="alert",
        reason="AlertFired",
        words="",
        registered_with=("--code", str(energy.version_code("slow"))),
        policy={"analysis": {"interval": "2m"}},
        weights=frozenset({"0", "10"}),
    ),
    BadVersion(
        version="1.3.0",
        title="6. Someone pins 1.3.0, whose files were changed after it was registered",
        trigger="startup",
        reason="CandidateFailed",
        words="DigestMismatch",
        registered_with=("--corrupt",),
        policy={},
        weights=frozenset({"0"}),
        takes_traffic=False,
    ),
)


def register(world: World, bad: BadVersion, *, based_on: str) -> None:
    """Have the version in MLflow; it takes seconds, so the story does it while others wait."""
    energy.register(
        world.mlflow_url, version=bad.version, based_on=based_on, extra=bad.registered_with
    )


def pin(world: World, bad: BadVersion, *, stable: str) -> Episode:
    """Ask for it, watch it being taken back, and go back to what the gate passed."""
    world.patch_model({"version": bad.version} | ({"rollout": bad.policy} if bad.policy else {}))
    rollout = follow_rollout(world, bad.version, "RolledBack")
    episode = Episode(
        bad=bad,
        rollback=to_rollback(rollout.end, world.traffic.answers(), trigger=bad.trigger),
        rollout=rollout.end,
        events=_wait_for_event(world, rollout.end, bad),
        row=world.kubectl("get", "rollouts", name_of(rollout.end)),
    )
    world.say.block(episode.row)
    _expect_rollback(world, episode, rollout)
    world.patch_model({"version": None} | ({"rollout": _own_policy()} if bad.policy else {}))
    wait_until_serving(world, stable)
    _expect_no_later_traffic(world, episode)
    return episode


def _expect_rollback(world: World, episode: Episode, rollout: Followed) -> None:
    bad, status = episode.bad, status_of(rollout.end)
    expect(status["reason"] == bad.reason, f"reason {bad.reason}", status["reason"])
    expect(bad.words in status["message"], f"{bad.words} in the message", status["message"])
    expect(set(rollout.seen) <= bad.weights, f"weights {sorted(bad.weights)}", rollout.seen)
    expect(bad.reason in episode.row, f"{bad.reason} in kubectl get rollouts", episode.row)
    took = episode.rollback.candidate_requests > 0
    expect(took is bad.takes_traffic, f"traffic: {bad.takes_traffic}", episode.rollback)
    wait_until_blocked(world, bad.version)


def wait_until_blocked(world: World, version: str) -> None:
    """Wait until the Model blocks the version, a moment after the Rollout has ended."""
    wait_for(
        f"{version} among status.blocked",
        lambda: status_of(world.objects.model(energy.MODEL)).get("blocked", []),
        lambda blocked: version in [entry["version"] for entry in blocked],
        describe=lambda blocked: f"blocked: {[entry['version'] for entry in blocked]}",
        say=lambda line: None,
        timeout=_EVENT_TIMEOUT,
    )


def _expect_no_later_traffic(world: World, episode: Episode) -> None:
    """After the Rollout said zero, no request may reach the version."""
    end = moment(status_of(episode.rollout)["finishedAt"])
    theirs = of_version(world.traffic.answers(), episode.bad.version)
    late = [answer for answer in theirs if answer.sent > end]
    expect(not late, f"no request on {episode.bad.version} after its rollback", late[:3])


def _wait_for_event(world: World, rollout: Object, bad: BadVersion) -> Sequence[Object]:
    """Return the Rollout's Events, once the one with the cause and its numbers is among them."""

    def has_cause(events: Sequence[Object]) -> bool:
        return any(
            event["reason"] == bad.reason
            and event["type"] == "Warning"
            and any(letter.isdigit() for letter in event["message"])
            for event in events
        )

    return wait_for(
        f"a Warning Event with reason {bad.reason} and numbers",
        lambda: world.objects.events(name_of(rollout)),
        has_cause,
        describe=lambda events: "events: " + ", ".join(str(event["reason"]) for event in events),
        say=lambda line: None,
        timeout=_EVENT_TIMEOUT,
    )


def _own_policy() -> Mapping[str, Any]:
    """Return what model.yaml says of the analysis interval."""
    return {"analysis": {"interval": energy.read_policy()["analysis"]["interval"]}}
