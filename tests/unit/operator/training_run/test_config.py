"""The document that the trainer gets: what the Model says, and whose run it is."""

import json
from typing import Any

import pytest

from fairlead_contract.gates import Gate
from fairlead_contract.search import search_schema
from fairlead_operator.api.common import VersionReference
from fairlead_operator.api.model import ModelSpec
from fairlead_operator.api.recipe import recipe_digest
from fairlead_operator.api.training import (
    DECLARED,
    DECLARED_CHARACTERS,
    NAMES_BYTES,
    OTHERS_BYTES,
)
from fairlead_operator.api.training_run import TrainingRunStatus
from fairlead_operator.kube.metadata import Owner
from fairlead_operator.training_run.config import (
    build_config,
    is_earlier,
    read_training,
    renew_config,
)
from fairlead_training.config import GatesConfig, PartsConfig, parse_config
from support.training_run_builders import NAME, STABLE
from support.world import NAMESPACE, model_manifest

OWNER = Owner(kind="TrainingRun", namespace=NAMESPACE, name=NAME, uid="uid-run")


def config(spec: ModelSpec, *, champion: VersionReference | None = None) -> dict[str, Any]:
    text = build_config(spec, model="nsw-price", run=OWNER, mlflow_run_id="r", champion=champion)
    document: dict[str, Any] = json.loads(text)
    return document


def model(**training: Any) -> ModelSpec:
    return ModelSpec.model_validate(model_manifest(training=training)["spec"])


def test_the_run_is_named_by_everything_that_identifies_it() -> None:
    document = config(model())

    assert document["trainingRunUid"] == "uid-run"
    assert document["registeredModel"] == "energy.nsw-price"
    assert document["experiment"] == "energy/nsw-price"
    assert document["recipeDigest"] == recipe_digest(model())


