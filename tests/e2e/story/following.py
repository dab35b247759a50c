"""Follow a training or a rollout to its end, telling each change of its status."""

import dataclasses

from e2e.story import energy
from e2e.story.errors import StoryError
from e2e.story.objects import Object, name_of, status_of
from e2e.story.waiting import wait_for
from e2e.story.world import World

_TRAINING_TIMEOUT = 420
_ROLLOUT_TIMEOUT = 300
_ENDS = frozenset({"Succeeded", "Failed", "RolledBack"})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """An object at its end, and what was seen of it on the way."""

    end: Object
    seen: tuple[str, ...]  # distinct lines of a training, weights of a rollout


def follow_training(world: World, name: str) -> Followed:
    """Wait until a TrainingRun has succeeded.

    Raises:
        StoryError: it failed, or took too long.
    """
    lines: list[str] = []

    def look() -> Object:
        run = world.objects.training_run(name)
        _note(lines, str(status_of(run).get("summary") or ""))
        return run

    end = wait_for(
        f"TrainingRun {name} to end",
        look,
        has_ended,
        describe=describe_training,
        say=world.say,
        timeout=_TRAINING_TIMEOUT,
        aside=world.traffic.describe,
    )
    return Followed(end=expect_phase(end, "Succeeded"), seen=tuple(lines))


def follow_rollout(
    world: World, version: str, phase: str, *, approve: str | None = None
) -> Followed:
    """Wait until the Rollout to a version has ended in a phase.

    Args:
        approve: what the person says who approves the step that waits for one.

    Raises:
        StoryError: it ended otherwise, or took too long.
    """
    weights: list[str] = []
    words = approve

    def look() -> Object:
        nonlocal words
        rollout = world.objects.rollout_to(version)
        weight = status_of(rollout).get("observedWeight")
        if weight is not None:
            _note(weights, str(weight))
        if words is not None and status_of(rollout).get("reason") == "AwaitingApproval":
            world.fairlead("approve", energy.MODEL, f"--why={words}")
            words = None
        return rollout

    end = wait_for(
        f"the Rollout to {version} to end",
        look,
        has_ended,
        describe=describe_rollout,
        say=world.say,
        timeout=_ROLLOUT_TIMEOUT,
        aside=world.traffic.describe,
    )
    return Followed(end=expect_phase(end, phase), seen=tuple(weights))


def has_ended(item: Object) -> bool:
    return status_of(item).get("phase") in _ENDS


def expect_phase(item: Object, phase: str) -> Object:
    """Return the object itself, if it is in the phase.

    Raises:
        StoryError: it is not; the message is its own.
    """
    status = status_of(item)
    if status.get("phase") != phase:
        raise StoryError(
            f"expected {item['kind']} {name_of(item)} to be {phase}, but it is "
            f"{status.get('phase')}, {status.get('reason')}: {status.get('message')}"
        )
    return item


def describe_training(run: Object) -> str:
    """Describe in a line: phase, and trial k of n with the best value."""
    status = status_of(run)
    if not run or not status:
        return "training: not started yet"
    return f"training {name_of(run)}: {status.get('phase')}, {status.get('summary') or ''}"


def describe_rollout(rollout: Object) -> str:
    """Describe in a line: phase, weight, verdict and what was measured."""
    status = status_of(rollout)
    if not rollout or not status:
        return "rollout: not started yet"
    version = rollout["spec"]["version"]
    weight = status.get("observedWeight")
    parts = [f"rollout to {version}: {status.get('phase')}"]
    parts.append(f"weight {'?' if weight is None else weight} %")
    if status.get("verdict"):
        parts.append(str(status["verdict"]))
    return f"{', '.join(parts)}; {status.get('reason')}: {status.get('message', '')}"


def _note(known: list[str], value: str) -> None:
    if value and value not in known:
        known.append(value)
