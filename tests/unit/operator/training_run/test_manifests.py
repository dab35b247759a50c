"""The training Job: its workers, their limits and credentials, and which failures are final."""

import json
from typing import Any

import pytest

from fairlead_operator.api.model import ModelSpec
from fairlead_operator.kube.metadata import Owner
from fairlead_operator.training_run.manifests import Stage, build_job, read_config
from support.training_run_builders import NAME
from support.world import NAMESPACE, SETTINGS, model_manifest

OWNER = Owner(kind="TrainingRun", namespace=NAMESPACE, name=NAME, uid="uid-run")


def job(
    stage: Stage = "search",
    *,
    source: dict[str, Any] | None = None,
    data: dict[str, Any] | None = None,
    patience: int | None = None,
    **training: Any,
) -> dict[str, Any]:
    """Build the Job of a run whose fixed config has two workers."""
    told = {} if patience is None else {"patienceSeconds": patience}
    manifest = model_manifest(training=training)
    if source is not None:
        manifest["spec"]["data"]["source"] = source
    if data is not None:
        manifest["spec"]["data"] = data
    return build_job(
        stage,
        json.dumps({"search": {"parallelism": 2}, **told}),
        ModelSpec.model_validate(manifest["spec"]),
        model="nsw-price",
        owner=OWNER,
        images=SETTINGS.images,
        mlflow_url="http://mlflow",
    )


def trainer(manifest: dict[str, Any]) -> dict[str, Any]:
    (container,) = manifest["spec"]["template"]["spec"]["containers"]
    return dict(container)


@pytest.mark.parametrize(
    ("others", "changes", "told"),
    [
        pytest.param([], {}, '{"search": {"parallelism": 2}}', id="as it was made"),
        pytest.param(
            [{"name": "proxy", "args": ["--config", "mesh"]}],
            {},
            '{"search": {"parallelism": 2}}',
            id="a webhook put a container before ours",
        ),
        pytest.param(
            [], {"args": ["search", "--config", "{}", "--quiet"]}, "{}", id="and more arguments"
        ),
        pytest.param([], {"args": ["search", "--config"]}, None, id="without a value"),
        pytest.param([], {"args": []}, None, id="no arguments"),
        pytest.param([], {"args": None}, None, id="none at all"),
        pytest.param([{"args": ["--config", "x"]}], {"name": "other"}, None, id="not ours"),
    ],
)
def test_what_a_trainer_is_told_is_read_back(
    others: list[dict[str, Any]], changes: dict[str, Any], told: str | None
) -> None:
    live = job()
    ours = trainer(live) | changes
    live["spec"]["template"]["spec"]["containers"] = [*others, ours]

    assert read_config(live) == told


CHAMPION = {"version": "1.0.0", "registryVersion": "1", "digest": "sha256:1"}


def pod(
    stage: Stage = "finish", *, champion: dict[str, str] | None = CHAMPION, allows_code: bool = True
) -> dict[str, Any]:
    """The pod of a Model that has a password for its data."""
    source = {"uri": "postgresql://market/market", "query": "select 1",
              "credentials": {"name": "market"}}  # fmt: skip
    manifest = model_manifest(training={"resources": {"limits": {"memory": "48Mi"}}})
    manifest["spec"]["data"]["source"] = source
    built = build_job(
        stage,
        json.dumps({"search": {"parallelism": 2}, "champion": champion}),
        ModelSpec.model_validate(manifest["spec"]),
        model="nsw-price",
        owner=OWNER,
        images=SETTINGS.images,
        mlflow_url="http://mlflow",
        allows_code=allows_code,
    )
    return dict(built["spec"]["template"]["spec"])


@pytest.mark.parametrize(
    ("changes", "has_scorer"),
    [
        pytest.param({}, True, id="a champion whose code may run"),
        pytest.param({"allows_code": False}, False, id="its code may not run"),
        pytest.param({"champion": None}, False, id="a first version"),
        pytest.param({"stage": "search"}, False, id="a search"),
    ],
)
def test_a_champions_code_has_a_container_only_where_it_may_run(
    changes: dict[str, Any], has_scorer: bool
) -> None:
    built = pod(**changes)

    (trainer,) = built["containers"]
    assert [each["name"] for each in built.get("initContainers", [])] == ["champion"] * has_scorer
    told = {entry["name"] for entry in trainer["env"]}
    assert ("FAIRLEAD_CHAMPION_ROOM" in told) == has_scorer


