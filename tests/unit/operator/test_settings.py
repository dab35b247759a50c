"""What the environment may say, and how a mistake in it is told."""

from datetime import timedelta
from pathlib import Path

import pytest

from fairlead_operator.alert_labels import AlertLabels
from fairlead_operator.kube.database_secret import Logins
from fairlead_operator.ports import Limits
from fairlead_operator.settings import MlflowSecrets, Settings

NEEDED = {
    "FAIRLEAD_TRAINING_IMAGE": "fairlead/training:1",
    "FAIRLEAD_SERVING_IMAGE": "fairlead/serving:1",
    "MLFLOW_TRACKING_URI": "http://mlflow",
    "FAIRLEAD_PROMETHEUS_URL": "http://prometheus",
    "FAIRLEAD_DATABASE_URL": "postgresql://database",
    "FAIRLEAD_WEBHOOK_TOKEN": "token",
}


def test_defaults() -> None:
    settings = Settings.from_environment(NEEDED)

    assert settings.identity
    assert settings.watch_namespaces == ()
    assert (settings.bind, settings.http_port, settings.webhook_port) == ("0.0.0.0", 8080, 8443)
    assert settings.history_port == 8081
    assert (settings.gateway_replicas, settings.log_format) == (1, "json")
    assert settings.images.pull_policy == "IfNotPresent"
    assert settings.images.onnx == "", "one image serves all"
    assert settings.record_retention == timedelta(days=30)
    assert settings.cluster_domain == "cluster.local"
    assert settings.allowed_sources == ""
    assert not settings.allow_artifact_code
    assert (settings.logins, settings.login_limits) == (Logins(), Limits())


@pytest.mark.parametrize(
    "text",
    [
        "proxy:3128",
        "https://proxy:3128",
        "http://me:secret@proxy:3128",
        "http://proxy",
        "http://proxy:0",
        "http://proxy:99999",
        "http://proxy:1/path",
    ],
)
def test_a_proxy_that_cannot_be_meant_is_named(text: str) -> None:
    with pytest.raises(SystemExit, match=r"FAIRLEAD_SOURCE_PROXY: it is no proxy") as caught:
        Settings.from_environment(NEEDED | {"FAIRLEAD_SOURCE_PROXY": text})

    assert "secret" not in str(caught.value)


def test_a_source_that_is_no_host_is_named() -> None:
    with pytest.raises(SystemExit, match=r"FAIRLEAD_ALLOWED_SOURCES: 'http://db' is no host"):
        Settings.from_environment(NEEDED | {"FAIRLEAD_ALLOWED_SOURCES": "db,http://db"})


@pytest.mark.parametrize(("text", "allowed"), [("true", True), ("false", False), ("", False)])
def test_whether_versions_may_bring_code(text: str, allowed: bool) -> None:
    settings = Settings.from_environment(NEEDED | {"FAIRLEAD_ALLOW_ARTIFACT_CODE": text})

    assert settings.allow_artifact_code is allowed


@pytest.mark.parametrize("text", ["True", "yes", "1"])
def test_a_permission_that_cannot_be_meant_is_none(text: str) -> None:
    with pytest.raises(SystemExit, match="must be true or false"):
        Settings.from_environment(NEEDED | {"FAIRLEAD_ALLOW_ARTIFACT_CODE": text})


@pytest.mark.parametrize("address", ["postgresql://u:hu/sh@db/x", "hush"])
def test_an_address_of_the_database_that_cannot_be_meant_is_not_shown(address: str) -> None:
    with pytest.raises(SystemExit, match="FAIRLEAD_DATABASE_URL: the ") as caught:
        Settings.from_environment(NEEDED | {"FAIRLEAD_DATABASE_URL": address})

    assert "sh@" not in str(caught.value)
    assert "hush" not in str(caught.value)


