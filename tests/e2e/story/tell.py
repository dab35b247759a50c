"""The story from its first chapter to its last, and the report of it."""

import dataclasses
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from e2e.story import answers, energy, installation
from e2e.story.bad_versions import BAD_VERSIONS, Episode, pin, register
from e2e.story.by_hand import abort
from e2e.story.errors import expect
from e2e.story.following import Followed
from e2e.story.good_versions import (
    Promotion,
    promote_second,
    serve_first,
    train_first,
    train_second,
)
from e2e.story.installation import Installation
from e2e.story.measured import result_of, to_promoted, to_trained
from e2e.story.memory import measure_memory
from e2e.story.narrator import Narrator
from e2e.story.objects import Object, Objects
from e2e.story.report import Report, build_report, write_report
from e2e.story.signed_in import sign_in
from e2e.story.traffic import Traffic
from e2e.story.world import MLFLOW_PORT, PROMETHEUS_PORT, World, expose_component

BUILD = installation.REPOSITORY / "build"
REPORT = BUILD / "demo-report.json"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A story that came to its end: everything it saw, for who wants to look closer."""

    world: World
    training: Followed
    promotion: Promotion
    episodes: Sequence[Episode]
    aborted: Object
    answers: Sequence[answers.Answer]
    report: Report


def open_world(installed: Installation, say: Narrator, folder: Path = BUILD) -> World:
    """Reach everything the story needs from this machine."""
    cluster = installed.cluster
    sign_in(cluster)
    return World(
        cluster=cluster,
        images=installed.images,
        objects=Objects(cluster.kubeconfig, energy.NAMESPACE),
        traffic=Traffic(folder),
        say=say,
        mlflow_url=expose_component(cluster, "mlflow", MLFLOW_PORT),
        prometheus_url=expose_component(cluster, "prometheus", PROMETHEUS_PORT),
    )


def tell(world: World, installed: Installation) -> Told:
    """Play all seven chapters, anew.

    Raises:
        StoryError: something went another way.
    """
    begin = time.monotonic()
    world.say.chapter("story")
    energy.clear(world.cluster, world.mlflow_url, world.say)
    try:
        training, promotion, episodes = _play(world)
        aborted = abort(world, stable=result_of(promotion.training.end)["version"])
        memory = measure_memory(world.cluster, (energy.NAMESPACE, installation.NAMESPACE))
    finally:
        seen = world.traffic.stop()
    requests = answers.count(seen, bad_versions={bad.version for bad in BAD_VERSIONS})
    report = build_report(
        trained=to_trained(training.end),
        promoted=to_promoted(promotion.training.end, promotion.rollout.end),
        rollbacks=[episode.rollback for episode in episodes],
        requests=requests,
        seconds={**installed.seconds, "story": round(time.monotonic() - begin, 1)},
        memory_mib=memory,
    )
    write_report(report, REPORT)
    _expect_no_harm(seen)
    return Told(
        world=world,
        training=training,
        promotion=promotion,
        episodes=episodes,
        aborted=aborted,
        answers=seen,
        report=report,
    )


def _play(world: World) -> tuple[Followed, Promotion, Sequence[Episode]]:
    training = train_first(world)
    serve_first(world)
    second = train_second(world)
    version = result_of(second.end)["version"]
    with _registering(world, based_on=version) as registered:
        promotion = promote_second(world, second)
        episodes = []
        for bad, done in zip(BAD_VERSIONS, registered, strict=True):
            world.say.chapter(bad.title)
            done.result()
            episodes.append(pin(world, bad, stable=version))
    return training, promotion, episodes


@contextmanager
def _registering(world: World, *, based_on: str) -> Iterator[Sequence[Future[None]]]:
    """Register the bad versions one after the other, beside what else goes on."""
    pool = ThreadPoolExecutor(max_workers=1)
    try:
        yield [pool.submit(register, world, bad, based_on=based_on) for bad in BAD_VERSIONS]
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _expect_no_harm(seen: Sequence[answers.Answer]) -> None:
    """Expect that only requests to a bad version failed."""
    bad = {bad.version for bad in BAD_VERSIONS}
    harmed = [answer for answer in answers.failed(seen) if answer.version not in bad]
    expect(not harmed, "no failed request but from a bad version", harmed[:5])
    refused = answers.refused(seen)
    expect(not refused, "no real row refused", refused[:5])
