"""What the chart installs, and what it refuses to."""

import configparser
import json
import os
import re
import subprocess
from pathlib import Path

import jsonschema
import pytest
import yaml

from fairlead_contract.cluster import (
    GATEWAY_AGENT_PORT,
    GATEWAY_METRICS_PORT,
    GATEWAY_TRAFFIC_PORT,
    SERVER_PORT,
    SERVER_SHADOW_PORT,
)
from fairlead_operator.kube.database_secret import Logins
from fairlead_operator.kube.generated import parse_generated
from fairlead_operator.kube.metadata import component_labels
from fairlead_operator.ports import Limits
from fairlead_operator.settings import Settings
from support.chart.rendering import (
    CHART,
    LOCAL_VALUES,
    NAMESPACE,
    Manifest,
    containers,
    find,
    helm,
    load_all,
    of_kind,
    refusal,
    render,
    try_render,
    workloads,
)
from support.chart.restricted import violations
from support.chart.values_table import documented_values, leaves, table, table_in_readme
from support.mlflow_server import FILES, GUARDS

BUNDLED = ("bundled.enabled=true",)
EXTERNAL = (
    'externalDatabase.existingSecret="db"',
    'externalMlflow.url="http://mlflow.ml.svc:5000"',
    'externalPrometheus.url="http://prometheus.monitoring.svc:9090"',
)
SIGNED_IN = ('externalMlflow.existingSecret="mlflow-login"',)
SHARED = (*SIGNED_IN, "externalMlflow.shareOperatorCredentialsWithAllNamespaces=true")
VALUE_SETS = [
    pytest.param(BUNDLED, id="everything bundled"),
    pytest.param(EXTERNAL, id="everything external"),
    pytest.param((*BUNDLED, EXTERNAL[2]), id="bundled but for Prometheus"),
    pytest.param((*BUNDLED, 'watchNamespaces=["a","b"]'), id="two namespaces"),
    pytest.param(
        (*EXTERNAL, "prometheusOperator.rules=true", "prometheusOperator.monitors=true"),
        id="Prometheus Operator",
    ),
    pytest.param(
        (
            *BUNDLED,
            'imagePullSecrets=["registry"]',
            'operator.affinity={"nodeAffinity":{}}',
            'operator.nodeSelector={"pool":"system"}',
            'operator.tolerations=[{"operator":"Exists"}]',
            'operator.podAnnotations={"a":"b"}',
            'operator.extraEnv=[{"name":"A","value":"b"}]',
            'postgresql.parameters={"fsync":"off"}',
            'mlflow.persistence={"enabled":false}',
        ),
        id="all that is optional",
    ),
]


@pytest.fixture(params=VALUE_SETS)
def manifests(request: pytest.FixtureRequest) -> list[Manifest]:
    return render(*request.param)


def test_helm_lint_finds_nothing() -> None:
    done = helm("lint", "--strict", str(CHART), f"--values={LOCAL_VALUES}")

    assert done.returncode == 0, done.stdout + done.stderr


def test_pods_pass_pod_security_restricted(manifests: list[Manifest]) -> None:
    found = {
        workload["metadata"]["name"]: list(violations(workload["spec"]["template"]["spec"]))
        for workload in workloads(manifests)
    }

    assert {name: broken for name, broken in found.items() if broken} == {}


def test_the_check_of_pod_security_finds_what_is_forbidden() -> None:
    spec = {
        "hostNetwork": True,
        "volumes": [{"name": "host", "hostPath": {"path": "/"}}],
        "containers": [
            {
                "name": "bad",
                "ports": [{"hostPort": 1}],
                "securityContext": {
                    "privileged": True,
                    "runAsUser": 0,
                    "capabilities": {"add": ["NET_ADMIN"]},
                },
            }
        ],
    }

    assert len(list(violations(spec))) == 10


def test_containers_write_only_to_their_volumes(manifests: list[Manifest]) -> None:
    for workload in workloads(manifests):
        for container in containers(workload):
            assert container["securityContext"]["readOnlyRootFilesystem"] is True


def test_containers_say_what_they_need(manifests: list[Manifest]) -> None:
    for workload in workloads(manifests):
        for container in containers(workload):
            resources = container["resources"]
            assert {"cpu", "memory"} <= set(resources["requests"]), container["name"]
            assert "memory" in resources["limits"], container["name"]


def test_what_a_pod_may_write_has_a_limit(manifests: list[Manifest]) -> None:
    for workload in workloads(manifests):
        for volume in workload["spec"]["template"]["spec"].get("volumes", []):
            assert "sizeLimit" in volume.get("emptyDir", {"sizeLimit": ""}), volume["name"]


def test_data_without_a_claim_may_be_as_large_as_with_one() -> None:
    kept = ("postgresql", "mlflow", "prometheus")
    sizes = [f'{name}.persistence={{"enabled":false,"size":"3Gi"}}' for name in kept]

    limits = [
        volume["emptyDir"]["sizeLimit"]
        for workload in workloads(render(*BUNDLED, *sizes))
        for volume in workload["spec"]["template"]["spec"]["volumes"]
        if volume["name"] in {"data", "artifacts"}
    ]

    assert sorted(limits) == ["256Mi", "3Gi", "3Gi", "3Gi"]  # Alertmanager never has a claim


def test_servers_have_probes(manifests: list[Manifest]) -> None:
    for workload in workloads(manifests):
        for container in workload["spec"]["template"]["spec"]["containers"]:
            probes = {"startupProbe", "readinessProbe", "livenessProbe"}
            assert probes <= set(container), container["name"]


