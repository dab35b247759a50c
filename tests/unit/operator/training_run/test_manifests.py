"""When a training Job ends: its limit of time, and which failures are tried again."""

import json
from typing import Any

import pytest

from fairlead_operator.api.model import ModelSpec
from fairlead_operator.kube.metadata import Owner
from fairlead_operator.training_run.manifests import Stage, build_job
from support.training_run_builders import NAME
from support.world import NAMESPACE, SETTINGS, model_manifest

OWNER = Owner(kind="TrainingRun", namespace=NAMESPACE, name=NAME, uid="uid-run")


def job(stage: Stage = "search", **training: Any) -> dict[str, Any]:
    """Build the Job of a run whose fixed config has two workers."""
    return build_job(
        stage,
        json.dumps({"search": {"parallelism": 2}}),
        ModelSpec.model_validate(model_manifest(training=training)["spec"]),
        model="nsw-price",
        owner=OWNER,
        images=SETTINGS.images,
        mlflow_url="http://mlflow",
    )


@pytest.mark.parametrize("stage", ["search", "finish"])
def test_a_job_may_take_a_quarter_of_an_hour_beyond_the_search(stage: Stage) -> None:
    assert job(stage, search={"timeout": "1h"})["spec"]["activeDeadlineSeconds"] == 4500


def test_a_worker_is_tried_again_as_often_as_the_model_says() -> None:
    assert job(retries=5)["spec"]["backoffLimit"] == 5


def test_bad_input_is_not_tried_again_and_a_drained_node_is_no_failure() -> None:
    permanent, drained = job()["spec"]["podFailurePolicy"]["rules"]

    assert (permanent["action"], permanent["onExitCodes"]["values"]) == ("FailJob", [3])
    assert (drained["action"], drained["onPodConditions"][0]["type"]) == (
        "Ignore",
        "DisruptionTarget",
    )


def test_a_run_keeps_the_workers_it_began_with() -> None:
    """The Model may say another number by now; the config was fixed when the run started."""
    assert job(search={"parallelism": 8})["spec"]["parallelism"] == 2


def test_stage_and_run_are_labels_of_job_and_pods() -> None:
    manifest = job("finish")

    labels = manifest["metadata"]["labels"]
    assert labels == manifest["spec"]["template"]["metadata"]["labels"]
    assert (labels["fairlead.dev/stage"], labels["fairlead.dev/training-run"]) == ("finish", NAME)
