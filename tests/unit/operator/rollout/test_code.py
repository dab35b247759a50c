"""When a candidate's code is asked about, and when what it brings is refused."""

from typing import Any

import pytest

from fairlead_operator.api.common import VersionReference
from fairlead_operator.api.model import ModelSpec
from fairlead_operator.rollout.code import find_refused_code
from support import builders
from support.world import NAMESPACE, World, model_manifest

NAME = f"{NAMESPACE}.nsw-price"


@pytest.fixture
def world() -> World:
    world = World()
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        world.registry.register(NAME, version)
    world.registry.code_of["1.1.0"] = "python_function"
    return world


async def look(
    world: World,
    *versions: str,
    phase: str = "Pending",
    by_model: bool = False,
    by_operator: bool = True,
    running: tuple[str, ...] = (),
    returning: tuple[str, ...] = (),
    **changes: Any,
) -> str | None:
    references = [
        VersionReference(
            version=version,
            registry_version=world.registry.versions[NAME, version].registry_version,
        )
        for version in versions or ("1.1.0",)
    ]
    manifest = model_manifest(serving={"allowArtifactCode": by_model})
    model = ModelSpec.model_validate(manifest["spec"])
    case = builders.case(status={"phase": phase}, model=model, **changes)
    return await find_refused_code(
        case,
        references,
        world.ports.registry,
        running=running,
        returning=returning,
        by_operator=by_operator,
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param({}, "spec.serving.allowArtifactCode of the Model", id="the Model forbids it"),
        pytest.param(
            {"by_model": True, "by_operator": False},
            "1.1.0 runs code from its artifact (python_function), and serving.allowArtifactCode",
            id="the chart forbids it",
        ),
        pytest.param({"by_operator": False}, " and serving.allowArtifactCode", id="both forbid it"),
        pytest.param({"phase": "Replacing"}, "1.1.0 runs code", id="before a replacement starts"),
        pytest.param({"by_model": True}, None, id="both allow it"),
        pytest.param({"phase": "Progressing"}, None, id="it has traffic, and keeps it"),
        pytest.param({"phase": "RollingBack"}, None, id="it goes back"),
        pytest.param({"running": ("1.1.0",)}, None, id="its server says it by itself"),
        pytest.param({"returning": ("1.1.0",)}, None, id="it was in charge before"),
        pytest.param({"has_turn": False}, None, id="it is not its turn"),
    ],
)
async def test_a_candidate_with_code(
    world: World, changes: dict[str, Any], said: str | None
) -> None:
    found = await look(world, **changes)

    assert found is None if said is None else said in (found or "")


@pytest.mark.parametrize(
    ("versions", "refused"),
    [
        pytest.param(["1.0.0"], False, id="data alone"),
        pytest.param(["1.2.0", "1.1.0"], True, id="a trial with one of them"),
        pytest.param(["1.2.0", "1.0.0"], False, id="a trial of data"),
    ],
)
async def test_every_candidate_is_asked(world: World, versions: list[str], refused: bool) -> None:
    assert bool(await look(world, *versions)) == refused


@pytest.mark.parametrize("trouble", ["down", "unreadable"])
async def test_what_mlflow_does_not_say_the_server_does(world: World, trouble: str) -> None:
    world.registry.down = trouble == "down"
    world.registry.unreadable = {"1.1.0"} if trouble == "unreadable" else set()

    assert await look(world) is None