def test_images_are_named_by_version(manifests: list[Manifest]) -> None:
    images = [c["image"] for workload in workloads(manifests) for c in containers(workload)]

    assert images
    assert [image for image in images if not re.search(r":(?!latest$)[\w.-]+$", image)] == []


def test_our_images_are_of_the_version_of_the_chart() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    images = yaml.safe_load((CHART / "values.yaml").read_text())["images"]

    tags = {images[name].rpartition(":")[2] for name in ("operator", "serving", "training")}

    assert tags == {chart["appVersion"]} == {chart["version"]}


def test_nobody_else_gets_a_token_of_the_api(manifests: list[Manifest]) -> None:
    mounting = {
        workload["metadata"]["name"]
        for workload in workloads(manifests)
        if workload["spec"]["template"]["spec"].get("automountServiceAccountToken", True)
    }

    assert mounting <= {"fairlead-operator", "fairlead-prometheus"}


def test_services_do_not_leak_into_environments(manifests: list[Manifest]) -> None:
    """Service `fairlead-http` would otherwise set the operator's FAIRLEAD_HTTP_PORT."""
    for workload in workloads(manifests):
        assert workload["spec"]["template"]["spec"]["enableServiceLinks"] is False


def test_selectors_match_pods_and_services(manifests: list[Manifest]) -> None:
    pods = [workload["spec"]["template"]["metadata"]["labels"] for workload in workloads(manifests)]

    for service in of_kind(manifests, "Service"):
        selected = [pod for pod in pods if service["spec"]["selector"].items() <= pod.items()]
        assert len(selected) == 1, service["metadata"]["name"]


# --- passwords -----------------------------------------------------------------------------


OWN_SECRETS = (
    'webhook.existingSecret="hook"',
    'postgresql.existingSecret="passwords"',
    'mlflow.existingSecret="admin"',
)


@pytest.mark.parametrize("settings", VALUE_SETS)
def test_two_renders_are_the_same(settings: tuple[str, ...]) -> None:
    """What compares Git with the cluster would never be done with one that is not."""
    again = try_render.__wrapped__(*settings)

    assert again.stdout == try_render(*settings).stdout


def test_the_chart_puts_no_password_into_a_secret(manifests: list[Manifest]) -> None:
    for secret in of_kind(manifests, "Secret"):
        assert secret.keys().isdisjoint({"data", "stringData"}), secret["metadata"]["name"]


def keys_that_pods_read(manifests: list[Manifest]) -> set[tuple[str, str]]:
    read = set()
    for workload in workloads(manifests):
        for container in containers(workload):
            for variable in container.get("env", []):
                if reference := variable.get("valueFrom", {}).get("secretKeyRef"):
                    read.add((reference["name"], reference["key"]))
        for volume in workload["spec"]["template"]["spec"].get("volumes", []):
            for item in volume.get("secret", {}).get("items", []):
                read.add((volume["secret"]["secretName"], item["key"]))
    return read


def keys_that_are_generated(manifests: list[Manifest]) -> set[tuple[str, str]]:
    operator = find(manifests, "Deployment", "fairlead-operator")["spec"]["template"]["spec"]
    (words, *_) = [
        *(c["args"][1:] for c in operator.get("initContainers", []) if c["name"] == "passwords"),
        (),
    ]
    return {
        (name, key)
        for name, _, keys in (word.partition("=") for word in words)
        for key in keys.split(",")
    }


def test_what_is_generated_is_put_back_too(manifests: list[Manifest]) -> None:
    words = environment(manifests).get("FAIRLEAD_GENERATED_SECRETS", {"value": ""})["value"].split()

    told = {(name, key) for name, keys in parse_generated(words).items() for key in keys}
    assert told == keys_that_are_generated(manifests)


def test_what_pods_read_of_the_chart_s_secrets_is_generated(manifests: list[Manifest]) -> None:
    rendered = {secret["metadata"]["name"] for secret in of_kind(manifests, "Secret")}

    read = {pair for pair in keys_that_pods_read(manifests) if pair[0] in rendered}

    assert read == keys_that_are_generated(manifests)


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param((*BUNDLED, *OWN_SECRETS), id="everything bundled"),
        pytest.param((*EXTERNAL, OWN_SECRETS[0]), id="everything external"),
    ],
)
def test_with_secrets_of_one_s_own_nothing_is_generated(settings: tuple[str, ...]) -> None:
    manifests = render(*settings)

    assert of_kind(manifests, "Secret") == []
    assert keys_that_are_generated(manifests) == set()
    assert "fairlead-operator-passwords" not in {
        role["metadata"]["name"] for role in of_kind(manifests, "Role", "RoleBinding")
    }


def test_every_part_reads_the_secret_of_one_s_own() -> None:
    assert keys_that_pods_read(render(*BUNDLED, *OWN_SECRETS)) == {
        ("hook", "token"),
        ("passwords", "postgres-password"),
        ("passwords", "mlflow-password"),
        ("passwords", "fairlead-password"),
        ("admin", "admin-password"),
        ("admin", "server-key"),
    }


@pytest.mark.parametrize(
    ("setting", "kept"),
    [
        pytest.param((), {"fairlead-postgresql", "fairlead-mlflow-admin"}, id="with the data"),
        pytest.param(('postgresql.persistence={"enabled":false}',), set(), id="without data"),
    ],
)
def test_the_passwords_stay_as_long_as_the_data_they_open(
    setting: tuple[str, ...], kept: set[str]
) -> None:
    secrets = of_kind(render(*BUNDLED, *setting), "Secret")

    assert {
        secret["metadata"]["name"]
        for secret in secrets
        if "helm.sh/resource-policy" in secret["metadata"].get("annotations", {})
    } == kept


