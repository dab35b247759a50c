"""Which cluster a machine gets."""

from pathlib import Path

import pytest

from cluster.choose import choose
from cluster.errors import ClusterError
from support.commands import FakeRun

DOCKER = FakeRun({"docker info": "Server Version: 29"})
NO_DOCKER = FakeRun({"docker info": None})


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path)}


@pytest.mark.parametrize(
    ("run", "extra", "name"),
    [
        pytest.param(DOCKER, {}, "kind", id="docker answers: kind"),
        pytest.param(NO_DOCKER, {}, "native", id="docker does not answer: native"),
        pytest.param(DOCKER, {"FAIRLEAD_CLUSTER": "native"}, "native", id="native was asked for"),
        pytest.param(NO_DOCKER, {"FAIRLEAD_CLUSTER": "kind"}, "kind", id="kind was asked for"),
        pytest.param(NO_DOCKER, {"KUBECONFIG": "/"}, "native", id="the shell's own is not used"),
    ],
)
def test_choose(run: FakeRun, extra: dict[str, str], name: str, environ: dict[str, str]) -> None:
    assert choose(environ | extra, run).name == name


def test_a_named_kubeconfig_goes_before_everything(environ: dict[str, str], tmp_path: Path) -> None:
    named = tmp_path / "mine"
    named.touch()

    cluster = choose(environ | {"FAIRLEAD_KUBECONFIG": str(named)}, DOCKER)

    assert (cluster.name, cluster.kubeconfig) == ("existing", named)


@pytest.mark.parametrize(
    ("variable", "value"),
    [("FAIRLEAD_KUBECONFIG", "/absent"), ("FAIRLEAD_CLUSTER", "minikube")],
)
def test_a_choice_that_cannot_be_met_is_refused(
    variable: str, value: str, environ: dict[str, str]
) -> None:
    with pytest.raises(ClusterError, match=value):
        choose(environ | {variable: value}, NO_DOCKER)
