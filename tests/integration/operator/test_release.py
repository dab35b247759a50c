"""Releases of the chart on an API server of their own: passwords, and a second release."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.binaries import KUBERNETES_VERSION
from cluster.control_plane import ControlPlane, control_plane
from support.chart.rendering import CHART, helm_path
from support.kube_desk import create_namespace, log_in_as

pytestmark = pytest.mark.integration

BUNDLED = "--set=bundled.enabled=true"
# What belongs to the whole cluster is left out, so that tests keep apart by namespace.
APART = ("--set=crds.install=false", "--set=clusterRoles.gateway=false,clusterRoles.users=false")
WEBHOOK, POSTGRESQL = "fairlead-webhook", "fairlead-postgresql"
MLFLOW = "fairlead-mlflow-admin"
GENERATED = {
    WEBHOOK: {"token"},
    POSTGRESQL: {"postgres-password", "mlflow-password", "fairlead-password"},
    MLFLOW: {"admin-password", "server-key"},
}


@pytest.fixture(name="plane", scope="module")
def _plane() -> Iterator[ControlPlane]:
    """One without our CRDs, which a release brings."""
    with control_plane(os.environ) as plane:
        yield plane


class Desk:
    """A namespace, and what a person does in it."""

    def __init__(self, plane: ControlPlane, folder: Path, *, shared: bool = False) -> None:
        self._plane = plane
        self._folder = folder
        self.namespace = create_namespace(plane, "release")
        self._values = [BUNDLED, f"--set=watchNamespaces={{{self.namespace}}}"]
        self._values += [] if shared else APART

    def helm(self, *arguments: str, check: bool = True) -> str:
        done = subprocess.run(
            [str(helm_path()), *arguments, f"--namespace={self.namespace}"],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "KUBECONFIG": str(self._plane.kubeconfig)},
        )
        assert done.returncode == 0 or not check, done.stderr
        return done.stdout if check else done.stderr

    def release(self, command: str, *values: str, chart: Path = CHART) -> None:
        self.helm(command, "fairlead", str(chart), *self._values, *values)

    def kubectl(self, *arguments: str, check: bool = True, text: str | None = None) -> str:
        namespace = f"--namespace={self.namespace}"
        return self._plane.kubectl(namespace, *arguments, check=check, input=text).stdout

    def apply(self, *options: str) -> None:
        """Do what a GitOps tool does: render without the cluster, then apply."""
        version = f"--kube-version={KUBERNETES_VERSION}"
        rendered = self.helm("template", "fairlead", str(CHART), *self._values, version)
        self.kubectl("apply", *options, "--filename=-", text=rendered)

    def secrets(self) -> dict[str, dict[str, str]]:
        listed = json.loads(self.kubectl("get", "secrets", "--output=json"))["items"]
        return {
            secret["metadata"]["name"]: secret.get("data") or {}
            for secret in listed
            if secret["type"] == "Opaque"
        }

    def start_operator(self, *, check: bool = True) -> "subprocess.CompletedProcess[str]":
        """Run the init container of the operator's Deployment, with the rights of its pod."""
        text = self.kubectl("get", "deployment", "fairlead-operator", "--output=json")
        pod = json.loads(text)["spec"]["template"]["spec"]
        (container,) = pod["initContainers"]
        python, *module = container["command"]
        assert python == "python"
        account = pod["serviceAccountName"]
        kubeconfig = log_in_as(self._plane, account, namespace=self.namespace, folder=self._folder)
        done = subprocess.run(
            [sys.executable, *module, *container["args"]],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "KUBECONFIG": str(kubeconfig)},
        )
        assert done.returncode == 0 or not check, done.stderr
        return done


@pytest.fixture(name="desk")
def _desk(plane: ControlPlane, tmp_path: Path) -> Desk:
    return Desk(plane, tmp_path)