# --- rights --------------------------------------------------------------------------------


def rules(manifests: list[Manifest]) -> list[Manifest]:
    return [rule for role in of_kind(manifests, "Role", "ClusterRole") for rule in role["rules"]]


def test_rights_have_no_wildcard(manifests: list[Manifest]) -> None:
    for rule in rules(manifests):
        assert "*" not in [*rule["apiGroups"], *rule["resources"], *rule["verbs"]], rule


def test_nobody_may_read_secrets_but_those_that_are_generated(manifests: list[Manifest]) -> None:
    about_secrets = [
        (role, rule)
        for role in of_kind(manifests, "Role", "ClusterRole")
        for rule in role["rules"]
        if "secrets" in rule["resources"]
    ]

    generated = {name for name, _ in keys_that_are_generated(manifests)}
    assert about_secrets
    for role, rule in about_secrets:
        if role["metadata"]["name"] == "fairlead-operator-passwords":
            assert role["metadata"]["namespace"] == NAMESPACE
            assert set(rule["resourceNames"]) == generated
            assert set(rule["verbs"]) == {"get", "watch", "create", "patch", "update"}
        else:
            makes = {"get", "list", "watch", "create", "patch", "delete"}
            verbs = {
                "fairlead-database": [makes],
                "fairlead-mlflow": [makes, {"get", "delete"}],
            }
            (name,) = rule["resourceNames"]
            assert set(rule["verbs"]) in verbs[name]


@pytest.mark.parametrize(
    ("settings", "makes"),
    [
        pytest.param(BUNDLED, True, id="the bundled MLflow, with users of ours"),
        pytest.param(EXTERNAL, False, id="an MLflow of one's own"),
        pytest.param((*EXTERNAL, *SHARED), True, id="whose credentials are shared"),
    ],
)
def test_secrets_for_mlflow_are_written_only_where_we_make_them(
    settings: tuple[str, ...], makes: bool
) -> None:
    (verbs,) = [
        rule["verbs"]
        for rule in rules(render(*settings))
        if rule.get("resourceNames") == ["fairlead-mlflow"]
    ]

    written = ["get", "list", "watch", "create", "patch", "delete"]
    assert verbs == (written if makes else ["get", "delete"])


def test_events_are_written_and_those_of_a_job_listed(manifests: list[Manifest]) -> None:
    about = [rule for rule in rules(manifests) if "events" in rule["resources"]]

    assert about
    for rule in about:
        assert set(rule["verbs"]) == {"list", "create", "patch"}


def test_nobody_may_give_more_rights_than_the_gateways(manifests: list[Manifest]) -> None:
    for rule in rules(manifests):
        if "rbac.authorization.k8s.io" in rule["apiGroups"]:
            assert rule["resourceNames"] == ["fairlead-gateway"]
            assert "escalate" not in rule["verbs"]


def test_routes_of_the_cluster_s_gateways_are_written_and_their_gateways_left_alone(
    manifests: list[Manifest],
) -> None:
    about = [rule for rule in rules(manifests) if "gateway.networking.k8s.io" in rule["apiGroups"]]

    assert about
    for rule in about:
        assert rule["resources"] == ["httproutes"]
        assert set(rule["verbs"]) == {"get", "list", "watch", "create", "patch", "delete"}


def test_all_namespaces_take_a_cluster_role() -> None:
    manifests = render(*EXTERNAL)

    find(manifests, "ClusterRole", "fairlead-operator")
    assert {role["metadata"]["namespace"] for role in of_kind(manifests, "Role")} == {NAMESPACE}


def test_named_namespaces_take_a_role_in_each_and_none_elsewhere() -> None:
    manifests = render(*BUNDLED, 'watchNamespaces=["a","b"]', "clusterRoles.users=false")

    assert of_kind(manifests, "ClusterRoleBinding") == []
    cluster_roles = [role["metadata"]["name"] for role in of_kind(manifests, "ClusterRole")]
    assert cluster_roles == ["fairlead-gateway"]
    places = {
        role["metadata"]["namespace"]
        for role in of_kind(manifests, "Role")
        if role["metadata"]["name"] == "fairlead-operator"
    }
    assert places == {"a", "b"}


def test_people_get_rights_by_their_usual_roles() -> None:
    manifests = render(*EXTERNAL)

    view = find(manifests, "ClusterRole", "fairlead-view")
    edit = find(manifests, "ClusterRole", "fairlead-edit")
    to = "rbac.authorization.k8s.io/aggregate-to-"
    assert {f"{to}view", f"{to}edit", f"{to}admin"} <= set(view["metadata"]["labels"])
    assert {f"{to}edit", f"{to}admin"} <= set(edit["metadata"]["labels"])
    assert f"{to}view" not in edit["metadata"]["labels"]


def operator_container(manifests: list[Manifest]) -> Manifest:
    deployment = find(manifests, "Deployment", "fairlead-operator")
    container: Manifest
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    return container


def test_the_history_is_on_loopback_and_has_a_role_that_is_bound_to_nobody() -> None:
    manifests = render(*EXTERNAL)

    container = operator_container(manifests)
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    (service,) = [
        item for item in of_kind(manifests, "Service") if "operator" in item["metadata"]["name"]
    ]
    role = find(manifests, "Role", "fairlead-history")
    bound = {binding["roleRef"]["name"] for binding in of_kind(manifests, "RoleBinding")}
    assert ports["history"] == 8081
    assert 8081 not in {port["port"] for port in service["spec"]["ports"]}
    assert [rule["resources"] for rule in role["rules"]] == [["pods"], ["pods/portforward"]]
    assert "fairlead-history" not in bound


