"""Code in an artifact runs where it may and nowhere else: each bait leaves a mark when it bites."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import xgboost

from fairlead_serving.server.artifact import read_artifact
from fairlead_serving.server.failure import BAD_VERSION, Reason, StartupError
from fairlead_serving.server.predictors.flavors import open_predictor
from support import baits

Write = Callable[[Path, Path], Path]

BITES = [baits.write_loader, baits.write_script, baits.write_cloudpickle]


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    return tmp_path / "mark"


@pytest.mark.parametrize(
    ("write", "named"), [pytest.param(*row, id=row[0].__name__) for row in baits.CODE]
)
def test_code_that_may_not_run_does_not(
    write: Write, named: str, mark: Path, tmp_path: Path
) -> None:
    artifact = read_artifact(write(tmp_path / "model", mark))

    with pytest.raises(StartupError) as failure:
        open_predictor(artifact, allows_code=False)

    assert not mark.exists()
    assert failure.value.reason is Reason.CODE_NOT_ALLOWED
    assert failure.value.exit_code == BAD_VERSION, "another start changes nothing"
    for word in (named, "spec.serving.allowArtifactCode", "serving.allowArtifactCode in the chart"):
        assert word in failure.value.message


@pytest.mark.filterwarnings("ignore")  # MLflow's own, of artifacts by hand
@pytest.mark.parametrize("write", BITES, ids=lambda write: write.__name__)
def test_code_that_may_run_does(write: Write, mark: Path, tmp_path: Path) -> None:
    artifact = read_artifact(write(tmp_path / "model", mark))

    with pytest.raises(StartupError, match="cannot be loaded"):  # it is nothing but a bait
        open_predictor(artifact, allows_code=True)

    assert mark.exists()


@pytest.fixture(scope="module")
def booster() -> bytes:
    frame = pd.DataFrame({"a": [0.0, 1.0, 2.0, 3.0]})
    trained = xgboost.train({"nthread": 1}, xgboost.DMatrix(frame, [0, 0, 1, 1]), 2)
    return bytes(trained.save_raw("ubj"))


@pytest.mark.parametrize("allows_code", [False, True], ids=["refused", "allowed"])
def test_a_booster_is_data_whatever_else_its_artifact_brings(
    booster: bytes, allows_code: bool, mark: Path, tmp_path: Path
) -> None:
    loader = baits.generic(loader_module="bait", code="code", data="model.ubj")
    folder = baits.write_artifact(
        tmp_path / "model",
        flavors={
            **loader,
            "xgboost": {"data": "model.ubj", "model_class": "bait.Bait", "code": "code"},
        },
        files={
            "model.ubj": booster,
            "code/bait.py": baits.module(mark),
            "bait.py": baits.module(mark),
            "python_model.pkl": baits.pickled(mark),
            "requirements.txt": b"./code\n",
            "conda.yaml": b"dependencies: [pip, {pip: [./code]}]\n",
        },
    )

    predictor = open_predictor(read_artifact(folder), allows_code=allows_code)

    assert len(predictor.predict([{"a": 3}])) == 1
    assert not mark.exists()


def test_a_pickle_under_the_name_of_a_booster_is_no_booster(mark: Path, tmp_path: Path) -> None:
    folder = baits.write_artifact(
        tmp_path / "model",
        flavors={"xgboost": {"data": "model.ubj"}},
        files={"model.ubj": baits.pickled(mark)},
    )

    with pytest.raises(StartupError, match="cannot be loaded") as failure:
        open_predictor(read_artifact(folder), allows_code=True)

    assert failure.value.reason is Reason.ARTIFACT_INVALID
    assert not mark.exists()


@pytest.mark.parametrize("name", ["/etc/hostname", "../secret", "a/../../secret"])
def test_a_booster_outside_of_its_artifact_is_not_read(name: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("{}")
    folder = baits.write_artifact(
        tmp_path / "model", flavors={"xgboost": {"data": name}}, files={"a/x": b""}
    )

    with pytest.raises(StartupError, match="outside the artifact"):
        open_predictor(read_artifact(folder), allows_code=True)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        pytest.param({}, "flavors: !!python/object/apply:builtins.open ['{mark}', w]", id="a tag"),
        pytest.param({}, "flavors: !!python/name:os.system {{}}", id="a name"),
        pytest.param({"signature": {"inputs": "open('{mark}', 'w')"}}, "", id="a signature"),
        pytest.param(
            {"saved_input_example_info": {"artifact_path": "example"}}, "", id="an example"
        ),
        pytest.param(
            {"saved_input_example_info": {"artifact_path": "../outside"}}, "", id="one elsewhere"
        ),
    ],
)
def test_what_describes_an_artifact_is_data(
    changes: dict[str, Any], text: str, mark: Path, tmp_path: Path
) -> None:
    (tmp_path / "outside").write_text("[]")
    changes = json.loads(json.dumps(changes).replace("{mark}", str(mark)))
    folder = baits.write_artifact(
        tmp_path / "model",
        flavors={"xgboost": {"data": "model.ubj"}},
        files={"model.ubj": b"{", "example": baits.pickled(mark)},
        **changes,
    )
    if text:
        (folder / "MLmodel").write_text(text.format(mark=mark))

    with pytest.raises(StartupError) as failure:
        read_artifact(folder)

    assert failure.value.reason is Reason.ARTIFACT_INVALID
    assert not mark.exists()
