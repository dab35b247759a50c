"""Chapter 7: someone asks for a version, and someone else takes it back."""

from e2e.story import energy
from e2e.story.bad_versions import wait_until_blocked
from e2e.story.errors import expect
from e2e.story.following import describe_rollout, expect_phase, has_ended
from e2e.story.good_versions import wait_until_serving
from e2e.story.objects import Object, name_of, status_of
from e2e.story.waiting import wait_for
from e2e.story.world import World

VERSION = "1.0.0"
_TIMEOUT = 120


def abort(world: World, *, stable: str) -> Object:
    """Pin the version from before, abort it in its first step, and return its Rollout."""
    world.say.chapter(f"7. Someone pins {VERSION} again, and a colleague aborts it")
    before = name_of(world.objects.rollout_to(VERSION))
    world.patch_model({"version": VERSION})

    def is_new(rollout: Object) -> bool:
        return name_of(rollout) != before

    wait_for(
        f"{VERSION} to have traffic",
        lambda: world.objects.rollout_to(VERSION),
        lambda rollout: is_new(rollout) and status_of(rollout).get("observedWeight", 0) > 0,
        describe=lambda rollout: describe_rollout(rollout if is_new(rollout) else {}),
        say=world.say,
        timeout=_TIMEOUT,
        aside=world.traffic.describe,
    )
    world.fairlead("abort", energy.MODEL, f"--why={stable} is the better one")
    rollout = wait_for(
        f"the Rollout to {VERSION} to end",
        lambda: world.objects.rollout_to(VERSION),
        has_ended,
        describe=describe_rollout,
        say=world.say,
        timeout=_TIMEOUT,
    )
    expect_phase(rollout, "RolledBack")
    expect(status_of(rollout)["reason"] == "Aborted", "reason Aborted", status_of(rollout))
    wait_until_blocked(world, VERSION)
    world.patch_model({"version": None})
    wait_until_serving(world, stable)
    return rollout