@pytest.mark.parametrize(
    "letter",
    [
        pytest.param("a", id="ASCII"),
        pytest.param("Ж", id="letters that JSON may escape"),
        pytest.param("電", id="of three bytes"),
        pytest.param('"', id="quotes, which JSON must escape"),
    ],
)
def test_status_and_a_process_hold_what_the_longest_spec_makes(letter: str) -> None:
    """A run whose config was longer had a Job, and never a status, or pods that never started."""
    manifest = model_manifest()["spec"]
    fit = (NAMES_BYTES // 500 - 3) // len(letter.encode())
    manifest["data"]["features"] = [f"{n:03}{letter * fit}" for n in range(500)]
    names = manifest["data"]["features"][:DECLARED]
    most = DECLARED_CHARACTERS // len(names[0])
    manifest["data"]["columns"] = dict.fromkeys(names[:most], "category")
    manifest["data"]["source"] = {
        "uri": "postgresql://h/d",
        "query": "select 1" + "\n" * 8184,
    }
    others = [
        {"uri": f"s3://b/{n}", "endpoint": "https://" + "e" * 290, "query": "select 1"}
        for n in range(8)
    ]
    others[0]["query"] += "\n" * min(8184, OTHERS_BYTES - 16 * 16)
    manifest["data"]["union"] = others
    manifest["data"]["joins"] = [
        {"source": others[-1], "keys": ["k"], "prefix": "p" * 60, "asOf": {"timestampColumn": "t"}}
    ] * 8
    spec = ModelSpec.model_validate(manifest)

    text = build_config(spec, model="nsw-price", run=OWNER, mlflow_run_id="r", champion=STABLE)

    assert TrainingRunStatus(config=text).config == text
    assert len(text.encode()) < 128 * 1024  # Linux's MAX_ARG_STRLEN
    assert letter in json.loads(text)["data"]["features"][0]
    assert text.isascii() == letter.isascii(), "as it is written"


@pytest.mark.parametrize(
    ("training", "section", "values"),
    [
        pytest.param({}, "search", {"metric": "roc_auc", "trials": 40, "timeoutSeconds": 900},
                     id="defaults are written out"),
        pytest.param({"search": {"metric": "log_loss", "timeout": "1h30m"}}, "search",
                     {"metric": "log_loss", "timeoutSeconds": 5400}, id="a duration is seconds"),
        pytest.param({"validation": {"holdout": 0.29}}, "validation", {"holdoutFraction": 0.29},
                     id="a hold-out as a number"),
        pytest.param({"validation": {"holdout": "5%"}}, "validation", {"holdoutFraction": 0.05},
                     id="a percentage is a fraction"),
    ],
)  # fmt: skip
def test_the_recipe_is_written_in_the_trainers_units(
    training: dict[str, Any], section: str, values: dict[str, Any]
) -> None:
    document = config(model(**training))

    assert values.items() <= document[section].items()


def test_what_gates_ask_is_measured_and_their_bounds_are_kept_back() -> None:
    gates = {
        "baseline": True,
        "slices": {"columns": ["region"], "maxLoss": 0.02, "minRows": 50},
        "metrics": [{"name": "recall", "maxLoss": 0.02}, {"name": "brier", "maxLoss": 0.005}],
        "fairness": {"columns": ["sex"], "equalizedOdds": 0.1},
        "calibration": {"maxError": 0.05},
    }
    spec = ModelSpec.model_validate({**model_manifest()["spec"], "promotion": {"gates": gates}})

    document = config(spec)

    assert document["gates"] == {
        "baseline": True,
        "slices": {"columns": ["region"], "minRows": 50},
        "metrics": ["recall", "brier"],
        "fairness": {
            "columns": ["sex"], "minRows": 100, "demographicParity": False, "equalizedOdds": True,
        },
        "calibration": True,
    }  # fmt: skip
    assert parse_config(json.dumps({**document, "mlflowRunId": "r"})).gates == GatesConfig(
        baseline=True,
        slices=PartsConfig(columns=("region",), min_rows=50),
        metrics=("recall", "brier"),
        fairness=PartsConfig(columns=("sex",), min_rows=100),
        measures=(Gate.EQUALIZED_ODDS,),
        calibration=True,
    )


@pytest.mark.parametrize(
    ("champion", "written"),
    [
        pytest.param(None, None, id="a first version"),
        pytest.param(STABLE, {"version": "1.0.0", "registryVersion": "1", "digest": "sha256:0"},
                     id="the version in charge"),
    ],
)  # fmt: skip
def test_the_champion_is_the_version_to_beat(
    champion: VersionReference | None, written: dict[str, str] | None
) -> None:
    assert config(model(), champion=champion)["champion"] == written


@pytest.mark.parametrize(
    ("told", "uid"),
    [
        ('{"trainingRunUid": "uid-run"}', "uid-run"),
        *(
            (text, None)
            for text in (None, "", "{", "[]", "{}", "[" * 9999, '{"trainingRunUid": 1}')
        ),
    ],
)
def test_whose_training_a_config_names(told: str | None, uid: str | None) -> None:
    assert read_training(told) == uid


RENEWED = json.dumps({"model": "m", "searchSchema": search_schema(NAMESPACE)})


@pytest.mark.parametrize(
    ("told", "earlier", "renewed"),
    [
        pytest.param('{"model": "m"}', True, RENEWED, id="of an earlier release"),
        pytest.param(RENEWED, False, RENEWED, id="of this one"),
        pytest.param('{"searchSchema": "s"}', False, '{"searchSchema": "s"}', id="as it was fixed"),
        pytest.param("no JSON", False, "no JSON", id="unreadable"),
        pytest.param(None, False, None, id="none"),
    ],
)
def test_a_config_of_an_earlier_release_gets_the_schema_of_the_namespace(
    told: str | None, earlier: bool, renewed: str | None
) -> None:
    assert is_earlier(told) is earlier
    assert renew_config(told, NAMESPACE) == renewed
    assert not is_earlier(renewed)