def test_everything_that_can_be_said() -> None:
    settings = Settings.from_environment(
        NEEDED
        | {
            "FAIRLEAD_NAMESPACE": "fairlead",
            "POD_NAME": "operator-0",
            "FAIRLEAD_WATCH_NAMESPACES": "a, b,",
            "FAIRLEAD_IMAGE_PULL_SECRETS": "registry",
            "FAIRLEAD_IMAGE_PULL_POLICY": "Always",
            "FAIRLEAD_ONNX_IMAGE": "fairlead/onnx:1",
            "FAIRLEAD_GATEWAY_REPLICAS": "2",
            "FAIRLEAD_RECORD_RETENTION_DAYS": "7",
            "FAIRLEAD_ALERT_LABEL_MODEL": "exported_model",
            "FAIRLEAD_ALLOWED_SOURCES": "*.shared.svc:5432,10.0.0.0/8",
            "FAIRLEAD_SOURCE_PROXY": "http://proxy.example:3128",
            "FAIRLEAD_SOURCE_NO_PROXY": "*.example",
            "FAIRLEAD_BIND": "127.0.0.1",
            "FAIRLEAD_HTTP_PORT": "1",
            "FAIRLEAD_WEBHOOK_PORT": "2",
            "FAIRLEAD_LOG_FORMAT": "text",
            "FAIRLEAD_LOG_LEVEL": "DEBUG",
            "FAIRLEAD_RENEW_AFTER_HOURS": "24",
            "FAIRLEAD_GENERATED_SECRETS": "fairlead-webhook=token admin=password,key",
        }
    )

    assert settings.login_age == timedelta(days=1)
    assert settings.generated == {"fairlead-webhook": ("token",), "admin": ("password", "key")}
    assert (settings.namespace, settings.identity) == ("fairlead", "operator-0")
    assert settings.watch_namespaces == ("a", "b")
    assert (settings.images.pull_secrets, settings.images.pull_policy) == (("registry",), "Always")
    assert settings.images.onnx == "fairlead/onnx:1"
    assert settings.allowed_sources == "*.shared.svc:5432,10.0.0.0/8"
    assert (settings.source_proxy, settings.no_proxy) == ("http://proxy.example:3128", "*.example")
    assert settings.bind == "127.0.0.1"
    assert (settings.gateway_replicas, settings.http_port, settings.webhook_port) == (2, 1, 2)
    assert (settings.log_format, settings.log_level) == ("text", "DEBUG")
    assert settings.record_retention == timedelta(days=7)
    assert settings.alert_labels == AlertLabels(model="exported_model")


@pytest.mark.parametrize(("text", "age"), [("", timedelta(days=30)), ("0", None)])
def test_a_login_that_we_made_is_renewed_after_a_month_unless_somebody_says_never(
    text: str, age: timedelta | None
) -> None:
    settings = Settings.from_environment(NEEDED | {"FAIRLEAD_RENEW_AFTER_HOURS": text})

    assert settings.login_age == age


@pytest.mark.parametrize("text", ["720h", "-1", "1.5"])
def test_an_age_that_is_no_number_of_hours_is_refused(text: str) -> None:
    with pytest.raises(SystemExit, match="FAIRLEAD_RENEW_AFTER_HOURS"):
        Settings.from_environment(NEEDED | {"FAIRLEAD_RENEW_AFTER_HOURS": text})


def test_all_that_is_missing_is_named_at_once() -> None:
    environment = NEEDED | {"MLFLOW_TRACKING_URI": ""}
    del environment["FAIRLEAD_WEBHOOK_TOKEN"]

    with pytest.raises(SystemExit) as caught:
        Settings.from_environment(environment)

    assert "MLFLOW_TRACKING_URI, FAIRLEAD_WEBHOOK_TOKEN" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        pytest.param("k8s.example.com", "k8s.example.com", id="another"),
        pytest.param("Cluster.Local.", "cluster.local", id="in capitals, with the root's dot"),
        pytest.param("corp", "corp", id="one label"),
    ],
)
def test_the_cluster_may_have_another_domain(text: str, domain: str) -> None:
    settings = Settings.from_environment(NEEDED | {"FAIRLEAD_CLUSTER_DOMAIN": text})

    assert settings.cluster_domain == domain


@pytest.mark.parametrize(
    "text", ["a b", "a..b", "-a", "http://a", "a:53", ".", "a" * 64, "a." * 60 + "a"]
)
def test_what_is_no_domain_is_named(text: str) -> None:
    with pytest.raises(SystemExit, match="FAIRLEAD_CLUSTER_DOMAIN"):
        Settings.from_environment(NEEDED | {"FAIRLEAD_CLUSTER_DOMAIN": text})


@pytest.mark.parametrize("name", ["FAIRLEAD_SHARE_OPERATOR_LOGIN", "FAIRLEAD_ALLOW_ARTIFACT_CODE"])
@pytest.mark.parametrize("text", ["True", "yes", "1"])
def test_what_is_neither_true_nor_false_is_named(name: str, text: str) -> None:
    with pytest.raises(SystemExit, match=f"{name} is '{text}'; it must be true or false"):
        Settings.from_environment(NEEDED | {name: text})


@pytest.mark.parametrize("text", ["two", "-1", "1.5"])
def test_what_is_no_number_is_named(text: str) -> None:
    with pytest.raises(SystemExit, match="FAIRLEAD_GATEWAY_REPLICAS"):
        Settings.from_environment(NEEDED | {"FAIRLEAD_GATEWAY_REPLICAS": text})


def test_the_process_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in NEEDED.items():
        monkeypatch.setenv(name, value)

    assert Settings.from_environment().webhook_token == "token"