@pytest.fixture(name="installed", scope="module")
def _installed(plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A release whose operator has started once."""
    desk = Desk(plane, tmp_path_factory.mktemp("installed"))
    desk.release("install")
    assert desk.secrets() == {name: {} for name in GENERATED}
    done = desk.start_operator()
    told = done.stdout + done.stderr
    assert WEBHOOK in told
    assert [v for data in desk.secrets().values() for v in data.values() if v in told] == []
    return desk


@pytest.mark.parametrize(
    "again",
    [
        pytest.param(lambda desk: desk.start_operator(), id="the operator starts again"),
        pytest.param(
            lambda desk: desk.release("upgrade", "--set=operator.replicas=2"), id="helm upgrade"
        ),
        pytest.param(lambda desk: desk.apply(), id="kubectl apply, and Argo CD"),
        pytest.param(
            lambda desk: desk.apply("--server-side", "--force-conflicts"), id="server-side apply"
        ),
    ],
)
def test_every_password_is_generated_once(installed: Desk, again: Callable[[Desk], Any]) -> None:
    made = installed.secrets()

    again(installed)

    assert {name: set(data) for name, data in made.items()} == GENERATED
    assert all(value for data in made.values() for value in data.values())
    assert installed.secrets() == made


@pytest.mark.parametrize(
    ("verb", "what", "answer"),
    [
        ("get", f"secrets/{WEBHOOK}", "yes"),
        ("update", f"secrets/{POSTGRESQL}", "yes"),
        ("get", "secrets/of-others", "no"),
        ("list", "secrets", "no"),
        ("delete", f"secrets/{WEBHOOK}", "no"),
    ],
)
def test_the_operator_reads_no_secret_but_those(
    installed: Desk, verb: str, what: str, answer: str
) -> None:
    account = f"--as=system:serviceaccount:{installed.namespace}:fairlead-operator"

    assert installed.kubectl("auth", "can-i", verb, what, account, check=False).strip() == answer


def test_rights_that_are_applied_later_are_waited_for(desk: Desk) -> None:
    """The kubelet runs it again until it succeeds."""
    desk.apply()
    desk.kubectl("delete", "role", "fairlead-operator-passwords")

    done = desk.start_operator(check=False)

    assert done.returncode != 0
    assert "forbidden" in done.stderr
    desk.apply()
    desk.start_operator()
    assert all(desk.secrets().values())


def chart_with_passwords(folder: Path) -> Path:
    """The chart as it was when it rendered the passwords itself, as far as Secrets go."""
    chart = folder / "earlier"
    shutil.copytree(CHART, chart)
    for file, keys in {
        "operator/secrets.yaml": ("token",),
        "postgresql/postgresql.yaml": (*sorted(GENERATED[POSTGRESQL]), "mlflow-url"),
        "mlflow/mlflow.yaml": tuple(sorted(GENERATED[MLFLOW])),  # which is of a later one
    }.items():
        template = chart / "templates" / file
        lines = "".join(f"  {key}: of-the-earlier-release\n" for key in keys)
        text = template.read_text().replace(
            "type: Opaque\n", f"type: Opaque\nstringData:\n{lines}", 1
        )
        template.write_text(text)
    return chart


def test_an_upgrade_keeps_the_passwords_that_the_chart_rendered_once(
    desk: Desk, tmp_path: Path
) -> None:
    # With persistence, an annotation keeps one of the Secrets anyway.
    values = "--set=postgresql.persistence.enabled=false"
    desk.release("install", values, chart=chart_with_passwords(tmp_path))
    before = desk.secrets()
    assert all(before.values())

    desk.release("upgrade", values)
    desk.start_operator()

    assert desk.secrets() == before
    desk.helm("rollback", "fairlead", "1")
    assert desk.secrets() == before


def test_passwords_stay_with_the_data_when_the_release_goes(desk: Desk) -> None:
    desk.release("install")
    desk.start_operator()
    made = desk.secrets()

    desk.helm("uninstall", "fairlead")
    kept = {name: made[name] for name in (POSTGRESQL, MLFLOW)}
    assert desk.secrets() == kept
    desk.release("install")

    assert desk.secrets() == kept | {WEBHOOK: {}}


# --- a second release ----------------------------------------------------------------------


def second_values() -> Mapping[str, Any]:
    """The values that the chart's README gives a second release."""
    readme = (CHART / "README.md").read_text()
    blocks = map(yaml.safe_load, re.findall(r"```yaml\n(.*?)```", readme, re.DOTALL))
    (values,) = [block for block in blocks if "crds" in block]
    return dict(values)


def test_a_second_release_as_the_readme_has_it(plane: ControlPlane, tmp_path: Path) -> None:
    one, two = Desk(plane, tmp_path, shared=True), Desk(plane, tmp_path, shared=True)
    values = tmp_path / "second-values.yaml"
    values.write_text(yaml.safe_dump({**second_values(), "watchNamespaces": [two.namespace]}))
    second = ("install", "second", str(CHART), BUNDLED)
    one.release("install")

    refused = two.helm(*second, f"--set=watchNamespaces={{{two.namespace}}}", check=False)
    assert "cannot be imported" in refused
    two.helm(*second, f"--values={values}")
    one.release("upgrade")
    two.helm("upgrade", *second[1:], f"--values={values}")
    two.helm("uninstall", "second")
    one.helm("uninstall", "fairlead")

    # The CRDs are kept, and belong to the release that is gone.
    assert "cannot be imported" in two.helm(*second, check=False)
    two.helm(*second, "--take-ownership")
    text = two.kubectl("get", "crd", "models.fairlead.dev", "--output=json")
    owner = json.loads(text)["metadata"]["annotations"]["meta.helm.sh/release-name"]
    assert owner == "second"