def test_a_champions_code_finds_nothing_of_the_trainers() -> None:
    built = pod()
    (scorer,), (trainer,) = built["initContainers"], built["containers"]

    assert scorer["restartPolicy"] == "Always", "it runs beside the trainer, and is ended after it"
    assert [entry["name"] for entry in scorer["env"]] == ["FAIRLEAD_CHAMPION_ROOM"]
    assert "envFrom" not in scorer
    assert built["automountServiceAccountToken"] is False
    assert not built.get("shareProcessNamespace")
    written = {
        name: {mount["name"] for mount in container["volumeMounts"] if not mount.get("readOnly")}
        for name, container in {"scorer": scorer, "trainer": trainer}.items()
    }
    assert written == {"scorer": {"champion-tmp", "answer"}, "trainer": {"tmp", "question"}}
    assert {mount["name"] for mount in scorer["volumeMounts"]} == {
        "champion-tmp", "answer", "question"
    }  # fmt: skip
    secret = {volume["name"] for volume in built["volumes"] if "emptyDir" not in volume}
    assert secret == {
        mount["name"] for mount in trainer["volumeMounts"] if mount.get("readOnly")
    } - {"answer"}
    assert scorer["resources"]["limits"] == trainer["resources"]["limits"] == {"memory": "48Mi"}
    assert scorer["resources"]["requests"]["memory"] == "48Mi", "no more than the limit"


def test_a_check_of_the_data_gets_nothing_to_sign_in_with_but_for_the_data() -> None:
    """It keeps nothing: neither in MLflow nor in the database."""
    built = pod("check")

    (only,) = built["containers"]
    assert only["args"][0] == "check"
    assert "initContainers" not in built
    assert [volume["name"] for volume in built["volumes"]] == ["tmp"]
    assert [mount["name"] for mount in only["volumeMounts"]] == ["tmp"]
    told = {entry["name"] for entry in only["env"]}
    assert {"FAIRLEAD_DATA_USERNAME", "FAIRLEAD_DATA_PASSWORD", "FAIRLEAD_NAMESPACE"} <= told
    assert not {name for name in told if "MLFLOW" in name or "DATABASE" in name}


def test_a_check_of_the_data_says_at_once_what_went_wrong_and_may_take_a_quarter_of_an_hour() -> (
    None
):
    spec = job("check", patience=600, search={"timeout": "1h"}, retries=5)["spec"]

    assert (spec["backoffLimit"], spec["activeDeadlineSeconds"]) == (0, 900)


@pytest.mark.parametrize("stage", ["search", "finish"])
def test_a_job_may_take_a_quarter_of_an_hour_beyond_the_search(stage: Stage) -> None:
    spec = job(stage, search={"timeout": "1h"})["spec"]

    assert spec["activeDeadlineSeconds"] == 4500, "an earlier release told of no patience"


@pytest.mark.parametrize("stage", ["search", "finish"])
def test_what_a_trainer_waits_for_others_takes_no_time_from_it(stage: Stage) -> None:
    spec = job(stage, patience=600, search={"timeout": "1h"})["spec"]

    assert spec["activeDeadlineSeconds"] == 5100


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


@pytest.mark.parametrize(("stage", "workers"), [("search", 2), ("finish", 1), ("check", 1)])
def test_as_many_pods_complete_as_there_are_workers(stage: Stage, workers: int) -> None:
    spec = job(stage)["spec"]

    assert (spec["parallelism"], spec["completions"]) == (workers, workers)


@pytest.mark.parametrize(
    ("asked", "limits", "requests"),
    [
        pytest.param(
            {}, {"memory": "2Gi"}, {"cpu": "250m", "memory": "512Mi"}, id="nothing: our defaults"
        ),
        pytest.param(
            {"limits": {"memory": "4Gi"}},
            {"memory": "4Gi"},
            {"cpu": "250m", "memory": "512Mi"},
            id="a limit: that one, and our requests",
        ),
        pytest.param(
            {"requests": {"cpu": "2"}},
            {"memory": "2Gi"},
            {"cpu": "2", "memory": "512Mi"},
            id="a request: that one, and the rest of ours",
        ),
    ],
)
def test_what_the_user_asks_for_wins_over_our_defaults(
    asked: dict[str, Any], limits: dict[str, str], requests: dict[str, str]
) -> None:
    assert trainer(job(resources=asked))["resources"] == {"limits": limits, "requests": requests}