# --- the operator --------------------------------------------------------------------------


def environment(manifests: list[Manifest]) -> dict[str, Manifest]:
    return {variable["name"]: variable for variable in operator_container(manifests)["env"]}


def test_the_operator_is_told_where_external_parts_are() -> None:
    told = environment(render(*EXTERNAL))

    assert told["MLFLOW_TRACKING_URI"]["value"] == "http://mlflow.ml.svc:5000"
    assert told["FAIRLEAD_PROMETHEUS_URL"]["value"] == "http://prometheus.monitoring.svc:9090"
    reference = told["FAIRLEAD_DATABASE_URL"]["valueFrom"]["secretKeyRef"]
    assert reference == {"name": "db", "key": "url"}


def test_the_operator_is_told_where_bundled_parts_are() -> None:
    told = environment(render(*BUNDLED))

    # Names that training pods in other namespaces can resolve too.
    assert told["MLFLOW_TRACKING_URI"]["value"] == f"http://fairlead-mlflow.{NAMESPACE}.svc:5000"
    assert told["FAIRLEAD_PROMETHEUS_URL"]["value"] == (
        f"http://fairlead-prometheus.{NAMESPACE}.svc:9090"
    )
    assert told["FAIRLEAD_DATABASE_URL"]["value"] == (
        "postgresql://fairlead:$(FAIRLEAD_DATABASE_PASSWORD)"
        f"@fairlead-postgresql.{NAMESPACE}.svc:5432/fairlead"
    )


@pytest.mark.parametrize(
    ("settings", "mounted"),
    [
        pytest.param(BUNDLED, {"fairlead-webhook": "token",
                               "fairlead-mlflow-admin": "admin-password",
                               "fairlead-postgresql": "fairlead-password"}, id="bundled"),
        pytest.param(EXTERNAL, {"fairlead-webhook": "token", "db": "url"}, id="external"),
        pytest.param((*EXTERNAL, *SIGNED_IN), {"fairlead-webhook": "token", "db": "url",
                                               "mlflow-login": "username"}, id="with a login"),
    ],
)  # fmt: skip
def test_the_operator_can_see_that_a_secret_has_changed(
    settings: tuple[str, ...], mounted: dict[str, str]
) -> None:
    pod = find(render(*settings), "Deployment", "fairlead-operator")["spec"]["template"]["spec"]
    volume = next(volume for volume in pod["volumes"] if volume["name"] == "secrets")
    sources = [source["secret"] for source in volume["projected"]["sources"]]

    assert {source["name"]: source["items"][0]["key"] for source in sources} == mounted
    assert all(source["optional"] for source in sources)


@pytest.mark.parametrize(
    ("kind", "name"), [("Deployment", "fairlead-operator"), ("Deployment", "fairlead-mlflow")]
)
def test_a_variable_that_another_refers_to_stands_before_it(kind: str, name: str) -> None:
    """The kubelet fills in those that it has read already, and leaves the others as they are."""
    spec = find(render(*BUNDLED), kind, name)["spec"]["template"]["spec"]
    before: set[str] = set()
    referred: set[str] = set()
    for variable in spec["containers"][0]["env"]:
        here = set(re.findall(r"\$\((\w+)\)", variable.get("value", "")))
        assert here <= before, variable["name"]
        referred |= here
        before.add(variable["name"])

    assert len(referred) == 1


def test_the_operator_reads_every_variable_it_is_given() -> None:
    told = environment(render(*BUNDLED)).keys() - {"FAIRLEAD_DATABASE_PASSWORD"}  # in the address
    folder = CHART.parents[1] / "operator"

    text = "".join(
        (folder / path).read_text()
        for path in (
            "fairlead_operator/settings.py",
            "fairlead_contract/mlflow.py",
            "fairlead_contract/database.py",
            "fairlead_contract/hosts.py",
        )
    )

    assert [name for name in told if f'"{name}"' not in text] == []


@pytest.mark.parametrize(
    ("settings", "allowed"),
    [
        pytest.param((), "false", id="by default not"),
        pytest.param(("serving.allowArtifactCode=true",), "true", id="where somebody says so"),
    ],
)
def test_versions_may_bring_code_where_the_values_say_so(
    settings: tuple[str, ...], allowed: str
) -> None:
    told = environment(render(*EXTERNAL, *settings))

    assert told["FAIRLEAD_ALLOW_ARTIFACT_CODE"]["value"] == allowed


@pytest.mark.parametrize(
    ("settings", "image"),
    [
        pytest.param((), None, id="one image serves all"),
        pytest.param(('images.onnx="r/onnx:1"',), "r/onnx:1", id="one for graphs"),
    ],
)
def test_an_image_for_graphs_is_used_where_there_is_one(
    settings: tuple[str, ...], image: str | None
) -> None:
    told = environment(render(*EXTERNAL, *settings))

    assert told.get("FAIRLEAD_ONNX_IMAGE", {}).get("value") == image


def test_names_of_namespaces_and_pull_secrets_are_lists() -> None:
    told = environment(
        render(*EXTERNAL, 'watchNamespaces=["a","b"]', 'imagePullSecrets=["one","two"]')
    )

    assert told["FAIRLEAD_WATCH_NAMESPACES"]["value"] == "a,b"
    assert told["FAIRLEAD_IMAGE_PULL_SECRETS"]["value"] == "one,two"