def test_what_is_said_of_logins() -> None:
    settings = Settings.from_environment(
        NEEDED
        | {
            "FAIRLEAD_LOGIN_SECRET": "platform-database",
            "FAIRLEAD_SHARE_OPERATOR_LOGIN": "true",
            "FAIRLEAD_LOGIN_CONNECTIONS": "5",
            "FAIRLEAD_LOGIN_STATEMENT_SECONDS": "7",
            "FAIRLEAD_LOGIN_PREDICTIONS_PER_DAY": "11",
            "FAIRLEAD_LOGIN_FEEDBACK_PER_DAY": "13",
        }
    )

    assert settings.logins == Logins(secret="platform-database", is_shared=True)
    assert settings.login_limits == Limits(
        connections=5, statement=timedelta(seconds=7), predictions=11, feedback=13
    )


@pytest.mark.parametrize(
    ("address", "more", "expected"),
    [
        pytest.param("postgresql://u:p@db/x", {}, "", id="as the address says"),
        pytest.param("postgresql://u:p@db/x", {"SSLMODE": "require"}, "?sslmode=require",
                     id="by value"),
        pytest.param("postgresql://u:p@db/x?sslmode=disable", {"SSLMODE": "require"},
                     "?sslmode=require", id="the value wins"),
        pytest.param("postgresql://u:p@db/x", {"SSLMODE": "verify-full", "CA": "FILE"},
                     "?sslmode=verify-full&sslrootcert=FILE", id="with an authority"),
        pytest.param("postgresql://u:p@db/x?sslmode=verify-ca", {"CA": "FILE"},
                     "?sslmode=verify-ca&sslrootcert=FILE", id="the authority alone"),
        pytest.param("postgresql://u:p@db/x?sslmode=verify-full&sslrootcert=system", {},
                     "?sslmode=verify-full&sslrootcert=system", id="the image's authorities"),
    ],
)  # fmt: skip
def test_how_connections_are_encrypted(
    address: str, more: dict[str, str], expected: str, tmp_path: Path
) -> None:
    file = tmp_path / "ca.crt"
    file.write_text("CERTIFICATE")
    told = {f"FAIRLEAD_DATABASE_{name}": value.replace("FILE", str(file))
            for name, value in more.items()}  # fmt: skip

    settings = Settings.from_environment(NEEDED | {"FAIRLEAD_DATABASE_URL": address} | told)

    written = str(file).replace("/", "%2F")
    assert settings.database_url == "postgresql://u:p@db/x" + expected.replace("FILE", written)
    assert settings.logins.ca == ("CERTIFICATE" if "CA" in more else "")


@pytest.mark.parametrize(
    ("more", "told"),
    [
        pytest.param({"URL": "postgresql://db/x?sslmode=verify-full"}, "sslmode verify-full needs",
                     id="without an authority"),
        pytest.param({"URL": "host=db sslmode=verify-ca sslrootcert=/etc/ca"},
                     "sslmode verify-ca needs", id="in a file that other pods do not have"),
        pytest.param({"SSLMODE": "verify-ca"}, "sslmode verify-ca needs", id="by value"),
        pytest.param({"CA": "/nonexistent/ca.crt"}, "needs key ca.crt", id="no such file"),
    ],
)  # fmt: skip
def test_what_cannot_be_verified_is_refused_at_the_start(more: dict[str, str], told: str) -> None:
    variables = {f"FAIRLEAD_DATABASE_{name}": value for name, value in more.items()}

    with pytest.raises(SystemExit, match=told):
        Settings.from_environment(NEEDED | variables)


@pytest.mark.parametrize(
    ("text", "whose"),
    [
        pytest.param("", MlflowSecrets.GIVEN, id="the platform's"),
        pytest.param("made", MlflowSecrets.MADE, id="ours"),
        pytest.param("shared", MlflowSecrets.SHARED, id="copies of the operator's"),
    ],
)
def test_with_what_pods_sign_in_to_mlflow(text: str, whose: MlflowSecrets) -> None:
    settings = Settings.from_environment(NEEDED | {"FAIRLEAD_MLFLOW_SECRETS": text})

    assert settings.mlflow_secrets is whose


def test_a_word_that_is_none_of_these_is_refused() -> None:
    with pytest.raises(SystemExit, match="FAIRLEAD_MLFLOW_SECRETS is 'Shared'; it must be one of"):
        Settings.from_environment(NEEDED | {"FAIRLEAD_MLFLOW_SECRETS": "Shared"})


def test_the_operator_signs_in_as_its_mounted_secret_says(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("hush")

    settings = Settings.from_environment(NEEDED | {"FAIRLEAD_MLFLOW_SECRET": str(tmp_path)})

    assert settings.mlflow.token == "hush"
