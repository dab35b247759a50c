"""The command lines of Docker and buildah, and when which is used."""

from collections.abc import Callable
from pathlib import Path

import pytest

from images.engine import Buildah, Docker, Engine, open_buildah
from images.host import Mount
from support.recording import RecordingRunner

MOUNT = Mount(source=Path("/host/pip.conf"), target="/etc/pip.conf")
STORE = "--root /cache/store --runroot /cache/run --storage-driver overlay"
POLICY = "--signature-policy /cache/policy.json"


def buildah(runner: RecordingRunner) -> Buildah:
    return Buildah(
        runner=runner,
        root=Path("/cache/store"),
        runroot=Path("/cache/run"),
        driver="overlay",
        policy=Path("/cache/policy.json"),
        scratch=Path("/cache/tmp"),
        mounts=(MOUNT,),
    )


def build(engine: Engine, *, target: str = "") -> None:
    engine.build(
        dockerfile=Path("/repo/operator/Dockerfile"),
        context=Path("/repo"),
        reference="localhost/fairlead/operator:1",
        arguments={"BASE_IMAGE": "base:1"},
        target=target,
    )


def test_docker_builds_with_the_base_image_it_is_given() -> None:
    runner = RecordingRunner()

    build(Docker(runner=runner))

    assert runner.seen[0] == (
        "docker build --file /repo/operator/Dockerfile --tag localhost/fairlead/operator:1"
        " --build-arg=BASE_IMAGE=base:1 /repo"
    )


@pytest.mark.parametrize("engine", [lambda runner: Docker(runner=runner), buildah])
def test_an_image_may_be_one_stage_of_a_dockerfile(
    engine: Callable[[RecordingRunner], Engine],
) -> None:
    runner = RecordingRunner()

    build(engine(runner), target="onnx")

    assert " --target=onnx " in runner.seen[0]


def test_docker_saves_under_the_reference() -> None:
    runner = RecordingRunner()

    Docker(runner=runner).save("image:1", Path("/cache/image.tar"))

    assert runner.seen == ["docker save --output /cache/image.tar image:1"]


def test_buildah_builds_in_its_own_store_with_the_hosts_settings_mounted() -> None:
    runner = RecordingRunner()

    build(buildah(runner))

    assert runner.seen[0] == (
        f"buildah {STORE} bud {POLICY} --isolation chroot --layers --force-rm --pull-never"
        " --volume=/host/pip.conf:/etc/pip.conf:ro --build-arg=BASE_IMAGE=base:1"
        " --file /repo/operator/Dockerfile --tag localhost/fairlead/operator:1 /repo"
    )


def test_buildah_saves_a_docker_archive_under_the_reference() -> None:
    runner = RecordingRunner()

    buildah(runner).save("image:1", Path("/cache/image.tar"))

    assert runner.seen == [
        f"buildah {STORE} push {POLICY} --quiet image:1 docker-archive:/cache/image.tar:image:1"
    ]


def test_buildah_names_an_image_without_its_algorithm() -> None:
    assert buildah(RecordingRunner(answer="sha256:abc\n")).image_id("image:1") == "abc"


def test_what_killed_builds_left_is_discarded() -> None:
    runner = RecordingRunner()

    buildah(runner).discard_leftovers()

    assert runner.seen == [f"buildah {STORE} rm --all", f"buildah {STORE} rmi --prune"]


def test_an_image_that_cannot_be_removed_is_kept() -> None:
    runner = RecordingRunner(failing=("image", "rmi"))

    Docker(runner=runner).remove("image:1")
    buildah(runner).remove("image:1")

    assert runner.seen == ["docker image rm image:1", f"buildah {STORE} rmi image:1"]


@pytest.mark.parametrize(
    ("failing", "driver"),
    [
        pytest.param((), "overlay", id="overlay works"),
        pytest.param(("overlay",), "vfs", id="overlay does not"),
    ],
)
def test_the_storage_driver_is_one_that_works(
    tmp_path: Path, failing: tuple[str, ...], driver: str
) -> None:
    engine = open_buildah(RecordingRunner(failing=failing), tmp_path, ())

    assert engine.driver == driver
    assert engine.root == tmp_path / f"store-{driver}"