def test_the_operator_is_told_what_a_namespace_may_do() -> None:
    told = {name: entry.get("value") for name, entry in environment(render(*EXTERNAL)).items()}

    limits = Settings.from_environment(told | {"FAIRLEAD_DATABASE_URL": "postgresql://db/x",
                                               "FAIRLEAD_WEBHOOK_TOKEN": "t"})  # fmt: skip
    assert (limits.login_limits, limits.logins) == (Limits(), Logins()), "as without the chart"
    new = ("record.logins", "record.shareOperatorLoginWithEveryNamespace",
           "externalDatabase.sslmode", "externalDatabase.caSecret",
           "serving", "training")  # fmt: skip
    kept = render(*EXTERNAL, *(f"{name}=null" for name in new))
    assert not [name for name in environment(kept) if "LOGIN" in name], "with --reuse-values"


def test_the_operator_is_told_whose_logins_pods_have() -> None:
    shared = environment(render(*EXTERNAL, "record.shareOperatorLoginWithEveryNamespace=true"))
    provided = environment(render(*EXTERNAL, 'record.logins.existingSecret="platform-database"'))

    assert shared["FAIRLEAD_SHARE_OPERATOR_LOGIN"]["value"] == "true"
    assert provided["FAIRLEAD_LOGIN_SECRET"]["value"] == "platform-database"


def test_the_authority_of_a_database_is_mounted_where_the_operator_looks() -> None:
    manifests = render(*EXTERNAL, 'externalDatabase.sslmode="verify-full"',
                       'externalDatabase.caSecret="db-ca"')  # fmt: skip
    pod = find(manifests, "Deployment", "fairlead-operator")["spec"]["template"]["spec"]
    volume = next(volume for volume in pod["volumes"] if volume["name"] == "secrets")
    (source,) = [
        source["secret"]
        for source in volume["projected"]["sources"]
        if source["secret"]["name"] == "db-ca"
    ]
    (mount,) = [each for each in operator_container(manifests)["volumeMounts"]
                if each["name"] == "secrets"]  # fmt: skip
    told = environment(manifests)

    (item,) = source["items"]
    assert item["key"] == "ca.crt"
    assert told["FAIRLEAD_DATABASE_CA"]["value"] == f"{mount['mountPath']}/{item['path']}"
    assert told["FAIRLEAD_DATABASE_SSLMODE"]["value"] == "verify-full"


def test_the_bundled_database_lets_the_operator_make_logins() -> None:
    (script,) = find(render(*BUNDLED), "ConfigMap", "fairlead-postgresql")["data"].values()

    assert "CREATE ROLE fairlead LOGIN CREATEROLE" in script


def test_an_address_given_as_a_value_ends_in_a_secret() -> None:
    url = "postgresql://u:p@db.example:5432/fairlead"
    manifests = render(f'externalDatabase.url="{url}"', *EXTERNAL[1:])

    reference = environment(manifests)["FAIRLEAD_DATABASE_URL"]["valueFrom"]["secretKeyRef"]

    secret = find(manifests, "Secret", reference["name"])
    assert secret["stringData"][reference["key"]] == url


CRD = "CustomResourceDefinition"