def test_credentials_come_from_the_secret_the_model_names() -> None:
    database = {
        "uri": "postgresql://market-db/market",
        "query": "select * from rows",
        "credentials": {"name": "market-db"},
    }
    plain = trainer(job())["env"]

    added = [variable for variable in trainer(job(source=database))["env"] if variable not in plain]

    assert added == [
        {
            "name": f"FAIRLEAD_DATA_{key.upper()}",
            "valueFrom": {"secretKeyRef": {"name": "market-db", "key": key, **optional}},
        }
        for key, optional in (("username", {}), ("password", {}), ("hosts", {"optional": True}))
    ] + [{"name": "FAIRLEAD_DATA_SECRET", "value": "market-db"}]


@pytest.mark.parametrize(
    ("source", "keys"),
    [
        pytest.param({"uri": "https://h/d.csv"}, {"username", "password", "hosts", "ca.crt"},
                     id="http"),
        pytest.param({"uri": "s3://b/d.csv"},
                     {"accessKeyId", "secretAccessKey", "sessionToken", "hosts", "ca.crt"},
                     id="s3"),
        pytest.param({"uri": "gs://b/d.csv"}, {"serviceAccount", "hosts"}, id="google"),
        pytest.param({"uri": "az://c/d.csv", "endpoint": "https://a.blob.core.windows.net"},
                     {"accountKey", "sasToken", "hosts"}, id="azure"),
    ],
)  # fmt: skip
def test_a_trainer_gets_the_keys_of_its_kind_of_source(
    source: dict[str, str], keys: set[str]
) -> None:
    env = trainer(job(source={**source, "credentials": {"name": "market"}}))["env"]
    given = [each["valueFrom"]["secretKeyRef"] for each in env if "valueFrom" in each]

    assert {each["key"] for each in given if each["name"] == "market"} == keys
    assert {"name": "FAIRLEAD_DATA_SECRET", "value": "market"} in env


@pytest.mark.parametrize("stage", ["search", "finish"])
def test_a_claim_is_mounted_to_be_read(stage: Stage) -> None:
    built = job(stage, source={"uri": "pvc://market-data/prices/2026.csv"})
    volumes = built["spec"]["template"]["spec"]["volumes"]
    mounts = trainer(built)["volumeMounts"]

    assert {
        "name": "data-0",
        "persistentVolumeClaim": {"claimName": "market-data", "readOnly": True},
    } in volumes
    place = "/var/run/fairlead/data/market-data"
    assert {"name": "data-0", "mountPath": place, "readOnly": True} in mounts


def test_each_source_has_its_own_secret_and_each_claim_one_volume() -> None:
    built = job(
        data={
            "source": {"uri": "pvc://market/2025.csv"},
            "union": [
                {"uri": "pvc://market/2026.csv"},
                {"uri": "s3://market/2027.csv", "credentials": {"name": "store"}},
            ],
            "joins": [
                {"source": {"uri": "pvc://weather/all.csv"}, "keys": ["zone"]},
                {
                    "source": {
                        "uri": "postgresql://db/m",
                        "query": "select * from m",
                        "credentials": {"name": "db"},
                    },
                    "keys": ["zone"],
                },
            ],
            "target": "y",
        }
    )
    pod = built["spec"]["template"]["spec"]
    env = {each["name"]: each for each in pod["containers"][0]["env"]}
    claims = [
        each["persistentVolumeClaim"]["claimName"]
        for each in pod["volumes"]
        if "persistentVolumeClaim" in each
    ]

    assert claims == ["market", "weather"]
    assert env["FAIRLEAD_DATA_2_SECRET"]["value"] == "store"
    assert env["FAIRLEAD_DATA_4_SECRET"]["value"] == "db"
    key = env["FAIRLEAD_DATA_2_ACCESS_KEY_ID"]["valueFrom"]["secretKeyRef"]
    assert (key["name"], key["key"]) == ("store", "accessKeyId")
    assert "FAIRLEAD_DATA_SECRET" not in env


def test_no_other_source_mounts_a_claim() -> None:
    volumes = job()["spec"]["template"]["spec"]["volumes"]

    assert not [each for each in volumes if "persistentVolumeClaim" in each]


def test_a_trainer_signs_in_to_mlflow_as_the_mounted_secret_says() -> None:
    pod = job()["spec"]["template"]["spec"]
    told = {variable["name"]: variable.get("value") for variable in trainer(job())["env"]}
    mounts = {mount["name"]: mount["mountPath"] for mount in trainer(job())["volumeMounts"]}
    volume = next(volume for volume in pod["volumes"] if volume["name"] == "mlflow")

    assert volume["secret"] == {"secretName": "fairlead-mlflow", "optional": True}
    assert told["FAIRLEAD_MLFLOW_SECRET"] == mounts["mlflow"]
