"""What serves a version: a Deployment that never has less than it should, and its Service."""

from typing import Any

import pytest

from fairlead_operator.api.common import VersionReference
from fairlead_operator.api.group import ANNOTATION_AUTOSCALER
from fairlead_operator.api.serving import ServingSpec
from fairlead_operator.kube.metadata import Owner
from fairlead_operator.rollout.servers.manifests import build_preview, build_server
from support.world import SETTINGS

OWNER = Owner(kind="Model", namespace="energy", name="nsw-price", uid="m1")
VERSION = VersionReference(version="1.1.0", registry_version="7", digest="sha256:7")
SCALED = {"autoscaling": {"maxReplicas": 8, "target": {"cpuUtilization": 60}}}


def server(**serving: Any) -> tuple[dict[str, Any], ...]:
    return build_server(
        VERSION,
        ServingSpec.model_validate(serving),
        task="regression",
        owner=OWNER,
        images=SETTINGS.images,
        mlflow_url="http://mlflow",
    )


def variables(**serving: Any) -> dict[str, str]:
    container = server(**serving)[1]["spec"]["template"]["spec"]["containers"][0]
    return {entry["name"]: entry.get("value", "from a Secret") for entry in container["env"]}


def test_service_and_deployment_select_the_pods_of_one_version() -> None:
    service, deployment = server()
    selector = deployment["spec"]["selector"]["matchLabels"]

    assert service["spec"]["selector"] == selector
    assert selector.items() <= deployment["spec"]["template"]["metadata"]["labels"].items()
    assert selector["fairlead.dev/version"] == "1.1.0"
    assert service["metadata"]["name"] == deployment["metadata"]["name"]


def test_both_go_with_the_model_and_not_with_the_rollout() -> None:
    assert [item["metadata"]["ownerReferences"] for item in server()] == [[OWNER.reference()]] * 2


def test_a_change_of_the_pods_takes_none_away_first() -> None:
    strategy = server()[1]["spec"]["strategy"]

    assert strategy["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}


@pytest.mark.parametrize(
    ("serving", "replicas", "provider"),
    [
        pytest.param({}, 1, None, id="one pod unless the Model says more"),
        pytest.param({"replicas": 3}, 3, None, id="as many as the Model says"),
        pytest.param(SCALED, None, "HorizontalPodAutoscaler", id="an autoscaler's number"),
    ],
)
def test_whose_number_of_pods_it_is(
    serving: dict[str, Any], replicas: int | None, provider: str | None
) -> None:
    _, deployment = server(**serving)

    assert deployment["spec"].get("replicas") == replicas
    noted = deployment["metadata"].get("annotations", {}).get(ANNOTATION_AUTOSCALER)
    assert noted == provider


def test_the_server_verifies_what_the_registry_said() -> None:
    told = variables(requestTimeout="90s")

    assert told["FAIRLEAD_DIGEST"] == "sha256:7"
    assert told["FAIRLEAD_REGISTERED_MODEL"] == "energy.nsw-price"
    assert told["FAIRLEAD_REGISTRY_VERSION"] == "7"
    assert told["FAIRLEAD_REQUEST_TIMEOUT_SECONDS"] == "90"


def test_a_limit_of_the_body_is_the_servers_own_unless_the_model_says_less() -> None:
    assert "FAIRLEAD_MAX_BODY_MEBIBYTES" not in variables()
    assert variables(maxBodyMebibytes=4)["FAIRLEAD_MAX_BODY_MEBIBYTES"] == "4"


def test_only_a_record_needs_the_database() -> None:
    beside = variables(predictionLog={"enabled": True, "sample": 0.5}).items() - variables().items()

    assert dict(beside).keys() == {
        "FAIRLEAD_TASK", "FAIRLEAD_PREDICTION_SAMPLE", "FAIRLEAD_DATABASE_URL_FILE",
    }  # fmt: skip
    assert "from a Secret" not in dict(beside).values(), "without it no pod would start"


def test_a_record_is_written_where_the_mounted_secret_says() -> None:
    """A variable would keep the address that the pod was started with."""
    _, deployment = server(predictionLog={"enabled": True})
    pod = deployment["spec"]["template"]["spec"]
    told = {variable["name"]: variable.get("value") for variable in pod["containers"][0]["env"]}
    mounts = {mount["name"]: mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]}
    volume = next(volume for volume in pod["volumes"] if volume["name"] == "database")

    secret = volume["secret"]
    assert (secret["secretName"], secret["optional"]) == ("fairlead-database", True)
    assert [item["path"] for item in secret["items"]] == ["own-url", "next-url", "ca.crt"]
    assert told["FAIRLEAD_DATABASE_URL_FILE"] == f"{mounts['database']}/own-url"


def test_a_server_signs_in_to_mlflow_as_the_mounted_secret_says() -> None:
    pod = server()[1]["spec"]["template"]["spec"]
    told = {variable["name"]: variable.get("value") for variable in pod["containers"][0]["env"]}
    mounts = {mount["name"]: mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]}
    volume = next(volume for volume in pod["volumes"] if volume["name"] == "mlflow")

    assert volume["secret"] == {"secretName": "fairlead-mlflow", "optional": True}
    assert told["FAIRLEAD_MLFLOW_SECRET"] == mounts["mlflow"]


@pytest.mark.parametrize(
    ("serving", "files"),
    [
        pytest.param({}, {}, id="no token"),
        pytest.param(
            {"forceVersionSecret": {"name": "testers"}},
            {"FAIRLEAD_FORCE_TOKEN": "testers"},
            id="of those who choose a version",
        ),
        pytest.param(
            {
                "forceVersionSecret": {"name": "testers"},
                "predictionLog": {"enabled": True, "feedbackSecret": {"name": "labels"}},
            },
            {"FAIRLEAD_FORCE_TOKEN": "testers", "FAIRLEAD_FEEDBACK_TOKEN": "labels"},
            id="of those who give feedback, too",
        ),
    ],
)
def test_a_token_is_where_its_secret_is_mounted(
    serving: dict[str, Any], files: dict[str, str]
) -> None:
    """A variable would keep the token that the pod was started with."""
    _, deployment = server(**serving)
    pod = deployment["spec"]["template"]["spec"]
    told = {variable["name"]: variable.get("value") for variable in pod["containers"][0]["env"]}
    mounts = {mount["name"]: mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]}

    mounted = {
        f"{mounts[volume['name']]}/{source['secret']['items'][0]['path']}": source["secret"]["name"]
        for volume in pod["volumes"]
        for source in volume.get("projected", {}).get("sources", ())
    }
    assert mounted == {told[f"{variable}_FILE"]: secret for variable, secret in files.items()}


def test_what_the_user_asks_for_wins_over_our_defaults() -> None:
    _, deployment = server(resources={"limits": {"memory": "4Gi"}})
    asked = deployment["spec"]["template"]["spec"]["containers"][0]["resources"]

    assert asked["limits"] == {"memory": "4Gi"}
    assert asked["requests"] == {"cpu": "100m", "memory": "256Mi"}


def test_the_preview_leads_to_the_gateway() -> None:
    """The gateway knows by the host which version is meant."""
    preview = build_preview(OWNER)

    assert preview["metadata"]["name"] == "nsw-price-preview"
    assert preview["spec"]["selector"]["fairlead.dev/component"] == "gateway"