def test_the_crds_are_ours_and_stay() -> None:
    kept = {crd["metadata"]["name"]: crd for crd in of_kind(render(*EXTERNAL), CRD)}
    sources = [yaml.safe_load(file.read_text()) for file in (CHART.parents[1] / "crds").iterdir()]

    assert set(kept) == {source["metadata"]["name"] for source in sources}
    for source in sources:
        crd = kept[source["metadata"]["name"]]
        assert crd["spec"] == source["spec"]
        assert crd["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"


def test_the_crds_can_be_left_out_or_go_with_the_release() -> None:
    assert of_kind(render(*EXTERNAL, "crds.install=false"), CRD) == []
    for crd in of_kind(render(*EXTERNAL, "crds.keep=false"), CRD):
        assert "helm.sh/resource-policy" not in crd["metadata"].get("annotations", {})


# --- bundled parts -------------------------------------------------------------------------


def test_what_is_external_is_not_bundled() -> None:
    names = {w["metadata"]["name"] for w in workloads(render(*BUNDLED, EXTERNAL[2]))}

    assert names == {"fairlead-operator", "fairlead-postgresql", "fairlead-mlflow"}


def mlflow_container() -> Manifest:
    deployment = find(render(*BUNDLED), "Deployment", "fairlead-mlflow")
    return dict(deployment["spec"]["template"]["spec"]["containers"][0])


def test_mlflow_asks_who_is_there_as_the_tests_know_it() -> None:
    """What they try on it is in tests/integration/test_mlflow_tenants.py."""
    server = mlflow_container()
    told = {variable["name"]: variable.get("value") for variable in server["env"]}

    assert "--app-name=basic-auth" in server["args"]
    assert told.items() >= GUARDS.items()
    assert told["PYTHONPATH"] == "/etc/fairlead"
    files = find(render(*BUNDLED), "ConfigMap", "fairlead-mlflow")["data"]
    assert files == {path.name: path.read_text() for path in FILES.iterdir() if path.is_file()}


def test_the_place_of_mlflows_users_is_written_as_its_reader_wants_it(tmp_path: Path) -> None:
    """A password in an address is percent-encoded, which the file would read as a reference."""
    script = mlflow_container()["args"][0]
    script = script.replace("/etc/fairlead", str(FILES)).replace("/tmp", str(tmp_path))
    address = "postgresql+psycopg://mlflow:a%40b%25@db:5432/mlflow?sslmode=require"
    shell = ["sh", "-ec", script.replace("exec mlflow", "echo"), "mlflow", "--workers=1"]

    done = subprocess.run(
        shell,
        env={"PATH": os.environ["PATH"], "MLFLOW_BACKEND_STORE_URI": address},
        check=True,
        capture_output=True,
        text=True,
    )

    config = configparser.ConfigParser()
    config.read(tmp_path / "auth.ini")
    assert config["mlflow"]["database_uri"] == address
    assert config["mlflow"]["default_permission"] == "NO_PERMISSIONS"
    assert (tmp_path / "auth.ini").stat().st_mode & 0o077 == 0
    assert done.stdout == "server --workers=1\n"


def test_the_operator_is_the_administrator_of_the_bundled_mlflow_alone() -> None:
    told = environment(render(*BUNDLED))
    own, shared = environment(render(*EXTERNAL)), environment(render(*EXTERNAL, *SHARED))

    assert told["FAIRLEAD_MLFLOW_SECRETS"]["value"] == "made"
    assert told["MLFLOW_TRACKING_USERNAME"]["value"] == "admin"
    assert not {"FAIRLEAD_MLFLOW_SECRETS", "FAIRLEAD_MLFLOW_SECRET"} & own.keys()
    assert not {"MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"} & own.keys()
    assert shared["FAIRLEAD_MLFLOW_SECRETS"]["value"] == "shared"
    assert shared["FAIRLEAD_MLFLOW_SECRET"]["value"] == "/var/run/fairlead/secrets/mlflow"


def test_mlflow_answers_to_the_names_of_its_service() -> None:
    deployment = find(render(*BUNDLED), "Deployment", "fairlead-mlflow")
    server = deployment["spec"]["template"]["spec"]["containers"][0]

    (argument,) = [a for a in server["args"] if a.startswith("--allowed-hosts=")]

    hosts = argument.removeprefix("--allowed-hosts=").split(",")
    for host in ("localhost", "fairlead-mlflow", f"fairlead-mlflow.{NAMESPACE}.svc"):
        assert {host, f"{host}:*"} <= set(hosts)  # it compares the port too


def test_operator_and_mlflow_know_the_domain_of_the_cluster() -> None:
    manifests = render(*BUNDLED, 'clusterDomain="k8s.example.com"')

    server = containers(find(manifests, "Deployment", "fairlead-mlflow"))[-1]
    assert environment(manifests)["FAIRLEAD_CLUSTER_DOMAIN"]["value"] == "k8s.example.com"
    assert f"fairlead-mlflow.{NAMESPACE}.svc.k8s.example.com:*" in " ".join(server["args"])
    assert "cluster.local" not in " ".join(server["args"])


@pytest.mark.parametrize("domain", ["", "cluster.local.", "a b", "Cluster.local", "a" * 64])
def test_what_is_no_domain_is_refused(domain: str) -> None:
    assert "clusterDomain" in refusal(f'clusterDomain="{domain}"')


def test_alerts_about_versions_reach_the_operator() -> None:
    text = find(render(*BUNDLED), "ConfigMap", "fairlead-alertmanager")["data"]["alertmanager.yml"]
    config = yaml.safe_load(text)

    (webhook,) = config["receivers"][1]["webhook_configs"]

    assert webhook["url"] == f"http://fairlead-operator.{NAMESPACE}.svc:8443/alerts"
    assert webhook["send_resolved"] is True
    assert webhook["http_config"]["authorization"]["credentials_file"].endswith("/token")
    assert config["route"]["receiver"] == "nobody"
    assert config["route"]["routes"][-1]["receiver"] == "fairlead"


def test_own_receivers_come_first() -> None:
    manifests = render(
        *BUNDLED,
        'alertmanager.extraReceivers=[{"name":"slack"}]',
        'alertmanager.extraRoutes=[{"receiver":"slack","continue":true}]',
    )
    text = find(manifests, "ConfigMap", "fairlead-alertmanager")["data"]["alertmanager.yml"]

    config = yaml.safe_load(text)

    assert [route["receiver"] for route in config["route"]["routes"]] == ["slack", "fairlead"]
    assert [receiver["name"] for receiver in config["receivers"]] == ["nobody", "fairlead", "slack"]


def test_prometheus_sends_to_an_external_alertmanager() -> None:
    manifests = render(*BUNDLED, 'externalAlertmanager.url="https://alerts.example:9093"')
    text = find(manifests, "ConfigMap", "fairlead-prometheus")["data"]["prometheus.yml"]

    (target,) = yaml.safe_load(text)["alerting"]["alertmanagers"]

    assert target["scheme"] == "https"
    assert target["static_configs"] == [{"targets": ["alerts.example:9093"]}]


def test_prometheus_looks_only_where_models_are_watched() -> None:
    manifests = render(*BUNDLED, 'watchNamespaces=["a","b"]')
    text = find(manifests, "ConfigMap", "fairlead-prometheus")["data"]["prometheus.yml"]

    scraped = {
        job["job_name"]: job["kubernetes_sd_configs"][0]["namespaces"]["names"]
        for job in yaml.safe_load(text)["scrape_configs"]
    }

    assert scraped == {
        "fairlead-gateway": ["a", "b"],
        "fairlead-agent": ["a", "b"],
        "fairlead-server": ["a", "b"],
        "fairlead-operator": [NAMESPACE],
    }


def test_both_ports_of_a_gateway_are_scraped_by_the_prometheus_operator_too() -> None:
    options = ("prometheusOperator.monitors=true", "prometheusOperator.rules=true")
    monitor = find(render(*EXTERNAL, *options), "PodMonitor", "fairlead-gateway")

    assert [each["port"] for each in monitor["spec"]["podMetricsEndpoints"]] == ["metrics", "agent"]


def test_every_part_lets_only_some_in() -> None:
    policies = of_kind(render(*BUNDLED), "NetworkPolicy")

    parts = {policy["metadata"]["name"].removeprefix("fairlead-") for policy in policies}

    assert parts == {"operator", "postgresql", "mlflow", "prometheus", "alertmanager"}
    for policy in policies:
        assert all(rule["from"] for rule in policy["spec"]["ingress"])


def test_an_external_prometheus_gets_through_to_the_operator() -> None:
    policy = find(render(*EXTERNAL), "NetworkPolicy", "fairlead-operator")

    assert [set(rule) for rule in policy["spec"]["ingress"]] == [{"ports"}, {"ports"}]


IN_A_NAMESPACE = (
    *BUNDLED,
    'networkPolicy.modelNamespaces=["energy"]',
    'networkPolicy.callersFrom=[{"podSelector":{"matchLabels":{"app":"shop"}}}]',
    'networkPolicy.gatewaysFrom=[{"podSelector":{"matchLabels":{"app":"envoy"}}}]',
)
SCRAPER = {
    "app.kubernetes.io/name": "fairlead",
    "app.kubernetes.io/instance": "fairlead",
    "app.kubernetes.io/component": "prometheus",
}


@pytest.mark.parametrize(
    ("component", "port", "caller", "is_allowed"),
    [
        pytest.param("server", SERVER_PORT, component_labels("gateway"), True, id="gateway"),
        pytest.param("server", SERVER_PORT, {"app": "envoy"}, True, id="a Gateway's pods"),
        pytest.param("server", SERVER_SHADOW_PORT, {"app": "envoy"}, True, id="their copies"),
        pytest.param("server", SERVER_PORT, SCRAPER, True, id="Prometheus"),
        pytest.param("server", SERVER_SHADOW_PORT, SCRAPER, False, id="Prometheus sends no copies"),
        pytest.param("server", SERVER_PORT, {"app": "shop"}, False, id="callers: by the gateway"),
        pytest.param("gateway", GATEWAY_TRAFFIC_PORT, {"app": "shop"}, True, id="callers"),
        pytest.param("gateway", GATEWAY_TRAFFIC_PORT, SCRAPER, False, id="no one else"),
        pytest.param("gateway", GATEWAY_METRICS_PORT, SCRAPER, True, id="metrics of Envoy"),
        pytest.param("gateway", GATEWAY_AGENT_PORT, SCRAPER, True, id="metrics of the agent"),
        pytest.param("gateway", GATEWAY_METRICS_PORT, {"app": "shop"}, False, id="not for callers"),
        pytest.param("trainer", 80, component_labels("gateway"), False, id="no training listens"),
    ],
)
def test_who_may_connect_to_the_pods_of_a_model(
    component: str, port: int, caller: dict[str, str], *, is_allowed: bool
) -> None:
    policies = [
        policy["spec"]
        for policy in of_kind(render(*IN_A_NAMESPACE), "NetworkPolicy")
        if policy["metadata"]["namespace"] == "energy"
        if policy["spec"]["podSelector"]["matchLabels"].items()
        <= component_labels(component, "nsw-price", "1.0.0").items()
    ]

    (policy,) = policies
    assert policy["policyTypes"] == ["Ingress"]
    assert is_allowed is any(
        port in {each["port"] for each in rule["ports"]}
        and peer["podSelector"]["matchLabels"].items() <= caller.items()
        for rule in policy.get("ingress", ())
        for peer in rule["from"]
    )


def test_a_scraper_of_another_namespace_is_named_with_it() -> None:
    policy = find(render(*IN_A_NAMESPACE), "NetworkPolicy", "fairlead-server")

    (peer,) = policy["spec"]["ingress"][1]["from"]
    assert peer["namespaceSelector"] == {"matchLabels": {"kubernetes.io/metadata.name": NAMESPACE}}


def test_lists_that_are_null_are_empty() -> None:
    """As they are for `helm upgrade --reuse-values` from a release that did not have them."""
    peers = ("webhookFrom", "metricsFrom", "consoleFrom", "callersFrom", "gatewaysFrom")
    in_energy = (*BUNDLED, 'networkPolicy.modelNamespaces=["energy"]')
    null = (
        *(f"networkPolicy.{name}=null" for name in peers),
        "mlflow.extraAllowedHosts=null",
        "watchNamespaces=null",
    )

    assert render(*in_energy, *null) == render(*in_energy)
    assert render(*EXTERNAL, *null, "networkPolicy.modelNamespaces=null") == render(*EXTERNAL)


def test_callers_are_everyone_unless_they_are_named() -> None:
    policy = find(
        render(*BUNDLED, 'networkPolicy.modelNamespaces=["energy"]'),
        "NetworkPolicy",
        "fairlead-gateway",
    )

    assert [set(rule) for rule in policy["spec"]["ingress"]] == [{"ports"}, {"ports", "from"}]


def test_network_policies_can_be_left_out() -> None:
    left_out = render(*IN_A_NAMESPACE, "networkPolicy.enabled=false")

    assert of_kind(left_out, "NetworkPolicy") == []


def test_the_local_cluster_gets_everything_and_keeps_nothing() -> None:
    manifests = render(files=[LOCAL_VALUES])

    assert of_kind(manifests, "PersistentVolumeClaim") == []
    assert len(workloads(manifests)) == 5


def test_a_long_release_name_is_cut() -> None:
    done = helm(
        *("template", "r" * 53, str(CHART), "--kube-version=1.36.0", "--set=bundled.enabled=true")
    )

    names = [manifest["metadata"]["name"] for manifest in load_all(done.stdout)]
    assert max(map(len, names)) <= 63


# --- what is refused -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        pytest.param(EXTERNAL[1:], "externalDatabase.existingSecret", id="no database"),
        pytest.param((EXTERNAL[0], EXTERNAL[2]), "externalMlflow.url", id="no MLflow"),
        pytest.param(EXTERNAL[:2], "externalPrometheus.url", id="no Prometheus"),
        pytest.param(
            (*EXTERNAL, 'externalDatabase.url="postgresql://u:p@h/d"'), "not both", id="two Secrets"
        ),
        pytest.param(
            (*EXTERNAL, "postgresql.enabled=true"), "postgresql.enabled", id="2 databases"
        ),
        pytest.param((*EXTERNAL, "mlflow.enabled=true"), "mlflow.enabled", id="two MLflows"),
        pytest.param((*BUNDLED, *SIGNED_IN), "mlflow.existingSecret", id="a login to no MLflow"),
        pytest.param((*EXTERNAL, SHARED[1]), "which is not set", id="no credentials to share"),
        pytest.param(
            (*EXTERNAL, "prometheus.enabled=true"), "prometheus.enabled", id="2 Prometheus"
        ),
        pytest.param(
            (*EXTERNAL[:2], "prometheus.enabled=true"),
            "externalAlertmanager.url",
            id="alerts that go nowhere",
        ),
        pytest.param(
            (*EXTERNAL, "alertmanager.enabled=true"), "externalPrometheus.url", id="nobody alerts"
        ),
        pytest.param(
            (*EXTERNAL, 'networkPolicy.modelNamespaces=["energy"]'),
            "networkPolicy.metricsFrom",
            id="servers that nobody scrapes",
        ),
        pytest.param(
            (EXTERNAL[0], EXTERNAL[2], "mlflow.enabled=true"),
            "mlflow.existingDatabaseSecret",
            id="MLflow without a database",
        ),
        pytest.param(
            (*EXTERNAL, 'externalDatabase.sslmode="verify-ca"'),
            "externalDatabase.caSecret",
            id="a certificate that nobody can verify",
        ),
        pytest.param(
            (*BUNDLED, 'externalDatabase.sslmode="require"'),
            "externalDatabase.sslmode",
            id="encryption that the bundled database does not have",
        ),
        pytest.param(
            (
                *EXTERNAL,
                'record.logins.existingSecret="theirs"',
                "record.shareOperatorLoginWithEveryNamespace=true",
            ),
            "drop one of them",
            id="two logins",
        ),
        pytest.param(
            (*EXTERNAL, 'record.logins.existingSecret="fairlead-database"'),
            "choose another name",
            id="a Secret that two would write",
        ),
    ],
)
def test_a_release_that_could_not_work_is_refused(settings: tuple[str, ...], named: str) -> None:
    assert named in refusal(*settings)


@pytest.mark.parametrize(
    ("setting", "named"),
    [
        ("replicas=2", "replicas"),
        ("operator.replica=2", "replica"),
        ("operator.replicas=-1", "/operator/replicas"),
        ('operator.replicas="2"', "/operator/replicas"),
        ('operator.logFormat="xml"', "/operator/logFormat"),
        ('imagePullPolicy="Sometimes"', "/imagePullPolicy"),
        ('images.operator="fairlead/operator"', "/images/operator"),
        ('images.operator={"repository":"fairlead/operator"}', "/images/operator"),
        ('watchNamespaces="a,b"', "/watchNamespaces"),
        ('watchNamespaces=["team-*"]', "/watchNamespaces"),
        ('networkPolicy.modelNamespaces=["team-*"]', "/networkPolicy/modelNamespaces"),
        ('externalMlflow.url="mlflow:5000"', "/externalMlflow/url"),
        ('externalDatabase.url="mysql://u:p@h/d"', "/externalDatabase/url"),
        ('prometheus.scrapeInterval="5"', "/prometheus/scrapeInterval"),
        ("rules.errors.ratio=5", "/rules/errors/ratio"),
        ("rules.slow.quantile=95", "/rules/slow/quantile"),
        ('rules.slow.for="soon"', "/rules/slow/for"),
        ('mlflow.databaseDriver="mysql"', "/mlflow/databaseDriver"),
        ('postgresql.persistence.size="big"', "/postgresql/persistence/size"),
        ('operator.resources={"cpu":"1"}', "/operator/resources"),
        ("bundled.enabled=1", "/bundled/enabled"),
        ('serving.allowArtifactCode="yes"', "/serving/allowArtifactCode"),
        ('postgresql.existingSecret="My Secret"', "/postgresql/existingSecret"),
        ('webhook.existingSecret="My Secret"', "/webhook/existingSecret"),
        ('externalDatabase.sslmode="yes"', "/externalDatabase/sslmode"),
        ("record.logins.connections=0", "/record/logins/connections"),
        ('record.logins.existingSecret="My Secret"', "/record/logins/existingSecret"),
    ],
)
def test_the_schema_refuses(setting: str, named: str) -> None:
    message = refusal(*BUNDLED, setting)

    assert "schema" in message
    assert named in message


# --- documentation -------------------------------------------------------------------------


def test_every_value_has_a_comment() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    described = {value.path for value in documented_values()}

    undescribed = [
        path
        for path in leaves(values)
        if not any(path == known or path.startswith(f"{known}.") for known in described)
    ]

    assert undescribed == []


def test_the_schema_is_strict_and_knows_every_value() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())

    jsonschema.validate(values, schema)
    for path in leaves(values):
        known = schema
        for key in path.split("."):
            if "properties" not in known:
                break  # a map of the user's, such as resources
            assert known["additionalProperties"] is False, path
            known = known["properties"][key]


def test_the_readme_lists_the_values() -> None:
    assert table_in_readme() == table(), "run PYTHONPATH=tests python -m support.chart.values_table"
